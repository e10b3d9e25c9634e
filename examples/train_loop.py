"""Train with a loop of your own: your windows, your evaluation, your report.

    python examples/train_loop.py

`Model.train` does all of this in one call. Write the loop where your data or schedule is unusual.
"""

import numpy as np
import slm

STEPS, EVAL_EVERY = 200, 50
SEQ_LEN, BATCH_SIZE = 64, 32

text = slm.sample_text()  # a NumPy array of bytes, as slm.load_text(path) gives for a file
train, held_out = text[:-20_000], text[-20_000:]
rng = np.random.default_rng(0)


def draw_windows() -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets, both (SEQ_LEN, BATCH_SIZE): time first, one column for each window."""
    starts = rng.integers(len(train) - SEQ_LEN, size=BATCH_SIZE)
    windows = np.stack([train[s : s + SEQ_LEN + 1] for s in starts], axis=1)
    return windows[:-1], windows[1:]  # the target of a byte is the one after it


model = slm.Model("nano", seed=0)
# The learning rate rises for `warmup_steps`, then follows a cosine that ends at `steps`.
trainer = slm.Trainer(model, steps=STEPS, learning_rate=0.008, warmup_steps=30)

best_loss, best_parameters = np.inf, model.parameters
total = 0.0
print("step  learning rate  gradient norm  training loss  held-out loss")
for step in range(1, STEPS + 1):
    total += trainer.step(*draw_windows())
    if step % EVAL_EVERY == 0:
        loss = model.score(held_out, log_probs=False).nats_per_byte
        print(
            f"{step:4}  {trainer.learning_rate:13.5f}  {trainer.grad_norm:13.3f}"
            f"  {total / EVAL_EVERY:13.3f}  {loss:13.3f}"
        )
        total = 0.0
        if loss < best_loss:  # early stopping would count evaluations here
            best_loss, best_parameters = loss, model.parameters

model.set_parameters(best_parameters)
print(f"\nbest: {best_loss:.3f} nats per byte. It writes:\n")
print(model.generate("ROMEO:", 120, temperature=0.7, seed=1))
