"""Invent names: a small model learns how the names of names.txt are spelled.

    python examples/names.py

What it writes is kept if it is not in the list.
"""

import random
from pathlib import Path

import slm

NAMES = Path(__file__).with_name("names.txt").read_text(encoding="utf-8").split()
WANTED = 12

# One name a line. Several orders of the same names, so that the model learns how names are spelled
# rather than which one follows which.
rng = random.Random(0)
text = "".join("\n".join(rng.sample(NAMES, len(NAMES))) + "\n" for _ in range(20))

# A small text needs a small model: pairs and triples of letters, nothing copied from earlier lines.
# The end of the text has the same names again and would not show overfitting: validate on nothing.
options = {"embed_dim": 32, "state_dim": 64, "ngram_orders": (2, 3), "match_lengths": ()}
model = slm.Model("nano", **options, seed=0)
history = model.train(text, steps=200, seq_len=64, batch_size=16, validation=None)
print(f"{len(NAMES)} names, {history.steps} steps, {history.best_loss:.2f} nats per byte\n")

# The prompt ends with a line break, so that a name follows, which ends at the next one.
prompt = "Oscar\nAda\nViola\n"
samples = model.generate(
    prompt, 20, temperature=0.7, stop="\n", num_samples=100, seed=1, include_prompt=False
)
invented = [name for name in dict.fromkeys(samples) if name not in NAMES]


def loss(name: str) -> float:
    """The lower it is, the more the name looks like those that the model has read."""
    return model.score(f"{name}\n", log_probs=False).nats_per_byte


for name in sorted(invented[:WANTED], key=loss):
    print(f"{loss(name):.2f}  {name}")
