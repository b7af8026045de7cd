"""``nasanalysis compare``: is one proxy better than another, on the same architectures?"""

from __future__ import annotations

from typing import Annotated

import typer

from .options import (
    BootstrapOption,
    DataOption,
    DirectionOption,
    InfiniteOption,
    JsonOption,
    LastStepOption,
    MethodOption,
    QuantityOption,
    ScheduleOption,
    SeedOption,
    SettingOption,
    SpaceOption,
    SplitOption,
    TransferOption,
    TruthDataset,
    UnitOption,
    read_directions,
)
from .output import print_json, print_table, warn, with_better


def compare(
    truth: Annotated[
        str, typer.Option("--truth", help="A benchmark, or a CSV or Parquet FILE with columns arch,accuracy.")
    ],
    scores: Annotated[
        list[str],
        typer.Option("--scores", help="A proxy, or a FILE with columns arch,proxy,value[,step]; may be repeated."),
    ],
    proxy: Annotated[
        list[str] | None, typer.Option("--proxy", help="Which of the scores (default: all); repeat it.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="Compare every other with this one (default: all pairs).")
    ] = None,
    statistic: Annotated[str, typer.Option("--statistic", help="A correlation.")] = "spearman_rho",
    dataset: TruthDataset = None,
    split: SplitOption = None,
    schedule: ScheduleOption = None,
    method: MethodOption = None,
    setting: SettingOption = None,
    step: LastStepOption = None,
    direction: DirectionOption = None,
    quantity: QuantityOption = None,
    transfer: TransferOption = None,
    unit: UnitOption = None,
    space: SpaceOption = None,
    infinite: InfiniteOption = "missing",
    bootstrap: BootstrapOption = 1000,
    permutations: Annotated[
        int | None,
        typer.Option(
            "--permutations",
            min=0,
            help="Exchanges for the p-values (0: none; default: as needed, by the law of many from 2,000 on).",
        ),
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", min=0, help="Differences below it do not matter: then equivalent.")
    ] = None,
    seed: SeedOption = 0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Is one proxy better than another? Paired differences, permutation tests, corrected for their number."""
    from ..studies.versus import compare_scores, sentence

    frame = compare_scores(
        truth,
        scores,
        proxies=proxy or (),
        baseline=baseline,
        statistic=statistic,
        dataset=dataset,
        split=split,
        schedule=schedule,
        method=method,
        setting=setting,
        step=step,
        directions=read_directions(direction),
        n_boot=bootstrap,
        n_permutations=permutations,
        margin=margin,
        seed=seed,
        data=data,
        warn=lambda text: warn("note:", text),
        quantity=quantity,
        transfer=transfer,
        unit=unit,
        space=space,
        infinite=infinite,  # type: ignore[arg-type]  # checked where it is read
    )
    rows = [{**row, "sentence": sentence(row)} for row in frame.to_dicts()]
    if as_json:
        print_json(rows)
        return
    numbers = ("first", "second", "difference", "ci_low", "ci_high", "p_holm")
    shown = with_better(with_better(frame, "proxy"), "other")
    columns = ("proxy", "proxy_better", "other", "other_better", *numbers, "ahead", "n_archs")
    print_table(shown.select(columns), f"{truth}: {statistic}", digits=4)
    for row in rows:
        print(row["sentence"])
