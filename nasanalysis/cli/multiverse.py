"""``nasanalysis multiverse``: one claim, in every defensible setting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DataOption, DirectionOption, JsonOption, SeedOption, TruthOption, read_directions, read_pairs
from .output import check_suffix, print_json, print_table, warn


def multiverse(
    better: Annotated[str, typer.Argument(help="The claim: this proxy ranks better ...")],
    than: Annotated[str, typer.Argument(help="... than this one.")] = "params",
    truth: TruthOption = "digits",
    scores: Annotated[
        list[str] | None, typer.Option("--scores", help="A FILE that holds one of the two; may be repeated.")
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Of the truth (default: all); repeat it.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", help="valid, test or valtest (default: all recorded); repeat it.")
    ] = None,
    schedule: Annotated[
        list[int] | None, typer.Option("--schedule", help="Total epochs of the truth (default: all); repeat it.")
    ] = None,
    step: Annotated[
        list[int] | None, typer.Option("--step", help="Of the scores (default: all that both have); repeat it.")
    ] = None,
    sample: Annotated[
        list[str] | None, typer.Option("--sample", help="Which architectures (default: all); repeat it.")
    ] = None,
    statistic: Annotated[
        list[str] | None,
        typer.Option("--statistic", help="A correlation (default: spearman_rho and kendall_tau); repeat it."),
    ] = None,
    resampled: Annotated[
        list[str] | None, typer.Option("--resampled", help="class or arch (default: both); repeat it.")
    ] = None,
    setting: Annotated[
        str | None, typer.Option("--setting", help="Of the scores, where a proxy stands under several.")
    ] = None,
    scores_from: Annotated[
        list[str] | None,
        typer.Option(
            "--scores-from",
            metavar="DATASET=DATASET",
            help="Set scores of the second data set against truths of the first; may be repeated.",
        ),
    ] = None,
    truth_seeds: Annotated[
        bool, typer.Option("--truth-seeds/--no-truth-seeds", help="Each run of the truth beside the mean over runs.")
    ] = True,
    score_seeds: Annotated[
        bool, typer.Option("--score-seeds", help="Each run of the scores beside their mean.")
    ] = False,
    other_runs_only: Annotated[
        bool, typer.Option("--other-runs-only", help="Leave out what a training run says of itself.")
    ] = False,
    margin: Annotated[float | None, typer.Option("--margin", help="Differences below it do not matter.")] = None,
    direction: DirectionOption = None,
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=2, help="Resamples for the intervals.")] = 200,
    seed: SeedOption = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the specifications (.csv) or the curve (.png, .svg).")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Does one proxy rank better than another, whatever one chooses? Counted over every recorded setting."""
    from ..report.writer import write_csv, write_figure
    from ..studies.claims import claim

    if out is not None:
        check_suffix(out, (".csv", ".png", ".svg"))
    section = claim(
        better,
        than,
        truth,
        scores=tuple(scores or ()),
        n_boot=bootstrap,
        seed=seed,
        data=data,
        say=lambda text: warn("note:", text),
        datasets=dataset,
        splits=split,
        schedules=schedule,
        steps=step,
        samples=sample,
        statistics=statistic,
        resampled=resampled,
        scored_by=setting,
        scores_from=read_pairs(scores_from, "--scores-from", "DATASET=DATASET"),
        truth_seeds=truth_seeds,
        score_seeds=score_seeds,
        other_runs_only=other_runs_only,
        margin=margin,
        directions=read_directions(direction),
    )
    [table], [figure], [sentence] = section.tables, section.figures, section.answer
    if out is not None:
        write_csv(figure.data, out) if out.suffix == ".csv" else write_figure(figure, out)
    if as_json:
        print_json({"sentence": sentence, "choices": table.data.to_dicts(), "specifications": figure.data.to_dicts()})
        return
    print_table(table.data, table.title)
    print(sentence)
    if out is not None:
        print(out)
