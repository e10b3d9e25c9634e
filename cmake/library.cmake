# The core: a static library that needs nothing but a C++17 compiler and threads.
find_package(Threads REQUIRED)

file(GLOB_RECURSE slm_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cpp/src/*.cpp)
list(FILTER slm_sources EXCLUDE REGEX "/no_cuda\\.cpp$")  # cmake/cuda.cmake adds it or cuda/
# Kernels for one instruction set are in files that end in its name; see below.
foreach(isa IN ITEMS avx2 avx512 avx512_bf16 amx_bf16 neon)
  set(slm_${isa}_sources ${slm_sources})
  list(FILTER slm_${isa}_sources INCLUDE REGEX "/cpu/[^/]*_${isa}\\.cpp$")
  list(FILTER slm_sources EXCLUDE REGEX "/cpu/[^/]*_${isa}\\.cpp$")
endforeach()

add_library(slm STATIC ${slm_sources})
add_library(slm::slm ALIAS slm)

# With CMAKE_UNITY_BUILD, as pip builds it, the files of a folder are compiled as one, which takes
# half the time. Those of cpu/ never are: what the compiler makes of a kernel depends on its file.
set_target_properties(slm PROPERTIES UNITY_BUILD_MODE GROUP)
foreach(source IN LISTS slm_sources)
  cmake_path(GET source PARENT_PATH folder)
  cmake_path(GET folder FILENAME folder)
  if(NOT folder STREQUAL "cpu")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder})
  endif()
endforeach()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(slm PRIVATE -Wno-subobject-linkage)  # takes the sources for headers
endif()
target_compile_features(slm PUBLIC cxx_std_17)
target_include_directories(
  slm
  PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/cpp/include> $<INSTALL_INTERFACE:include>
  PRIVATE ${PROJECT_SOURCE_DIR}/cpp/src)
target_link_libraries(slm PUBLIC Threads::Threads)

# The compiler must not fuse a multiplication and an addition on its own: results are to be the same
# bits whatever a loop was unrolled to. Nor may anything else reorder arithmetic between files.
target_compile_options(slm PRIVATE -ffp-contract=off)

# Each is compiled with its flags and chosen at run time; everything else runs on any machine of its
# kind. What is built in is told to isa.cpp and to the tests.
set(slm_isa_definitions "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  list(APPEND slm_isa_definitions SLM_HAS_X86)
  target_sources(slm PRIVATE ${slm_avx2_sources} ${slm_avx512_sources})
  set_source_files_properties(${slm_avx2_sources} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
  set(avx512_options "-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mavx2;-mfma;\
-mprefer-vector-width=512")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # It takes the don't-care operand of its own AVX-512 intrinsics for uninitialized.
    string(APPEND avx512_options ";-Wno-uninitialized;-Wno-maybe-uninitialized")
  endif()
  set_source_files_properties(${slm_avx512_sources} PROPERTIES COMPILE_OPTIONS "${avx512_options}")
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag(-mavx512bf16 SLM_COMPILER_HAS_BF16)  # GCC since 10, Clang since 9
  if(SLM_COMPILER_HAS_BF16)
    list(APPEND slm_isa_definitions SLM_HAS_BF16)
    target_sources(slm PRIVATE ${slm_avx512_bf16_sources})
    set_source_files_properties(${slm_avx512_bf16_sources}
                                PROPERTIES COMPILE_OPTIONS "${avx512_options};-mavx512bf16")
    check_cxx_compiler_flag("-mamx-tile -mamx-bf16" SLM_COMPILER_HAS_AMX)  # GCC since 11, Clang 11
    if(SLM_COMPILER_HAS_AMX AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
      list(APPEND slm_isa_definitions SLM_HAS_AMX)
      target_sources(slm PRIVATE ${slm_amx_bf16_sources})
      set_source_files_properties(
        ${slm_amx_bf16_sources}
        PROPERTIES COMPILE_OPTIONS "${avx512_options};-mavx512bf16;-mamx-tile;-mamx-bf16")
    endif()
  endif()
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  list(APPEND slm_isa_definitions SLM_HAS_NEON)
  target_sources(slm PRIVATE ${slm_neon_sources})
endif()
target_compile_definitions(slm PRIVATE ${slm_isa_definitions})
