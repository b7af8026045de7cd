"""A space from outside the package works as far as its capabilities go, and says by name where they end."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from toy_space import BARE, TOY

from nasanalysis import plots, search
from nasanalysis.cli import app as cli
from nasanalysis.core.errors import MissingCapabilityError
from nasanalysis.loaders import BENCHMARKS, archs_frame, load_benchmark
from nasanalysis.loaders.samples import space_archs, take_sample
from nasanalysis.plots.style import arch_label
from nasanalysis.proxies import score
from nasanalysis.report.card import make_card
from nasanalysis.search.space import HasMoves
from nasanalysis.spaces import SPACES, Arch, Space, capabilities, get_space, offers, parse_arch, require
from nasanalysis.spaces.capabilities import (
    Drawable,
    Enumerable,
    HasFlops,
    HasGenes,
    HasLabels,
    HasLivePath,
    HasNeighbours,
    HasParams,
    Isomorphic,
    Samplable,
    Sized,
    TwoCells,
)
from nasanalysis.stats import correlate, isomorph_spread, neighbour_concordance

EVERY = {Enumerable, Samplable, Isomorphic, HasParams, HasFlops, HasLivePath, HasNeighbours, HasGenes, Drawable}
OFFERED = {
    "nb201": EVERY | {Sized, HasLabels},
    "nats-sss": EVERY - {Drawable},
    "nb101": (EVERY | {Sized}) - {HasGenes, HasNeighbours},
    **{f"nb101-{i}": EVERY | {Sized} for i in (1, 2, 3)},
    **{name: (EVERY | {Sized, TwoCells}) - {HasGenes, HasLivePath} for name in ("darts", "s1", "s2", "s3", "s4", "s5")},
}
ALL = EVERY | {Sized, HasLabels, TwoCells}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPACES, "toy", "toy_space:TOY")
    monkeypatch.setitem(SPACES, "bare", "toy_space:BARE")
    monkeypatch.setitem(BENCHMARKS, "toy", "toy_space:load")


@pytest.mark.parametrize("name", OFFERED)
def test_what_the_shipped_spaces_offer(name: str) -> None:
    assert {one for one in ALL if offers(name, one)} == OFFERED[name]
    assert isinstance(get_space(name), Space)


def test_every_shipped_space_is_listed_here() -> None:
    assert set(OFFERED) | {"toy", "bare"} == set(SPACES)


def test_a_missing_capability_is_named() -> None:
    with pytest.raises(MissingCapabilityError) as caught:
        get_space("toy", HasNeighbours)
    assert str(caught.value) == (
        "space 'toy' cannot list neighbours: it has no neighbours; add what is missing to the object behind "
        "SPACES['toy'], or use another space"
    )
    with pytest.raises(
        MissingCapabilityError, match="'bare' cannot be enumerated: it has no arch, index, __iter__, __len__;"
    ):
        get_space("bare", Enumerable)
    with pytest.raises(MissingCapabilityError, match="it has no from_genes, gene_sizes, genes;"):
        require(BARE, HasGenes)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert not offers("nowhere", HasParams)


def test_members_are_what_a_capability_asks_for() -> None:
    assert capabilities.members(Isomorphic) == ["isomorphism_rules", "unique_archs"]
    assert capabilities.members(TwoCells) == [
        "arch",
        "edge_operations",
        "genotype",
        "index",
        "__iter__",
        "__len__",
        "nodes",
    ]


def test_identity_and_scores() -> None:
    assert parse_arch("toy:012") == Arch("toy", "012")
    scores = score(load_benchmark("toy"), "params")
    assert scores["value"].to_list() == [TOY.params(arch, "t") for arch in TOY]
    assert archs_frame(TOY, ["012"], "t").rows() == [("toy:012", None, 8, None)]
    truth = load_benchmark("toy").truth("t")
    assert correlate(truth, scores, n_boot=0)["estimate"].to_numpy().min() > 0.9


def test_search_by_genes() -> None:
    truth = search.TableFitness.from_truth(load_benchmark("toy").truth("t"))
    moves = search.get_moves("toy")
    best = search.regularised_evolution(truth, moves, np.random.default_rng(0), queries=150).best_arch
    assert truth.values[best] == max(truth.values.values())
    assert search.get_moves("toy", archs=[str(arch) for arch in TOY]) is moves
    small = search.get_moves("toy", constraint=search.Constraint(params_max=8, dataset="t"))
    assert all(TOY.params(arch, "t") <= 8 for arch in small.fresh(5, np.random.default_rng(0)))


def test_moves_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A space that no rule fits brings its moves; a new object by the same name is taken for what it is."""
    inside = search.Within(search.get_moves("toy"), ["toy:000", "toy:333"])

    class Moving:
        name, parse = "bare", BARE.parse

        def moves(self) -> search.Moves:
            return inside

    with pytest.raises(MissingCapabilityError, match="'bare' cannot be searched.*spaces that can: nb201, .*toy"):
        search.get_moves("bare")
    monkeypatch.setattr("toy_space.BARE", Moving())
    assert offers("bare", HasMoves)
    assert search.get_moves("bare") is inside


