"""Proxies by name. Parameters follow an ``@``: ``sotl_e@5`` sums the last five epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import NasAnalysisError, ParameterError, UnknownNameError
from ..core.frames import SCHEMAS, check
from .base import Proxy
from .cost import Cost
from .curves import ExponentialSum, LastValue, WindowSum
from .flatness import Flatness, Sharpness
from .supernet import SUPERNET_MEASURES, WEIGHT_MEASURES

if TYPE_CHECKING:
    from ..loaders import Benchmark

_SOTL = "SoTL thesis 3.1; Ru et al. 2021, Eq. 2 (TSE)"
_SOVL = "Ru et al. 2021 (SoVL)"
_ERROR = "stand-in for SoTL where losses are not recorded; sum of 100 - training accuracy"


def _windows(
    base: str, column: str, reference: str, *, error: bool = False
) -> dict[str, Callable[[str | None], Proxy]]:
    def plain(argument: str | None) -> Proxy:
        _no_argument(base, argument)
        return WindowSum(base, column, reference, error=error)

    def last(argument: str | None) -> Proxy:
        size = 1 if argument is None else _whole(f"{base}_e", argument)
        return WindowSum(base, column, reference, "last", size, error)

    def first(argument: str | None) -> Proxy:
        return WindowSum(base, column, reference, "first", _whole(f"{base}_first", argument), error)

    return {base: plain, f"{base}_e": last, f"{base}_first": first}


def _last(name: str, column: str, direction: int, reference: str) -> dict[str, Callable[[str | None], Proxy]]:
    def make(argument: str | None) -> Proxy:
        _no_argument(name, argument)
        return LastValue(name, column, direction, reference)

    return {name: make}


def _cost(name: str) -> Callable[[str | None], Proxy]:
    def make(argument: str | None) -> Proxy:
        _no_argument(name, argument)
        return Cost(name)

    return make


def _ema(argument: str | None) -> Proxy:
    if argument is None:
        return ExponentialSum()
    try:
        decay = float(argument)
    except ValueError:
        raise ParameterError(f"sotl_ema: expected a decay such as sotl_ema@0.999, got {argument!r}") from None
    return ExponentialSum(decay)


def _no_argument(name: str, argument: str | None) -> None:
    if argument is not None:
        raise ParameterError(f"proxy {name!r} takes no parameter, got {name}@{argument}")


def _whole(name: str, argument: str | None) -> int:
    if argument is None or not argument.isdecimal() or int(argument) < 1:
        raise ParameterError(f"proxy {name!r}: expected a number of steps such as {name}@5, got {argument!r}")
    return int(argument)


#: Proxy name -> factory that takes the text after ``@`` (None without one).
PROXIES: dict[str, Callable[[str | None], Proxy]] = {
    "params": _cost("params"),
    "flops": _cost("flops"),
    **_windows("sotl", "train_loss", _SOTL),
    "sotl_ema": _ema,
    **_windows("sovl", "valid_loss", _SOVL),
    **_windows("sum_train_error", "train_accuracy", _ERROR, error=True),
    **_last("train_loss", "train_loss", -1, "SoTL thesis 3.2.2 (TLMini where the unit is a minibatch)"),
    **_last("train_accuracy", "train_accuracy", 1, "training accuracy of the last step"),
    **_last("val_acc", "valid_accuracy", 1, "SoTL thesis (ValAcc)"),
    **_last("val_loss", "valid_loss", -1, "validation loss after the step"),
}

#: Other names of the field -> the name used here.
ALIASES = {
    "tse": "sotl",
    "tse_e": "sotl_e",
    "tse_ema": "sotl_ema",
    "tl_mini": "train_loss",
    "train_acc": "train_accuracy",
}

#: Recorded scores (published files) in which lower is better; all others are higher-is-better.
LOWER_IS_BETTER = ("latency", "energy", "loss", "error", "seconds", "cost")


#: Prefix that asks for a score recorded in a benchmark's files where we compute one of the same name.
RECORDED = "recorded:"


def is_computed(name: str) -> bool:
    """Whether `name` is computed from curves or costs (True), or can only be a score that files record."""
    base = name.partition("@")[0]
    return ALIASES.get(base, base) in PROXIES


#: Name -> proxy of a PERTURBED frame; parameters as in ``flatness@alpha=0,sigmas=0.002/0.01/0.02``.
OF_NOISE: dict[str, type[Flatness]] = {"flatness": Flatness, "sharpness": Sharpness}

#: Measures that are read from live supernets, under a name without parameters.
_READ = {**WEIGHT_MEASURES, **SUPERNET_MEASURES}


def needs_noise(name: str) -> bool:
    """Whether the proxy called `name` is computed from losses under weight noise (a PERTURBED frame)."""
    return name.partition("@")[0] in OF_NOISE


def noise_proxy(name: str, position: str, direction: str, draws: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The proxy called `name` on noise of another kind: PERTURBED -> SCORES, under the same name."""
    base, at, given = name.partition("@")
    proxy = OF_NOISE[base].from_argument(given if at else None)
    of_kind = replace(proxy, position=position, noise=direction, draws=draws)
    return lambda perturbed: of_kind(perturbed).with_columns(proxy=pl.lit(name))


