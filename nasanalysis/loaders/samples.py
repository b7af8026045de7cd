"""Which architectures a comparison is made over: named samples of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import FrameError, StudyError, UnknownNameError
from ..core.reading import reads
from ..core.seeding import generator
from ..core.shown import shown
from ..core.text import decode
from ..spaces import get_space, parse_arch
from ..spaces.capabilities import Enumerable, HasLivePath, Samplable
from .benchmark import Benchmark, load_benchmark
from .tables.formats import json_content
from .tables.own import names_of, read_names, space_of
from .tables.plain import read_plain
from .thesis_samples import read_structures, thesis_sample

#: Sample name -> what it is, in words for a table's note.
SAMPLES = {
    "all": "all that the benchmark holds",
    "live": "all with a live path from input to output",
    "uniform": "a uniform sample of the space",
    "uniform-live": "a uniform sample of the space, those with a live path from input to output",
    "with-curves": "those whose training curves are recorded",
    "thesis": "the sample of the SoTL thesis",
}


def sample_label(sample: str) -> str:
    """What a sample is, in words for a reader; a file is named.

    >>> sample_label("random-15000@0"), sample_label("live")
    ('15,000 drawn at random (seed 0)', 'all with a live path from input to output')
    """
    benchmark, colon, rest = sample.partition(":")
    if drawn := _drawn(rest if colon else sample):
        size, seed = drawn
        return f"{size:,} drawn at random (seed {seed})" + (f" of those of {benchmark}" if colon else "")
    return SAMPLES.get(sample, f"those listed in {Path(sample).name}" if Path(sample).suffix else sample)


def take_sample(
    frame: pl.DataFrame, sample: str, *, benchmark: Benchmark, data: Path | str | None = None
) -> pl.DataFrame:
    """The rows of `frame` (any frame with a column ``arch``) that belong to `sample`.

    `sample` is a name in `SAMPLES`, ``random-N@SEED`` (N architectures drawn without replacement from
    those the frame holds), or a file (see `read_sample`).
    """
    if sample == "all":
        return frame
    named = named_archs(sample, benchmark=benchmark, data=data)
    if named is not None:
        return frame.filter(pl.col("arch").is_in(named))
    if sample == "with-curves":
        recorded = benchmark.lazy("CURVES").select("arch").unique().collect()["arch"].to_list()
        return frame.filter(pl.col("arch").is_in(recorded))
    if sample in ("live", "uniform", "uniform-live"):
        if sample.startswith("uniform"):
            outside = benchmark.metadata.get("outside_uniform_sample")
            if outside is None:
                raise StudyError(f"sample {sample!r}: benchmark {benchmark.name!r} has no uniform sample")
            frame = frame.filter(~pl.col("arch").is_in(outside))
        if sample.endswith("live"):
            space = get_space(benchmark.space, HasLivePath)
            live = [a for a in frame["arch"].unique().to_list() if space.has_live_path(a)]
            frame = frame.filter(pl.col("arch").is_in(live))
        return frame
    if drawn := _drawn(sample):
        return frame.filter(pl.col("arch").is_in(_draw(frame, drawn, sample)))
    raise UnknownNameError("sample", sample, [*SAMPLES, "random-N@SEED", "FILE"])


def space_archs(sample: str, space: str, *, data: Path | str | None = None) -> list[str]:
    """Architectures of a space, each once, in the sample's order.

    `sample`: ``thesis``; ``all`` of a space that can be enumerated; ``random-N@SEED`` (drawn from the space);
    ``BENCHMARK:random-N@SEED`` (drawn from those that a benchmark has a truth for, such as ``digits:random-50@0``); or
    a file.
    """
    name, colon, rest = sample.partition(":")
    if sample == "thesis":
        archs = thesis_sample(space, data)
    elif sample == "all":
        archs = [str(arch) for arch in get_space(space, Enumerable)]
    elif colon and (drawn := _drawn(rest)):
        known = load_benchmark(name, data).lazy("TRUTH").select("arch").unique().collect()
        archs = [str(parse_arch(arch, space)) for arch in _draw(known, drawn, sample)]
    elif drawn := _drawn(sample):
        size, seed = drawn
        archs = [str(arch) for arch in get_space(space, Samplable).sample(size, generator(seed, "sample", space))]
    elif Path(sample).suffix:
        archs = read_sample(Path(sample), space)
    else:
        raise UnknownNameError("sample", sample, ["thesis", "all", "random-N@SEED", "BENCHMARK:random-N@SEED", "FILE"])
    return list(dict.fromkeys(archs))


def _drawn(sample: str) -> tuple[int, int] | None:
    """(size, seed) of ``random-N@SEED``; None for any other name."""
    if not (sample.startswith("random-") and "@" in sample):
        return None
    size, _, seed = sample.removeprefix("random-").partition("@")
    if not (size.isdecimal() and seed.isdecimal()):
        raise StudyError(f"sample: expected random-N@SEED, got {sample!r}")
    return int(size), int(seed)


def _draw(frame: pl.DataFrame, drawn: tuple[int, int], sample: str) -> list[str]:
    """(size, seed) -> so many of the architectures that `frame` holds, without replacement, in the order drawn."""
    size, seed = drawn
    names = sorted(frame["arch"].unique().to_list())
    if size > len(names):
        raise StudyError(f"sample {sample!r}: only {len(names)} architectures to draw from")
    chosen = generator(seed, "sample", str(size)).choice(len(names), size, replace=False)
    return [names[i] for i in chosen]


def named_archs(sample: str, *, benchmark: Benchmark, data: Path | str | None = None) -> list[str] | None:
    """The architectures of `sample` where it is a list of its own (the thesis's, or a file), else None."""
    if sample == "thesis":
        return thesis_sample(benchmark.space, data)
    if Path(sample).suffix:
        return read_sample(Path(sample), benchmark.space)
    return None


@reads("a list of architectures")
def read_sample(path: Path, space: str | None) -> list[str]:
    """Architectures listed in a file, as text ``space:key``, in any spelling that `nasanalysis.spaces.names` reads.

    CSV or Parquet with a column ``arch``, plain text with one architecture a line, JSON (a list of architectures or of
    objects with a key ``arch``, such a list under a key, or an object whose keys they are), or the thesis's pickles of
    ``Structure`` objects (read through an allow-list). Without a `space` it is guessed by the spelling; names that no
    space of ours explains are kept as texts.
    """
    if not path.exists():
        raise StudyError(f"{path}: expected a file that lists architectures, found nothing there")
    if path.suffix in (".pkl", ".pickle"):
        return read_structures(path, space or "nb201")
    if path.suffix.lower() == ".json":
        names = _in_json(json_content(path), path)
        return read_names(names, space or space_of(names), str(path), lambda i: f"item {i + 1}").to_list()
    if path.suffix == ".txt":
        lines = _lines(path)
        names = list(lines.values())
        places = list(lines)
        return read_names(names, space or space_of(names), str(path), lambda i: f"line {places[i]}").to_list()
    table = read_plain(path, ("arch",))
    names = names_of(table)
    return read_names(names, space or space_of(names), table.name, table.place).to_list()


def _in_json(content: Any, path: Path) -> list[Any]:
    """The architectures of a JSON file, in any spelling; `FrameError` where it lists none."""
    if isinstance(content, dict):
        lists = [value for key, value in content.items() if isinstance(value, list) and key in ("arch", "archs")]
        if not lists and len(content) == 1:
            lists = [value for value in content.values() if isinstance(value, list)]
        content = lists[0] if lists else list(content)
    if not isinstance(content, list) or not content:
        raise FrameError(
            f"{path}: expected a JSON list of architectures, or an object whose keys they are, got "
            f"{shown.repr(content)}"
        )
    return [item["arch"] if isinstance(item, dict) and "arch" in item else item for item in content]


def _lines(path: Path) -> dict[int, str]:
    """Number of a line -> its text, of lines that are not empty."""
    try:
        text = decode(path.read_bytes())
    except ValueError as error:
        raise FrameError(f"{path}: {error}") from None
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), start=1) if line.strip()}
    if not lines:
        raise FrameError(f"{path}: expected one architecture a line, got an empty file")
    return lines
