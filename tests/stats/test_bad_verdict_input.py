"""Nothing to rank, one network under many names, networks of no known class: verdicts say so, none is made up.

Scores that are all tied, a truth that is, a sample of one functional class, names that no space reads: each through
whatever compares, ranks, explains or learns.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_frames import scores_frame, truth_frame

from nasanalysis import stats
from nasanalysis.core.errors import NasAnalysisError, StudyError
from nasanalysis.proxies.graph import graph_features
from nasanalysis.report.card import make_card, write_card
from nasanalysis.spaces import get_space

SPACE = get_space("nb201")
RNG = np.random.default_rng(0)
SOME = [str(SPACE.arch(i)) for i in range(0, 15000, 150)]  # type: ignore[attr-defined]


def largest_class(n: int) -> list[str]:
    members = defaultdict(list)
    for arch, representative in SPACE.unique_archs("functional").items():  # type: ignore[attr-defined]
        members[representative].append(str(arch))
    return max(members.values(), key=len)[:n]


def frames(archs: list[str], *, truth: str = "drawn", one: str = "drawn", two: str = "drawn") -> tuple[Any, Any]:
    def values(how: str) -> dict[str, float]:
        numbers = RNG.random(len(archs)) if how == "drawn" else np.ones(len(archs))
        return dict(zip(archs, (50 + numbers).tolist(), strict=True))

    return truth_frame(values(truth)), scores_frame({"one": values(one), "two": values(two), "params": values("drawn")})


NAMES = [f"mine:{i}" for i in range(60)]
CASES = {
    "all scores tied": frames(SOME, one="tied", two="tied"),
    "one score tied": frames(SOME, one="tied"),
    "truth tied": frames(SOME, truth="tied"),
    "one class": frames(largest_class(40)),
}
QUICK: dict[str, Any] = {"n_boot": 40}


@pytest.mark.parametrize("case", CASES)
def test_no_verdict_is_made_up(case: str) -> None:
    truth, scores = CASES[case]
    for statistic in ("spearman_rho", "kendall_tau"):
        pairs = stats.compare_proxies(truth, scores, statistic=statistic, n_permutations=99, **QUICK)
        of_one = pairs.filter((pl.col("proxy") == "one") | (pl.col("other") == "one"))
        assert set(of_one["verdict"]) == {"not told apart"}
        assert of_one["ci_low"].is_null().all()
    board = stats.leaderboard(truth, scores, top=(), **QUICK)
    assert set(board["verdict"].drop_nulls()) <= {"not told apart"}
    claim = stats.multiverse(truth, scores, "one", "two", **QUICK)
    share = stats.summarise_multiverse(claim).share
    assert (share.holds, share.fails) == (0, 0)
    step = stats.difference_by_step(truth, scores, "one", "two", **QUICK).row(0, named=True)
    assert (step["ahead"], step["verdict"]) == ("neither", "not told apart")


def test_networks_of_no_known_class_are_their_own() -> None:
    truth, scores = frames(NAMES)
    assert stats.class_labels(NAMES).tolist() == list(range(60))
    assert set(stats.compare_proxies(truth, scores, n_permutations=99, **QUICK)["resampled"]) == {"arch"}
    assert set(stats.leaderboard(truth, scores, top=(), **QUICK)["resampled"]) == {"arch"}
    garbled = [f"nb201:what{i}" for i in range(60)]  # a text that its space cannot read
    assert stats.class_labels(garbled).tolist() == list(range(60))
    assert set(stats.correlate(*frames(garbled), **QUICK)["resampled"]) == {"arch"}
    mixed = [*SOME[:30], *NAMES[:30]]
    assert len(set(stats.class_labels(mixed).tolist())) == len(set(stats.class_labels(SOME[:30]).tolist())) + 30


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda t, s, g: stats.explain_proxy(t, s.filter(proxy="one"), g),
            "4 functional classes or more.*got 40 .* of 1",
        ),
        (lambda t, s, g: stats.predictor_curve(t, {"g": g}, k=(2,)), "3 functional classes or more .* got 1"),
        (
            lambda t, s, g: stats.learned_bar(
                t, g, {"one": s.filter(proxy="one").select("arch", "value")}, {2: ["one"]}
            ),
            "3 functional classes or more .* got 1",
        ),
    ],
    ids=["explain", "predictor", "learned bar"],
)
def test_one_class_leaves_nothing_to_learn_from(ask: Callable[..., Any], message: str) -> None:
    pytest.importorskip("sklearn")
    truth, scores = CASES["one class"]
    with pytest.raises(StudyError, match=message):
        ask(truth, scores, graph_features(truth["arch"].to_list()))


@pytest.mark.parametrize("k", [0, 1, 92, 100, 5000])
def test_k_beyond_the_classes(k: int) -> None:
    pytest.importorskip("sklearn")
    truth, scores = frames(SOME)
    graph = graph_features(SOME)
    entry = {"one": scores.filter(proxy="one").select("arch", "value")}
    for ask in (
        lambda: stats.predictor_curve(truth, {"g": graph}, k=(k,), draws=2),
        lambda: stats.learned_bar(truth, graph, entry, {k: ["one"]}, draws=2),
    ):
        with pytest.raises(StudyError, match=r"k: expected whole numbers from 2 to \d+"):
            ask()


@pytest.mark.parametrize("case", CASES)
def test_a_card_is_made_of_whatever_there_is(case: str, tmp_path: Any) -> None:
    truth, scores = CASES[case]
    card = make_card(truth, scores.filter(proxy="one"), None, n_boot=20)
    assert card.facts["ahead"] is None
    text = write_card(card, tmp_path / "card.html").read_text(encoding="utf-8")
    assert not re.findall(r"\bnan\b", text.split('src="data', 1)[0], flags=re.IGNORECASE)


def test_a_claim_of_one_truth_or_of_one_proxy_is_refused() -> None:
    truth, scores = frames(NAMES)
    with pytest.raises(StudyError, match="at least two specifications, got 1"):
        stats.multiverse(truth, scores, "one", "two", statistics=("spearman_rho",), units=("arch",), **QUICK)
    with pytest.raises(StudyError, match="expected two proxies, got 'one' twice"):
        stats.multiverse(truth, scores, "one", "one", **QUICK)
    with pytest.raises(NasAnalysisError, match="at least 3 proxies and 2 data sets"):
        stats.friedman(stats.correlate(truth, scores, statistics=("spearman_rho",), **QUICK))
