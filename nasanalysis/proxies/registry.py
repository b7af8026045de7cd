"""Proxies by name. Parameters follow an ``@``: ``sotl_e@5`` sums the last five epochs.

A proxy from outside the package is one entry of `PROXIES` more::

    PROXIES["mine"] = "my_module:MyProxy"  # or the object itself
    na.score(benchmark, ["mine", "params"])

What stands there is a `Proxy`, a class whose objects are proxies (with ``from_argument`` if it takes parameters), or a
function that takes the text after ``@`` (None without one) and returns a proxy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from ..core.errors import NasAnalysisError, ParameterError, UnknownNameError
from ..core.frames import SCHEMAS
from ..core.registry import resolve
from .base import OfNoise, Proxy, takes_no_argument
from .directions import Direction, by_name, sign_of, turned_name
from .graph.proxy import GRAPH_PROXIES
from .supernet import SUPERNET_MEASURES, WEIGHT_MEASURES

_CURVES = "nasanalysis.proxies.named_curves"

#: Proxy name -> ``module:object``, or the object: see the docstring of this module.
PROXIES: dict[str, str | Proxy | Callable[[str | None], Proxy]] = {
    "params": "nasanalysis.proxies.cost:PARAMS",
    "flops": "nasanalysis.proxies.cost:FLOPS",
    "sotl": f"{_CURVES}:sotl",
    "sotl_e": f"{_CURVES}:sotl_e",
    "sotl_first": f"{_CURVES}:sotl_first",
    "sotl_ema": f"{_CURVES}:sotl_ema",
    "sovl": f"{_CURVES}:sovl",
    "sovl_e": f"{_CURVES}:sovl_e",
    "sovl_first": f"{_CURVES}:sovl_first",
    "sum_train_error": f"{_CURVES}:sum_train_error",
    "sum_train_error_e": f"{_CURVES}:sum_train_error_e",
    "sum_train_error_first": f"{_CURVES}:sum_train_error_first",
    "train_loss": f"{_CURVES}:train_loss",
    "train_accuracy": f"{_CURVES}:train_accuracy",
    "val_acc": f"{_CURVES}:val_acc",
    "val_loss": f"{_CURVES}:val_loss",
    "flatness": "nasanalysis.proxies.flatness:Flatness",
    "sharpness": "nasanalysis.proxies.flatness:Sharpness",
    **GRAPH_PROXIES,
    **WEIGHT_MEASURES,
    **SUPERNET_MEASURES,
}

#: Other names of the field -> the name used here.
ALIASES = {
    "tse": "sotl",
    "tse_e": "sotl_e",
    "tse_ema": "sotl_ema",
    "tl_mini": "train_loss",
    "train_acc": "train_accuracy",
}

#: Scores that published files record under names which say nothing of their direction; all are higher-is-better.
RECORDED_HIGHER = frozenset({"jacob_cov", "synflow_bn"})

#: Prefix that asks for a score recorded in a benchmark's files where we compute one of the same name.
RECORDED = "recorded:"

#: What a proxy needs where its scores are not computed but read from those that files record.
RECORDED_NEEDS = frozenset({"scores", "weights", "supernet"})


def get_proxy(name: str) -> Proxy:
    """The proxy called `name`: ``params``, ``sotl_e@5``, ``sogn``, ``angle``, ``flatness@alpha=0`` ..."""
    base, argument = _split(name)
    if base not in PROXIES:
        raise UnknownNameError("proxy", name, [*PROXIES, *ALIASES])
    target = PROXIES[base]
    entry: Any = resolve("proxy", base, {base: target}) if isinstance(target, str) else target
    if isinstance(entry, type):
        if argument is None:
            return entry()  # type: ignore[no-any-return]
        read = getattr(entry, "from_argument", None)
        if read is not None:
            return read(argument)  # type: ignore[no-any-return]
        takes_no_argument(base, argument)
    if isinstance(entry, Proxy):
        takes_no_argument(base, argument)
        return entry
    return entry(argument)  # type: ignore[no-any-return]


def is_proxy(name: str) -> bool:
    """Whether `get_proxy` knows `name`."""
    try:
        get_proxy(name)
    except NasAnalysisError:
        return False
    return True


def needs_of(name: str) -> str:
    """What the proxy called `name` needs; ``scores`` where it can only be a score that a benchmark's files record."""
    return get_proxy(name).needs if _split(name)[0] in PROXIES else "scores"


def is_computed(name: str) -> bool:
    """Whether `name` is computed from a frame (True), or read from the scores that files record."""
    return needs_of(name) not in RECORDED_NEEDS


def canonical(name: str) -> str:
    """The one name of a proxy, as its scores carry it: ``tse`` -> ``sotl``, ``sotl_e`` -> ``sotl_e@1``."""
    return get_proxy(name).name if _split(name)[0] in PROXIES else name


def direction_of(name: str, given: Mapping[str, int | str] | None = None) -> Direction:
    """Which way the score called `name` points, and how we know.

    given: name -> ``higher``, ``lower``, +1 or -1; it may name a proxy as we call it (``sotl``) or by another name of
    the field (``tse``). Without it a proxy of ours has its own direction, ``neg_sotl`` the opposite of ``sotl``, and
    another name what its words say (`nasanalysis.proxies.directions`): higher is better where they say nothing.

    `ParameterError` for a direction that is none.

    >>> [str(direction_of(name)) for name in ("sotl", "valLoss", "neg_loss", "mystery")]
    ['lower (ours)', 'lower (by name)', 'higher (by name)', 'higher (assumed)']
    """
    for key in (name, *(alias for alias, ours in ALIASES.items() if ours == name)):
        if given and key in given:
            try:
                return Direction(sign_of(given[key]), "given")
            except ValueError as error:
                raise ParameterError(f"directions: {key!r}: {error}") from None
    plain = name.removeprefix(RECORDED)
    if _split(plain)[0] in PROXIES:
        return Direction(get_proxy(plain).direction, "ours")
    if plain in RECORDED_HIGHER:
        return Direction(1, "ours")
    rest = turned_name(plain)
    if rest is not None and is_proxy(rest):
        return Direction(-get_proxy(rest).direction, "by name")
    return by_name(plain)


def direction(name: str) -> int:
    """+1 where a higher score is better, else -1: `direction_of` without its source."""
    return direction_of(name).sign


def score_noise(name: str, perturbed: pl.DataFrame, *, position: str, direction: str, draws: str) -> pl.DataFrame:
    """SCORES of the proxy `name` on one kind of noise of a PERTURBED frame, under `name` whatever the kind."""
    proxy = get_proxy(name)
    if isinstance(proxy, OfNoise):
        proxy = proxy.of_noise(position, direction, draws)
    rows = perturbed.filter(position=position, direction=direction, draws=draws)
    return proxy(rows).with_columns(proxy=pl.lit(name))


def flatness_of_each_kind(perturbed: pl.DataFrame) -> pl.DataFrame:
    """SCORES of the flatness over all sigmas, whatever the kind of noise; none where there is only one sigma."""
    kinds = perturbed.select("position", "direction", "draws").unique(maintain_order=True).to_dicts()
    several = perturbed.filter(pl.col("sigma") > 0)["sigma"].n_unique() > 1
    parts = [score_noise("flatness", perturbed, **kind) for kind in kinds if several]
    return pl.concat([SCHEMAS["SCORES"].empty(), *parts])


def _split(name: str) -> tuple[str, str | None]:
    """The name of the registry, and the text after ``@`` (None without one)."""
    base, at, given = name.partition("@")
    return ALIASES.get(base, base), given if at else None
