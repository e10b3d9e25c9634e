# For those who work on slm: strict warnings, and every test_<topic>.cpp of tests/cpp and tests/cuda
# is one test.
include(CTest)
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Werror)
target_compile_options(slm PRIVATE ${warnings})
if(SLM_PYTHON)
  target_compile_options(_core PRIVATE ${warnings})
endif()

function(slm_add_test source)
  cmake_path(GET source STEM test_name)
  add_executable(${test_name} ${source})
  target_link_libraries(${test_name} PRIVATE slm::slm ${ARGN})
  target_include_directories(${test_name} PRIVATE ${PROJECT_SOURCE_DIR}/cpp/src
                                                  ${PROJECT_SOURCE_DIR}/tests/cpp)
  target_compile_definitions(${test_name} PRIVATE ${slm_isa_definitions})
  target_compile_options(${test_name} PRIVATE -ffp-contract=off ${warnings})
  add_test(NAME ${test_name} COMMAND ${test_name})
endfunction()

file(GLOB test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cpp/test_*.cpp)
foreach(source IN LISTS test_sources)
  slm_add_test(${source})
endforeach()

# The CUDA sources, compiled as C++ to run on the CPU (tests/cuda/emulate.h).
file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cuda/*.cu)
set_source_files_properties(${cuda_sources} PROPERTIES LANGUAGE CXX)
add_library(slm_cuda_emulated STATIC ${cuda_sources} tests/cuda/plain_blas.cpp
                                     tests/cuda/linked_blas.cpp)
target_link_libraries(slm_cuda_emulated PUBLIC slm::slm)
target_include_directories(slm_cuda_emulated PUBLIC ${PROJECT_SOURCE_DIR}/cuda PRIVATE cpp/src)
target_compile_options(
  slm_cuda_emulated
  PUBLIC -include ${PROJECT_SOURCE_DIR}/tests/cuda/emulate.h
  PRIVATE -ffp-contract=off ${warnings})

file(GLOB cuda_test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cuda/test_*.cpp)
foreach(source IN LISTS cuda_test_sources)
  slm_add_test(${source} slm_cuda_emulated)
endforeach()
