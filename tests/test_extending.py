"""Six things that somebody adds from outside the package, in a few lines each, and uses in one report.

The module below stands in a file of its own and imports only public names; nothing in the package knows of it.
CONTRIBUTING.md shows the same six.
"""

from __future__ import annotations

import csv
import importlib
import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from joblib.externals.loky import get_reusable_executor

import nasanalysis as na
from nasanalysis.loaders import BENCHMARKS
from nasanalysis.loaders.tables.rows import FORMATS
from nasanalysis.proxies import PROXIES
from nasanalysis.report import write_report
from nasanalysis.search import ALGORITHMS
from nasanalysis.spaces import SPACES
from nasanalysis.stats import STATISTICS
from nasanalysis.studies.items import KINDS

MODULE = '''
"""Chains of three layers, each 1 to 5 wide: a space, a format, a proxy, a statistic, a search and a study kind."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nasanalysis.loaders import BENCHMARKS
from nasanalysis.loaders.tables.benchmark import load_tables
from nasanalysis.loaders.tables.rows import FORMATS
from nasanalysis.proxies import PROXIES, as_scores
from nasanalysis.report.tables import plain_table
from nasanalysis.search import ALGORITHMS, Search
from nasanalysis.spaces import SPACES, Arch
from nasanalysis.stats import STATISTICS
from nasanalysis.studies.items import KINDS, ItemModel, Many, Section

HERE = Path(__file__).parent


# a space: what an architecture is
class Chains:
    name, gene_sizes = "chains", (5, 5, 5)

    def parse(self, text):
        arch = Arch.from_text(text, self.name)
        return Arch(self.name, "-".join(str(int(width)) for width in arch.key.split("-")))

    def genes(self, arch):
        return tuple(int(width) - 1 for width in self.parse(str(arch)).key.split("-"))

    def from_genes(self, genes):
        return Arch(self.name, "-".join(str(gene + 1) for gene in genes))

    def params(self, arch, dataset):
        return sum(100 * (gene + 1) for gene in self.genes(arch))


SPACE = Chains()
SPACES["chains"] = "chains_plugin:SPACE"


# a table format: files of one JSON object a line
FORMATS[".jsonl"] = lambda path, table: [json.loads(line) for line in path.read_text().splitlines()]
BENCHMARKS["chains"] = lambda data: load_tables([HERE / "chains.toml"])


# a proxy: what is computed of an architecture
@dataclass(frozen=True)
class Narrowest:
    name, direction, needs, reference = "narrowest", 1, "archs", "the narrowest layer of a chain"

    def __call__(self, archs):
        values = [min(SPACE.genes(arch)) + 1 for arch in archs["arch"]]
        return as_scores(archs.with_columns(narrow=pl.Series(values)), self.name, "narrow")


PROXIES["narrowest"] = Narrowest()


# a statistic: share of pairs in the right order
def agreement(score, truth):
    first, second = np.triu_indices(len(score), 1)
    return float(np.mean((score[first] < score[second]) == (truth[first] < truth[second])))


STATISTICS["agreement"] = agreement


# a search method: the widest neighbour of what was best
def widen(fitness, moves, rng, *, queries=None, seconds=None, start=5):
    search, seen = Search("widen", fitness.name, fitness.space, queries, seconds), set()
    archs = moves.fresh(start, rng, seen)
    while archs and search.left:
        seen.update(archs)
        search.ask(fitness, archs[: search.left])
        archs = moves.fresh(start, rng, seen)
    return search.result()


ALGORITHMS["widen"] = widen


# a study kind: how many architectures of each width of the first layer
class Widths(ItemModel):
    benchmarks: Many[str]

    def section(self, sources, resampling):
        archs = [arch for name in self.benchmarks for arch in sources.benchmark(name).truth()["arch"]]
        widths = pl.Series("first layer", [SPACE.genes(arch)[0] + 1 for arch in archs])
        table = widths.value_counts().sort("first layer")
        return Section(self.title, self.text, (plain_table(self.name, self.title, table, table.columns, ["d", "d"]),))


KINDS["widths"] = "chains_plugin:Widths"
'''

DESCRIPTION = """
file = "chains.jsonl"
benchmark = "chains"
space = "chains"
dataset = "toy"
frame = "TRUTH"
split = "test"
schedule = 1
arch_column = "chain"
values = { accuracy = "top1" }
unit = "percent"
"""

