"""Find the odd lines of a log: a model learns yesterday's log and scores today's.

    python examples/log_lines.py

Lines that it has not learned to expect cost most.
"""

import random

import numpy as np
import slm

PAGES = ("/", "/login", "/cart", "/search", "/static/site.css", "/static/logo.png")
ODD = (  # hidden among today's lines
    "12:41:07 10.0.3.17 GET /../../etc/passwd 400 0 ms",
    "18:02:33 worker 4 killed: out of memory",
    "21:15:50 10.0.9.2 POST /login 200 9817 ms; DROP TABLE users",
)


def make_log(lines: int, rng: random.Random) -> list[str]:
    """What a small web server writes on a normal day."""
    return [
        f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02} "
        f"10.0.{rng.randrange(10)}.{rng.randrange(256)} "
        f"{rng.choice(('GET', 'GET', 'GET', 'POST'))} {rng.choice(PAGES)} "
        f"{rng.choice((200, 200, 200, 304, 404))} {rng.randrange(2, 90)} ms"
        for s in sorted(rng.sample(range(86_400), lines))
    ]


yesterday = make_log(3000, random.Random(1))
today = sorted([*make_log(500, random.Random(2)), *ODD])

model = slm.Model("nano", embed_dim=32, state_dim=64, seed=0)
history = model.train("\n".join(yesterday), steps=250, seq_len=128, batch_size=16)
print(f"yesterday: {history.best_loss:.2f} nats per byte on the lines kept for validation")

# One score for the whole day: each line is read after the ones before it, and `log_probs` has the
# logarithm of each byte's probability. A line costs the sum over its bytes.
text = "".join(f"{line}\n" for line in today).encode()
score = model.score(text)
print(f"today:     {score.nats_per_byte:.2f}\n")

ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
costs = [-line.sum() for line in np.split(score.log_probs, ends[:-1])]

print("nats  line")
for cost, line in sorted(zip(costs, today, strict=True), reverse=True)[:6]:
    print(f"{cost:4.0f}  {line}")