def flatness_of_each_kind(perturbed: pl.DataFrame) -> pl.DataFrame:
    """SCORES of the flatness over all sigmas, whatever the kind of noise; none where there is only one sigma."""
    kinds = perturbed.select("position", "direction", "draws").unique(maintain_order=True).rows()
    several = perturbed.filter(pl.col("sigma") > 0)["sigma"].n_unique() > 1
    parts = [noise_proxy("flatness", *kind)(perturbed) for kind in kinds if several]
    return pl.concat([SCHEMAS["SCORES"].empty(), *parts])


def get_proxy(name: str) -> Proxy:
    """The proxy called `name`: ``params``, ``sotl_e@5``, ``sogn``, ``angle``, ``flatness@alpha=0`` ..."""
    base, at, given = name.partition("@")
    argument = given if at else None
    base = ALIASES.get(base, base)
    if base in _READ:
        _no_argument(base, argument)
        return _READ[base]
    if base in OF_NOISE:
        return OF_NOISE[base].from_argument(argument)
    if base not in PROXIES:
        raise UnknownNameError("proxy", name, [*PROXIES, *OF_NOISE, *_READ, *ALIASES])
    return PROXIES[base](argument)


def is_proxy(name: str) -> bool:
    """Whether `get_proxy` knows `name`."""
    try:
        get_proxy(name)
    except NasAnalysisError:
        return False
    return True


def canonical(name: str) -> str:
    """The one name of a proxy, as its scores carry it: ``tse`` -> ``sotl``, ``sotl_e`` -> ``sotl_e@1``."""
    return get_proxy(name).name if is_computed(name) else name


def direction(name: str) -> int:
    """+1 or -1 for a proxy of ours or for a recorded score (by `LOWER_IS_BETTER` in its name)."""
    try:
        return get_proxy(name).direction
    except UnknownNameError:
        return -1 if any(word in name.split("_") for word in LOWER_IS_BETTER) else 1


def score(
    benchmark: Benchmark,
    proxies: str | Sequence[str],
    *,
    dataset: str | None = None,
    step: int | None = None,
    schedule: int | None = None,
    archs: Sequence[str] | None = None,
) -> pl.DataFrame:
    """SCORES of `benchmark` under `proxies`, raw and at every recorded step.

    Parameters
    ----------
    proxies: one name or several; names of scores that the benchmark's files record work too. Where both
        exist (``params``), ours is computed and the file's is called ``recorded:params``.
    dataset: one dataset; by default all of the benchmark.
    step: keep only this many completed epochs or minibatches (cost proxies have no step and stay).
    schedule: total epochs of the curves to read, where a benchmark records several.
    archs: only these architectures (text ``space:key``); nothing else is read where that saves time.

    Raises `UnknownNameError` for a proxy that does not exist, `NasAnalysisError` where the benchmark
    does not record what the proxy needs, or has no such step.
    """
    named = [proxies] if isinstance(proxies, str) else proxies
    wanted = list(dict.fromkeys(canonical(name) for name in named))
    recorded = set(benchmark.lazy("SCORES").select("proxy").unique().collect()["proxy"].to_list())
    parts = []
    sources: dict[str, pl.DataFrame] = {}
    for name in wanted:
        if not is_computed(name):
            known = name.removeprefix(RECORDED)
            if known not in recorded:
                raise UnknownNameError("proxy", name, [*PROXIES, *ALIASES, *sorted(recorded)])
            frame = benchmark.scores(dataset, proxy=known, archs=archs)
            parts.append(frame.with_columns(proxy=pl.lit(name)))
            continue
        proxy = get_proxy(name)
        if proxy.needs not in sources:
            sources[proxy.needs] = (
                benchmark.archs(dataset, archs=archs)
                if proxy.needs == "archs"
                else benchmark.curves(dataset, schedule=schedule, archs=archs)
            )
        frame = proxy(sources[proxy.needs])
        if frame["value"].is_null().all():
            raise NasAnalysisError(
                f"proxy {name!r}: benchmark {benchmark.name!r} records nothing it can be computed from "
                f"(it needs {proxy.needs}{f' with {column}' if (column := getattr(proxy, 'column', None)) else ''})"
            )
        # steps at which the proxy is defined for no run (a window not yet full) are left out
        parts.append(frame.filter(pl.col("value").is_not_null().any().over("dataset", "setting", "step")))
    table = check(pl.concat(parts), "SCORES")
    if step is not None:
        steps = table["step"].drop_nulls().unique().sort().to_list()
        if steps and step not in steps:
            raise ParameterError(
                f"step {step}: expected one of {steps[0]} to {steps[-1]}, the completed steps recorded"
            )
        table = table.filter(pl.col("step").is_null() | (pl.col("step") == step))
    return table
