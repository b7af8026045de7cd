"""Reading files of the official NATS-Bench archive: ours against the `nats_bench` API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sidebyside import Row, Skipped, side_by_side

from nasanalysis.errors import MissingDataError
from nasanalysis.loaders import nats


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = "read NATS-Bench topology files"
    try:
        folder = nats.find_folder(nats.TSS, data)
    except MissingDataError:
        yield Skipped(name, "no NATS-Bench files: pass --data")
        return
    try:
        from nats_bench import create
    except ImportError:
        yield Skipped(name, "the package nats-bench is not installed")
        return
    files = nats.arch_files(folder)[:50]
    indices = [int(p.name[:6]) for p in files]
    repeat = max(1, 20 // len(files))

    def peer() -> None:
        api = create(str(folder), "tss", fast_mode=True, verbose=False)
        for _ in range(repeat):
            for index in indices:
                api.reload(str(folder), index)

    def ours() -> None:
        for _ in range(repeat):
            for path in files:
                list(nats.read_file(path))

    yield side_by_side(
        f"{name}, {repeat * len(files)} reads",
        peer,
        ours,
        peer_name="nats_bench API",
        note="one process each; the API reloads, we also build frames",
    )
