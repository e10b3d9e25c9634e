// The kernels of the recommended model's layers, in every instruction set, against the formulas in
// double: what goes forward, and gradients against central differences of it.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "check.h"
#include "compare_kernels.h"

namespace {

using slm::Kernels;
using Doubles = std::vector<double>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int kGuard = 16;
constexpr float kUntouched = 123.0f;

// Every set, those of bf16 with them: they differ in their matrix products alone.
check::KernelSets all_sets() {
  check::KernelSets sets = slm::available_kernels();
  for (const Kernels* kernels : slm::available_bf16_kernels()) sets.push_back(kernels);
  return sets;
}

template <class F>
void compare(const char* what, const Doubles& expected, double tolerance, const F& f) {
  check::compare_with(what, expected, tolerance, 2e-6, all_sets(), f);
}

// An output of n values with a guard behind it that nobody may write.
class Output {
 public:
  explicit Output(int64_t n) : values_(static_cast<size_t>(n) + kGuard, kUntouched) {}
  explicit Output(const Floats& start) : values_(start) {
    values_.resize(start.size() + kGuard, kUntouched);
  }
  float* data() { return values_.data(); }
  void append_to(Floats& out) const {
    out.insert(out.end(), values_.begin(), values_.end() - kGuard);
    CHECK(std::count(values_.end() - kGuard, values_.end(), kUntouched) == kGuard);
  }

