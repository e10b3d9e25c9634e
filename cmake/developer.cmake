# For those who work on slm: strict warnings, and every test_<topic>.cpp of tests/cpp is one test;
# those of tests/cuda are run twice.
include(CTest)
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Werror)
target_compile_options(slm PRIVATE ${warnings})
if(SLM_PYTHON)
  target_compile_options(_core PRIVATE ${warnings})
endif()

add_custom_target(cpp_tests DEPENDS slm)  # what pytest builds

function(slm_add_test source name)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)  # a test says its file's name
  target_link_libraries(${name} PRIVATE ${ARGN} slm::slm)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/cpp/src
                                             ${PROJECT_SOURCE_DIR}/tests/cpp)
  target_compile_definitions(${name} PRIVATE ${slm_isa_definitions})
  # Half the time for a file of a test is its optimization, and few have much to compute.
  target_compile_options(${name} PRIVATE -ffp-contract=off $<$<CONFIG:Release>:-O1> ${warnings})
  add_test(NAME ${name} COMMAND ${name})
  add_dependencies(cpp_tests ${name})
endfunction()

file(GLOB test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cpp/test_*.cpp)
foreach(source IN LISTS test_sources)
  cmake_path(GET source STEM name)
  slm_add_test(${source} ${name})
endforeach()
if(SLM_SANITIZE)
  slm_add_test(tests/cpp/planted_faults.cpp planted_faults)
  target_compile_definitions(planted_faults PRIVATE SLM_SANITIZE="${SLM_SANITIZE}")
endif()

if(SLM_FUZZ)
  add_subdirectory(tests/fuzz)
endif()

option(SLM_CUDA_EMULATION "Build the tests of cuda/ that run on the CPU" ON)
if(SLM_CUDA_EMULATION)
  add_subdirectory(tests/cuda)
endif()
option(SLM_GPU_TESTS "Build the tests of tests/cuda for a device, too" OFF)
if(SLM_GPU_TESTS)
  add_subdirectory(tests/cuda/gpu)
endif()