def test_plots() -> None:
    (graph,) = plots.cell_graph("toy:012")
    assert graph.nodes["label"].to_list() == ["1", "2", "3", "out"]
    assert graph.nodes["layer"].to_list() == [0, 1, 2, 3]
    plots.plot_cell("toy:012")
    assert arch_label("toy:012") == "toy:012"
    assert arch_label("unheard-of:012") == "unheard-of:012"


def test_a_card() -> None:
    toy = load_benchmark("toy")
    card = make_card(toy.truth("t"), score(toy, "params"), toy.archs("t"), n_boot=0)
    assert {"worst-1", "ranks"} <= {figure.name for figure in card.figures}


@pytest.mark.parametrize(
    ("call", "lacks"),
    [
        (lambda: archs_frame(BARE, ["012"], "t"), "'bare' cannot count parameters: it has no params"),
        (
            lambda: archs_frame(TOY, ["012"], "t", rule="functional"),
            "'toy' cannot tell which architectures are the same",
        ),
        (
            lambda: archs_frame(TOY, ["012"], "t", channels=4),
            "'toy' cannot be built in other sizes: it has no skeleton",
        ),
        (lambda: search.Constraint(flops_max=1)("toy:012"), "'toy' cannot count FLOPs: it has no flops"),
        (lambda: plots.plot_cell("bare:012"), "'bare' cannot be drawn: it has no drawings"),
        (lambda: space_archs("random-2@0", "toy"), "'toy' cannot be sampled: it has no sample"),
        (lambda: _live_sample(), "'toy' cannot tell architectures with a live path: it has no has_live_path"),
        (lambda: _concordance(), "'toy' cannot list neighbours: it has no neighbours"),
        (lambda: isomorph_spread(score(load_benchmark("toy"), "params")), "'toy' cannot tell which architectures are"),
    ],
)
def test_where_it_ends_it_says_so(call: Callable[[], object], lacks: str) -> None:
    with pytest.raises(MissingCapabilityError, match=lacks):
        call()


def _live_sample() -> object:
    toy = load_benchmark("toy")
    return take_sample(toy.truth("t"), "live", benchmark=toy)


def _concordance() -> object:
    toy = load_benchmark("toy")
    return neighbour_concordance(toy.truth("t"), score(toy, "params"))


def test_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nasanalysis", *args])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return (int(stop.value.code or 0), *capsys.readouterr())

    assert run("archs", "toy", "--count")[:2] == (0, "64\n")
    shown = json.loads(run("archs", "toy", "--show", "toy:012", "--dataset", "t", "--json")[1])
    assert shown == {"arch": "toy:012", "index": 6, "unique_arch": None, "params": 8, "flops": None, "dataset": "t"}
    assert run("archs", "toy", "--csv", "all.csv")[1] == "all.csv: 64 architectures\n"
    code, out, err = run("archs", "toy", "--unique-count")
    assert (code, out) == (2, "")
    assert err.startswith(
        "error: space 'toy' cannot tell which architectures are the same: it has no isomorphism_rules"
    )
    assert run("archs", "bare")[0] == 2
    assert run("score", "--benchmark", "toy", "--proxy", "params", "--out", "s.csv")[0] == 0
