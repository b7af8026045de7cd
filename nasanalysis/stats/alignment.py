"""The one way in for truth and scores: every function of this folder that takes both frames reads them here.

Rows become one number for each architecture (`averages`: means or seeds), scores are oriented so that higher is
better, and each score stands beside the truth of the same architectures, NaN where either is undefined.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import ParameterError, StudyError
from ..core.frames import distinct, varying
from ..loaders.tables.own import completed_pair
from ..proxies import Direction
from ..proxies import direction_of as direction_of_name
from .averages import (
    PLACE,
    SERIES,
    checked_scores,
    checked_truth,
    counting_rows,
    in_order,
    over_seeds,
    seeds_text,
)
from .covariates import aligned_covariates
from .infinite import Infinite, with_infinite
from .rank import Floats
from .series import Place, Series, Truth


class MismatchWarning(UserWarning):
    """Architectures that one of the tables holds and the other lacks."""


def aligned_series(
    truth: Any,
    scores: Any,
    *,
    directions: Mapping[str, int | str] | None = None,
    sample: Iterable[str] | None = None,
    sample_name: str = "all",
    covariates: Any = None,
    wanted: Sequence[str] = (),
    infinite: Infinite = "missing",
    stacklevel: int = 5,
) -> list[Series]:
    """Each score beside the truth of the same architectures, checked and oriented: parameters as in `correlate`.

    wanted: names of the covariates that will be asked for. stacklevel: of the caller, for warnings.
    """
    truth, scores = completed_pair(truth, scores)
    table = checked_scores(with_infinite(scores, infinite, directions))
    truths = _truths(truth, _sample(sample), sample_name, stacklevel)
    others = aligned_covariates(covariates, table, truths, wanted)
    strangers = _refuse_or_warn(table, truths, stacklevel)
    keys = (*PLACE, *SERIES)
    rows = _of_places(counting_rows(table, keys, what="scores", stacklevel=stacklevel), truths)
    return _aligned(over_seeds(rows, keys, "value"), keys, truths, directions, others, strangers)


def aligned_seeds(
    truth: Any, scores: Any, *, directions: Mapping[str, int | str] | None = None, stacklevel: int = 5
) -> list[list[Series]]:
    """As `aligned_series`, but the seeds of each score apart, in order; means over seeds (null seed) are left out."""
    truth, scores = completed_pair(truth, scores)
    table = checked_scores(scores).drop_nulls("seed")
    if table.is_empty():
        raise StudyError("scores: expected rows with a seed, got means only; `correlate` resamples architectures")
    truths = _truths(truth, None, "all", stacklevel)
    strangers = _refuse_or_warn(table, truths, stacklevel)
    keys = (*PLACE, *SERIES, "seed")
    rows = _of_places(table, truths).sort(*keys, "arch")
    groups: dict[tuple[object, ...], list[Series]] = {}
    for one in _aligned(rows, keys, truths, directions, {}, strangers):
        groups.setdefault((*one.place, *one.key.values()), []).append(one)
    return sorted(groups.values(), key=lambda members: members[0].seed or 0)


def oriented_scores(
    scores: Any, directions: Mapping[str, int | str] | None = None
) -> tuple[list[str], dict[str, Floats]]:
    """Architectures in order of their text, and the oriented values of each proxy there, NaN where undefined.

    Proxies in the order they come. `StudyError` unless the scores are of one (benchmark, dataset), and each proxy
    of one step, method and setting.
    """
    table = checked_scores(scores)
    if table.is_empty():
        raise StudyError("scores: expected scored architectures, got an empty SCORES frame")
    if table.select(*PLACE).n_unique() > 1:
        raise StudyError("proxy_matrix: expected scores of one benchmark and dataset, got several; filter first")
    several = table.group_by("proxy").agg(pl.struct("method", "setting", "unit", "step").n_unique().alias("n"))
    if (several["n"] > 1).any():
        name = several.filter(pl.col("n") > 1).sort("proxy")["proxy"][0]
        raise StudyError(f"proxy_matrix: {name!r} stands under several steps, methods or settings; filter first")
    archs = table["arch"].unique().sort().to_list()
    proxies = [str(proxy) for proxy in table["proxy"].unique(maintain_order=True)]
    means = over_seeds(counting_rows(table, ["proxy"], what="scores"), ["proxy"], "value")
    parts = means.partition_by("proxy", as_dict=True)
    return archs, {
        proxy: direction_of(proxy, directions) * in_order(parts[(proxy,)], archs, "value") for proxy in proxies
    }


def runs_of_truth(truth: Any, archs: Iterable[str] | None = None) -> dict[tuple[Any, ...], tuple[list[str], Floats]]:
    """(benchmark, dataset, split, schedule) -> architectures, and truth (n_archs, most runs), NaN where one is missing.

    Architectures in order of their text, runs in order of their seed; rows of null seed (means) are left out.
    """
    keys = (*PLACE, "split", "schedule")
    table = checked_truth(truth)
    if archs is not None:
        table = table.filter(pl.col("arch").is_in(sorted({str(arch) for arch in archs})))
    if table.is_empty():
        raise StudyError("truth: expected trained architectures, got none; check the selection of split and archs")
    parts = table.sort(*keys).partition_by(*keys, as_dict=True, maintain_order=True)
    return {key: _runs_of(part) for key, part in parts.items()}


def direction_of(proxy: str, directions: Mapping[str, int | str] | None = None) -> int:
    """+1 or -1: as `directions` say, else the proxy's own."""
    return _direction(proxy, directions).sign


