"""Whether a higher score is better, and how we know: ours, given, read from the name, or assumed.

A name is cut into words at everything that is no letter and at camelCase: ``valLoss``, ``val-loss`` and ``val_loss``
are the same two words. `LOWER_WORDS` make lower better; ``neg_``, ``minus_`` or a leading ``-`` turn it round.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Source = Literal["ours", "given", "by name", "assumed"]

#: Words of a name that make a lower score better.
LOWER_WORDS = frozenset(
    """
    loss losses nll err errs error errors wer cer rmse mse mae mape perplexity ppl fid regret
    latency lat runtime time times duration second seconds sec secs ms energy cost costs
    rank ranks ranking hessian eigenvalue eigenvalues curvature
    """.split()  # noqa: SIM905
)
#: Endings of words that are written together: ``valloss``, ``trainerror``.
_LOWER_ENDINGS = ("loss", "losses", "error", "errors", "latency", "perplexity", "runtime", "seconds")
#: Words that make a higher score better, so that no note is needed.
HIGHER_WORDS = frozenset(
    ["acc", "accs", "accuracy", "accuracies", "auc", "auroc", "likelihood", "throughput", "fps", "reward"]
)
_HIGHER_ENDINGS = ("accuracy", "acc")
_TURNS = frozenset(["neg", "negative", "negated", "minus", "inv", "inverse", "reciprocal"])
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_MINUS = re.compile(r"\s*1?\s*[-−]")


class Direction(NamedTuple):
    """Which way a score points.

    sign: +1 where a higher score is better, -1 where a lower one is. source: ``ours`` (a proxy of the package),
    ``given`` (by the user), ``by name`` (a word of the name), or ``assumed`` (an unknown name: higher is better).
    """

    sign: int
    source: Source

    @property
    def word(self) -> str:
        """``higher`` or ``lower``."""
        return "higher" if self.sign > 0 else "lower"

    def __str__(self) -> str:
        return f"{self.word} ({self.source})"


def words_of(name: str) -> list[str]:
    """``valLoss``, ``val-loss``, ``VAL_LOSS`` -> ``["val", "loss"]``."""
    return [word.lower() for word in _WORD.findall(name)]


def turned_name(name: str) -> str | None:
    """What a name says the negative of: ``neg_sotl``, ``minus-sotl``, ``-sotl`` -> ``sotl``; None if of nothing."""
    match = re.fullmatch(r"(?:\s*[-−]\s*|(?:neg|negative|negated|minus)[\s_-]+)(.+)", name)
    return match[1] if match else None


def by_name(name: str) -> Direction:
    """The direction that the words of a name say; assumed to be higher where they say nothing."""
    if "+" in name:  # a sum of scores, which `stats.combine` has turned round already
        return Direction(1, "assumed")
    words = words_of(name.partition("@")[0])
    sign = _sign(words)
    if sign is None:
        return Direction(1, "assumed")
    turned = _MINUS.match(name) is not None or any(word in _TURNS for word in words)
    return Direction(-sign if turned else sign, "by name")


def _sign(words: list[str]) -> int | None:
    if any(word in LOWER_WORDS or word.endswith(_LOWER_ENDINGS) for word in words):
        return -1
    if any(word in HIGHER_WORDS or word.endswith(_HIGHER_ENDINGS) for word in words):
        return 1
    return None


def sign_of(given: int | str) -> int:
    """+1 or -1 for ``higher``, ``lower``, +1 or -1; `ValueError` for anything else."""
    signs = {"higher": 1, "lower": -1, 1: 1, -1: -1}
    if isinstance(given, bool) or given not in signs:
        raise ValueError(f"expected 'higher' or 'lower' (+1 or -1), got {given!r}")
    return signs[given]
