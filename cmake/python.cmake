# slm._core, the compiled part of the Python package.
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
find_package(pybind11 CONFIG REQUIRED)

file(GLOB slm_bindings CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cpp/bindings/*.cpp)
pybind11_add_module(_core MODULE NO_EXTRAS ${slm_bindings})
# Two thirds of the time for a file is pybind11's templates, the same in each: compiled as one.
set_target_properties(_core PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
target_link_libraries(_core PRIVATE slm::slm)
target_include_directories(_core PRIVATE ${PROJECT_SOURCE_DIR}/cpp/src)  # the sampler, for its tests
# What the build found: pip hides what CMake prints, `slm info` does not.
target_compile_definitions(
  _core PRIVATE "SLM_BUILD=\"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, \
${slm_cuda_found}\"")

# The module exports its init function and nothing else, so it cannot clash with another copy of slm
# in the same process.
set_target_properties(slm _core PROPERTIES CXX_VISIBILITY_PRESET hidden
                                           VISIBILITY_INLINES_HIDDEN ON)
if(slm_has_cuda)
  # The CUDA runtime is the module's own, not to be mixed up with another's. cuBLAS is loaded from
  # the wheel nvidia-cublas or nvidia-cublas-cu12, which are installed beside this one.
  target_link_options(_core PRIVATE -Wl,--exclude-libs,ALL)
  set_target_properties(
    _core PROPERTIES INSTALL_RPATH "$ORIGIN/../nvidia/cu13/lib;$ORIGIN/../nvidia/cublas/lib")
endif()
install(TARGETS _core LIBRARY DESTINATION slm COMPONENT python)
