# Instruments that find mistakes; the presets asan, tsan, tidy and fuzz turn them on. Included before there
# are targets, so that the library, its tests and the Python module all get them.
set(SLM_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them")
option(SLM_TIDY "Check every source with clang-tidy, by .clang-tidy" OFF)
option(SLM_FUZZ "Build the fuzz targets, which needs Clang" OFF)

if(SLM_SANITIZE)
  # The first report ends the program, so that a test which makes one fails. The levels come after
  # those of CMAKE_BUILD_TYPE, which they replace.
  set(sanitizers -fsanitize=${SLM_SANITIZE} -fno-sanitize-recover=all)
  add_compile_options(${sanitizers} -O1 -g1 -fno-omit-frame-pointer)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(${sanitizers})
endif()

if(SLM_TIDY)
  find_program(SLM_CLANG_TIDY NAMES clang-tidy clang-tidy-19 clang-tidy-18 REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY ${SLM_CLANG_TIDY} --quiet --warnings-as-errors=*
                           --extra-arg=-Wno-unknown-warning-option)  # of GCC
endif()

if(SLM_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "SLM_FUZZ needs libFuzzer, which only Clang has: set CMAKE_CXX_COMPILER")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
