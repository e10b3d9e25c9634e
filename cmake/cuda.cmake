# The CUDA backend, where SLM_CUDA asks for it or, with AUTO, where a CUDA compiler works. Its runtime
# is linked statically and cuBLAS is loaded at run time: what is built here runs without a driver, on
# the CPU. Sets slm_has_cuda, and slm_cuda_found to the line that says what was found.

# A compiler that is there, which is not yet known to work.
function(slm_find_nvcc result)
  if(CMAKE_CUDA_COMPILER)
    set(compiler ${CMAKE_CUDA_COMPILER})
  elseif(DEFINED ENV{CUDACXX})
    set(compiler $ENV{CUDACXX})
  else()
    find_program(SLM_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda
                 PATH_SUFFIXES bin)
    set(compiler ${SLM_NVCC})
  endif()
  set(${result} "${compiler}" PARENT_SCOPE)
endfunction()

# Those of this machine's devices; where there are none it is empty, for the toolkit's default.
function(slm_find_architectures result)
  execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                  OUTPUT_VARIABLE said ERROR_QUIET)
  string(REGEX MATCHALL "[0-9]+\\.[0-9]" architectures "${said}")
  string(REPLACE "." "" architectures "${architectures}")
  list(REMOVE_DUPLICATES architectures)
  set(${result} "${architectures}" PARENT_SCOPE)
endfunction()

# Builds a small program with the compiler. By a CMake of its own, since here the language cannot be
# enabled before that is known. SLM_CUDA_WORKS is kept; slm_cuda_said is what the attempt said.
function(slm_try_cuda compiler)
  if(SLM_CUDA_WORKS)
    return()
  endif()
  set(build ${PROJECT_BINARY_DIR}/try_cuda)
  file(REMOVE_RECURSE ${build})
  execute_process(
    COMMAND ${CMAKE_COMMAND} -G ${CMAKE_GENERATOR} -S ${PROJECT_SOURCE_DIR}/cmake/try_cuda
            -B ${build} -DCMAKE_MAKE_PROGRAM=${CMAKE_MAKE_PROGRAM} -DCMAKE_CUDA_COMPILER=${compiler}
            -DCMAKE_CUDA_HOST_COMPILER=${CMAKE_CUDA_HOST_COMPILER}
            "-Darchitectures=${CMAKE_CUDA_ARCHITECTURES}"
    RESULT_VARIABLE failed OUTPUT_VARIABLE configured ERROR_VARIABLE configured)
  if(NOT failed)
    execute_process(COMMAND ${CMAKE_COMMAND} --build ${build}
                    RESULT_VARIABLE failed OUTPUT_VARIABLE built ERROR_VARIABLE built)
  endif()
  if(NOT failed)
    set(SLM_CUDA_WORKS TRUE CACHE INTERNAL "Whether the CUDA compiler works")
  endif()
  set(slm_cuda_said "${configured}${built}" PARENT_SCOPE)
endfunction()

# Options to compile for every architecture that slm is for and the compiler knows, and to PTX of the
# newest. Code of the oldest is what is assembled for each, which takes a fraction of compiling it.
function(slm_every_architecture result)
  execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-code OUTPUT_VARIABLE known)
  foreach(number IN ITEMS 80 86 89 90 100 120)
    if(known MATCHES "sm_${number}\n")
      set(newest compute_${number})
      if(NOT "${CMAKE_CUDA_ARCHITECTURES}" MATCHES "${number}")
        list(APPEND codes sm_${number})
      endif()
    endif()
  endforeach()
  list(JOIN codes "," codes)
  set(${result} "--generate-code=arch=compute_80,code=[${codes}]"
                "--generate-code=arch=${newest},code=${newest}" PARENT_SCOPE)
endfunction()

set(slm_has_cuda FALSE)
if(SLM_CUDA STREQUAL "OFF")
  set(slm_cuda_found "CUDA not looked for, for the CPU only")
elseif(SLM_CUDA MATCHES "^(AUTO|ON)$")
  slm_find_nvcc(nvcc)
  if(nvcc)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      slm_find_architectures(CMAKE_CUDA_ARCHITECTURES)
    endif()
    if(NOT DEFINED CMAKE_CUDA_HOST_COMPILER)
      set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
    endif()
    slm_try_cuda(${nvcc})
    set(slm_has_cuda ${SLM_CUDA_WORKS})
    set(slm_cuda_found "CUDA compiler ${nvcc} does not work here, for the CPU only")
  else()
    set(slm_cuda_found "no CUDA compiler found, for the CPU only")
  endif()
else()
  message(FATAL_ERROR "SLM_CUDA=${SLM_CUDA} is not one of AUTO, ON and OFF")
endif()

if(slm_has_cuda)
  set(CMAKE_CUDA_COMPILER ${nvcc})
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    unset(CMAKE_CUDA_ARCHITECTURES)
  endif()
  enable_language(CUDA)
  # As on the CPU, nothing but the source says where a multiplication and an addition become one. The
  # core's constexpr functions run in kernels.
  set(cuda_options -fmad=false --expt-relaxed-constexpr -Xcompiler=-ffp-contract=off)
  if(SLM_DEVELOPER)
    list(APPEND cuda_options -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Wshadow,-Werror)
    slm_every_architecture(every_architecture)
    list(APPEND cuda_options ${every_architecture})
  endif()
  add_subdirectory(cuda)
  string(REPLACE ";" " " architectures "${CMAKE_CUDA_ARCHITECTURES}")
  set(slm_cuda_found "CUDA ${CMAKE_CUDA_COMPILER_VERSION} for architectures ${architectures}")
elseif(SLM_CUDA STREQUAL "ON")
  message(FATAL_ERROR "SLM_CUDA=ON, but ${slm_cuda_found}; CMAKE_CUDA_COMPILER names another, "
                      "SLM_CUDA=AUTO does without\n${slm_cuda_said}")
else()
  target_sources(slm PRIVATE ${PROJECT_SOURCE_DIR}/cpp/src/no_cuda.cpp)
endif()
message(STATUS "slm: ${slm_cuda_found}")
