"""``nasanalysis score``, ``correlate`` and ``card``: what a proxy says, and how well it ranks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from .output import check_suffix, print_json, print_table, show, warn, with_better

if TYPE_CHECKING:
    import polars as pl


def score(
    benchmark: Annotated[
        str,
        typer.Option("--benchmark", help="Benchmark, such as digits or nb201, or a TOML description of your table."),
    ],
    proxy: Annotated[
        list[str], typer.Option("--proxy", help="Proxy, such as params, sotl, sotl_e@5; may be repeated.")
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write, .parquet or .csv.")],
    dataset: Annotated[str | None, typer.Option("--dataset", help="Dataset (default: all of the benchmark).")] = None,
    step: Annotated[
        int | None, typer.Option("--step", help="Completed epochs or minibatches (default: every step).")
    ] = None,
    unit: UnitOption = None,
    space: SpaceOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute proxies from a benchmark's curves and costs; raw values, never sign-flipped."""
    from ..core.frames import write_frame
    from ..core.notes import told
    from ..core.provenance import provenance
    from ..loaders import load_benchmark
    from ..loaders.tables.load import load_plain
    from ..loaders.tables.plain import is_plain
    from ..proxies import score as compute
    from ..report.writer import write_csv

    check_suffix(out, (".parquet", ".csv"))
    plain = is_plain(benchmark) or unit is not None or space is not None
    loaded = load_plain(benchmark, dataset, unit, space) if plain else load_benchmark(benchmark, data)
    for note in loaded.notes if is_plain(benchmark) else ():
        warn("note:", note)
    with told(lambda text: warn("note:", text)):
        frame = compute(loaded, proxy, dataset=dataset, step=step)
    if out.suffix == ".csv":
        write_csv(frame, out)
    else:
        config = {"benchmark": benchmark, "dataset": dataset, "proxies": proxy, "step": step}
        write_frame(frame, out, provenance(inputs=loaded.inputs, config=config))
    undefined = frame["value"].null_count()
    summary = {"out": str(out), "rows": len(frame), "architectures": frame["arch"].n_unique(), "undefined": undefined}
    said = f"{out}: {len(frame):,} scores of {summary['architectures']:,} architectures, {undefined:,} undefined"
    show(as_json, summary, said)


def correlate(
    truth: Annotated[
        str,
        typer.Option(
            "--truth",
            help="A benchmark, a TOML description of a table, or a CSV or Parquet FILE of arch,accuracy (- is stdin).",
        ),
    ],
    scores: Annotated[
        str,
        typer.Option(
            "--scores", help="A proxy, a TOML description, or a CSV or Parquet FILE of arch,proxy,value[,step]."
        ),
    ],
    dataset: TruthDataset = None,
    split: SplitOption = None,
    schedule: ScheduleOption = None,
    sample: Annotated[Path | None, typer.Option("--sample", help="File that lists the architectures to use.")] = None,
    statistic: Annotated[
        list[str] | None,
        typer.Option("--statistic", help="spearman_rho, kendall_tau, pearson_r, topk_mean@K; may be repeated."),
    ] = None,
    bootstrap: BootstrapOption = 1000,
    seed: SeedOption = 0,
    step: Annotated[int | None, typer.Option("--step", help="Only this many completed epochs or minibatches.")] = None,
    direction: DirectionOption = None,
    quantity: QuantityOption = None,
    transfer: TransferOption = None,
    unit: UnitOption = None,
    space: SpaceOption = None,
    infinite: InfiniteOption = "missing",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank correlation of scores with true accuracy, with intervals."""
    from ..studies.files import compare

    frame = compare(
        truth,
        scores,
        dataset=dataset,
        split=split,
        schedule=schedule,
        sample=sample,
        statistics=tuple(statistic or ("spearman_rho", "kendall_tau")),
        n_boot=bootstrap,
        seed=seed,
        step=step,
        directions=read_directions(direction),
        quantity=quantity,
        transfer=transfer,
        unit=unit,  # type: ignore[arg-type]  # checked where it is read
        space=space,
        infinite=infinite,  # type: ignore[arg-type]
        data=data,
        warn=lambda text: warn("note:", text),
    )
    if as_json:
        print_json(frame.to_dicts())
        return
    numbers = ("estimate", "ci_low", "ci_high", "n_archs", "n_missing")
    shown = with_better(frame).select("dataset", "proxy", *_how(frame), "better", "step", "statistic", *numbers)
    print_table(shown, f"{truth}: {scores}{_truth_words(frame)}", digits=4)


def _truth_words(frame: pl.DataFrame) -> str:
    """Which truth it was: `` (truth: test, 200 epochs, mean of 3 seeds)``."""
    taken = frame.select("truth_split", "truth_schedule", "truth_seeds").unique(maintain_order=True).rows()
    said = []
    for split, schedule, seeds in taken:
        epochs = f", {schedule} epochs" if schedule is not None else ""
        said.append(f"{split}{epochs}, {seeds}")
    return f" (truth: {'; '.join(said)})"


def _how(frame: pl.DataFrame) -> tuple[str, ...]:
    """The column ``setting`` where it says what was asked for: a transfer, or infinite scores ranked last."""
    from ..stats.infinite import RANKED_LAST

    said = frame["setting"].drop_nulls()
    asked = said.str.starts_with("scored on ") | said.str.contains(RANKED_LAST, literal=True)
    return ("setting",) if asked.any() else ()


def card(
    scores: Annotated[
        str, typer.Argument(help="A proxy, a TOML description, or a FILE of arch,proxy,value[,step] (- is stdin).")
    ],
    truth: Annotated[
        str | None,
        typer.Option(
            "--truth", help="A benchmark, a TOML description or a FILE of arch,accuracy (default: the scores' own)."
        ),
    ] = None,
    dataset: TruthDataset = None,
    split: SplitOption = None,
    schedule: ScheduleOption = None,
    proxy: Annotated[str | None, typer.Option("--proxy", help="Which proxy, where the file holds several.")] = None,
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
    seed: SeedOption = 0,
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")] = Path("card.html"),
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """One proxy on one page: does it beat the parameter count, where does it fail, how sure?"""
    from ..report.card import write_card
    from ..studies.cards import proxy_card

    check_suffix(out, (".html",))
    page = proxy_card(
        scores,
        truth=truth,
        dataset=dataset,
        split=split,
        schedule=schedule,
        proxy=proxy,
        method=method,
        setting=setting,
        step=step,
        directions=read_directions(direction),
        n_boot=bootstrap,
        seed=seed,
        data=data,
        say=lambda text: warn("note:", text),
        quantity=quantity,
        transfer=transfer,
        unit=unit,
        space=space,
        infinite=infinite,  # type: ignore[arg-type]
    )
    write_card(page, out)
    for line in page.notes:
        warn("note:", line)
    show(as_json, {"out": str(out), **page.facts}, f"{out}: {page.verdict}")
