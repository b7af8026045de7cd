"""Items of a study about searches: their table, figures, live searches and what is said when something is wrong."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis import search
from nasanalysis.core.errors import NasAnalysisError, ParameterError, StudyError, UnknownNameError
from nasanalysis.core.frames import check, write_frame
from nasanalysis.core.seeding import generator
from nasanalysis.loaders import load_benchmark
from nasanalysis.proxies import score
from nasanalysis.report import Result, write_report
from nasanalysis.report.model import Figure, Table
from nasanalysis.search.bind import bind
from nasanalysis.studies.study import Study

DIGITS = load_benchmark("digits")
ARCHS = sorted(DIGITS.truth("digits", split="test", schedule=12)["arch"].unique())[::20][:40]

STUDY = """
title = "Small"
bootstrap = 100
[[search]]
name = "small"
title = "Two algorithms"
benchmark = "digits"
dataset = "digits"
split = "test"
schedule = 12
truth_seed = 1
sample = "{folder}/archs.txt"
queries = 20
seeds = 4
at = [5, 20]
cost_unit = "epochs"
algorithms = [
  "random_search",
  {{ name = "regularised_evolution", preset = "nas-bench-201", options = {{ sample = 2 }} }},
  {{ name = "successive_halving", options = {{ start = 9, steps = [1, 3] }} }},
]
fitnesses = [
  {{ label = "parameters", proxy = "params" }},
  {{ label = "early", proxy = "sotl", step = 3, seed = 0, cost = 3 }},
  {{ label = "valid", accuracy = "valid", schedule = 12, seed = 0, cost = 12 }},
  {{ label = "by rung", proxy = "sotl", seed = 0, stepped = true, cost = 1 }},
  {{ label = "sum", step = 3, seed = 0, terms = [{{ proxy = "params", rule = "rank" }}, {{ proxy = "sotl", rule = "rank", weight = 2 }}] }},
]
[[search.figures]]
name = "fitnesses"
algorithms = ["random_search"]
fitnesses = ["truth", "early"]
[[search.figures]]
name = "algorithms"
algorithms = ["regularised_evolution", "random_search"]
fitnesses = ["early"]
[[search.figures]]
name = "budget"
kind = "budget"
curves = [
  {{ label = "alone", fitness = "early" }},
  {{ label = "filtered", filter = "parameters", keep = 0.25, fitness = "early", draws = 20 }},
]
"""  # noqa: E501


def study(folder: Path, *edits: tuple[str, str], text: str = STUDY) -> Study:
    (folder / "archs.txt").write_text("\n".join(ARCHS))
    text = text.format(folder=folder)
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "small.toml").write_text(text, encoding="utf-8")
    return Study.load(folder / "small.toml")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return study(tmp_path_factory.mktemp("search")).run()


def table(result: Result) -> Table:
    (section,) = result.sections
    return section.tables[0]


def figure(result: Result, name: str) -> Figure:
    return next(f for f in result.sections[0].figures if f.name == f"small-{name}")


def known() -> dict[str, float]:
    frame = DIGITS.truth("digits", split="test", schedule=12, archs=ARCHS)
    held = dict(frame.filter(pl.col("seed") == 1).select("arch", "accuracy").iter_rows())
    order = frame["arch"].unique(maintain_order=True)
    return {arch: held[arch] for arch in order}


def early() -> search.TableFitness:
    frame = score(DIGITS, "sotl", step=3, archs=ARCHS)
    return search.TableFitness.from_scores(frame, seed=0, seconds=3.0).restricted(known())


def moves() -> search.Moves:
    return search.get_moves("nb201", archs=known())


def row(made: Table, algorithm: str, fitness: str, query: int) -> dict[str, Any]:
    chosen = made.data.filter(pl.col("algorithm") == algorithm, pl.col("fitness") == fitness, pl.col("query") == query)
    return chosen.row(0, named=True)


# --- the table ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fitness", ["early", "truth"])
@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [("random_search", None), ("regularised_evolution", search.EvolutionSettings(10, 2))],
)
def test_numbers_are_those_of_a_direct_call(
    result: Result, algorithm: str, settings: search.EvolutionSettings | None, fitness: str
) -> None:
    function = search.ALGORITHMS[algorithm]
    bound = function if settings is None else partial(function, settings=settings)
    asked = early() if fitness == "early" else search.TableFitness("truth", "nb201", known())
    runs = search.run_searches({algorithm: bound}, {fitness: asked}, moves(), known(), seeds=4, queries=20, at=[5, 20])
    for query in (5, 20):
        values = runs.filter(pl.col("query") == query)["true_accuracy"].to_numpy()
        found = row(table(result), algorithm, fitness, query)
        assert found["mean"] == pytest.approx(values.mean())
        assert values.min() <= found["ci_low"] <= found["mean"] <= found["ci_high"] <= values.max()
        assert found["n_seeds"] == 4
    last = row(table(result), algorithm, fitness, 20)
    spent = runs.filter(pl.col("query") == 20)["seconds"].to_numpy().mean()
    assert last["cost"] == (pytest.approx(spent) if fitness == "early" else None)


def test_random_search_meets_the_exact_expectation(tmp_path: Path) -> None:
    """600 searches against the combinatorial mean of the same pick, for a proxy and for the truth."""
    one = study(tmp_path, ("seeds = 4", "seeds = 600"), *_only_random())
    made = table(one.run())
    y, x = np.array(list(known().values())), early()(list(known())).values
    for label, values in (("early", x), ("truth", y)):
        mean, sd = search.expected_pick(values, y, 5)
        assert abs(row(made, "random_search", label, 5)["mean"] - mean) < 4 * sd / math.sqrt(600)


def _only_random() -> list[tuple[str, str]]:
    halving = '  { name = "successive_halving", options = { start = 9, steps = [1, 3] } },\n'
    evolution = '  { name = "regularised_evolution", preset = "nas-bench-201", options = { sample = 2 } },\n'
    stepped = '  { label = "by rung", proxy = "sotl", seed = 0, stepped = true, cost = 1 },\n'
    figures = '["regularised_evolution", "random_search"]', '["random_search"]'
    return [(halving, ""), (evolution, ""), (stepped, ""), figures]


def test_references_stand_first_and_are_not_judged(result: Result) -> None:
    made, y = table(result), list(known().values())
    assert [line[:2] for line in made.rows[:2]] == [["best possible", "–"], ["mean of all architectures", "–"]]
    assert made.rows[0][2:4] == [f"{max(y):.2f}"] * 2
    assert made.rows[1][2:4] == [f"{np.mean(y):.2f}"] * 2
    assert made.header == ["algorithm", "fitness", "after 5 queries", "after 20 queries", "cost (epochs)"]
    # five fitnesses of which one is stepped, and the truth; successive halving asks the stepped one only
    assert len(made.rows) == 2 + 2 * 5 + 1
    truths = made.data.filter(pl.col("fitness") == "truth")
    assert truths["mark"].is_null().all()
    assert made.data.filter(pl.col("mark").str.starts_with("best")).height >= 2
    assert set(made.data["n_archs"]) == {40}


def test_costs_are_counted_once_for_each_architecture(result: Result) -> None:
    made = table(result)
    assert row(made, "random_search", "early", 20)["cost"] == 60.0
    assert row(made, "random_search", "valid", 20)["cost"] == 240.0
    assert row(made, "random_search", "parameters", 20)["cost"] == 0.0
    assert row(made, "regularised_evolution", "early", 20)["cost"] <= 60.0, "a repeat is free"
    assert row(made, "successive_halving", "by rung", 20)["cost"] == 9 * 1 + 3 * 2
    assert "Successive halving asks 9 at step 1, 3 at step 3: 12 queries; it keeps what it found then." in made.note
    assert "Regularised evolution: settings nas-bench-201 with sample 2." in made.note


def test_a_sum_is_that_of_its_terms(result: Result) -> None:
    """Ranks of parameters and twice those of SoTL, both among the 40."""
    archs = list(known())
    costs = search.TableFitness.from_scores(score(DIGITS, "params", archs=ARCHS)).restricted(archs)
    parts = [
        search.Part(costs, 1, "rank", None, costs(archs).values),
        search.Part(early(), 2, "rank", None, early()(archs).values),
    ]
    whole = search.Combined("sum", parts)(archs).values
    asked = search.TableFitness("sum", "nb201", dict(zip(archs, whole.tolist(), strict=True)))
    runs = search.run_searches(
        {"random_search": search.random_search}, {"sum": asked}, moves(), known(), seeds=4, queries=20, at=[20]
    )
    assert row(table(result), "random_search", "sum", 20)["mean"] == pytest.approx(runs["true_accuracy"].mean())


def test_without_resamples_there_are_no_intervals(result: Result, tmp_path: Path) -> None:
    """``bootstrap = 0`` once ended in a traceback."""
    bare = study(tmp_path).model_copy(update={"bootstrap": 0}).run()
    made = table(bare)
    assert made.data["mean"].equals(table(result).data["mean"])
    assert made.data.select(pl.col("ci_low", "ci_high", "interval").is_null().all()).row(0) == (True, True, True)
    assert "brackets" not in made.note
    figure(bare, "fitnesses").draw()


def test_notes_say_what_is_what(result: Result) -> None:
    note = table(result).note
    for said in (
        "mean of 4 searches",
        "Truth: test accuracy after 12 epochs of digits (training seed 1).",
        "Searched: 40 architectures",
        "early: SoTL, all steps, step 3, training seed 0",
        "valid: validation accuracy, after 12 epochs, training seed 0",
        "sum: parameters (rank) + 2 x SoTL, all steps (rank), step 3, training seed 0",
    ):
        assert said in note, said


# --- figures --------------------------------------------------------------------------------------------------


def test_figures_hold_what_the_table_says(result: Result) -> None:
    shown = figure(result, "fitnesses").data
    assert shown["line"].unique(maintain_order=True).to_list() == ["the truth itself", "early"]
    last = shown.filter(pl.col("line") == "early", pl.col("query") == 20).row(0, named=True)
    assert last["mean"] == pytest.approx(row(table(result), "random_search", "early", 20)["mean"])
    lines = figure(result, "algorithms").data["line"].unique(maintain_order=True).to_list()
    assert lines == ["regularised evolution", "random search"], "in the order asked for"
    budget = figure(result, "budget").data
    alone = budget.filter(pl.col("line") == "alone", pl.col("n_scored") == 40).row(0, named=True)
    best = max(known(), key=lambda arch: early().values[arch])
    assert (alone["seconds"], alone["expected_accuracy"]) == (120.0, pytest.approx(known()[best]))
    assert budget.filter(pl.col("line") == "filtered")["n_scored"].min() >= 4, "a quarter of fewer than 4 is no filter"


def test_the_report_is_written(result: Result, tmp_path: Path) -> None:
    write_report([result], tmp_path)
    names = sorted(path.name for path in (tmp_path / "figures").glob("*.png"))
    assert names == ["small-small-algorithms.png", "small-small-budget.png", "small-small-fitnesses.png"]
    assert "the truth itself" in (tmp_path / "index.html").read_text(encoding="utf-8")


# --- what is wrong in a study file ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = 4", "sedes = 4", "unknown key 'search.0.sedes'. Did you mean 'seeds'?"),
        ('"random_search",', '"random",', "unknown search algorithm 'random'"),
        ('"nas-bench-201"', '"rea"', "unknown preset of regularised_evolution 'rea'"),
        ("sample = 2 }", "samples = 2 }", "unknown option of regularised_evolution 'samples'"),
        ("at = [5, 20]", "at = [5, 21]", "at: expected query numbers from 1 to 20, got 21"),
        ('proxy = "params" }', "step = 1 }", "expected one of proxy, accuracy and terms, got none"),
        ('label = "valid"', 'label = "truth"', "this label belongs to the truth itself"),
        ('label = "valid"', 'label = "early"', "fitnesses: two share a label"),
        ("stepped = true, ", "step = 1, ", "successive_halving: expected a fitness with stepped = true, got none"),
        ('proxy = "sotl", seed = 0, stepped', 'proxy = "sotl", step = 3, stepped', "expected a proxy without a step"),
        ("cost = 12", "cost = { times = 2 }", "cost: expected proxy or epochs, got neither"),
        ("cost = 12", "cost = -1", "expected a finite number of at least 0, got -1"),
        ('["truth", "early"]', '["truth", "late"]', "expected some of parameters; early; valid; by rung; sum; truth"),
        ('["random_search"]', '["random_search", "successive_halving"]', "got 2 algorithms and 2 fitnesses"),
        ('filter = "parameters"', 'filter = "by rung"', "curves: expected some of parameters; early; valid; sum"),
        ('kind = "budget"', 'kind = "curvature"', "expected curves in a figure of kind budget, and in no other"),
        ('benchmark = "digits"', "", "missing key 'search.0.benchmark'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        study(tmp_path, (old, new))
    text = str(caught.value)
    assert message in text
    assert "\n" not in text


def test_what_only_the_data_can_tell(tmp_path: Path) -> None:
    with pytest.raises(NasAnalysisError, match="fitness 'early': expected a step, sotl has several"):
        study(tmp_path, ('"sotl", step = 3, seed = 0, cost', '"sotl", seed = 0, cost')).run()
    with pytest.raises(StudyError, match="has no test accuracy of schedule 13"):
        study(tmp_path, ("schedule = 12\ntruth", "schedule = 13\ntruth")).run()
    with pytest.raises(StudyError, match="cost of 'valid': no training_seconds recorded on digits"):
        study(tmp_path, ("cost = 12", 'cost = { proxy = "training_seconds" }')).run()
    with pytest.raises(StudyError, match="cost of 'valid': no seconds recorded on digits"):
        study(tmp_path, ("cost = 12", "cost = { epochs = 12 }")).run()


def test_without_its_files_an_item_is_skipped_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASANALYSIS_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = study(tmp_path, ('benchmark = "digits"', 'benchmark = "nb201"'), ('= "digits"', '= "cifar10"')).run(tmp_path)
    assert done.sections == ()
    (line,) = done.skipped
    assert line.startswith("Two algorithms: not run here. ")


# --- live searches --------------------------------------------------------------------------------------------

LIVE = """
title = "Live"
[[search]]
name = "small"
title = "Live"
benchmark = "digits"
dataset = "digits"
schedule = 12
truth_seed = 1
sample = "{folder}/archs.txt"
traces = ["{folder}/angle.parquet", "{folder}/both.parquet"]
parts = [{{ label = "Angle", part = "angle" }}, {{ label = "Angle + Flatness", part = "both" }}]
perturbed = "{folder}/perturbed.parquet"
[[search.figures]]
name = "curvature"
kind = "curvature"
"""

FOUND = {("angle", 0): [0, 1], ("angle", 1): [2, 3], ("both", 0): [4, 5]}


def trace(part: str, seed: int) -> pl.DataFrame:
    """Two queries, of which the second is the better: architectures `FOUND` by rank of the truth."""
    ranked = sorted(known(), key=lambda arch: -known()[arch])
    archs = [ranked[k] for k in reversed(FOUND[part, seed])]
    rows: list[dict[str, Any]] = []
    for query, arch in enumerate(archs, start=1):
        numbers = {"fitness": 0.5 * query + seed, "best_fitness": 0.5 * query + seed, "seconds": 10.0 * query}
        rows += [{"epoch": query, "quantity": name, "value": value, "text": None} for name, value in numbers.items()]
        rows += [{"epoch": query, "quantity": name, "value": None, "text": arch} for name in ("arch", "best_arch")]
    fitness = "angle" if part == "angle" else "angle + 16 flatness@alpha=0"
    names = {"benchmark": "live-nb201", "dataset": "digits", "method": "spos_evolution", "search_seed": seed}
    named = {**names, "setting": fitness, "part": part, "seed": None}
    frame = pl.DataFrame(rows, schema_overrides={"value": pl.Float64, "text": pl.String})
    return check(frame.with_columns(pl.lit(v).alias(k) for k, v in named.items()), "TRACE")


def write_live(folder: Path, noisy: int = 5) -> None:
    write_frame(pl.concat([trace("angle", 0), trace("angle", 1)]), folder / "angle.parquet")
    write_frame(trace("both", 0), folder / "both.parquet")
    ranked = sorted(known(), key=lambda arch: -known()[arch])
    names = {"benchmark": "live-nb201", "dataset": "digits", "method": "spos", "setting": "found", "seed": 0}
    names |= {"position": "all", "direction": "random", "draws": "independent"}
    rows = [
        {"arch": arch, "sigma": sigma, "draw": draw, "loss": 1.0 + k + 100 * sigma + draw}
        for k, arch in enumerate(ranked[:noisy])
        for sigma in (0.01, 0.02)
        for draw in (0, 1)
    ]
    frame = pl.DataFrame(rows).with_columns(pl.lit(value).alias(name) for name, value in names.items())
    write_frame(check(frame, "PERTURBED"), folder / "perturbed.parquet")


def test_what_live_searches_found(tmp_path: Path) -> None:
    write_live(tmp_path)
    done = study(tmp_path, text=LIVE).run()
    made, y = table(done), np.sort(list(known().values()))[::-1]
    assert made.name == "small-live"
    angle = next(line for line in made.rows if line[0] == "Angle")
    assert angle[1:5] == ["SPOS evolution", "angle", "2", "1.500 (1.000 to 2.000)"]
    accuracies = y[[0, 2]]
    assert angle[5] == f"{accuracies.mean():.2f} ({accuracies.min():.2f} to {accuracies.max():.2f})"
    assert angle[7] == "20"
    ranks = made.data.sort("part", "seed")["rank"].to_list()
    assert ranks == [1 + int((y > value).sum()) for value in y[[0, 2, 4]]]
    both = next(line for line in made.rows if line[0] == "Angle + Flatness")
    assert both[2] == "angle + 16 flatness@alpha=0"
    assert both[5] == f"{y[4]:.2f}", "one search has no range"
    # exact references: the mean of all, and of the best of two
    assert made.rows[0][5] == f"{y.mean():.2f}"
    pairs = [max(y[i], y[j]) for i in range(len(y)) for j in range(i)]
    assert made.rows[1][3:7:2] == ["2", f"{np.mean(pairs):.2f}"]
    assert "among its 40 architectures" in made.note


def test_losses_around_what_was_found(tmp_path: Path) -> None:
    write_live(tmp_path)
    shown = figure(study(tmp_path, text=LIVE).run(), "curvature").data
    y = sorted(known().values(), reverse=True)
    lines = shown["line"].unique(maintain_order=True).to_list()
    assert lines == [f"Angle: {(y[0] + y[2]) / 2:.2f} %", f"Angle + Flatness: {y[4]:.2f} %"]
    losses = dict(shown.filter(pl.col("search") == "Angle").select("sigma", "loss").iter_rows())
    assert losses == {0.01: pytest.approx(1 + 1 + 1 + 0.5), 0.02: pytest.approx(1 + 1 + 2 + 0.5)}


def test_live_searches_that_are_not_whole(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="expected algorithms and fitnesses, or traces of live searches, got neither"):
        study(tmp_path, text="\n".join(line for line in LIVE.splitlines() if not line.startswith("traces")))
    (line,) = study(tmp_path, text=LIVE).run().skipped
    assert "angle.parquet: expected a kept result, found nothing there" in line
    write_live(tmp_path, noisy=4)
    with pytest.raises(StudyError, match="expected losses of every architecture found, 1 lack them, first nb201:"):
        study(tmp_path, text=LIVE).run()
    with pytest.raises(UnknownNameError, match="unknown part of these traces 'bath'"):
        study(tmp_path, ('part = "both"', 'part = "bath"'), text=LIVE).run()
    twice = (f'"{tmp_path}/both.parquet"', f'"{tmp_path}/angle.parquet"')
    with pytest.raises(StudyError, match="part 'angle': expected one search for each seed, got several"):
        study(tmp_path, twice, (', { label = "Angle + Flatness", part = "both" }', ""), text=LIVE).run()
    with pytest.raises(StudyError, match="figure 'curvature': expected traces, and perturbed of what they found"):
        study(tmp_path, (f'perturbed = "{tmp_path}/perturbed.parquet"', ""), text=LIVE)


# --- algorithms by name ---------------------------------------------------------------------------------------


def test_algorithms_by_name() -> None:
    bound = bind("spos_evolution", preset="genas-nb201", options={"population": 5, "mutation": 2, "crossover": 2})
    plain = partial(search.spos_evolution, settings=search.SposSettings(5, 20, 30, 2, 2))
    results = [f(early(), moves(), generator(0, "t"), queries=12).archs for f in (bound, plain)]
    assert results[0] == results[1]
    halving = bind("successive_halving", options={"steps": [1, 3]})
    assert halving.keywords == {"steps": (1, 3)}  # type: ignore[attr-defined]
    with pytest.raises(ParameterError, match="random_search: has no presets, got 'spos'"):
        bind("random_search", preset="spos")
    with pytest.raises(UnknownNameError, match="unknown option of random_search 'rng'"):
        bind("random_search", options={"rng": 1})


# --- the shipped study ----------------------------------------------------------------------------------------


def test_the_shipped_study_needs_no_files() -> None:
    shipped = Study.load("search")
    assert shipped.needs is None
    assert "digits" in [item.benchmark for item in shipped.items]
    for item in shipped.items:
        assert [f.name for f in item.figures]


def test_recorded_fitnesses_and_costs_on_the_real_files(data_dir: Path) -> None:
    """The zero-cost scores cover 9,445 architectures; a query costs two trainings of 12 epochs."""
    shipped = Study.load("search")
    (item,) = [i for i in shipped.items if i.name == "zero-cost"]
    small = item.model_copy(
        update={"seeds": 2, "queries": 20, "at": (20,), "algorithms": item.algorithms[:1], "figures": ()}
    )
    made = table(shipped.model_copy(update={"items": (small,)}).run(data_dir))
    assert set(made.data["n_archs"]) == {9445}
    assert "6,180 are left out because they lack a fitness" in made.note
    spent = made.data.filter(pl.col("fitness") == "validation accuracy, 12 epochs")["cost"].item()
    benchmark = load_benchmark("nb201", data_dir)
    seconds = benchmark.scores("cifar10-valid", proxy="training_seconds").filter(pl.col("setting") == "12_epochs")
    low, high = seconds["value"].min(), seconds["value"].max()
    assert 40 * low < spent < 40 * high
