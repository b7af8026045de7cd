"""NATS-Bench (Dong et al. 2021) from its official ``-simple`` archives, unpacked: one file for each architecture.

A folder ``NATS-tss-v1_0-*-simple`` holds ``meta.pickle.pbz2`` (all architectures in index order) and
``000000.pickle.pbz2`` ... Any subset of the files works; `Benchmark.notes` says how many there are.

Splits, by the benchmark's own names: ``x-valid`` is ``valid``; ``x-test`` is ``test``; ``ori-test`` is the test
set of CIFAR-10 (``test``), but the *whole* held-out set of CIFAR-100 and ImageNet16-120, validation and test
together (``valtest``). What a file does not record is null. ``step`` is completed epochs, so the key
``x-valid@11`` is step 12. ``seconds`` is the training time of one epoch, an estimate of the benchmark's authors
that is the same for every epoch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import polars as pl

from ..errors import ArchError, DataFileError
from ..frames import SCHEMAS, check
from ..spaces import get_space
from ..units import progress_bar
from . import safe_pickle
from .benchmark import Benchmark
from .cache import converted_path, is_whole, scan
from .files import data_folders, missing

#: Raise it when a change here changes what a file becomes.
VERSION = 1

SPLITS = ("valid", "test", "valtest")
DATASETS = ("cifar10", "cifar10-valid", "cifar100", "ImageNet16-120")

#: Curve name -> its values by epoch.
Curves = dict[str, np.ndarray[Any, Any]]

#: Files that become one Parquet file in the cache.
CHUNK = 250


@dataclass(frozen=True)
class Format:
    """One of the benchmark's two spaces: how its folder is called and what its files hold.

    ``schedules``: the benchmark's hyper-parameter name -> epochs of the whole training.
    """

    name: str
    prefix: str
    space: str
    schedules: tuple[tuple[str, int], ...]


TSS = Format("nats-tss", "NATS-tss-v1_0", "nb201", (("12", 12), ("200", 200)))


def load_tss(data: Path | None = None) -> Benchmark:
    """The topology space: 15,625 architectures, 12 and 200 epochs, every epoch's losses and accuracies."""
    return load(TSS, data)


def load(form: Format, data: Path | None = None) -> Benchmark:
    """The benchmark in the first folder found of `form`; `MissingDataError` lists where it was looked for."""
    folder = find_folder(form, data)
    files = arch_files(folder)
    if not files:
        raise DataFileError(f"{folder}: expected files 000000.pickle.pbz2 ..., got none; is the archive unpacked?")
    space = get_space(form.space)

    def curves() -> pl.LazyFrame:
        return pl.concat(_converted(form, files, "curves"))

    @cache
    def truth() -> pl.DataFrame:
        runs = pl.concat(_converted(form, files, "runs")).collect()
        keys = ["benchmark", "dataset", "arch", "schedule", "seed"]
        long = runs.unpivot(on=SPLITS, index=keys, variable_name="split", value_name="accuracy").drop_nulls("accuracy")
        one = ["benchmark", "dataset", "arch", "schedule", "split"]
        mean = long.group_by(one, maintain_order=True).agg(pl.col("accuracy").mean())
        mean = mean.with_columns(seed=pl.lit(None, pl.Int64)).select(long.columns)
        return check(pl.concat([long, mean]).with_columns(origin=pl.lit("tabular")), "TRUTH", where=str(folder))

    meta = folder / "meta.pickle.pbz2"
    return Benchmark(
        name=form.name,
        space=form.space,
        datasets=DATASETS,
        inputs=(*([meta] if meta.exists() else []), *files),
        read={"CURVES": curves, "TRUTH": lambda: truth().lazy()},
        notes=(
            f"{len(files):,} of {len(space):,} architectures are in {folder.name}",
            "seconds are the authors' estimates, constant over the epochs",
        ),
    )


def recorded_costs(data: Path | str | None = None, *, schedule: int = 200, form: Format = TSS) -> pl.DataFrame:
    """ARCHS frame with the costs that the files record, for comparison: `Benchmark.archs` computes them exactly.

    The benchmark records millions; here ``params`` is the count and ``flops`` multiply-accumulates of one
    image. The recorded costs of 150 topologies at 200 epochs are off by one convolution.
    """
    folder = find_folder(form, data)
    runs = pl.concat(_converted(form, arch_files(folder), "runs")).filter(pl.col("schedule") == schedule).collect()
    costs = runs.sort("dataset", "arch", "seed").unique(["dataset", "arch"], keep="first", maintain_order=True)
    classes = get_space(form.space).unique_archs("published")
    names = {str(arch): str(same) for arch, same in classes.items()}
    costs = costs.with_columns(unique_arch=pl.col("arch").replace_strict(names, return_dtype=pl.String))
    return check(costs.select(*SCHEMAS["ARCHS"].columns), "ARCHS", where=str(folder))


