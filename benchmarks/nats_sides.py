"""The two sides of bench_nats.py, each in a process of its own so that its memory can be read: prints JSON.

python benchmarks/nats_sides.py {api-read,api-keep,api-final,convert,final} FOLDER [COUNT]
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any


def _own() -> int:
    """Peak resident memory of this process, in bytes.

    From /proc where there is one: ``ru_maxrss`` begins with the memory of the process that started this one.
    """
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _cpu() -> float:
    """Processor seconds of this process and of the workers that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _api(folder: Path) -> Any:
    from nats_bench import create

    with contextlib.redirect_stdout(io.StringIO()):
        return create(str(folder), "tss", fast_mode=True, verbose=False)


def _forget(api: Any) -> None:
    api.arch2infos_dict.clear()
    api.evaluated_indexes.clear()


def api_read(folder: Path, count: int) -> dict[str, Any]:
    """Seconds to reload `count` architectures, forgetting each."""
    api = _api(folder)
    start = time.perf_counter()
    for index in range(count):
        api.reload(str(folder), index)
        _forget(api)
    return {"seconds": time.perf_counter() - start, "cpu": _cpu()}


def api_keep(folder: Path, count: int) -> dict[str, Any]:
    """Memory of the API before, and for each architecture it keeps (it never forgets one by itself)."""
    api = _api(folder)
    before = _own()
    for index in range(count):
        api.reload(str(folder), index)
    return {"before": before, "each": (_own() - before) / count}


def api_final(folder: Path, count: int) -> dict[str, Any]:
    """Seconds for the seed-mean final test accuracy of `count` architectures: from disk, and from the API's memory."""
    api = _api(folder)
    values = []
    start = time.perf_counter()
    for index in range(count):
        values.append(api.get_more_info(index, "cifar10", hp="200", is_random=False)["test-accuracy"])
        _forget(api)
    cold = time.perf_counter() - start
    held = min(count, 300)
    for index in range(held):
        api.reload(str(folder), index)
    start = time.perf_counter()
    for index in range(held):
        api.get_more_info(index, "cifar10", hp="200", is_random=False)
    return {"cold": cold, "warm_each": (time.perf_counter() - start) / held, "values": values}


def _wake(_: int) -> None:
    """What a worker does before its first file: import the package and build the space."""
    from nasanalysis.loaders.nats import convert as nats_convert
    from nasanalysis.spaces import get_space

    assert nats_convert.CHUNK
    assert len(list(get_space("nb201"))) == 15_625
    time.sleep(0.5)  # long enough that no worker takes two


def convert(folder: Path, _: int) -> dict[str, Any]:
    """Seconds to start the workers, and to convert; peak memory and processor seconds of all processes together.

    $NASANALYSIS_CACHE is empty.
    """
    import joblib
    from joblib.externals.loky import get_reusable_executor

    from nasanalysis.loaders.nats import benchmark as nats
    from nasanalysis.loaders.nats import convert as nats_convert
    from nasanalysis.loaders.nats.files import archive_at

    archive = archive_at(nats.TSS, folder)
    workers = min(-(-len(archive.members) // nats_convert.CHUNK), joblib.cpu_count(), nats_convert.MOST_WORKERS)
    start = time.perf_counter()
    joblib.Parallel(n_jobs=workers)(joblib.delayed(_wake)(i) for i in range(workers))
    started = time.perf_counter()
    nats_convert.convert_archive(archive)
    seconds = time.perf_counter() - started
    get_reusable_executor().shutdown(wait=True)  # so that the workers count as children that ended
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024  # of the largest
    memory = {"bytes": _own() + workers * child, "largest_worker": child}
    return {"seconds": seconds, "startup": started - start, "cpu": _cpu(), "workers": workers, **memory}


def final(folder: Path, _: int) -> dict[str, Any]:
    """Seconds for the seed-mean final test accuracy of every architecture from the cache, the first and the median."""
    import polars as pl

    from nasanalysis.loaders.nats import benchmark as nats

    benchmark = nats.from_archive(folder)
    benchmark.truth("cifar100", split="test", schedule=200)  # opens the cache
    times = []
    for _round in range(7):
        start = time.perf_counter()
        rows = benchmark.truth("cifar10", split="test", schedule=200).filter(pl.col("seed").is_null())
        times.append(time.perf_counter() - start)
    from nasanalysis.spaces import get_space

    by_arch = dict(rows.select("arch", "accuracy").iter_rows())
    values = [by_arch.get(str(arch)) for arch in get_space("nb201")][: len(rows)]
    return {"seconds": statistics.median(times), "rows": len(rows), "values": values}


SIDES = {"api-read": api_read, "api-keep": api_keep, "api-final": api_final, "convert": convert, "final": final}

if __name__ == "__main__":
    print(json.dumps(SIDES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)))
