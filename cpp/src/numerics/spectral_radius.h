#pragma once
// A bound of a matrix's spectral radius that takes a few products: ρ(A) = ρ(A^k)^(1/k) ≤
// ‖A^k‖^(1/k), with Frobenius' norm and k = 64, so six squarings (Horn, Johnson: "Matrix Analysis",
// 5.6). For a normal matrix of n rows it is at most n^(1/128) times too large, 1.04 for n = 128.
// No power may overflow or vanish, so each is divided by its norm before it is squared:
//   X_0 = A, X_{k+1} = (X_k / ‖X_k‖)², bound = ‖X_0‖ √(‖X_1‖ √(‖X_2‖ …))

namespace slm {

constexpr int kSquarings = 6;

}  // namespace slm