def find_folder(form: Format, data: Path | str | None = None) -> Path:
    """The unpacked archive: in the data folders or ``$TORCH_HOME``, there or one level down (``nats-bench/``)."""
    torch_home = os.environ.get("TORCH_HOME")
    folders = [*data_folders(data), *([Path(torch_home).expanduser()] if torch_home else [])]
    name = f"{form.prefix}-*-simple"
    for folder in folders:
        if folder.match(name) and folder.is_dir():
            return folder
        for pattern in (name, f"*/{name}"):
            if folder.is_dir() and (found := sorted(p for p in folder.glob(pattern) if p.is_dir())):
                return found[0]
    raise missing(f"{form.name} (a folder {name})", [f / p for f in folders for p in (name, f"nats-bench/{name}")])


def arch_files(folder: Path) -> list[Path]:
    """The architecture files of a folder, in index order."""
    return sorted(folder.glob("[0-9][0-9][0-9][0-9][0-9][0-9].pickle.pbz2"))


def read_meta(folder: Path) -> list[str]:
    """Every architecture string of the benchmark in index order, as the folder's ``meta`` file has it."""
    path = folder / "meta.pickle.pbz2"
    meta = safe_pickle.load(path, safe_pickle.NATS)
    if not isinstance(meta, dict) or not isinstance(meta.get("meta_archs"), list):
        raise DataFileError(f"{path}: expected a dict with the list 'meta_archs', got {type(meta).__name__}")
    return [str(text) for text in meta["meta_archs"]]


# --- conversion ---------------------------------------------------------------------------------------


def _converted(form: Format, files: Sequence[Path], kind: str) -> list[pl.LazyFrame]:
    """One lazy frame for each chunk of files; what is not in the cache is converted first, in parallel."""
    chunks: dict[int, list[Path]] = {}
    for file in files:
        chunks.setdefault(int(file.name[:6]) // CHUNK, []).append(file)
    keyed = [(chunk, _key(chunk)) for chunk in chunks.values()]
    todo = [item for item in keyed if not is_whole(converted_path(item[1], f"{form.name}-{kind}", VERSION))]
    fresh: dict[str, dict[str, pl.DataFrame] | None] = {}
    if todo:
        workers = min(len(todo), joblib.cpu_count())
        jobs = (joblib.delayed(_convert)(form, chunk, key) for chunk, key in todo)
        with progress_bar(quiet=len(todo) < 4) as bar:
            task = bar.add_task(f"reading {form.name}", total=len(todo))
            for key, frames in joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
                fresh[key] = frames
                bar.advance(task)
    lazy = []
    for chunk, key in keyed:
        kept = fresh.get(key)
        lazy.append(
            scan(chunk, f"{form.name}-{kind}", VERSION, partial(_read_chunk, form, chunk, kind), key=key)
            if kept is None
            else kept[kind].lazy()
        )
    return lazy


def _key(chunk: Sequence[Path]) -> str:
    """Stands for the bytes of a chunk without reading them: names, sizes and times of change."""
    facts = [(p.name, (s := p.stat()).st_size, s.st_mtime_ns) for p in chunk]
    return hashlib.sha256(repr((str(chunk[0].parent.resolve()), facts)).encode()).hexdigest()


def _convert(form: Format, chunk: Sequence[Path], key: str) -> tuple[str, dict[str, pl.DataFrame] | None]:
    """Put a chunk's two frames into the cache, or hand them back where it cannot be written."""
    frames = _read_files(form, chunk)
    for kind, frame in frames.items():
        scan(chunk, f"{form.name}-{kind}", VERSION, lambda frame=frame: frame, key=key)  # type: ignore[misc]
    kept = all(is_whole(converted_path(key, f"{form.name}-{kind}", VERSION)) for kind in frames)
    return key, None if kept else frames


def _read_chunk(form: Format, chunk: Sequence[Path], kind: str) -> pl.DataFrame:
    return _read_files(form, chunk)[kind]


def _read_files(form: Format, files: Sequence[Path]) -> dict[str, pl.DataFrame]:
    """Frames ``curves`` (CURVES) and ``runs`` (one row for each training: final accuracies, costs)."""
    curves, runs = [], []
    for path in files:
        for row, arrays in read_file(path, form):
            epochs = row["schedule"]
            curves.append(
                pl.DataFrame(
                    {
                        "benchmark": pl.Series([form.name]).new_from_index(0, epochs),
                        **{
                            k: pl.Series([row[k]]).new_from_index(0, epochs)
                            for k in ("dataset", "arch", "schedule", "seed")
                        },
                        "step": np.arange(1, epochs + 1),
                        **arrays,
                    }
                )
            )
            runs.append({"benchmark": form.name, **row})
    frame = pl.concat(curves).with_columns(
        method=pl.lit("scratch"),
        setting=pl.lit("published"),
        unit=pl.lit("epoch"),
    )
    where = f"{files[0].parent}, files {files[0].name[:6]} to {files[-1].name[:6]}"
    return {
        "curves": check(frame, "CURVES", where=where),
        "runs": pl.DataFrame(runs, infer_schema_length=None).with_columns(
            pl.col("params").cast(pl.Int64), pl.col("flops", "valid", "test", "valtest").cast(pl.Float64)
        ),
    }


def read_file(path: Path, form: Format = TSS) -> Iterator[tuple[dict[str, Any], Curves]]:
    """Every training in one architecture's file: its facts, and its curves as arrays (epochs,), NaN where not recorded.

    Facts: dataset, arch, schedule, seed; params (count), flops (multiply-accumulates); ``valid``, ``test``,
    ``valtest`` accuracy after the last epoch (percent, None where not recorded).
    """
    content = safe_pickle.load(path, safe_pickle.NATS)
    try:
        if not {hp for hp, _ in form.schedules} & set(content.keys()):
            raise KeyError(f"none of {', '.join(hp for hp, _ in form.schedules)}")
        for hp, epochs in form.schedules:
            if hp in content:
                yield from _trainings(path, form, content[hp], epochs)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ArchError):
            raise DataFileError(f"{path}: {error}") from error
        raise DataFileError(
            f"{path}: expected the layout of a NATS-Bench -simple file, got {type(error).__name__}: {error}; "
            "is it the right archive?"
        ) from error


