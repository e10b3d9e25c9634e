#pragma once
// The plan of a run, made before or soon after its start: how many steps it takes and how often it
// is evaluated.
#include <string>
#include <vector>

#include "slm/trainer.h"

namespace slm {

// Throws Error(config) naming the first option that is out of range.
void validate(const FitOptions& options);

struct Plan {
  int64_t steps = 0;       // 0: not known yet
  int64_t eval_every = 0;  // steps
};

Plan plan_by_steps(int64_t steps, int64_t eval_every);

// Seconds that a step and an evaluation take.
struct Speed {
  double step = 0;
  double evaluation = 0;
};

// The steps that fit into `seconds`, of which `elapsed` are gone and `done` steps are taken. The
// evaluations, whose number is chosen or reduced so that they take about a twentieth of the time,
// and the last one are part of it.
Plan plan_by_time(double seconds, double elapsed, int64_t done, const Speed& speed,
                  int64_t eval_every);

// The shares to drop where the config leaves it to the run: the more often a text is read, the
// better it is known by heart. None where it is read once, and 0.2 for every doubling, at most
// 0.5; of the layers' inputs 0.05 for every doubling beyond four passes, at most 0.1.
float auto_dropout(double passes);
float auto_locked_dropout(double passes);
// And the share of the input bytes to replace: 0.01 for every doubling, at most 0.025.
float auto_input_noise(double passes);

std::string bytes_in_words(size_t count);  // "1 byte", "2 bytes"

// FNV-1a, 64 bits, in hexadecimal, of sample_blocks(text).
std::string fingerprint(std::string_view text);

}  // namespace slm
