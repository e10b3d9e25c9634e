#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace slm {

/// Bytes are the vocabulary: 256 logits, no tokenizer.
inline constexpr int64_t kVocabSize = 256;

/// The byte before any text: it gives the first byte's probability and is what an empty prompt
/// feeds.
inline constexpr uint8_t kFirstByte = '\n';

/// A layer's recurrence: by a dense matrix, or the selective gated cell (docs/model.md).
enum class Cell { dense, gated };
/// Scale of the embedding's initial values.
enum class Init { seed, tuned };
/// Whether there is an RMSNorm before cells, SwiGLUs and the head.
enum class Norm { none, rms };

/// Everything that fixes a model's shape and its initial values. Stored whole in every model file.
/// docs/model.md has the equations.
struct Config {
  Cell cell = Cell::dense;
  int64_t embed_dim = 128;  ///< E, width of the embedding and of every layer's input
  int64_t state_dim = 128;  ///< N, width of a layer's hidden state
  int64_t num_layers = 2;   ///< L
  Init init = Init::tuned;
  bool residual = false;  ///< a layer's input is added to its output
  Norm norm = Norm::none;
  int64_t mlp_dim = 0;          ///< M, width of a SwiGLU after each layer's cell; 0: none
  bool tie_embeddings = false;  ///< the head multiplies by the embedding
  /// n of the n-grams whose vectors are added to a byte's embedding: rising, from 2 to 8.
  std::vector<int64_t> ngram_orders = {};
  int64_t ngram_buckets = 16384;  ///< rows of each table from order 3 up: a power of two
  int64_t ngram_dim = 0;  ///< width of those rows and of matches'; 0: E. Others are projected to E
  /// Where the last m bytes stood before in the text, for each of these m, the byte that followed
  /// there has a vector that is added, too: rising, from 2 to 32. With the n-grams, at most 8.
  std::vector<int64_t> match_lengths = {};
  int64_t match_span = 4096;  ///< bytes of the text, from the latest back, where that may be
};

/// Most steps of a run: any number of them is exact in the schedule's double.
inline constexpr int64_t kMaxSteps = int64_t{1} << 53;

/// TrainConfig::dropout, locked_dropout or input_noise that is chosen by how often a run reads its
/// text.
inline constexpr float kAutoDropout = -1;

/// The learning rate after the warm-up.
enum class Schedule { cosine, constant };
/// Windows at random positions, each from a zero state; or truncated BPTT: each row of the batch
/// reads on through the text, and its state is carried from window to window.
enum class Sampling { random, stream };

/// How to train: optimizer (AdamW), schedule, window and sampling. Rates are per step.
struct TrainConfig {
  int64_t steps = 1500;
  int64_t seq_len = 128;    ///< T, bytes per window
  int64_t batch_size = 32;  ///< B, windows per step
  float learning_rate = 1e-2f;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float epsilon = 1e-8f;
  float weight_decay = 0.01f;  ///< decoupled: w is scaled by 1 - lr * weight_decay
  float clip_norm = 1.0f;      ///< largest global gradient norm; 0 does not clip
  int64_t warmup_steps = 50;   ///< linear from lr / warmup_steps to lr
  Schedule schedule = Schedule::cosine;
  float min_lr_ratio = 0;    ///< where the cosine ends, as a share of learning_rate
  float table_lr_scale = 3;  ///< the n-gram and match tables' rate, a multiple of learning_rate
  /// Share of the n-grams and matches that a training step leaves out (of the embedding's values,
  /// in a model without). kAutoDropout: Trainer::fit chooses it by how often it reads the text.
  float dropout = 0;
  /// Share of the values that go into a layer but the first, or into the head, that a training step
  /// leaves out, the same at all bytes of a window. Needs Norm::rms. kAutoDropout as above.
  float locked_dropout = 0;
  /// Share of the input bytes that a training step replaces by others of its window; what is to be
  /// predicted stays. kAutoDropout as above.
  float input_noise = 0;
  /// What the spectral radius of a dense cell's matrices A is kept at, at most, after every step: A
  /// is scaled down where ‖A^64‖^(1/64) is above it. 0 keeps no bound; above 0, a model whose cell
  /// is "gated", which needs none, is refused.
  float max_spectral_radius = 0;
  Sampling sampling = Sampling::random;
  uint64_t seed = 0;  ///< of the window positions
  /// Keep a part of a long window's time steps, about √n of its n chunks, and compute the rest
  /// twice: the same bits from less memory, for a third more arithmetic. A chunk is of about 512
  /// positions on the CPU; a window of one saves nothing.
  bool recompute = false;
};

/// A preset is a model and the way to train it.
struct Preset {
  Config config;
  TrainConfig train_config;
};

/// The preset used when none is named: the same here, in Python and on the command line.
inline constexpr char kDefaultPreset[] = "small";

/// Throws Error(config) for an unknown name; the sentence lists the known ones. For a text of
/// `text_bytes` (0: any), n-gram tables have no more buckets than it has n-grams: the next power of
/// two, but at least 256.
Preset preset(const std::string& name, int64_t text_bytes = 0);
std::vector<std::string> preset_names();

/// Throw Error(config) naming the first field that is out of range, its value and what is allowed.
void validate(const Config& config);
void validate(const TrainConfig& config);

}  // namespace slm