 private:
  Floats values_;
};

Floats joined(std::initializer_list<const Output*> parts) {
  Floats out;
  for (const Output* part : parts) part->append_to(out);
  return out;
}

Doubles to_doubles(const Floats& x) { return Doubles(x.begin(), x.end()); }

Floats concatenated(Floats a, const Floats& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

using Formula = std::function<Doubles(const Doubles&)>;

// The gradient of sum_i weights[i] f(x)[i] by every x.
Doubles numeric_gradient(const Formula& f, Doubles x, const Floats& weights, double step) {
  const auto loss = [&](size_t i, double change) {
    const double before = x[i];
    x[i] += change;
    const Doubles y = f(x);
    x[i] = before;
    double sum = 0;
    for (size_t k = 0; k < y.size(); ++k) sum += double{weights[k]} * y[k];
    return sum;
  };
  Doubles gradient(x.size());
  for (size_t i = 0; i < x.size(); ++i) gradient[i] = (loss(i, step) - loss(i, -step)) / (2 * step);
  return gradient;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// x holds f, z, g and the h before; the result h and s.
Doubles gated_formula(const Doubles& x) {
  const size_t n = x.size() / 4;
  Doubles out(2 * n);
  for (size_t i = 0; i < n; ++i) {
    const double a = sigmoid(x[i]), g = x[2 * n + i];
    out[i] = a * x[3 * n + i] + (1 - a) * x[n + i];
    out[n + i] = out[i] * g * sigmoid(g);
  }
  return out;
}

// Values of ordinary size or, with `large`, many that saturate; and how far off their results may
// be in absolute terms, which is where large ones cancel.
Floats random_gates(int64_t n, uint32_t seed, bool large) {
  Floats gates = random_floats(n, seed, -4.0f, 4.0f);
  for (size_t i = 0; large && i < gates.size(); i += 5) gates[i] = i % 2 == 0 ? 100.0f : -100.0f;
  return gates;
}
double gate_tolerance(bool large) { return large ? 1e-3 : 5e-6; }

void test_gated(int64_t n, bool large) {
  const Floats gates = random_gates(3 * n, 1, large), before = random_floats(n, 2, -3.0f, 3.0f);
  const Doubles inputs = to_doubles(concatenated(gates, before));
  const Doubles forward = gated_formula(inputs);
  compare("gated_forward", forward, gate_tolerance(large), [&](const Kernels& kernels) {
    Output h(before), s(n);  // the state in place, as generation has it
    kernels.gated_forward(gates.data(), h.data(), h.data(), s.data(), n);
    return joined({&h, &s});
  });

  const Floats dh = random_floats(n, 3), ds = random_floats(n, 4);
  const Floats h(forward.begin(), forward.begin() + n);
  Doubles expected = numeric_gradient(gated_formula, inputs, concatenated(dh, ds), 1e-4);
  expected.insert(expected.end(), forward.begin() + n, forward.end());
  compare("gated_backward", expected, gate_tolerance(large), [&](const Kernels& kernels) {
    Output d_gates(3 * n), d_before(dh), s(n);
    kernels.gated_backward(gates.data(), before.data(), h.data(), ds.data(), d_before.data(),
                           s.data(), d_gates.data(), n);
    return joined({&d_gates, &d_before, &s});
  });
}

void test_a_closed_gate_keeps_the_state() {
  const Floats before = random_floats(40, 5), closed(40, 100.0f), input(40, 1e6f);
  const Floats gates = concatenated(concatenated(closed, input), closed);
  for (const Kernels* kernels : all_sets()) {
    Floats h(40), s(40);
    kernels->gated_forward(gates.data(), before.data(), h.data(), s.data(), 40);
    CHECK(h == before);
  }
}

// x and w one after the other.
Doubles rms_formula(const Doubles& x) {
  const size_t n = x.size() / 2;
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += x[i] * x[i];
  const double r = 1 / std::sqrt(sum / static_cast<double>(n) + 1e-6);
  Doubles y(n);
  for (size_t i = 0; i < n; ++i) y[i] = x[n + i] * x[i] * r;
  return y;
}

void test_rms(int64_t n, float scale) {
  const Floats x = random_floats(n, 6, -scale, scale), w = random_floats(n, 7);
  const Doubles inputs = to_doubles(concatenated(x, w));
  compare("rms_forward", rms_formula(inputs), 2e-6, [&](const Kernels& kernels) {
    Output y(n);
    kernels.rms_forward(x.data(), w.data(), y.data(), n);
    return joined({&y});
  });

  const Floats dy = random_floats(n, 8), dx = random_floats(n, 9);
  // Gradients by x are as large as 1 / scale, those by w are not.
  Doubles by_x = numeric_gradient(rms_formula, inputs, dy, 1e-4 * double{scale});
  by_x.resize(static_cast<size_t>(n));
  for (size_t i = 0; i < by_x.size(); ++i) by_x[i] += double{dx[i]};
  Doubles by_w = numeric_gradient(rms_formula, inputs, dy, 1e-3);
  by_w.erase(by_w.begin(), by_w.begin() + n);
  const auto backward = [&](const Kernels& kernels, bool want_x) {
    Output d_w(dy), d_x(dx);
    kernels.rms_backward(x.data(), w.data(), d_w.data(), d_x.data(), n);
    return joined({want_x ? &d_x : &d_w});
  };
  const double derivative = 1 / std::sqrt(double{scale * scale} / 100 + 1e-6);
  compare("rms_backward by x", by_x, 1e-6 * (1 + derivative),
          [&](const Kernels& kernels) { return backward(kernels, true); });
  compare("rms_backward by w", by_w, 2e-6,
          [&](const Kernels& kernels) { return backward(kernels, false); });
}

void test_rms_of_zeros() {
  for (const Kernels* kernels : all_sets()) {
    const Floats x(20, 0.0f), w(20, 2.0f);
    Floats y(20, kNan), dy(20, 1.0f), dx(20, 0.0f);
    kernels->rms_forward(x.data(), w.data(), y.data(), 20);
    kernels->rms_backward(x.data(), w.data(), dy.data(), dx.data(), 20);
    CHECK_EQ(y[19], 0.0f);
    CHECK_EQ(dy[19], 0.0f);
    CHECK_NEAR(dx[19], 2000, 0.01);
  }
}

Doubles swiglu_formula(const Doubles& q) {
  const size_t n = q.size() / 2;
  Doubles m(n);
  for (size_t i = 0; i < n; ++i) m[i] = q[i] * sigmoid(q[i]) * q[n + i];
  return m;
}

void test_swiglu(int64_t n, bool large) {
  const Floats q = random_gates(2 * n, 10, large), dm = random_floats(n, 11);
  const Doubles inputs = to_doubles(q), m = swiglu_formula(inputs);
  compare("swiglu_forward", m, gate_tolerance(large), [&](const Kernels& kernels) {
    Output out(n);
    kernels.swiglu_forward(q.data(), out.data(), n);
    return joined({&out});
  });
  Doubles expected = numeric_gradient(swiglu_formula, inputs, dm, 1e-4);
  expected.insert(expected.end(), m.begin(), m.end());
  compare("swiglu_backward", expected, gate_tolerance(large), [&](const Kernels& kernels) {
    Output again(n), dq(2 * n);
    kernels.swiglu_backward(q.data(), dm.data(), again.data(), dq.data(), n);
    return joined({&dq, &again});
  });
}

void test_column_sums(int64_t rows, int64_t n) {
  const int64_t stride = n + 3;
  const Floats x = random_floats(rows * stride, 12), start = random_floats(n, 13);
  Doubles expected = to_doubles(start);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < n; ++j)
      expected[static_cast<size_t>(j)] += double{x[static_cast<size_t>(r * stride + j)]};
  compare("bias_grad", expected, 1e-5, [&](const Kernels& kernels) {
    Output out(start);
    kernels.bias_grad(x.data(), stride, rows, out.data(), n);
    return joined({&out});
  });
}

void test_column_sums_are_formed_first() {
  const Floats ones(100, 1.0f);
  for (const Kernels* kernels : all_sets()) {
    float sum = 1e8f;  // whose neighbors are 8 away
    kernels->bias_grad(ones.data(), 1, 100, &sum, 1);
    CHECK_NEAR(sum, 1e8 + 100, 4);
  }
}

void test_drop(int64_t n, uint32_t threshold) {
  Floats x = random_floats(n, 14);
  std::vector<uint16_t> bits(x.size());
  std::mt19937 random(15);
  const uint32_t edges[] = {0, 65535, threshold, threshold - 1, threshold + 1, 32767, 32768};
  for (size_t i = 0; i < bits.size(); ++i)
    bits[i] = static_cast<uint16_t>(i % 2 == 0 ? edges[i / 2 % 7] : random());
  Doubles expected;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool kept = bits[i] >= threshold;
    expected.push_back(kept ? double{x[i] * 1.25f} : 0);
    if (!kept) x[i] = kNan;
  }
  compare("drop", expected, 0, [&](const Kernels& kernels) {
    Output y(n), in_place(x);
    kernels.drop(bits.data(), threshold, 1.25f, x.data(), y.data(), n);
    kernels.drop(bits.data(), threshold, 1.25f, in_place.data(), in_place.data(), n);
    CHECK(joined({&y}) == joined({&in_place}));
    return joined({&y});
  });
}

void test_row_update(int64_t n, float grad_size) {
  const slm::RowwiseArgs args = {0.01f, 0.98f, 1e-8f, 0.5f / grad_size};
  const Floats start = random_floats(n, 16);
  const auto gradient = [&](uint32_t step) {
    return random_floats(n, 17 + step, -grad_size, grad_size);
  };
  const auto inv_correction = [](uint32_t step) {
    return static_cast<float>(1 / (1 - std::pow(0.98, step)));
  };
  double v = 0;
  Doubles expected = to_doubles(start);
  for (uint32_t step = 1; step <= 3; ++step) {
    const Floats g = gradient(step);
    const double scale = double{args.grad_scale};
    double mean = 0;
    for (float x : g) mean += scale * double{x} * scale * double{x} / static_cast<double>(n);
    v = 0.98 * v + 0.02 * mean;
    const double size = std::sqrt(v / (1 - std::pow(0.98, step))) + 1e-8;
    for (size_t i = 0; i < g.size(); ++i) expected[i] -= 0.01 * scale * double{g[i]} / size;
  }
  expected.push_back(v);
  compare("rowwise_rmsprop", expected, 1e-6, [&](const Kernels& kernels) {
    Output w(start);
    float moment = 0;
    for (uint32_t step = 1; step <= 3; ++step)
      moment = kernels.rowwise_rmsprop(args, inv_correction(step), moment, gradient(step).data(),
                                       w.data(), n);
    return concatenated(joined({&w}), {moment});
  });
}

// A NaN must reach the loss, wherever it comes from.
void test_nan_stays() {
  for (const Kernels* kernels : all_sets())
    for (size_t at = 0; at < 4 * 17; at += 17) {
      Floats inputs(4 * 17, 0.5f), h(17), s(17);
      inputs[at] = kNan;
      kernels->gated_forward(inputs.data(), inputs.data() + 3 * 17, h.data(), s.data(), 17);
      CHECK(std::isnan(s[0]));
      kernels->rms_forward(inputs.data() + at, h.data(), s.data(), 17);
      CHECK(std::isnan(s[16]));
      if (at >= 2 * 17) continue;
      kernels->swiglu_forward(inputs.data(), s.data(), 17);
      CHECK(std::isnan(s[0]));
    }
}

}  // namespace

int main() {
  for (int64_t n = 1; n <= 67; ++n) {
    for (const bool large : {false, true}) {
      test_gated(n, large);
      test_swiglu(n, large);
    }
    for (const float scale : {1e-4f, 1.0f, 1e4f}) test_rms(n, scale);
    for (const int64_t rows : {0, 1, 33}) test_column_sums(rows, n);
    for (const uint32_t threshold : {0u, 1u, 26214u, 65535u}) test_drop(n, threshold);
    for (const float size : {1e-12f, 1.0f, 1e25f}) test_row_update(n, size);
  }
  test_column_sums(100, 200);
  test_a_closed_gate_keeps_the_state();
  test_rms_of_zeros();
  test_column_sums_are_formed_first();
  test_nan_stays();
  return test_result();
}
