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
/// Initial values of the embedding: uniform in ±1/√E (seed) or in ±1 (tuned).
enum class Init { seed, tuned };
/// Normalization before cells, SwiGLUs and the head: none, or RMSNorm.
enum class Norm { none, rms };

/// A model's shape and initialization. Stored in every model file. docs/model.md has the equations.
struct Config {
  Cell cell = Cell::dense;
  int64_t embed_dim = 128;  ///< E, width of the embedding and of every layer's input
  int64_t state_dim = 128;  ///< N, width of a layer's hidden state
  int64_t num_layers = 2;   ///< L
  Init init = Init::tuned;
  bool residual = false;  ///< adds a layer's input to its output
  Norm norm = Norm::none;
  int64_t mlp_dim = 0;          ///< M, width of a SwiGLU after each layer's cell; 0: none
  bool tie_embeddings = false;  ///< weight tying: the head multiplies by the embedding
  /// Adds a bias to the logits of the head, which Trainer::fit starts at the log of the byte
  /// frequencies of its text. Needs a head (docs/model.md).
  bool head_bias = false;
  /// The n of the hashed n-gram embeddings that are added to a byte's embedding: rising, 2 to 8.
  std::vector<int64_t> ngram_orders = {};
  int64_t ngram_buckets = 16384;  ///< rows of each table from order 3 up: a power of two
  /// Width of the rows of n-gram and match tables; 0: E. Other widths are projected to E.
  int64_t ngram_dim = 0;
  /// Match model: for each of these m, find the most recent earlier occurrence of the last m bytes
  /// and add an embedding of the byte that followed it. Rising, 2 to 32; at most 8 tables together
  /// with the n-grams.
  std::vector<int64_t> match_lengths = {};
  int64_t match_span = 4096;  ///< how many bytes back from the latest one a match may be
  /// The text consists of documents, whose ends the model predicts. Trainer::fit on several
  /// documents sets it.
  bool documents = false;
  /// Scores are those of a mixture that switches at this rate, from byte to byte, between the model
  /// and a uniform distribution, so that they are bounded on any text. 0: the model's own.
  float fixed_share = 0;
};

/// Most steps of a run: any number of them is exact in the schedule's double.
inline constexpr int64_t kMaxSteps = int64_t{1} << 53;

/// Value of TrainConfig::dropout, locked_dropout and input_noise that lets Trainer::fit choose by
/// the number of passes over the text.
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
  /// Linear from lr / warmup_steps to lr. With Norm::rms, at most a tenth of a run.
  int64_t warmup_steps = 50;
  Schedule schedule = Schedule::cosine;
  float min_lr_ratio = 0;    ///< learning rate at the end of the cosine / learning_rate
  float table_lr_scale = 3;  ///< learning rate of the n-gram and match tables / learning_rate
  /// Dropout probability of n-gram and match embeddings; in a model without these, of the
  /// embedding's values. Or kAutoDropout.
  float dropout = 0;
  /// Locked (variational) dropout of the inputs of the head and of all layers but the first: one
  /// mask for all time steps of a window. Needs Norm::rms. Or kAutoDropout.
  float locked_dropout = 0;
  /// Probability that an input byte is replaced by one sampled from the same window (unigram
  /// noising); targets stay. Or kAutoDropout.
  float input_noise = 0;
  /// Bound on the spectral radius of a dense cell's matrices A: after every step, A is scaled down
  /// if ‖A^64‖^(1/64) is above it. 0: no bound. Cell::gated has no such matrix and refuses a bound.
  float max_spectral_radius = 0;
  Sampling sampling = Sampling::random;
  /// Share of the rows of a batch that are cold starts: each consists of short pieces that begin at
  /// documents, paragraphs or lines, from a zero state.
  float cold_fraction = 0;
  uint64_t seed = 0;  ///< of window positions, dropout and input noise
  /// Activation checkpointing: keep the states between about √n segments of a window of n chunks
  /// and recompute the rest in the backward pass. The same bits from less memory, for about a third
  /// more arithmetic. A chunk is about 512 positions; a window of one chunk saves nothing.
  bool recompute = false;
};

/// A preset is a model and the way to train it.
struct Preset {
  Config config;
  TrainConfig train_config;
};

/// The preset used when none is named: the same here, in Python and on the command line.
inline constexpr char kDefaultPreset[] = "small";

/// Throws Error(config) for an unknown name; the message lists the known ones. With `text_bytes`,
/// the size of the text to train on, n-gram tables get no more buckets than the next power of two,
/// but at least 256.
Preset preset(const std::string& name, int64_t text_bytes = 0);
std::vector<std::string> preset_names();

/// Throw Error(config) naming the first field that is out of range, its value and what is allowed.
void validate(const Config& config);
void validate(const TrainConfig& config);

}  // namespace slm