def _trainings(path: Path, form: Format, info: Any, epochs: int) -> Iterator[tuple[dict[str, Any], Curves]]:
    space = get_space(form.space)
    arch = space.parse(info["arch_str"])
    index = int(path.name[:6])
    if info["arch_index"] != index or space.arch(index) != arch:
        expected, got = space.arch(index).key, f"{info['arch_index']}, {arch.key}"
        raise DataFileError(f"{path}: expected architecture {index}, {expected}, got {got}")
    for (dataset, seed), run in info["all_results"].items():
        if dataset not in DATASETS or run["epochs"] != epochs:
            raise DataFileError(
                f"{path}: expected {epochs} epochs on one of {', '.join(DATASETS)}, got {run['epochs']} on {dataset!r}"
            )
        curves = {f"{split}_{what}": np.full(epochs, np.nan) for split in SPLITS for what in ("loss", "accuracy")}
        curves["train_loss"] = _column(run["train_losses"], epochs)
        curves["train_accuracy"] = _column(run["train_acc1es"], epochs)
        for source, what in (("eval_losses", "loss"), ("eval_acc1es", "accuracy")):
            for key, value in run[source].items():
                name, _, epoch = key.partition("@")
                curves[f"{_split(name, dataset)}_{what}"][_epoch(int(epoch), epochs)] = value
        curves["seconds"] = _column(run["train_times"] or {}, epochs)
        last = {split: float(curves[f"{split}_accuracy"][-1]) for split in SPLITS}
        facts = {
            "dataset": dataset,
            "arch": str(arch),
            "schedule": epochs,
            "seed": int(seed),
            "params": round(float(run["params"]) * 1e6),
            "flops": float(round(float(run["flop"]) * 1e6)),
            **{split: None if np.isnan(value) else value for split, value in last.items()},
        }
        yield facts, curves


def _column(by_epoch: dict[int, float], epochs: int) -> np.ndarray[Any, Any]:
    column = np.full(epochs, np.nan)
    for epoch, value in by_epoch.items():
        column[_epoch(epoch, epochs)] = value
    return column


def _epoch(epoch: int, epochs: int) -> int:
    if not 0 <= epoch < epochs:
        raise ValueError(f"epoch {epoch} of {epochs}")
    return epoch


def _split(name: str, dataset: str) -> str:
    """The benchmark's name of an evaluation set -> ours (see the module's docstring)."""
    if name == "ori-test":
        return "test" if dataset in ("cifar10", "cifar10-valid") else "valtest"
    return {"x-valid": "valid", "x-test": "test"}[name]
