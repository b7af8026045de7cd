"""``nasanalysis search``: search a table with proxies, and see what they find."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import ParameterError
from .options import (
    BootstrapOption,
    DataOption,
    DirectionOption,
    JsonOption,
    QuantityOption,
    ScheduleOption,
    SeedOption,
    SpaceOption,
    SplitOption,
    TruthDataset,
    TruthOption,
    UnitOption,
    read_directions,
    read_pairs,
)
from .output import check_suffix, print_json, print_table, warn


def search(
    proxies: Annotated[list[str], typer.Argument(help="What the searches ask: sotl, val_acc, one of your own ...")],
    truth: TruthOption = "digits",
    scores: Annotated[
        list[str] | None, typer.Option("--scores", help="A FILE that holds proxies of yours; may be repeated.")
    ] = None,
    algorithm: Annotated[
        list[str] | None,
        typer.Option(
            "--algorithm",
            help="random_search, regularised_evolution, spos_evolution or successive_halving (default: the first two); "
            "may be repeated.",
        ),
    ] = None,
    queries: Annotated[int, typer.Option("--queries", min=1, help="Of each search.")] = 200,
    searches: Annotated[int, typer.Option("--searches", min=1, help="Searches of each kind: seeds 0, 1 ...")] = 20,
    step: Annotated[int | None, typer.Option("--step", min=1, help="Of the scores, where they have several.")] = None,
    rung: Annotated[
        list[int] | None,
        typer.Option("--rung", min=1, help="Steps at which successive_halving asks (default: its own); repeat it."),
    ] = None,
    score_seed: Annotated[
        int | None, typer.Option("--score-seed", help="Training run of the scores (default: the mean over runs).")
    ] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option("--cost", metavar="NAME=SECONDS", help="Of one query of a proxy (default: 0); may be repeated."),
    ] = None,
    dataset: TruthDataset = None,
    split: SplitOption = None,
    schedule: ScheduleOption = None,
    quantity: QuantityOption = None,
    sample: Annotated[str | None, typer.Option("--sample", help="Which architectures are searched.")] = None,
    direction: DirectionOption = None,
    unit: UnitOption = None,
    space: SpaceOption = None,
    bootstrap: BootstrapOption = 1000,
    seed: SeedOption = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the table (.csv) or the regret by queries (.png, .svg).")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """How good is what a search finds with a proxy? Searches of a table take milliseconds."""
    from ..report.writer import write_csv, write_figure
    from ..studies.searches import found_with

    if out is not None:
        check_suffix(out, (".csv", ".png", ".svg"))
    found = found_with(
        proxies,
        truth,
        algorithms=tuple(algorithm or ("random_search", "regularised_evolution")),
        queries=queries,
        seeds=searches,
        step=step,
        rungs=tuple(rung or ()),
        score_seed=score_seed,
        costs=_costs(cost),
        directions=read_directions(direction),
        n_boot=bootstrap,
        seed=seed,
        data=data,
        say=lambda text: warn("note:", text),
        scores=scores,
        dataset=dataset,
        split=split,
        schedule=schedule,
        quantity=quantity,
        sample=sample,
        unit=unit,
        space=space,
    )
    if out is not None:
        write_csv(found.table, out) if out.suffix == ".csv" else write_figure(found.figure, out)
    if as_json:
        print_json({"sentences": found.sentences, "searches": found.table.to_dicts()})
        return
    what = f"True {found.quantity.words} ({found.quantity.unit}) of the best by fitness, mean over searches"
    print_table(found.table, what, digits=2 if found.quantity.unit == "percent" else 4)
    print("\n".join(found.sentences))
    if out is not None:
        print(out)


def _costs(given: list[str] | None) -> dict[str, float]:
    """``["a=3.5"]`` -> ``{"a": 3.5}``; `ParameterError` for anything else."""
    form = "NAME=SECONDS"
    pairs = read_pairs(given, "--cost", form)
    try:
        return {name: float(number) for name, number in pairs.items()}
    except ValueError:
        raise ParameterError(f"--cost: expected {form}, got {', '.join(given or [])}") from None
