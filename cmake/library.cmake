# The core: a static library that needs nothing but a C++17 compiler and threads.
find_package(Threads REQUIRED)

file(GLOB_RECURSE slm_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cpp/src/*.cpp)
set(x86_pattern "/cpu/[^/]*_avx(2|512)\\.cpp$")
set(slm_x86_sources ${slm_sources})
list(FILTER slm_x86_sources INCLUDE REGEX ${x86_pattern})
list(FILTER slm_sources EXCLUDE REGEX ${x86_pattern})

add_library(slm STATIC ${slm_sources})
add_library(slm::slm ALIAS slm)
target_compile_features(slm PUBLIC cxx_std_17)
target_include_directories(
  slm
  PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/cpp/include> $<INSTALL_INTERFACE:include>
  PRIVATE ${PROJECT_SOURCE_DIR}/cpp/src)
target_link_libraries(slm PUBLIC Threads::Threads)

# The compiler must not fuse a multiplication and an addition on its own: results are to be the same
# bits whatever a loop was unrolled to. Nor may anything else reorder arithmetic between files.
target_compile_options(slm PRIVATE -ffp-contract=off)

# Kernels for one instruction set are compiled with its flags and chosen at run time; everything else
# runs on any machine of its kind.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  set(SLM_HAS_X86 ON)
  target_sources(slm PRIVATE ${slm_x86_sources})
  target_compile_definitions(slm PRIVATE SLM_HAS_X86)
  foreach(source IN LISTS slm_x86_sources)
    if(source MATCHES "_avx512\\.cpp$")
      set(isa_flags -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma
                    -mprefer-vector-width=512)
      # GCC before 13 takes the don't-care operand of its own AVX-512 intrinsics for uninitialized.
      list(APPEND isa_flags -Wno-uninitialized -Wno-maybe-uninitialized)
    else()
      set(isa_flags -mavx2 -mfma)
    endif()
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${isa_flags}")
  endforeach()
endif()
