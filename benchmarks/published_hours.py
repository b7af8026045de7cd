"""Hours of every configuration of published size on this machine, each from a short run; a table of all of them.

python benchmarks/published_hours.py --device cuda --out reports/results/published_hours.parquet

A file that is there keeps its rows of other configurations. Images that are not at hand are drawn pixels, which take as
long. Hours are those of one process that does one thing after another; parts that run side by side (seeds, methods,
architectures) divide them.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import torch

from nasanalysis.core.frames import read_frame, read_provenance, write_frame
from nasanalysis.core.provenance import provenance
from nasanalysis.differentiable.config import DiffSearchConfig
from nasanalysis.live import diffsearch, estimate, standalone
from nasanalysis.live.config import SupernetConfig
from nasanalysis.live.run import Run
from nasanalysis.synthetic.config import load_config
from nasanalysis.synthetic.networks import mlp, vgg16
from nasanalysis.synthetic.rates import loss_of
from nasanalysis.synthetic.unroll import descend, unroll
from nasanalysis.training.standalone import StandaloneConfig

#: Kind -> names of shipped configurations.
PUBLISHED = {
    "supernet": ("nb201_full", "darts_full", "nb101_space1_full"),
    "search": ("nb201_full", "darts_full", "nb101_space1_full", "s2_full"),
    "standalone": ("darts_full",),
    "synthetic": ("vgg_cifar10", "mnist_mlp_full"),
}
SCHEMA = {
    "kind": pl.String(), "config": pl.String(), "part": pl.String(), "unit": pl.String(), "seconds_each": pl.Float64(),
    "count": pl.Int64(), "hours": pl.Float64(), "images": pl.String(), "device": pl.String(),
}  # fmt: skip
#: Outer steps of a rate by gradient that are timed, after one that is not.
OUTER_STEPS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", action="append", help="KIND or KIND/CONFIG; may be repeated")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    name = torch.cuda.get_device_name() if args.device == "cuda" else platform.processor() or platform.machine()
    before = read_frame(args.out) if args.out and args.out.exists() else pl.DataFrame(schema=SCHEMA)
    records = read_provenance(args.out).get("config", {}).get("calls", []) if len(before) else []
    rows: list[dict[str, Any]] = []
    for kind, configs in PUBLISHED.items():
        for config in configs:
            if args.only and not {kind, f"{kind}/{config}"} & set(args.only):
                continue
            started = time.perf_counter()
            for row in TIMED[kind](config, args.device):
                rows.append({"kind": kind, "config": config, "device": name, **row})
            print(f"{kind} {config}: {time.perf_counter() - started:.0f} s", flush=True)
            if args.out:
                calls = [*records, {"device": args.device, "only": args.only}]
                write_frame(_joined(before, rows), args.out, provenance(seeds={}, config={"calls": calls}))
    with pl.Config(tbl_rows=-1, tbl_width_chars=200, fmt_str_lengths=60):
        print(pl.DataFrame(rows, schema=SCHEMA).drop("images"))


def _joined(before: pl.DataFrame, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows of a file, but those of configurations that are timed again; then the new ones."""
    new = pl.DataFrame(rows, schema=SCHEMA)
    return pl.concat([before.join(new, on=["kind", "config"], how="anti", maintain_order="left"), new])


def _supernet(config: str, device: str) -> Iterator[dict[str, Any]]:
    yield from estimate.estimate(Run(SupernetConfig.load(config), Path(), device), updates=10, archs=3).to_dicts()


def _search(config: str, device: str) -> Iterator[dict[str, Any]]:
    study = DiffSearchConfig.load(config)
    for of, row in zip(study.method, diffsearch.estimate(diffsearch.SearchRun(study, Path(), device)), strict=True):
        part = f"{row['method']} {row['setting']}".strip()
        count = row["steps"] * len(of.seeds or study.seeds)
        yield _row(part, "weight step", row["seconds a step"], count, row["images"])


def _standalone(config: str, device: str) -> Iterator[dict[str, Any]]:
    run = standalone.StandaloneRun.of(StandaloneConfig.load(config), Path(), device)
    for row in standalone.estimate(run):
        yield _row("training alone", "update", row["seconds an update"], row["updates"] * len(run.jobs), row["images"])


def _synthetic(config: str, device: str) -> Iterator[dict[str, Any]]:
    """An outer step of T batches: the unroll with its slope and the descent that is kept."""
    settings: Any = load_config(config)
    vgg = settings.network == "vgg16"
    net = (vgg16(3, 10) if vgg else mlp(28 * 28, 10, settings.width, settings.hidden)).to(device)
    images = torch.randn(settings.batch_size, *((3, 32, 32) if vgg else (28 * 28,)), device=device)
    batch = (images, torch.arange(settings.batch_size, device=device) % 10)
    loss, rate = loss_of(net), torch.tensor(settings.rate, device=device)
    weights = {name: w.detach() for name, w in net.named_parameters()}
    for T in settings.Ts:
        few = [batch] * (T or 1)

        def step(few: list[Any] = few, T: int = T) -> None:
            if T:
                float(unroll(loss, weights, rate, few).slope)
            descend(loss, weights, rate, few, rate).losses.tolist()

        step()
        started = time.perf_counter()
        for _ in range(OUTER_STEPS):
            step()
        seconds = (time.perf_counter() - started) / OUTER_STEPS
        train = settings.train
        count = -(-train // (settings.batch_size * (T or 1))) * settings.epochs * settings.seeds
        yield _row(f"T = {T}", "outer step", seconds, count, "drawn pixels")


def _row(part: str, unit: str, seconds: float, count: int, images: str) -> dict[str, Any]:
    hours = seconds * count / 3600
    return {"part": part, "unit": unit, "seconds_each": seconds, "count": count, "hours": hours, "images": images}


TIMED = {"supernet": _supernet, "search": _search, "standalone": _standalone, "synthetic": _synthetic}

if __name__ == "__main__":
    main()
