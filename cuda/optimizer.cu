// The gradient norm and AdamW over the flat buffers, and row-wise RMSprop of the sparse tables.
// Whether a step is finite and by how much its gradient is clipped is decided on the device, so
// that nothing here waits. Multiply-adds are explicit and the same as in the CPU's vector kernels,
// and nvcc may not fuse others (-fmad=false), so that a step gives the same bits on both.
#include <algorithm>
#include <cmath>

#include "backend.cuh"
#include "sums.cuh"

namespace slm {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMinShare = 4096;  // values whose squares one block sums, at least
constexpr int kLanes = 16;           // threads that share a row of a sparse table
constexpr int kRowsPerBlock = kThreads / kLanes;
constexpr unsigned kAllLanes = 0xFFFFFFFF;

struct AdamWFactors {
  float decay;  // 1 - lr * weight_decay
  float rate;   // lr / correction1
  float beta1, beta2, epsilon;
  float inv_correction2;  // 1 / correction2
};

__global__ void update_values(AdamWFactors f, const ClipResult* clip, float* w, float* g, float* m,
                              float* v, int64_t n) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= n) return;
  const float grad = g[i] * clip->grad_scale;
  g[i] = 0;
  if (!clip->finite) return;
  m[i] = fmaf(f.beta1, m[i], (1.0f - f.beta1) * grad);
  v[i] = fmaf(f.beta2, v[i], (1.0f - f.beta2) * (grad * grad));
  const float step = f.rate * m[i] / (sqrtf(v[i] * f.inv_correction2) + f.epsilon);
  w[i] = fmaf(w[i], f.decay, 0.0f - step);
}

struct RowFactors {
  float rate, beta2, epsilon;
};

// beta^k by squaring, as on the CPU.
__device__ double power(double beta, int64_t k) {
  double result = 1;
  for (; k > 0; k /= 2, beta *= beta)
    if (k % 2 == 1) result *= beta;
  return result;
}

// Row-wise RMSprop, by kLanes threads per row, which sum in the order of the CPU's LaneSum. Rows
// that are not touched take part with no values, since all threads of a warp have to.
__global__ void update_rows(RowFactors f, const ClipResult* clip, int64_t rows, int64_t width,
                            float* w, float* g, float* updates, float* moments, uint8_t* touched) {
  const int64_t row = int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kLanes;
  const unsigned lane = threadIdx.x % kLanes;
  const bool occurred = row < rows && touched[row] != 0;
  const int64_t n = occurred ? width : 0;
  const float grad_scale = clip->grad_scale;
  w += row * width;
  g += row * width;
  const float k = occurred ? updates[row] + 1 : 1, before = occurred ? moments[row] : 0;
  float squares = 0;
  for (int64_t i = lane; i < n; i += kLanes) {
    const float grad = g[i] * grad_scale;
    squares = fmaf(grad, grad, squares);
  }
  for (unsigned distance = kLanes / 2; distance > 0; distance /= 2)
    squares += __shfl_xor_sync(kAllLanes, squares, distance);
  if (!occurred) return;
  const float mean = squares / static_cast<float>(width);
  const float v = fmaf(f.beta2, before, (1.0f - f.beta2) * mean);
  const auto inv_correction =
      static_cast<float>(1.0 / (1.0 - power(double{f.beta2}, static_cast<int64_t>(k))));
  const float step = f.rate / (sqrtf(v * inv_correction) + f.epsilon);
  for (int64_t i = lane; i < n; i += kLanes) {
    if (clip->finite) w[i] = fmaf(-(g[i] * grad_scale), step, w[i]);
    g[i] = 0;
  }
  if (lane != 0) return;
  touched[row] = 0;
  if (!clip->finite) return;
  updates[row] = k;
  moments[row] = v;
}

// Writes the sum over a block's threads to its element of `sums`.
__device__ void add_up(double sum, double* sums) {
  __shared__ double partial[kThreads];
  sum = block_sum<kThreads>(sum, partial);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// Each block sums the squares of a range, in an order that depends on n alone.
__global__ void sum_ranges(const float* x, int64_t n, double* sums) {
  const int64_t begin = n * blockIdx.x / gridDim.x, end = n * (blockIdx.x + 1) / gridDim.x;
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) sum += double{x[i]} * double{x[i]};
  add_up(sum, sums);
}

// The same over the touched rows.
__global__ void sum_row_squares(const float* g, const uint8_t* touched, int64_t rows, int64_t width,
                                double* sums) {
  const int64_t begin = rows * blockIdx.x / gridDim.x, end = rows * (blockIdx.x + 1) / gridDim.x;
  double sum = 0;
  for (int64_t row = begin + threadIdx.x / kLanes; row < end; row += kRowsPerBlock) {
    if (touched[row] == 0) continue;
    for (int64_t i = threadIdx.x % kLanes; i < width; i += kLanes)
      sum += double{g[row * width + i]} * double{g[row * width + i]};
  }
  add_up(sum, sums);
}

