"""A claim from the command line: what ``nasanalysis multiverse`` asks, as an item of a study would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.notes import told
from ..core.toml import validated
from ..loaders.sources import Sources
from ..report.model import Section
from .items import Resampling
from .multiverse.items import MultiverseItem


def claim(
    better: str,
    than: str,
    truth: str,
    *,
    scores: tuple[str, ...] = (),
    n_boot: int = 200,
    seed: int = 0,
    data: Path | str | None = None,
    say: Callable[[str], None] = lambda _: None,
    **keys: Any,
) -> Section:
    """The section of a ``[[multiverse]]`` item: its sentence as the answer, a table of choices, the curve.

    Parameters
    ----------
    truth: a benchmark, a TOML description or a plain table. scores: files that hold the proxies; others are computed.
    keys: of `nasanalysis.studies.multiverse.items`; those that are None or empty are left at their defaults.
    say: told of every warning.
    """
    asked = {key: value for key, value in keys.items() if value not in (None, (), [], {})}
    head = {"name": "multiverse", "title": f"Does {better} rank better than {than}?", "benchmark": truth}
    item = validated(
        MultiverseItem, {**head, "better": better, "than": than, "scores": list(scores), **asked}, where="multiverse"
    )
    with told(say):
        return item.section(Sources(data), Resampling(n_boot, seed))
