// The dense cell on CUDA: forward, gradients and state are those of the CPU
// backend, and the scan by halves is the plain one.
#include "scan.cuh"
#include "window_run.h"

namespace {

// Nearly orthogonal, so that what goes wrong in one time step is still there
// 100 steps later: a cyclic shift, reflected. (N, N)
Floats long_memory(int64_t N, uint32_t seed) {
  const Floats v = random_floats(N, seed);
  float squares = 0;
  for (const float value : v) squares += value * value;
  Floats A(static_cast<size_t>(N * N));
  for (int64_t i = 0; i < N; ++i)
    for (int64_t j = 0; j < N; ++j) {
      const auto from = static_cast<size_t>((j + 1) % N), to = static_cast<size_t>(i);
      const float reflected = (from == to ? 1.0f : 0.0f) - 2 * v[from] * v[to] / squares;
      A[static_cast<size_t>(i * N + j)] = 0.98f * reflected;
    }
  return A;
}

// h_t = A h_{t-1} + x_t step by step, in double; `h` begins with what is
// carried in.
std::vector<double> plain_scan(const Floats& A, const Floats& x, int64_t B, int64_t N,
                               bool transposed) {
  std::vector<double> h(x.begin(), x.end());
  const auto at = [](int64_t row, int64_t width, int64_t i) {
    return static_cast<size_t>(row * width + i);
  };
  for (int64_t r = B; r < static_cast<int64_t>(x.size()) / N; ++r)
    for (int64_t i = 0; i < N; ++i)
      for (int64_t j = 0; j < N; ++j)
        h[at(r, N, i)] += double{transposed ? A[at(j, N, i)] : A[at(i, N, j)]} * h[at(r - B, N, j)];
  return h;
}

Floats reversed_steps(const Floats& values, int64_t row) {
  Floats reversed;
  for (auto end = static_cast<int64_t>(values.size()); end > 0; end -= row)
    reversed.insert(reversed.end(), values.begin() + end - row, values.begin() + end);
  return reversed;
}

void copy(const void* from, int64_t floats, void* to, cudaMemcpyKind kind,
          const slm::Stream& stream) {
  const size_t bytes = static_cast<size_t>(floats) * sizeof(float);
  CHECK_EQ(cudaMemcpyAsync(to, from, bytes, kind, stream), cudaSuccess);
  CHECK_EQ(cudaStreamSynchronize(stream), cudaSuccess);
}

void test_scan(int64_t count, int64_t B, int64_t N, int64_t levels, bool backward) {
  static const slm::Stream stream;
  static const slm::Gemm gemm(stream);
  const int64_t row = B * N, size = (count + 1) * row;
  const Floats A = long_memory(N, 1), x = random_floats(size, 2);
  Floats values = backward ? reversed_steps(x, row) : x;
  slm::CudaBuffer matrix(stream, N * N), memory(stream, size), powers(stream, levels * N * N);
  copy(A.data(), N * N, device_data(matrix), cudaMemcpyHostToDevice, stream);
  copy(values.data(), size, device_data(memory), cudaMemcpyHostToDevice, stream);
  const slm::Matrix a{device_data(matrix), N, backward ? slm::Op::none : slm::Op::transpose};
  const slm::Sequence elements{device_data(memory) + (backward ? count - 1 : 1) * row,
                               backward ? -row : row, count};
  scan(gemm, B, N, a, elements, levels, device_data(powers));
  copy(device_data(memory), size, values.data(), cudaMemcpyDeviceToHost, stream);
  const std::vector<double> expected = plain_scan(A, x, B, N, backward);
  check_close(backward ? reversed_steps(values, row) : values, {expected.begin(), expected.end()});
}

// Halving pays where launches are many and products small.
void test_scan_levels() {
  const auto launches = [](int64_t count, int64_t N, int64_t B) {
    const int64_t levels = slm::scan_levels(count, N, B);
    return 3 * levels + (count >> levels);
  };
  CHECK_EQ(slm::scan_levels(1, 256, 1), 0);
  CHECK_EQ(slm::scan_levels(7, 256, 1), 0);
  CHECK_EQ(slm::scan_levels(1024, 256, 4096), 0);
  CHECK_EQ(slm::scan_levels(1024, 4096, 16), 0);
  CHECK(launches(1024, 256, 16) < 2 * 32);
  CHECK(launches(128, 128, 32) < 2 * 12);
  for (const int64_t N : {1, 64, 256, 1024})
    for (const int64_t B : {1, 16, 64})
      for (int64_t count = 1; count < 3000; count += 7) {
        CHECK(launches(count, N, B) <= count);
        CHECK(slm::scan_levels(count, N, B) <= slm::scan_levels(count + 7, N, B));
      }
}

slm::Config dense(int64_t E, int64_t N, int64_t L) {
  slm::Config config;
  config.cell = slm::Cell::dense;
  config.embed_dim = E;
  config.state_dim = N;
  config.num_layers = L;
  return config;
}

Floats parameters_of(const slm::Config& config) {
  const slm::TensorTable table(config);
  Floats values = random_parameters(table, 3);
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const Floats A = long_memory(config.state_dim, static_cast<uint32_t>(i));
    std::copy(A.begin(), A.end(), values.begin() + table.layer(i, "A").offset);
  }
  return values;
}

void test_window(const WindowCase& c) { compare_window(c, parameters_of(c.config)); }

void test_options(int options, int64_t seq_len, const std::vector<int64_t>& cuts) {
  slm::Config config = dense(6, 5, 2);
  config.residual = (options & 1) != 0;
  if ((options & 2) != 0) config.norm = slm::Norm::rms;
  config.tie_embeddings = (options & 4) != 0;
  test_window({config, seq_len, 3, options % 3 == 0, cuts});
}

}  // namespace

int main() {
  test_scan_levels();
  for (const int64_t count : {1, 2, 3, 8, 13, 32, 100})
    for (const int64_t B : {1, 3})
      for (int64_t levels = 0; count >> levels > 0; ++levels)
        for (const bool backward : {false, true}) test_scan(count, B, 5, levels, backward);
  int64_t layers = 0;  // 1, 2 and 3 in turns
  for (const int64_t T : {1, 2, 7, 33, 100})
    for (const int64_t B : {1, 3}) {
      layers = layers % 3 + 1;
      test_window({dense(9, 13, layers), T, B, layers == 2});
    }
  test_window({dense(17, 8, 2), 100, 2, true, {1, 34, 99}});
  test_window({dense(1, 1, 1), 33, 1, false, {16}});
  test_window({dense(40, 70, 1), 41, 3, true});
  for (int options = 0; options < 8; ++options) test_options(options, 33, {});
  for (const int options : {1, 3, 6}) test_options(options, 19, {3, 12});
  return comparison_result();
}
