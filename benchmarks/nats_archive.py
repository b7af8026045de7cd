"""Write a NATS-Bench topology archive in its real format, as large as the official one or smaller.

    python benchmarks/nats_archive.py OUT --data FOLDER [--count 15625] [--tar]

Each file is one of the real ones with the architecture's own index and text and with every loss, accuracy and
time of a training multiplied by a factor of its own; at 200 epochs the share of architectures with two
trainings in place of three is the official one. It is a stand-in for measuring, never data for a result.
"""

from __future__ import annotations

import argparse
import bz2
import copy
import pickle
import tarfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from nasanalysis.jobs.units import progress_bar
from nasanalysis.loaders import safe_pickle
from nasanalysis.loaders.nats import benchmark as nats
from nasanalysis.spaces import get_space

NAME = "NATS-tss-v1_0-bench-simple"
WHOLE = 15_625
TWO_RUNS = 7_456 / WHOLE


def write_archive(out: Path, real: Path, count: int = WHOLE, *, workers: int = 2, quiet: bool = False) -> Path:
    """A folder `NAME` in `out` with the first `count` architectures, made from the real files in the folder `real`."""
    folder = out / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.pickle.pbz2").write_bytes((real / "meta.pickle.pbz2").read_bytes())
    templates = [path.read_bytes() for path in sorted(real.glob("[0-9]*.pickle.pbz2"))[:2]]
    blocks = [range(start, min(start + 25, count)) for start in range(0, count, 25)]
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("writing an archive", total=count)
        jobs = (joblib.delayed(_write)(folder, templates, block) for block in blocks)
        for done in joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
            bar.advance(task, done)
    return folder


def pack(folder: Path) -> Path:
    """The folder as a ``.tar`` beside it."""
    path = folder.with_name(f"{folder.name}.tar")
    with tarfile.open(path, "w") as tar:
        tar.add(folder, folder.name)
    return path


def _write(folder: Path, templates: list[bytes], block: range) -> int:
    contents = [safe_pickle.loads(bz2.decompress(packed), safe_pickle.NATS) for packed in templates]
    for index in block:
        path = folder / f"{index:06d}.pickle.pbz2"
        if not path.exists():
            data = pickle.dumps(_vary(contents[index % len(contents)], index), protocol=4)
            path.write_bytes(bz2.compress(data))
    return len(block)


def _vary(content: Any, index: int) -> Any:
    rng = np.random.default_rng(index)
    content = copy.deepcopy(content)
    key = get_space("nb201").arch(index).key
    for hp, info in content.items():
        info.update(arch_index=index, arch_str=key)
        if hp == "200" and rng.random() < TWO_RUNS:
            info["all_results"] = {k: run for k, run in info["all_results"].items() if k[1] != 999}
            info["dataset_seed"] = {d: [s for s in seeds if s != 999] for d, seeds in info["dataset_seed"].items()}
        for run in info["all_results"].values():
            run["arch_config"]["arch_str"] = key
            factor = float(rng.uniform(0.9, 1.0))
            for name in ("train_losses", "train_acc1es", "train_times", "eval_losses", "eval_acc1es", "eval_times"):
                for step in run[name] or {}:
                    run[name][step] *= factor
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=WHOLE)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tar", action="store_true", help="write the .tar beside the folder too")
    arguments = parser.parse_args()
    folder = write_archive(
        arguments.out, nats.find_folder(nats.TSS, arguments.data), arguments.count, workers=arguments.workers
    )
    print(folder)
    if arguments.tar:
        print(pack(folder))


if __name__ == "__main__":
    main()
