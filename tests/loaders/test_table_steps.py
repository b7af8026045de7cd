"""Whether step 0 of a file is the first completed epoch or the state before training is never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasanalysis.core.errors import DataFileError, NasAnalysisError
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.tables.benchmark import load_descriptor, load_tables, read_table
from nasanalysis.proxies import score
from nasanalysis.spaces import get_space

A = str(get_space("nb201").arch(7))
HEAD = """file = "t.csv"
benchmark = "mine"
space = "nb201"
dataset = "cifar10"
frame = "CURVES"
schedule = 3
arch_column = "arch"
step_column = "epoch"
values = { train_loss = "tl" }
"""


def _write(folder: Path, losses: dict[int, float], more: str = "") -> Path:
    (folder / "t.csv").write_text("arch,epoch,tl\n" + "".join(f"{A},{s},{v}\n" for s, v in losses.items()))
    toml = folder / "t.toml"
    toml.write_text(HEAD + more)
    return toml


def test_epochs_counted_from_0_are_asked_about(tmp_path: Path) -> None:
    """Steps 0 to n - 1 without `first_step` gave a SoTL of 3.5 for 6: the first epoch was taken for no epoch."""
    toml = _write(tmp_path, {0: 2.5, 1: 2.0, 2: 1.5})
    said = r"t.csv: the steps of its curves are 0 to 2 of 3 epochs: is step 0 the first completed epoch"
    with pytest.raises(DataFileError, match=said):
        read_table(load_descriptor(toml))
    curves = read_table(load_descriptor(_write(tmp_path, {0: 2.5, 1: 2.0, 2: 1.5}, "first_step = 0\n")))
    assert curves["step"].to_list() == [1, 2, 3]
    curves = read_table(load_descriptor(_write(tmp_path, {0: 2.5, 1: 2.0, 2: 1.5}, "first_step = 1\n")))
    assert curves["step"].to_list() == [0, 1, 2]
    whole = read_table(load_descriptor(_write(tmp_path, {0: 3.0, 1: 2.5, 2: 2.0, 3: 1.5})))
    assert whole["step"].to_list() == [0, 1, 2, 3]
    stopped = read_table(load_descriptor(_write(tmp_path, {1: 2.5, 2: 2.0})))  # stopped early, but from 1
    assert stopped["step"].to_list() == [1, 2]


def test_gaps_in_the_steps_are_called_so(tmp_path: Path) -> None:
    benchmark = load_tables([_write(tmp_path, {1: 2.5, 3: 1.5})])
    said = r"steps are missing, not losses: nb201:.* has 2 of its epochs 1 to 3 and lacks 2;"
    for proxy in ("sotl_e@2", "sotl", "sotl_ema"):  # a sum that ends before the gap must not pass for the whole
        with pytest.raises(NasAnalysisError, match=said):
            score(benchmark, proxy)
    assert score(benchmark, "train_loss")["value"].to_list() == [2.5, 1.5]


def test_a_window_longer_than_the_runs_is_called_so() -> None:
    with pytest.raises(NasAnalysisError, match="at most 12 epochs: fewer than the window; choose a smaller one"):
        score(load_benchmark("digits"), "sotl_e@13")