STUDY = """
title = "Chains"
bootstrap = 50

[[widths]]
name = "widths"
title = "How wide?"
benchmarks = ["chains"]

[[compare]]
name = "ranking"
title = "Which proxy ranks best?"
benchmark = "chains"
schedule = 1
proxies = ["narrowest", "params"]
statistics = ["spearman_rho", "agreement"]

[[search]]
name = "search"
title = "What does a search find?"
benchmark = "chains"
dataset = "toy"
schedule = 1
queries = 20
at = [5, 20]
seeds = 2
fitnesses = [{ label = "narrowest", proxy = "narrowest", cost = 1.0 }]
algorithms = [{ name = "random_search" }, { name = "widen", options = { start = 3 } }]
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "chains_plugin.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "chains.toml").write_text(DESCRIPTION, encoding="utf-8")
    (tmp_path / "chains.study.toml").write_text(STUDY, encoding="utf-8")
    noise = random.Random(0)
    rows = [
        {"chain": "-".join(map(str, widths)), "top1": 20 + 10 * min(widths) + sum(widths) + noise.random()}
        for widths in itertools.product(range(1, 6), repeat=3)
    ]
    (tmp_path / "chains.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    get_reusable_executor().shutdown(wait=True)  # workers of an earlier test do not look into this folder
    registries: list[MutableMapping] = [SPACES, FORMATS, BENCHMARKS, PROXIES, STATISTICS, ALGORITHMS, KINDS]  # type: ignore[type-arg]
    before = [dict(registry) for registry in registries]
    yield importlib.import_module("chains_plugin")
    for registry, kept in zip(registries, before, strict=True):
        registry.clear()
        registry.update(kept)
    sys.modules.pop("chains_plugin")


@pytest.mark.usefixtures("plugin")
def test_a_space() -> None:
    assert str(na.parse_arch("chains:01-2-3")) == "chains:1-2-3"
    archs = na.load_benchmark("chains").archs("toy", archs=["chains:1-2-3"])
    assert archs["params"].to_list() == [600]


@pytest.mark.usefixtures("plugin")
def test_a_table_format() -> None:
    truth = na.load_benchmark("chains").truth("toy")
    assert (len(truth), truth["arch"][0], round(truth["accuracy"][0])) == (125, "chains:1-1-1", 34)


@pytest.mark.usefixtures("plugin")
def test_a_proxy() -> None:
    scores = na.score(na.load_benchmark("chains"), ["narrowest", "params"])
    assert scores.filter(pl.col("arch") == "chains:3-2-5", pl.col("proxy") == "narrowest")["value"].to_list() == [2.0]


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_statistic(workers: int) -> None:
    chains = na.load_benchmark("chains")
    scores = na.score(chains, ["narrowest", "params"])
    table = na.correlate(chains.truth(), scores, statistics=["agreement", "kendall_tau"], n_boot=30, workers=workers)
    rows = {(row["proxy"], row["statistic"]): row for row in table.to_dicts()}
    row = rows["params", "agreement"]
    assert 0.5 < row["ci_low"] < row["estimate"] < row["ci_high"] < 1


@pytest.mark.usefixtures("plugin")
def test_a_search_method() -> None:
    from nasanalysis.search.bind import bind

    chains = na.load_benchmark("chains")
    fitness = na.search.TableFitness.from_scores(na.score(chains, "narrowest"), seconds=1.0)
    moves = na.search.get_moves("chains", archs=fitness.archs)
    import numpy as np

    result = bind("widen", options={"start": 4})(fitness, moves, np.random.default_rng(0), queries=125)
    assert (len(result), result.best_arch) == (125, "chains:5-5-5")


@pytest.mark.usefixtures("plugin")
def test_a_report_with_all_of_them(tmp_path: Path) -> None:
    result = na.Study.load(tmp_path / "chains.study.toml").run()
    assert not result.skipped
    write_report([result], tmp_path / "out")
    with open(tmp_path / "out" / "tables" / f"{result.name}-ranking.csv", encoding="utf-8", newline="") as file:
        ranking = {(row["proxy"], row["statistic"]): float(row["estimate"]) for row in csv.DictReader(file)}
    assert ranking["narrowest", "spearman_rho"] > ranking["params", "spearman_rho"] > 0.8
    assert ranking["narrowest", "agreement"] > 0.5
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "How wide?" in text
    assert "widen" in text
    assert "chains.jsonl" in json.dumps(result.provenance["inputs"])


@pytest.mark.usefixtures("plugin")
def test_the_prompt_imports_a_module_of_yours(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nasanalysis", "--import", "chains_plugin", "report", "chains.study.toml"]
    done = subprocess.run(
        [*command, "--out", "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(na.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "How wide?" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_a_module_that_is_not_there_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nasanalysis", "--import", "no_such_module", "archs", "nb201"],
        cwd=Path(na.__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "--import no_such_module: expected a module" in done.stderr