def _direction(proxy: str, directions: Mapping[str, int | str] | None) -> Direction:
    try:
        return direction_of_name(proxy, directions)
    except ParameterError as error:
        raise StudyError(str(error)) from None


def _sample(sample: Iterable[str] | None) -> frozenset[str] | None:
    if sample is None:
        return None
    if isinstance(sample, str):
        raise StudyError(f"sample: expected several architectures ('space:key'), got one text {sample!r}; pass a list")
    archs = frozenset(str(arch) for arch in sample)
    bare = sorted(arch for arch in archs if ":" not in arch)
    if bare:
        raise StudyError(f"sample: expected 'space:key' texts, got {bare[0]!r}; add the space, for example 'nb201:'")
    return archs


def _truths(truth: Any, sample: frozenset[str] | None, sample_name: str, stacklevel: int) -> dict[Place, Truth]:
    table = checked_truth(truth)
    if table.is_empty():
        raise StudyError("truth: expected trained architectures, got an empty TRUTH frame; does this split exist?")
    unseen = sample - set(table["arch"].to_list()) if sample is not None else frozenset()
    if unseen:
        warnings.warn(
            f"sample {sample_name!r}: {len(unseen)} of {len(sample or ())} architectures have no truth, "
            f"for example {min(unseen)!r}",
            MismatchWarning,
            stacklevel=stacklevel,
        )
    _refuse_several_targets(table)
    inside = table if sample is None else table.filter(pl.col("arch").is_in(list(sample)))
    rows = counting_rows(inside, PLACE, what="truth", stacklevel=stacklevel + 1)
    means = over_seeds(rows, PLACE, "truth")
    return {place: _truth(place, table, rows, means) for place in sorted(set(table.select(*PLACE).iter_rows()))}


def _refuse_several_targets(table: pl.DataFrame) -> None:
    targets = table.select(*PLACE, "split", "schedule", "quantity").unique()
    for place, part in targets.sort(*PLACE).partition_by(*PLACE, as_dict=True, maintain_order=True).items():
        if len(part) > 1:
            what = ("split", "schedule") if part["quantity"].n_unique() == 1 else ("split", "schedule", "quantity")
            targets_text = ", ".join(
                f"({', '.join(map(str, row))})" for row in sorted(part.select(what).rows(), key=str)
            )
            raise StudyError(
                f"truth of {'/'.join(map(str, place))}: expected one split and one schedule, got {targets_text}; "
                "narrow it, for example benchmark.truth(dataset, split='test', schedule=200)"
            )


def _truth(place: Place, table: pl.DataFrame, rows: pl.DataFrame, means: pl.DataFrame) -> Truth:
    """`table`: all rows of the truth; `rows`, `means`: those within the sample that count, and their means."""
    here = pl.col("benchmark") == place[0], pl.col("dataset") == place[1]
    whole, rows, means = table.filter(*here), rows.filter(*here), means.filter(*here)
    archs: list[str] = means["arch"].to_list()
    values = in_order(means, archs, "truth")
    outside = frozenset(whole["arch"].to_list()) - frozenset(archs)
    return Truth(archs, values, outside, whole["split"][0], whole["schedule"][0], seeds_text(rows))


def _refuse_or_warn(table: pl.DataFrame, truths: Mapping[Place, Truth], stacklevel: int) -> dict[Place, str]:
    """What of the scores cannot be used: nothing at all (`StudyError`), or some of them (a warning)."""
    if table.is_empty():
        raise StudyError("scores: expected at least 3 scored architectures, got an empty SCORES frame")
    scored = set(distinct(table, PLACE).iter_rows())
    strangers = _warn_of_strangers(table, scored, truths, stacklevel + 1)
    if not scored & set(truths):
        raise StudyError(
            f"scores and truth share no (benchmark, dataset): truth has {_places(truths)}, "
            f"scores have {_places(scored)}"
        )
    return strangers


