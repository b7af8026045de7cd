"""A benchmark as files that others can host and read: a Parquet file for each frame, and a Croissant description.

``nasanalysis data export digits --to FOLDER``; `read_export` (and so ``load_benchmark(FOLDER)``) reads them again, as
does whatever reads Parquet or Croissant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from ..core.atomic import write_atomically
from ..core.errors import DataFileError, MissingCapabilityError, ParameterError
from ..core.frames import check, read_frame, read_provenance, write_frame
from ..core.provenance import InputSet, nasanalysis_version, provenance, sha256
from ..core.resources import shipped
from ..core.schemas import SCHEMAS
from .benchmark import Benchmark
from .croissant import NAME, About, describe
from .data_sets import data_sets, data_sets_of

#: Frames that are written, in this order; ARCHS where the space counts parameters.
FRAMES = ("ARCHS", "TRUTH", "CURVES", "SCORES", "PERTURBED")


def export_benchmark(
    benchmark: Benchmark,
    to: Path | str,
    *,
    licence: str | None = None,
    cite: str | None = None,
    url: str | None = None,
) -> list[Path]:
    """Write every frame of `benchmark` into the folder `to` and return the files, the description last.

    Parameters
    ----------
    licence, cite, url: SPDX name or address of the licence, the work to cite, where the data comes from; by default
        what the data registry says of the files behind the benchmark.

    The same benchmark gives the same bytes (with the same versions of packages). Raises `ParameterError` for a
    benchmark whose licence is not known, such as a table of your own, and none is given.
    """
    about = _about(benchmark, licence, cite, url)
    folder = Path(to)
    folder.mkdir(parents=True, exist_ok=True)
    files = [
        (name, write_frame(frame, folder / f"{name.lower()}.parquet", _record(benchmark, name)))
        for name in FRAMES
        if (frame := _frame(benchmark, name)) is not None
    ]
    text = json.dumps(describe(about, files), indent=2, ensure_ascii=False) + "\n"
    described = write_atomically(folder / NAME, lambda temp: temp.write_text(text, encoding="utf-8"))
    return [*(path for _, path in files), described]


def _frame(benchmark: Benchmark, name: str) -> pl.DataFrame | None:
    """The whole frame, checked; None where there is none, or where nothing counts parameters."""
    if name == "ARCHS":
        try:
            return check(benchmark.archs(), name)
        except (MissingCapabilityError, ParameterError):  # names that are texts to us, images of unknown size
            return None
    if name not in benchmark.read:
        return None
    frame = benchmark.lazy(name).collect()
    return check(frame, name) if frame.height else None


def _record(benchmark: Benchmark, frame: str) -> dict[str, Any]:
    config = {
        "frame": frame,
        "benchmark": benchmark.name,
        "space": benchmark.space,
        "datasets": list(benchmark.datasets),
        "notes": list(benchmark.notes),
    }
    return provenance(inputs=benchmark.inputs, config=config, stamp=False)


def _about(benchmark: Benchmark, licence: str | None, cite: str | None, url: str | None) -> About:
    known = _known(benchmark)
    licences = (licence,) if licence else tuple(dict.fromkeys(entry["licence"] for entry in known))
    if not licences:
        raise ParameterError(
            f"benchmark {benchmark.name!r}: expected a licence, so that others may use it; none is known of its files. "
            "Say it: --licence CC-BY-4.0"
        )
    words = f"Frames of the benchmark {benchmark.name} over the space {benchmark.space}, written by nasanalysis: "
    words += f"data sets {', '.join(benchmark.datasets)}. {'; '.join(benchmark.notes)}"
    return About(
        name=benchmark.name,
        description=words.strip(),
        version=nasanalysis_version(),
        licences=licences,
        citations=(cite,) if cite else tuple(dict.fromkeys(e["citation"] for e in known)) or (benchmark.name,),
        urls=(url,) if url else tuple(dict.fromkeys(e["url"] for e in known)) or (_HOME,),
    )


_HOME = "https://github.com/nasanalysis/nasanalysis"


def _known(benchmark: Benchmark) -> list[dict[str, str]]:
    """What the registry says of the data sets that hold the files behind a benchmark; ours where they are shipped."""
    names = [i.name if isinstance(i, InputSet) else str(Path(i).name) for i in benchmark.inputs]
    ours = [i for i in benchmark.inputs if not isinstance(i, InputSet) and Path(i).parent == shipped("data")]
    entries = [data_sets()["digits"]] if ours else data_sets_of(names)
    return [
        {"licence": e.licence, "citation": e.citation, "url": e.source if e.source.startswith("http") else _HOME}
        for e in entries
    ]


# --- back again -----------------------------------------------------------------------------------------


def is_export(folder: Path | str) -> bool:
    """Whether `folder` holds a description that `export_benchmark` wrote, or one like it."""
    return (Path(folder) / NAME).is_file()


def read_export(folder: Path | str) -> Benchmark:
    """The benchmark that `export_benchmark` wrote into `folder`.

    Raises `DataFileError` for a description of other data, and, when a frame is asked for, for a file that is not the
    one described.
    """
    description = Path(folder) / NAME
    files = _described(description)
    config = read_provenance(next(iter(files.values()))[0]).get("config", {})
    if not {"benchmark", "space", "datasets"} <= set(config):
        raise DataFileError(f"{description}: expected files that `nasanalysis data export` wrote, got others")
    return Benchmark(
        name=config["benchmark"],
        space=config["space"],
        datasets=tuple(config["datasets"]),
        inputs=(description, *(path for path, _ in files.values())),
        read={frame: _reader(frame, *file) for frame, file in files.items() if frame != "ARCHS"},
        notes=tuple(config.get("notes", ())),
    )


def _described(description: Path) -> dict[str, tuple[Path, str]]:
    """Frame -> its file beside the description, and the SHA-256 that it should have."""
    try:
        told = json.loads(description.read_text(encoding="utf-8"))
        objects: Sequence[dict[str, str]] = told["distribution"]
        stems = {one["contentUrl"]: one["sha256"] for one in objects}
    except (ValueError, KeyError, TypeError) as error:
        raise DataFileError(f"{description}: expected a Croissant description with its files, got {error!r}") from None
    frames = {frame: f"{frame.lower()}.parquet" for frame in SCHEMAS}
    files = {frame: (description.parent / name, stems[name]) for frame, name in frames.items() if name in stems}
    if not files:
        raise DataFileError(f"{description}: expected files such as truth.parquet, got {', '.join(stems) or 'none'}")
    absent = [path.name for path, _ in files.values() if not path.is_file()]
    if absent:
        raise DataFileError(f"{description}: expected the files it names, {', '.join(absent)} not among them")
    return files


def _reader(frame: str, path: Path, expected: str) -> Callable[[], pl.LazyFrame]:
    @cache
    def whole() -> None:
        if (got := sha256(path)) != expected:
            raise DataFileError(
                f"{path}: expected SHA-256 {expected[:12]}..., as {NAME} says, got {got[:12]}...; get the file again"
            )

    def read() -> pl.LazyFrame:
        whole()
        return read_frame(path, frame).lazy()

    return read
