# For those who work on slm: strict warnings, and every tests/cpp/test_<topic>.cpp is one test.
include(CTest)
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Werror)
target_compile_options(slm PRIVATE ${warnings})
if(SLM_PYTHON)
  target_compile_options(_core PRIVATE ${warnings})
endif()

file(GLOB test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cpp/test_*.cpp)
foreach(source IN LISTS test_sources)
  cmake_path(GET source STEM test_name)
  add_executable(${test_name} ${source})
  target_link_libraries(${test_name} PRIVATE slm::slm)
  target_include_directories(${test_name} PRIVATE ${PROJECT_SOURCE_DIR}/cpp/src
                                                  ${PROJECT_SOURCE_DIR}/tests/cpp)
  target_compile_definitions(${test_name} PRIVATE ${slm_isa_definitions})
  target_compile_options(${test_name} PRIVATE -ffp-contract=off ${warnings})
  add_test(NAME ${test_name} COMMAND ${test_name})
endforeach()
