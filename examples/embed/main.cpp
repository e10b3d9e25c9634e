// A program that embeds slm: it trains a tiny model on a text, saves it, loads it and lets it
// write.
#include <cstdio>
#include <string>

#include "slm/slm.h"

int main(int argc, char** argv) try {
  const std::string path = argc > 1 ? argv[1] : "embed.safetensors";
  std::string text;
  for (int i = 0; i < 400; ++i) text += "the cat sat on the mat. ";

  slm::Preset preset = slm::preset("seed-small");
  preset.config.embed_dim = preset.config.state_dim = 32;
  preset.train_config.steps = 200;
  preset.train_config.seq_len = 32;
  preset.train_config.batch_size = 8;

  slm::Model model(preset);
  slm::Trainer trainer(model, preset.train_config);
  const slm::History history = trainer.fit(text);
  model.save(path);

  const slm::Model loaded = slm::Model::load(path);
  slm::SampleOptions options;
  options.temperature = 0.0f;
  slm::Generator generator(loaded, options);
  std::printf("%.3f nats per byte after %lld steps: %s\n", history.best_loss,
              static_cast<long long>(history.steps), generator.generate("the cat", 40).c_str());
  return history.best_loss < 0.5 ? 0 : 1;
} catch (const slm::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