// One block: computes the gradient norm, the clip scale, and whether the step is finite.
__global__ void judge_step(const double* sums, int64_t n, double* loss, float clip_norm,
                           ClipResult* clip) {
  __shared__ double partial[kThreads];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) sum += sums[i];
  sum = block_sum<kThreads>(sum, partial);
  if (threadIdx.x != 0) return;
  const StepResult result = {*loss, sqrt(sum)};
  *clip = {result, result.grad_scale(clip_norm), result.finite()};
  *loss = 0;
}

}  // namespace

std::unique_ptr<UpdateResult> CudaBackend::make_update_result(const TensorTable& table,
                                                              bool max_spectral_radius) const {
  return std::make_unique<CudaUpdateResult>(stream_, table, max_spectral_radius);
}

StepResult CudaBackend::read_update_result(const UpdateResult& any_outcome) const {
  const auto& outcome = static_cast<const CudaUpdateResult&>(any_outcome);
  outcome.arrived.wait();
  return *outcome.result.get();
}

unsigned CudaBackend::sum_squares(const float* x, int64_t n, unsigned most, double* sums) const {
  const unsigned blocks = std::min(most, num_blocks(n, kMinShare));
  launch(stream_, blocks, kThreads, sum_ranges, x, n, sums);
  return blocks;
}

void CudaBackend::compute_clip_scale(CudaGradients& gradients, float clip_norm,
                                     CudaUpdateResult& outcome) const {
  const Ngrams& ngrams = gradients.ngrams;
  const std::lock_guard<std::mutex> lock(norm_mutex_);
  unsigned blocks =
      sum_squares(gradients.values.get(), ngrams.offset, kNormBlocks, norm_sums_.get());
  if (ngrams.rows > 0) {
    launch(stream_, kNormBlocks, kThreads, sum_row_squares, gradients.values.get() + ngrams.offset,
           gradients.touched.get(), ngrams.rows, ngrams.width, norm_sums_.get() + blocks);
    blocks += kNormBlocks;
  }
  launch(stream_, 1, kThreads, judge_step, norm_sums_.get(), blocks, gradients.loss.get(),
         clip_norm, outcome.clip.get());
  // The result is the first member of ClipResult.
  cuda_check(cudaMemcpyAsync(outcome.result.get(), outcome.clip.get(), sizeof(StepResult),
                             cudaMemcpyDeviceToHost, stream_),
             "copy memory");
  outcome.arrived.record(stream_);
}

void CudaBackend::update(Weights& weights, Gradients& any_gradients, Buffer& m, Buffer& v,
                         const TensorTable& table, const AdamWStep& step,
                         UpdateResult& any_outcome) const {
  auto& gradients = static_cast<CudaGradients&>(any_gradients);
  auto& outcome = static_cast<CudaUpdateResult&>(any_outcome);
  compute_clip_scale(gradients, step.clip_norm, outcome);
  const ClipResult* clip = outcome.clip.get();
  AdamWFactors factors = {};
  factors.rate = step.learning_rate / step.correction1;
  factors.beta1 = step.beta1;
  factors.beta2 = step.beta2;
  factors.epsilon = step.epsilon;
  factors.inv_correction2 = 1.0f / step.correction2;
  float *w = device_data(weights.flat()), *g = gradients.values.get();
  // One launch for all consecutive tensors with the same decay.
  const std::vector<Tensor>& tensors = table.tensors();
  for (size_t i = 0; i < tensors.size() && !tensors[i].info.sparse;) {
    const int64_t at = tensors[i].offset;
    const float scale = tensors[i].decay_scale;
    int64_t size = 0;
    for (; i < tensors.size() && !tensors[i].info.sparse && tensors[i].decay_scale == scale; ++i)
      size += tensors[i].info.size;
    factors.decay = 1.0f - step.learning_rate * step.weight_decay * scale;
    launch(stream_, num_blocks(size, kThreads), kThreads, update_values, factors, clip, w + at,
           g + at, device_data(m) + at, device_data(v) + at, size);
  }
  if (step.max_spectral_radius > 0)
    bound_spectral_radius(w, table, step.max_spectral_radius, outcome);
  const Ngrams& ngrams = gradients.ngrams;
  if (ngrams.rows == 0) return;
  const RowFactors row_factors{step.learning_rate * step.table_lr_scale, step.beta2, step.epsilon};
  launch(stream_, num_blocks(ngrams.rows, kRowsPerBlock), kThreads, update_rows, row_factors, clip,
         ngrams.rows, ngrams.width, w + ngrams.offset, g + ngrams.offset,
         device_data(m) + ngrams.offset, device_data(v) + ngrams.offset, gradients.touched.get());
}

}  // namespace slm
