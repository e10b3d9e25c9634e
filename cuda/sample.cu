// Samples bytes from logits, with the arithmetic of cpp/src/numerics/sampling.cpp except for the
// order of sums: a block of 256 threads samples the byte of a row, and only that goes to the host.
#include "backend.cuh"
#include "numerics/sampling.h"

namespace slm {
namespace {

constexpr int kThreads = kVocabSize;

struct SampleParams {
  explicit SampleParams(const SampleOptions& options)
      : scale(1 / static_cast<double>(options.temperature)),
        most_probable(options.temperature == 0),
        top_k(options.top_k),
        top_p(options.top_p),
        min_p(options.min_p),
        seed(options.seed),
        rules(options) {}

  double scale;
  bool most_probable;
  int top_k;
  double top_p, min_p;
  uint64_t seed;
  LogitRules rules;
};

struct Candidate {
  double value;
  int byte;
};

// The order in which bytes are kept: by falling value, the lower byte first on ties.
__device__ bool before(const Candidate& a, const Candidate& b) {
  return a.value != b.value ? a.value > b.value : a.byte < b.byte;
}

// The first candidate of all threads in this order.
__device__ Candidate first_of(double value, int byte) {
  __shared__ Candidate candidates[kThreads];
  candidates[threadIdx.x] = {value, byte};
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half && before(candidates[threadIdx.x + half], candidates[threadIdx.x]))
      candidates[threadIdx.x] = candidates[threadIdx.x + half];
  }
  __syncthreads();
  const Candidate first = candidates[0];
  __syncthreads();
  return first;
}

// Inclusive prefix sum over the threads, and the total.
__device__ double running_sum(double value, double& total) {
  __shared__ double sums[kThreads];
  sums[threadIdx.x] = value;
  for (unsigned distance = 1; distance < kThreads; distance *= 2) {
    __syncthreads();
    const double below = threadIdx.x >= distance ? sums[threadIdx.x - distance] : 0.0;
    __syncthreads();
    sums[threadIdx.x] += below;
  }
  __syncthreads();
  const double sum = sums[threadIdx.x];
  total = sums[kThreads - 1];
  __syncthreads();
  return sum;
}

__device__ double normalized(double p) {
  double total;
  running_sum(p, total);
  return p * (1 / total);
}

// Bitonic sort: thread i gets candidate number i.
__device__ Candidate sorted(double value) {
  __shared__ Candidate candidates[kThreads];
  const unsigned i = threadIdx.x;
  candidates[i] = {value, static_cast<int>(i)};
  for (unsigned size = 2; size <= kThreads; size *= 2) {
    for (unsigned distance = size / 2; distance > 0; distance /= 2) {
      __syncthreads();
      const unsigned other = i ^ distance;
      if (i > other) continue;  // only the lower thread of a pair compares
      const Candidate mine = candidates[i], its = candidates[other];
      const bool falls = (i & size) == 0;
      if (before(its, mine) == falls) {
        candidates[i] = its;
        candidates[other] = mine;
      }
    }
  }
  __syncthreads();
  const Candidate result = candidates[i];
  __syncthreads();
  return result;
}

// p of this thread's byte, or 0 where top_k or top_p drops it.
__device__ double kept_of_sorted(const SampleParams& sampling, double p) {
  __shared__ double kept[kThreads];
  const auto rank = static_cast<int>(threadIdx.x);
  const Candidate candidate = sorted(p);
  double value = candidate.value;
  if (sampling.top_k > 0 && sampling.top_k < kThreads)
    value = normalized(rank < sampling.top_k ? value : 0.0);
  if (sampling.top_p < 1) {
    double total;
    const double sum_before = running_sum(value, total) - value;
    if (rank > 0 && sum_before >= sampling.top_p - kSampleSlack) value = 0;
  }
  kept[candidate.byte] = value;
  __syncthreads();
  return kept[threadIdx.x];
}

// The inverse of the cumulative distribution; p need not add up to 1.
__device__ int byte_at(double uniform, double p) {
  const auto byte = static_cast<int>(threadIdx.x);
  double total;
  const double sum = running_sum(p, total);
  const bool reached = p > 0 && sum > uniform * total;
  const Candidate first = first_of(reached ? 1 : 0, byte);
  // Due to rounding the sum may not reach it; then it is the last possible byte.
  const Candidate last = first_of(p > 0 ? byte : -1, byte);
  return first.value > 0 ? first.byte : last.byte;
}

__device__ int sample(const SampleParams& sampling, const SampleRequest& at, float logit) {
  const auto byte = static_cast<int>(threadIdx.x);
  double not_finite;
  running_sum(fabsf(logit) <= 3.402823466e38f ? 0 : 1, not_finite);
  if (not_finite > 0) return -1;
  const double adjusted = adjusted_logit(logit, static_cast<uint8_t>(byte), sampling.rules, at);
  const Candidate most = first_of(adjusted, byte);
  if (sampling.most_probable) return most.byte;
  double p = normalized(exp((adjusted - most.value) * sampling.scale));
  const bool sorts = (sampling.top_k > 0 && sampling.top_k < kThreads) || sampling.top_p < 1;
  if (sorts) p = kept_of_sorted(sampling, p);
  const double largest = first_of(p, byte).value;
  if (p < sampling.min_p * largest * (1 - kSampleSlack)) p = 0;
  const auto probability = static_cast<float>(normalized(p));
  const Philox random(sampling.seed, PhiloxStream::sample, at.sample);
  return byte_at(random.uniform_double(at.position), probability);
}

__global__ void sample_rows(const float* logits, const SampleRequest* requests,
                            SampleParams sampling, int16_t* sampled) {
  const SampleRequest& at = requests[blockIdx.x];
  const int byte = sample(sampling, at, logits[at.row * kVocabSize + threadIdx.x]);
  if (threadIdx.x == 0) sampled[blockIdx.x] = static_cast<int16_t>(byte);
}

}  // namespace

void CudaBackend::sample(Workspace& any_workspace, const SampleOptions& options,
                         const SampleRequest* requests, int64_t count, uint8_t* bytes) const {
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  copy_bytes(requests, static_cast<size_t>(count) * sizeof(SampleRequest), ws.requests.get(),
             cudaMemcpyHostToDevice);
  launch(stream_, num_blocks(count, 1), kThreads, sample_rows, device_data(ws.logits),
         ws.requests.get(), SampleParams(options), ws.sampled.get());
  std::vector<int16_t> sampled(static_cast<size_t>(count));
  copy_bytes(ws.sampled.get(), sampled.size() * sizeof(int16_t), sampled.data(),
             cudaMemcpyDeviceToHost);
  for (size_t i = 0; i < sampled.size(); ++i) {
    if (sampled[i] < 0) {  // the logits are not finite: the host reports which
      std::vector<float> logits(static_cast<size_t>((requests[i].row + 1) * kVocabSize));
      read_logits(ws, requests[i].row + 1, logits.data());
      return sample_bytes(logits.data(), options, requests + i, 1, bytes + i);
    }
    bytes[i] = static_cast<uint8_t>(sampled[i]);
  }
}

}  // namespace slm
