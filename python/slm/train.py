"""The training loop behind Model.train."""

from __future__ import annotations

import warnings
from math import inf
from numbers import Real
from typing import Any

import numpy as np

from slm import _core
from slm.config import TrainConfig
from slm.documents import Corpus, read_corpus, read_documents
from slm.encodings import note_on
from slm.errors import ConfigError
from slm.history import Callback, Evaluation, History, Progress
from slm.progress import display
from slm.text import Text, to_array

#: For warnings: the frame of Model.train's caller, as seen from run_training().
USER_FRAME = 3


def run_training(
    model: _core.Model,
    config: dict[str, Any],
    text: Text | _core.Documents,
    documents: str,
    encoding: str | None,
    validation: float | Text | None,
    options: dict[str, Any],
    callback: Callback | None,
    progress: bool | None,
) -> History:
    """`config` holds the fields of a TrainConfig, `options` those of the C++ FitOptions."""
    if encoding is not None and not isinstance(encoding, str):  # which a str does not look at
        raise TypeError(f"encoding must be a str or None, got {type(encoding).__name__}")
    corpus = (
        text
        if isinstance(text, _core.Documents)
        else read_corpus(text, documents, encoding=encoding)
    )
    fraction, validation_text = _validation(validation, documents, encoding, corpus)
    text_note = note_on(corpus)
    if text_note:
        warnings.warn(text_note, UserWarning, stacklevel=USER_FRAME)
    options = {**options, "validation_fraction": fraction}
    num_reported = 0
    with display(progress) as show:

        def on_step(fields: dict[str, Any]) -> bool:
            nonlocal num_reported
            evaluation = fields.pop("evaluation")
            done = Progress(**fields, evaluation=evaluation and Evaluation(**evaluation))
            num_reported += len(done.notes)
            for note in done.notes:
                warnings.warn(note, UserWarning, stacklevel=USER_FRAME + 1)
            show(done)
            return callback is None or callback(done) is not False

        trainer = _core.Trainer(model, config)
        fields = trainer.fit(corpus, validation_text, options, on_step)
    for note in fields["notes"][num_reported:]:  # such as why the run ended, after its last step
        warnings.warn(note, UserWarning, stacklevel=USER_FRAME)
    if text_note:
        fields["notes"].insert(0, text_note)
    fields["evaluations"] = [Evaluation(**e) for e in fields["evaluations"]]
    fields["config"] = TrainConfig(**fields["config"])
    return History(**fields)


def check_seconds(seconds: float | None) -> None:
    """The library takes 0 for a run by steps."""
    if isinstance(seconds, Real) and not isinstance(seconds, bool) and not 0 < seconds < inf:
        raise ConfigError(f"seconds is {seconds}, but must be a finite number above 0")


def _validation(
    validation: float | Text | None, documents: str, encoding: str | None, corpus: Corpus
) -> tuple[float, Corpus | None]:
    """The fraction of the corpus that is held out, and the text that is used instead of it, which
    is of documents where the corpus is."""
    if validation is None:
        return 0.0, None
    if isinstance(validation, bool):
        raise TypeError(f"validation must be a fraction, a text or None, got {validation}")
    if isinstance(validation, (int, float, np.integer, np.floating)):
        if not 0 <= validation < 1:
            raise ConfigError(f"validation is {validation}, but must be at least 0 and below 1")
        return float(validation), None
    text: Corpus
    if isinstance(corpus, _core.Documents):
        text = read_documents(validation, documents, "validation", encoding)
    else:
        text = to_array(validation, "validation", encoding)
    if len(text) == 0:
        raise ConfigError("the validation text is empty; None trains without validation")
    return 0.0, text
