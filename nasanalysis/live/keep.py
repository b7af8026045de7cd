"""``nasanalysis supernet keep``: what studies read of a finished run, thinned into a few small files.

========================================= ==================================================================
``NAME_finetune_scores.parquet``          SCORES of all finetuned parts at `STEPS` and the last step; Float32
``NAME_finetune_losses.parquet``          CURVES: ``train_loss`` at every minibatch, of the protocols asked for
                                          and the parts of the most architectures
``NAME_training.parquet``                 TRACE of all supernets
``NAME_measured_scores.parquet``          SCORES of all measured parts; Float32
``NAME_perturbed.parquet``                PERTURBED of the same; Float32
``NAME_shares.parquet``                   TRACE: the fixed share of the vector behind every angle, before and
                                          after training; medians over architectures
``NAME_search_traces.parquet``            TRACE of all searches
``NAME_search_perturbed.parquet``         PERTURBED around what they found; Float32
========================================= ==================================================================

Weights are not kept: the configuration makes them again, bit by bit on the CPU. The provenance of every part and every
supernet stands in each file's metadata. Rows are in an order that compresses well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from ..core.atomic import write_atomically
from ..core.errors import BuildError
from ..core.frames import check, read_frame, read_provenance
from ..search.traces import read_search_trace
from ..training.protocols import PROTOCOLS

#: Minibatches after which finetuning scores are kept; the last step of a part, whichever it is, is kept too.
STEPS = (0, 1, 2, 5, 10, 20, 30, 50, 70, 100)


def keep_run(
    run: Path, name: str, out: Path, *, losses: Sequence[str] = (), steps: Sequence[int] = STEPS
) -> list[Path]:
    """Keep what the folder `run` (the ``--out`` of the commands) holds as ``out/NAME_*.parquet``; the files.

    Parameters
    ----------
    losses: protocols whose losses at every minibatch are kept; none by default, for they are large.
    steps: minibatches after which finetuning scores are kept.

    Raises `BuildError` where no supernet, or nothing of what was begun, is finished.
    """
    return list(_kept(run, f"{out / name}", losses, steps))


def _kept(run: Path, stem: str, losses: Sequence[str], steps: Sequence[int]) -> Iterator[Path]:
    if (run / "finetune").is_dir():
        yield _write(*_finetune_scores(run, steps), Path(f"{stem}_finetune_scores.parquet"))
    if losses:
        yield _write(*_finetune_losses(run, losses), Path(f"{stem}_finetune_losses.parquet"))
    yield _write(*_training(run), Path(f"{stem}_training.parquet"))
    if (run / "measure").is_dir():
        yield _write(*_measured(run, "SCORES", "value"), Path(f"{stem}_measured_scores.parquet"))
        yield _write(*_measured(run, "PERTURBED", "loss"), Path(f"{stem}_perturbed.parquet"))
        if list(run.glob(_SHARES)):
            yield _write(*_shares(run), Path(f"{stem}_shares.parquet"))
    if (run / "search").is_dir():
        yield _write(*_searches(run), Path(f"{stem}_search_traces.parquet"))
        if list(run.glob(_AROUND)):
            yield _write(*_around(run), Path(f"{stem}_search_perturbed.parquet"))


#: A frame, and the provenance of every file it is made of by the name of its folder.
_Made = tuple[pl.DataFrame, dict[str, Any]]


def _finetune_scores(run: Path, steps: Sequence[int]) -> _Made:
    frame, records = _read(run, "finetune/*/scores.parquet", "SCORES")
    last = pl.col("step").max().over("setting")
    frame = frame.filter(pl.col("step").is_in(steps) | (pl.col("step") == last)).drop_nulls("value")
    return _small(frame.sort("method", "setting", "proxy", "step", "seed", "arch"), "value"), records


def _finetune_losses(run: Path, protocols: Sequence[str]) -> _Made:
    frame, records = _read(run, "finetune/*/curves.parquet", "CURVES")
    frame = frame.filter(pl.col("method").is_in(protocols), pl.col("step") >= 1).drop_nulls("train_loss")
    archs = pl.col("arch").n_unique().over("setting")
    frame = frame.filter(archs == archs.max()).sort("method", "setting", "seed", "arch", "step")
    keys = ["benchmark", "dataset", "arch", "method", "setting", "schedule", "seed", "unit", "step", "train_loss"]
    return frame.select(keys), records


def _training(run: Path) -> _Made:
    """Supernets in the order of `PROTOCOLS`."""
    frame, records = _read(run, "supernets/*/trace.parquet", "TRACE")
    order = pl.col("method").replace_strict({name: i for i, name in enumerate(PROTOCOLS)}, default=len(PROTOCOLS))
    return check(frame.sort(order, "method", "seed", "quantity", "epoch"), "TRACE"), records


def _measured(run: Path, schema: str, value: str) -> _Made:
    frame, records = _read(run, f"measure/*/{schema.lower()}.parquet", schema)
    keys = [c for c in ("method", "setting", "proxy", "sigma", "draw", "seed", "arch") if c in frame.columns]
    return _small(frame.sort(keys), value), records


_SHARES = "measure/*/shares.parquet"


def _shares(run: Path) -> _Made:
    """Medians over the architectures whose angle is defined; `setting` is the part that measured."""
    frame, records = _read(run, _SHARES, pl.read_parquet)
    trace, _ = _read(run, "supernets/*/trace.parquet", "TRACE")
    supernets = trace.group_by("benchmark", "dataset", "method", "seed").agg(last=pl.col("epoch").max())
    long = (
        frame.unpivot(["fixed_before", "fixed_after"], index=["method", "setting", "seed", "proxy"])
        .group_by("method", "setting", "seed", "proxy", "variable")
        .agg(pl.col("value").median())
        .join(supernets, on=["method", "seed"])
        .with_columns(
            epoch=pl.coalesce(pl.col("setting").str.extract(r"-epoch-(\d+)$").cast(pl.Int64), "last"),
            quantity=pl.format("{}:{}", "proxy", "variable"),
        )
    )
    columns = ["benchmark", "dataset", "method", "setting", "seed", "epoch", "quantity", "value"]
    return check(long.select(columns).sort(columns[2:-1]), "TRACE"), records


def _searches(run: Path) -> _Made:
    frame, records = _read(run, "search/*/trace.parquet", read_search_trace)
    return frame.sort("setting", "part", "search_seed", "quantity", "epoch"), records


_AROUND = "search/*/perturbed.parquet"


def _around(run: Path) -> _Made:
    frame, records = _read(run, _AROUND, "PERTURBED")
    return _small(frame.sort("setting", "arch", "seed", "sigma", "draw"), "loss"), records


def _read(run: Path, pattern: str, schema: str | Callable[[Path], pl.DataFrame]) -> _Made:
    """`schema`: the name of a frame, or what reads a file."""
    paths = sorted(run.glob(pattern))
    if not paths:
        raise BuildError(f"{run}: expected {pattern}, found none; is the run finished?")
    records = {path.parent.name: read_provenance(path) for path in paths}
    read = partial(read_frame, name=schema) if isinstance(schema, str) else schema
    return pl.concat([read(path) for path in paths]), records


def _small(frame: pl.DataFrame, value: str) -> pl.DataFrame:
    """Half the bytes: seven digits are more than any of these values is worth."""
    return frame.with_columns(pl.col(value).cast(pl.Float32))


def _write(frame: pl.DataFrame, made_from: dict[str, Any], path: Path) -> Path:
    metadata = {"nasanalysis": json.dumps({"made_from": made_from}, sort_keys=True)}
    return write_atomically(
        path, lambda temp: frame.write_parquet(temp, compression="zstd", compression_level=19, metadata=metadata)
    )
