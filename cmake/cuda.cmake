# Says whether CUDA is here. This version has no CUDA backend, so asking for one is an error.
if(SLM_CUDA STREQUAL "ON")
  message(FATAL_ERROR "SLM_CUDA=ON, but this version of slm has no CUDA backend: "
                      "use SLM_CUDA=AUTO or SLM_CUDA=OFF, which build for the CPU")
elseif(SLM_CUDA STREQUAL "AUTO")
  find_program(SLM_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda
               PATH_SUFFIXES bin)
  if(SLM_NVCC)
    message(STATUS "CUDA compiler found (${SLM_NVCC}); this version of slm builds for the CPU only")
  else()
    message(STATUS "No CUDA compiler found; slm builds for the CPU")
  endif()
elseif(NOT SLM_CUDA STREQUAL "OFF")
  message(FATAL_ERROR "SLM_CUDA=${SLM_CUDA} is not one of AUTO, ON and OFF")
endif()
