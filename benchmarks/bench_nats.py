"""The NATS-Bench topology archive: ours against the `nats_bench` API, in time, memory and a query.

The archive is a stand-in of the official format (nats_archive.py), 1,000 of the 15,625 files, scaled; with
``--full`` all of them. ``$BENCH_NATS_ARCHIVE`` names one that is there already. The API reads 1,000
architectures with its cache cleared and is scaled: it keeps all it reads, about 32 GB for the whole archive.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nats_archive import WHOLE, write_archive
from sidebyside import Row, Skipped

from nasanalysis.core.errors import MissingDataError
from nasanalysis.loaders.nats import benchmark as nats

HERE = Path(__file__).resolve().parent
API_COUNT = 1000
ROUNDS = 3


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = "NATS-Bench topology archive"
    if importlib.util.find_spec("nats_bench") is None:
        yield Skipped(name, "the package nats-bench is not installed")
        return
    ready = os.environ.get("BENCH_NATS_ARCHIVE")
    with tempfile.TemporaryDirectory(prefix="bench-nats-") as temp:
        if ready:
            folder = Path(ready)
        else:
            try:
                real = nats.find_folder(nats.TSS, data)
            except MissingDataError:
                yield Skipped(name, "no NATS-Bench files to make an archive of: pass --data")
                return
            count = WHOLE if os.environ.get("BENCH_FULL") else 1000
            folder = write_archive(Path(temp), real, count)
        yield from _compare(folder, Path(temp))


def _compare(folder: Path, temp: Path) -> Iterator[Row]:
    count = sum(1 for _ in folder.glob("[0-9]*.pickle.pbz2"))
    api_count = min(API_COUNT, count)
    scale = WHOLE / count
    peers, ours = [], []
    for turn in range(ROUNDS if count <= 1000 else 1):
        peers.append(_side("api-read", folder, api_count))
        ours.append(_side("convert", folder, cache=temp / f"cache{turn}"))
    peers.append(_side("api-read", folder, api_count))  # before and after: the machine may have got busier
    cache = temp / "cache0"
    how = f"{count:,} files{f', scaled to {WHOLE:,}' if count < WHOLE else ''}"
    api, own = 1e3 * _median(peers, "cpu") / api_count, 1e3 * _median(ours, "cpu") / count
    note = (
        f"ours: {how}, {ours[0]['workers']} processes, with their start (not scaled), written to the cache and "
        f"checked; the API: {api_count:,} architectures reloaded in one process with its cache cleared, scaled to "
        f"{WHOLE:,}; processor time per file, start included: ours {own:.1f} ms, the API {api:.1f} ms: on a busy "
        "machine compare these, halved for two cores"
    )
    yield Row(
        "NATS-Bench topology: read the whole archive",
        _median(peers, "seconds") * WHOLE / api_count,
        _median(ours, "seconds") * scale + _median(ours, "startup"),
        "s",
        "nats_bench API",
        note,
    )
    keep = _side("api-keep", folder, min(300, count))
    yield Row(
        "NATS-Bench topology: peak memory of that",
        keep["before"] + keep["each"] * WHOLE,
        max(o["bytes"] for o in ours),
        "bytes",
        "nats_bench API",
        f"ours: {count:,} files, this process and all workers, not scaled; the API keeps what it reads: "
        f"{min(300, count)} architectures, scaled to {WHOLE:,}",
    )
    peer, query_side = _side("api-final", folder, api_count), _side("final", folder, cache=cache)
    pairs = list(zip(peer["values"], query_side["values"], strict=False))
    assert len(pairs) == api_count, "the two sides hold different architectures"
    assert all(abs(a - b) < 1e-9 for a, b in pairs), "the two sides differ"
    query = (
        f"ours: {query_side['rows']:,} architectures from the cache{f', scaled to {WHOLE:,}' if count < WHOLE else ''}"
    )
    for what, seconds, said in (
        ("from disk", peer["cold"] * WHOLE / api_count, f"{api_count:,} architectures with its cache cleared, scaled"),
        ("all in the API's memory already", peer["warm_each"] * WHOLE, "300 architectures held in memory, scaled"),
    ):
        yield Row(
            f"NATS-Bench topology: mean final accuracy of all, {what}",
            seconds,
            query_side["seconds"] * scale,
            "s",
            "nats_bench API loop",
            f"{query}; the API: {said}; values equal",
        )


def _median(sides: list[dict[str, Any]], what: str) -> float:
    return statistics.median(side[what] for side in sides)


def _side(name: str, folder: Path, count: int = 0, *, cache: Path | None = None) -> dict[str, Any]:
    environment = {**os.environ, **({"NASANALYSIS_CACHE": str(cache)} if cache else {})}
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), environment.get("PYTHONPATH", "")])
    command = [sys.executable, str(HERE / "nats_sides.py"), name, str(folder), str(count)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
