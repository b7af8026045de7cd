"""Scaling from one worker to two: the same finetuning by the command line, on loky and on Dask.

A small digits supernet is trained, then a few of its architectures are finetuned, each command in a fresh process and
a fresh folder. What a command needs before and after its units (imports, data, starting workers, gathering) is timed
by the same command on a folder where every unit is finished, and taken off; the note gives the whole commands.
A worker's own start (torch, images, weights: a few seconds each) counts.
One round, for it takes minutes: on a busy machine run it again. Ratio: 2.0 would be perfect on two idle cores.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sidebyside import Row, Skipped, seconds

ARCHS = 120 if os.environ.get("BENCH_FULL") else 24  # the longer, the less the start of the workers counts

CONFIG = f"""
space = "nb201"
threads = 1
[network]
channels = 4
cells = 1
reduction = "pool"
stem_kernel = 1
[data]
data = "digits"
[train]
protocols = ["spos"]
seeds = [0]
preset = "thesis-nb201"
epochs = 2
[[finetune]]
name = "scaling"
archs = "random-{ARCHS}@0"
minibatches = 100
learning_rate = 0.01
val_acc_every = 100
"""


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = f"finetune {ARCHS} architectures, 2 workers"
    if importlib.util.find_spec("torch") is None:
        yield Skipped(name, "torch is not installed")
        return
    if (cores := len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) < 2:
        yield Skipped(name, f"needs 2 cores, this machine has {cores}")
        return
    shown = _nasanalysis("supernet", "finetune", "--help")
    with tempfile.TemporaryDirectory() as folder:
        bench = Path(folder)
        (bench / "digits.toml").write_text(CONFIG, encoding="utf-8")
        _nasanalysis("supernet", "train", *_where(bench, "trained"), "--workers", "1")
        for backend in ("loky", "dask"):
            if backend == "dask" and importlib.util.find_spec("distributed") is None:
                yield Skipped(f"{name}: dask", "dask.distributed is not installed (extra distributed)")
            elif backend != "loky" and "--backend" not in shown:
                yield Skipped(f"{name}: {backend}", "this command line has no --backend")
            else:
                yield _compare(f"{name}: {backend}", bench, [] if backend == "loky" else ["--backend", backend])


def _compare(name: str, bench: Path, options: list[str]) -> Row:
    total: dict[int, float] = {}
    units: dict[int, float] = {}
    for workers in (1, 2):
        out = bench / "out"
        shutil.copytree(bench / "trained", out)
        command = ("supernet", "finetune", *_where(bench, "out"), "--workers", str(workers), *options)
        total[workers] = seconds(lambda command=command: _nasanalysis(*command))
        units[workers] = total[workers] - seconds(lambda command=command: _nasanalysis(*command))
        shutil.rmtree(out)
    note = f"units only; the whole commands {total[1]:.1f} s and {total[2]:.1f} s"
    return Row(name, units[1], units[2], "s", "1 worker", note)


def _where(bench: Path, out: str) -> list[str]:
    return ["--config", str(bench / "digits.toml"), "--out", str(bench / out), "--device", "cpu"]


def _nasanalysis(*arguments: str) -> str:
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "nasanalysis", *arguments], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise RuntimeError(f"nasanalysis {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
    return done.stdout
