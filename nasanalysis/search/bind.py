"""An algorithm by name with its preset and options, as configurations and study files write it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

from ..core.errors import ParameterError, UnknownNameError
from ..core.registry import resolve
from . import ALGORITHMS
from .regularised_evolution import EVOLUTION_PRESETS, EvolutionSettings
from .result import SearchResult
from .spos_evolution import SPOS_PRESETS, SposSettings

#: Algorithm -> its settings, and these by name.
_SETTINGS: dict[str, tuple[type[Any], Mapping[str, Any]]] = {
    "regularised_evolution": (EvolutionSettings, EVOLUTION_PRESETS),
    "spos_evolution": (SposSettings, SPOS_PRESETS),
}
_OWN = {"fitness", "moves", "rng", "queries", "seconds"}


def bind(
    algorithm: str, *, preset: str | None = None, options: Mapping[str, Any] | None = None
) -> Callable[..., SearchResult]:
    """``(fitness, moves, rng, queries=..., seconds=...) -> SearchResult`` with the settings of a search.

    Parameters
    ----------
    algorithm: name in `ALGORITHMS`.
    preset: published settings by name; None for the defaults.
    options: settings one by one, over those of the preset; lists are taken as tuples.

    `UnknownNameError` for a name that does not exist, `ParameterError` for a preset where there are none.
    """
    function: Callable[..., SearchResult] = resolve("search algorithm", algorithm, ALGORITHMS)
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in (options or {}).items()}
    kind, presets = _SETTINGS.get(algorithm, (None, {}))
    known = set(inspect.signature(function).parameters) - _OWN if kind is None else {f.name for f in fields(kind)}
    if lost := sorted(set(given) - known):
        raise UnknownNameError(f"option of {algorithm}", lost[0], sorted(known))
    if kind is None:
        if preset is not None:
            raise ParameterError(f"{algorithm}: has no presets, got {preset!r}")
        return partial(function, **given)
    if preset is not None and preset not in presets:
        raise UnknownNameError(f"preset of {algorithm}", preset, presets)
    return partial(function, settings=replace(kind() if preset is None else presets[preset], **given))
