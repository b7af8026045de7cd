"""The data registry: which data sets there are, which are on this machine, and whether their content is right.

Nothing here prints: the command line shows what these functions return.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from ..errors import DataFileError, MissingDataError, NasAnalysisError, UnknownNameError
from ..frames import read_frame
from ..provenance import sha256
from ..resources import shipped
from ..spaces import get_space
from . import nats, safe_pickle
from .files import data_folders
from .nb201_checks import faulty_cost_records
from .samples import thesis_sample
from .table import load_descriptor, read_table


class DataSet(BaseModel):
    """One entry of ``data/registry.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    files: list[str]
    source: str
    size: str
    licence: str
    citation: str
    how: str
    check: str
    sha256_published: dict[str, str] = {}
    sha256_seen: dict[str, str] = {}


@dataclass(frozen=True)
class CheckResult:
    """What `check_data` found: ``ok``, ``failed``, or ``absent`` (not on this machine)."""

    name: str
    status: Literal["ok", "failed", "absent"]
    message: str


@cache
def data_sets() -> dict[str, DataSet]:
    """Every data set of the registry, by name."""
    entries = tomllib.loads(shipped("data/registry.toml").read_text(encoding="utf-8"))["data"]
    return {entry["name"]: DataSet(**entry) for entry in entries}


def locate(entry: DataSet, data: Path | str | None = None) -> list[Path]:
    """The files or folders of a data set that are on this machine."""
    if entry.name == "digits":
        return [shipped(file) for file in entry.files]
    if entry.check == "nats-tss":
        try:
            return [nats.find_folder(nats.TSS, data)]
        except MissingDataError:
            return []
    found = []
    for pattern in entry.files:
        for folder in data_folders(data):
            matches = sorted(p for name in dict.fromkeys([pattern, Path(pattern).name]) for p in folder.glob(name))
            if matches:
                found.append(matches[0])
                break
    return list(dict.fromkeys(found))


def list_data(data: Path | str | None = None) -> pl.DataFrame:
    """Columns ``name, title, present, where, size, licence, source, citation, how``: one row for each data set.

    ``present`` is ``yes``, ``no`` or ``part`` (some of its files).
    """
    rows = []
    for entry in data_sets().values():
        places = locate(entry, data)
        whole = len(places) >= len(entry.files) or (places and not entry.sha256_seen)
        rows.append(
            {
                "name": entry.name,
                "title": entry.title,
                "present": "yes" if whole else "part" if places else "no",
                "where": str(places[0] if len(places) == 1 else places[0].parent) if places else None,
                **{key: getattr(entry, key) for key in ("size", "licence", "source", "citation", "how")},
            }
        )
    return pl.DataFrame(rows, schema={name: pl.String() for name in rows[0]})


def check_data(name: str | None = None, data: Path | str | None = None) -> list[CheckResult]:
    """Read a data set (or every one that is here) and compare its content with what is known of it.

    A failure is a result, not an exception; `UnknownNameError` for a name that is not in the registry.
    """
    known = data_sets()
    if name is not None and name not in known:
        raise UnknownNameError("data set", name, known)
    results = []
    for entry in [known[name]] if name else known.values():
        places = locate(entry, data)
        if not places:
            results.append(CheckResult(entry.name, "absent", f"not on this machine. {entry.how}"))
            continue
        try:
            results.append(CheckResult(entry.name, "ok", _CHECKS[entry.check](entry, places, data)))
        except NasAnalysisError as error:
            results.append(CheckResult(entry.name, "failed", str(error)))
    return results


