#!/usr/bin/env bash
# For a machine with an NVIDIA GPU: builds slm with CUDA, compares every operation and whole models
# with the CPU, again under compute-sanitizer if that is installed, and prints the speed of training
# and generation and a profile by kernel.
#
#     benchmarks/gpu.sh [BUILD_FOLDER]      by default build/gpu
#
# If `python3` has a PyTorch with CUDA, that is measured, too.
set -euo pipefail

stop() {
  echo "gpu.sh: $1" >&2
  exit 1
}

devices=$(nvidia-smi -L 2>/dev/null) && [ -n "$devices" ] ||
  stop "there is no NVIDIA GPU here that nvidia-smi knows of: nothing was built, run or measured"
export PATH="$PATH:/usr/local/cuda/bin"
command -v nvcc >/dev/null || stop "there is a GPU but no CUDA compiler: nvcc is not in PATH"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "${1:-$root/build/gpu}"
build=$(cd "${1:-$root/build/gpu}" && pwd)
cd "$root"
echo "$devices"

python3 -m venv --system-site-packages "$build/venv"
export PATH="$build/venv/bin:$PATH"
pip install --quiet --config-settings=cmake.define.SLM_CUDA=ON '.[cuda]' cmake ninja
cublas=$(python -c 'import nvidia; print(":".join(f"{p}/cu13/lib" for p in nvidia.__path__))')
export LD_LIBRARY_PATH="$cublas${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" # for the tests in C++

cmake -G Ninja -S . -B "$build/tests" -DSLM_CUDA=ON -DSLM_DEVELOPER=ON -DSLM_GPU_TESTS=ON
cmake --build "$build/tests" --target gpu_tests
printf '\n## Compared with the CPU on the device\n\n'
ctest --test-dir "$build/tests" -R '^gpu_' -V | tee "$build/tests.log"
! grep -q '(Skipped)\|\*\*\*Skipped' "$build/tests.log" || stop "tests did not run on the device"

if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck; do
    for test in "$build"/tests/gpu_*; do
      echo "+ compute-sanitizer --tool $tool ${test##*/}"
      compute-sanitizer --tool "$tool" --error-exitcode 1 "$test"
    done
  done
else
  echo "compute-sanitizer is not in PATH: no check of memory and races on the device"
fi

python benchmarks/gpu.py

if command -v nsys >/dev/null; then
  printf '\n## Profile of 20 training steps at the reference size\n\n'
  nsys profile --output="$build/steps" --force-overwrite=true --cuda-graph-trace=node \
    python benchmarks/gpu.py --steps 20
  nsys stats --report cuda_gpu_kern_sum --format column --force-export=true "$build/steps.nsys-rep"
else
  echo "nsys is not in PATH: no profile by kernel"
fi
