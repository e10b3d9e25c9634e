"""Identify the language of a sentence: one small model for each language.

    python examples/language_id.py "a sentence" "another one"

The model with the lowest loss wins.
"""

import sys
from pathlib import Path

import slm

TEST = 10  # sentences at the end of each file that the models do not read
SENTENCES = ["Where is the station?", "Wie geht es dir heute?", "¿Dónde está la estación?"]

models: dict[str, slm.Model] = {}
test: list[tuple[str, str]] = []
for path in sorted(Path(__file__).with_name("languages").glob("*.txt")):
    sentences = path.read_text(encoding="utf-8").splitlines()
    test += [(path.stem, sentence) for sentence in sentences[-TEST:]]

    # Three kilobytes are enough: it takes few combinations of letters to tell languages apart.
    model = slm.Model("nano", embed_dim=32, state_dim=64, match_lengths=(), seed=0)
    text = "\n".join(sentences[:-TEST]) + "\n"
    model.train(text, steps=60, seq_len=64, batch_size=8, validation=None)
    models[path.stem] = model


def losses(sentence: str) -> dict[str, float]:
    """Nats per byte of the sentence under each model, the lowest first."""
    found = {
        name: model.score(sentence, log_probs=False).nats_per_byte for name, model in models.items()
    }
    return dict(sorted(found.items(), key=lambda item: item[1]))


right = 0
for language, sentence in test:
    first, *_ = losses(sentence)
    right += first == language
    if first != language:
        print(f"taken for {first}, is {language}: {sentence}")
print(f"{right} of {len(test)} sentences right\n")

for sentence in sys.argv[1:] or SENTENCES:
    print(sentence)
    for language, loss in list(losses(sentence).items())[:3]:
        print(f"    {loss:.2f}  {language}")