def _warn_of_strangers(
    table: pl.DataFrame, scored: set[tuple[Any, ...]], truths: Mapping[Place, Truth], stacklevel: int
) -> dict[Place, str]:
    """One warning for all score rows whose architecture the truth lacks; an example of each (benchmark, dataset)."""
    if bare := [place for place in truths if place not in scored] if scored & set(truths) else []:
        warnings.warn(
            f"scores: none for {_places(bare)}, which the truth holds", MismatchWarning, stacklevel=stacklevel
        )
    known = pl.concat(
        pl.DataFrame({"arch": [*t.archs, *sorted(t.outside)]}, schema={"arch": pl.String}).select(
            *(pl.lit(label, pl.String).alias(name) for name, label in zip(PLACE, place, strict=True)), "arch"
        )
        for place, t in truths.items()
    )
    if distinct(table, [*PLACE, "arch"]).join(known, on=[*PLACE, "arch"], how="anti").is_empty():
        return {}
    lost = table.join(known, on=[*PLACE, "arch"], how="anti")
    examples = {
        (str(b), str(d)): str(arch)
        for b, d, arch in lost.group_by(*PLACE).agg(pl.col("arch").min()).sort(*PLACE).iter_rows()
    }
    place, arch = next(iter(examples.items()))
    warnings.warn(
        f"scores: {len(lost)} of {len(table)} rows are of {lost.select(*PLACE, 'arch').n_unique()} architectures "
        f"that the truth lacks, for example {arch!r} of {'/'.join(place)}; they are left out",
        MismatchWarning,
        stacklevel=stacklevel,
    )
    return examples


def _of_places(table: pl.DataFrame, truths: Mapping[Place, Truth]) -> pl.DataFrame:
    if set(distinct(table, PLACE).rows()) <= set(truths):
        return table
    places = pl.DataFrame(list(truths), schema=dict.fromkeys(PLACE, pl.String()), orient="row")
    return table.join(places, on=list(PLACE), how="semi")


def _aligned(
    rows: pl.DataFrame,
    keys: Sequence[str],
    truths: Mapping[Place, Truth],
    directions: Mapping[str, int | str] | None,
    covariates: Mapping[Place, Mapping[str, Floats]],
    strangers: Mapping[Place, str],
) -> list[Series]:
    """Rows with one value for each of `keys` and architecture, sorted by `keys` -> series."""
    result = []
    places = distinct(rows, PLACE).sort(*PLACE)
    for place in places.iter_rows():
        here = (str(place[0]), str(place[1]))
        of_place = (pl.col(name) == value for name, value in zip(PLACE, here, strict=True))
        table = rows if len(places) == 1 else rows.filter(*of_place)
        for one in _series_of(here, table, keys, truths[here], directions, covariates.get(here, {})):
            one.refuse_too_few(strangers.get(here))
            result.append(one)
    return result


def _series_of(
    place: Place,
    table: pl.DataFrame,
    keys: Sequence[str],
    truth: Truth,
    directions: Mapping[str, int | str] | None,
    covariates: Mapping[str, Floats],
) -> Iterator[Series]:
    index = pl.DataFrame(
        {"arch": truth.archs, "at": range(len(truth.archs))}, schema={"arch": pl.String, "at": pl.Int64}
    )
    # a table may have millions of rows of nine columns: two are copied
    at = table.select("arch").join(index, on="arch", how="left", maintain_order="left")["at"]
    indexed = table.select("value").with_columns(at)
    counts = table.group_by(varying(table, keys), maintain_order=True).len()["len"]
    starts = counts.cum_sum() - counts
    for names, start, count in zip(table.select(keys)[starts].to_dicts(), starts, counts, strict=True):
        part = indexed.slice(start, count)  # sorted by `keys`: slices, not copies
        sign, source = _direction(str(names["proxy"]), directions)
        values = _placed(part.drop_nulls(["at", "value"]), "at", "value", len(truth.archs)) * sign
        undefined = part.drop_nulls("at")["value"].null_count()
        used = np.isfinite(values) & np.isfinite(truth.values)
        series = {name: names[name] for name in SERIES}
        yield Series(place, series, truth, values, sign, used, covariates, names.get("seed"), source, undefined)


def _placed(rows: pl.DataFrame, at: str, column: str, n: int) -> Floats:
    values = np.full(n, np.nan)
    values[rows[at].to_numpy()] = rows[column].to_numpy()
    return values


def _runs_of(part: pl.DataFrame) -> tuple[list[str], Floats]:
    part = part.drop_nulls(["seed", "truth"]).sort("arch", "seed")
    part = part.with_columns(
        pl.col("arch").rank("dense").cast(pl.Int64).alias("row") - 1,
        pl.int_range(pl.len()).over("arch").alias("run"),
    )
    if part.is_empty():
        return [], np.empty((0, 0))
    table = np.full((part["arch"].n_unique(), int(part["run"].to_numpy().max()) + 1), np.nan)
    table[part["row"].to_numpy(), part["run"].to_numpy()] = part["truth"].to_numpy()
    return part["arch"].unique(maintain_order=True).to_list(), table


def _places(places: Iterable[tuple[Any, ...]]) -> str:
    return ", ".join(sorted("/".join(map(str, place)) for place in places))
