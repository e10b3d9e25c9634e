"""Invent names: a small model learns how the names of names.txt are spelled.

    python examples/names.py

What it writes is kept if it is not in the list.
"""

from pathlib import Path

import slm

NAMES = Path(__file__).with_name("names.txt").read_text(encoding="utf-8").split()
WANTED = 12

# Each name is a document, so the model learns where names begin and end. A small text needs a small
# model: pairs and triples of letters, nothing copied from earlier in a name.
options = {"embed_dim": 32, "state_dim": 64, "ngram_orders": (2, 3), "match_lengths": ()}
model = slm.Model("nano", **options, seed=0)
history = model.train(NAMES, steps=30, seq_len=64, batch_size=16)
print(f"{len(NAMES)} names, {history.steps} steps, {history.best_loss:.2f} nats per byte\n")

samples = model.generate("", 20, temperature=0.7, num_samples=100, seed=1)
invented = [name for name in dict.fromkeys(samples) if name not in NAMES]


def loss(name: str) -> float:
    """The lower it is, the more the name looks like those that the model has read."""
    return model.score(name, log_probs=False).nats_per_byte


for name in sorted(invented[:WANTED], key=loss):
    print(f"{loss(name):.2f}  {name}")
