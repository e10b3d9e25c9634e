# Says whether CUDA is here. This version has no CUDA backend, so asking for one is an error.
if(SLM_CUDA STREQUAL "ON")
  message(FATAL_ERROR "SLM_CUDA=ON, but this version of slm has no CUDA backend: "
                      "use SLM_CUDA=AUTO or SLM_CUDA=OFF, which build for the CPU")
elseif(SLM_CUDA STREQUAL "AUTO")
  find_program(SLM_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda
               PATH_SUFFIXES bin)
  if(SLM_NVCC)
    set(slm_cuda_found "CUDA compiler found, but this version of slm is for the CPU only")
  else()
    set(slm_cuda_found "no CUDA compiler found, for the CPU only")
  endif()
  message(STATUS "slm: ${slm_cuda_found}")
elseif(SLM_CUDA STREQUAL "OFF")
  set(slm_cuda_found "CUDA not looked for, for the CPU only")
else()
  message(FATAL_ERROR "SLM_CUDA=${SLM_CUDA} is not one of AUTO, ON and OFF")
endif()