def _digits(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    frame = read_frame(places[0], "CURVES")
    space = get_space("nb201")
    archs = frame["arch"].unique()
    for arch in archs:
        space.parse(arch)
    return f"{len(archs):,} architectures, {frame.height:,} rows"


def _nats_tss(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    folder, space = places[0], get_space("nb201")
    order = nats.read_meta(folder)
    wrong = next((i for i, arch in enumerate(space) if i >= len(order) or arch.key != order[i]), None)
    if len(order) != len(space) or wrong is not None:
        raise DataFileError(
            f"{folder}: meta: expected {len(space)} architectures in the official order, got {len(order)}, "
            f"another from number {wrong}"
        )
    files = nats.arch_files(folder)
    off = 0
    for schedule in (12, 200):
        costs = nats.recorded_costs(data, schedule=schedule)
        exact = [space.params(arch, dataset) for arch, dataset in zip(costs["arch"], costs["dataset"], strict=True)]
        off = costs.filter(pl.col("params") != pl.Series(exact, dtype=pl.Int64))["arch"].n_unique()
        if off > (0 if schedule == 12 else 150):
            raise DataFileError(
                f"{folder}: {schedule} epochs: {off} architectures whose parameter count is not the computed one"
            )
    part = "" if len(files) == len(space) else " (a part: everything works on what is there)"
    return (
        f"{len(files):,} of {len(space):,} architectures{part}; order and strings official; "
        f"parameters exact but for {off} (of 150 known to be off at 200 epochs)"
    )


def _nats_files(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    order, files = nats.read_meta(places[0]), nats.arch_files(places[0])
    for path in files[:20]:
        safe_pickle.load(path, safe_pickle.NATS)
    return f"{len(files):,} of {len(order):,} architectures; the first {min(20, len(files))} read"


def _descriptors(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    told, names = [], {path.name for path in places}
    for toml in sorted(shipped("data/descriptors").glob("*.toml")):
        descriptor = load_descriptor(toml)
        if Path(descriptor.file).name in names and descriptor.file in entry.files:
            frame = read_table(descriptor, data)
            told.append(f"{toml.stem} {frame.height:,} rows")
            if toml.stem == "nb201_params":
                _exact_params(places, frame)
    if "thesis_sample_200_seed50.pkl" in names:
        told.append(f"sample of {len(thesis_sample('nb201-thesis-200', data))}")
    if "per_seed_200_epochs.pkl" in names:
        faults = faulty_cost_records(data)
        if faults.height != 150 or set(faults["difference"].abs()) != {28_000, 243_040}:
            raise DataFileError(
                "per_seed_200_epochs.pkl: expected 150 wrong parameter counts, each off by one convolution, "
                f"got {faults.height}"
            )
        told.append("150 known wrong parameter counts")
    lacking = [file for file in entry.files if Path(file).name not in names]
    if lacking:
        told.append(f"not here: {', '.join(lacking)}")
    seen = {Path(file).name: digest for file, digest in entry.sha256_seen.items()}
    other = [path.name for path in places if sha256(path) != seen.get(path.name)]
    changed = f"other bytes than the files this project was checked with: {', '.join(other)}"
    told.append(changed if other else "same bytes as checked")
    return "; ".join(told)


def _exact_params(places: list[Path], frame: pl.DataFrame) -> None:
    space = get_space("nb201")
    exact = pl.Series([space.params(arch, "cifar10") for arch in frame["arch"]], dtype=pl.Float64)
    wrong = frame.filter(pl.col("value") != exact)
    if wrong.height:
        path = next(p for p in places if "params" in p.name)
        first = wrong["arch"][0]
        raise DataFileError(f"{path}: {wrong.height} parameter counts differ from the space's, first {first}")


def _bytes(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    for path in places:
        expected, got = entry.sha256_published[path.name], sha256(path)
        if got != expected:
            raise DataFileError(f"{path}: expected SHA-256 {expected}, got {got}; download it again")
    return "SHA-256 as published"


def _nb101_mean(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    frame = read_frame(places[0])
    wanted = ["module_hash", "trainable_parameters", "mean_final_test_accuracy"]
    if frame.columns != wanted or frame.height != 423_624:
        got = f"{frame.height} with {', '.join(frame.columns)}"
        raise DataFileError(f"{places[0]}: expected 423624 rows with {', '.join(wanted)}, got {got}")
    if not frame["module_hash"].is_sorted() or frame["module_hash"].n_unique() != frame.height:
        raise DataFileError(f"{places[0]}: expected distinct hashes in ascending order")
    if not frame["mean_final_test_accuracy"].is_between(0, 1).all():
        raise DataFileError(f"{places[0]}: expected accuracies as fractions, 0 to 1")
    return f"{frame.height:,} cells"


def _nb301(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    models = [path for place in places for path in place.rglob("surrogate_model.model")]
    if not models:
        raise DataFileError(
            f"{places[0]}: expected files surrogate_model.model below it, got none; is the archive unpacked?"
        )
    return f"{len(models)} surrogate models (not opened)"


_CHECKS: dict[str, Callable[[DataSet, list[Path], Path | str | None], str]] = {
    "digits": _digits,
    "nats-tss": _nats_tss,
    "nats-sss": _nats_files,
    "descriptors": _descriptors,
    "bytes": _bytes,
    "nb101-mean": _nb101_mean,
    "nb301": _nb301,
}


def as_frame(results: list[CheckResult]) -> pl.DataFrame:
    """`check_data`'s results as a table with columns ``name, status, message``."""
    rows: list[dict[str, Any]] = [{"name": r.name, "status": r.status, "message": r.message} for r in results]
    return pl.DataFrame(rows, schema={"name": pl.String(), "status": pl.String(), "message": pl.String()})
