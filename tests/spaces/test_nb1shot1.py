"""The three NAS-Bench-1shot1 spaces: sizes, encodings, and the cells of NAS-Bench-101 that they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from nasanalysis.core.errors import ArchError, NasAnalysisError
from nasanalysis.loaders.nb101.benchmark import read_encodings
from nasanalysis.loaders.thesis_samples import thesis_sample, thesis_sample_file
from nasanalysis.spaces import get_space
from nasanalysis.spaces.base import Space
from nasanalysis.spaces.nb1shot1 import OPERATIONS, SPACES_1SHOT1
from nasanalysis.spaces.nb1shot1_counts import nb1shot1_counts
from nasanalysis.spaces.nb101 import SPACE as NB101
from nasanalysis.spaces.nb101 import format_cell
from nasanalysis.spaces.nb101_graph import to_matrix

NAMES = list(SPACES_1SHOT1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nb101-1", (14_580, 6_240, 3_702, 2_487, 2_685, 2_127)),
        ("nb101-2", (29_160, 16_632, 12_474, 3_609, 7_773, 3_258)),
        ("nb101-3", (1_312_200, 363_648, 135_900, 24_066, 55_854, 17_940)),
    ],
)
def test_every_way_of_counting(name: str, expected: tuple[int, ...]) -> None:
    """Published: 6,240 / 29,160 / 363,648 with loose ends, 2,487 / 3,609 / 24,066 without."""
    assert tuple(nb1shot1_counts(name).values()) == expected
    assert len(get_space(name)) == expected[0]


@given(st.sampled_from(NAMES), st.integers(0, 2**40))
def test_index_text_and_matrix_round_trip(name: str, number: int) -> None:
    space = SPACES_1SHOT1[name]
    index = number % len(space)
    arch = space.arch(index)
    assert space.index(arch) == index
    assert space.parse(str(arch)) == space.parse(arch.key) == arch
    parents, choices = space.choice(arch)
    assert tuple(map(len, parents)) == space.parents
    matrix = to_matrix(space.encoding(arch)).astype(float)
    assert space.from_matrix(matrix, [OPERATIONS[c] for c in choices]) == arch
    cell = space.cell(arch)
    assert NB101.from_code(int(space.cell_codes[index])) == cell == space.unique_archs()[arch]
    assert space.params(arch) == NB101.params(cell)
    assert space.flops(arch) == NB101.flops(cell)


def test_index_order_is_parents_then_operations_in_this_benchmarks_order() -> None:
    space = SPACES_1SHOT1["nb101-1"]
    assert isinstance(space, Space)
    assert space.arch(0).key == "maxpool3x3~0+maxpool3x3~01+maxpool3x3~01+maxpool3x3~01+output~01"
    assert space.arch(1).key == "maxpool3x3~0+maxpool3x3~01+maxpool3x3~01+conv3x3~01+output~01"
    assert space.arch(2).key == "maxpool3x3~0+maxpool3x3~01+maxpool3x3~01+conv1x1~01+output~01"
    assert space.arch(81).key == "maxpool3x3~0+maxpool3x3~01+maxpool3x3~01+maxpool3x3~01+output~02"
    assert [str(a) for a, _ in zip(space, range(3), strict=False)] == [str(space.arch(i)) for i in range(3)]


def test_neighbours_differ_in_one_choice() -> None:
    space = SPACES_1SHOT1["nb101-2"]
    arch = space.arch(12_345)
    near = space.neighbours(arch)
    assert len(near) == len(set(near)) == 4 * 2 + (1 - 1) + (2 - 1) + (3 - 1) + (6 - 1) + (10 - 1)
    parents, operations = space.choice(arch)
    for other in near:
        others, theirs = space.choice(other)
        assert sum(a != b for a, b in zip((*parents, *operations), (*others, *theirs), strict=True)) == 1
        assert space.has_live_path(other)


def test_loose_ends_are_pruned() -> None:
    space = SPACES_1SHOT1["nb101-1"]
    loose = space.parse("conv1x1~0+maxpool3x3~01+conv3x3~01+conv3x3~01+output~01")
    assert str(space.cell(loose)) == "nb101:conv1x1~0+output~01"


def test_samples_honour_the_seed_and_can_leave_isomorphs_out() -> None:
    space = SPACES_1SHOT1["nb101-1"]
    np.random.seed(1)  # noqa: NPY002 (the global generator must not matter)
    first = space.sample(500, np.random.default_rng(4))
    np.random.seed(2)  # noqa: NPY002 (the global generator must not matter)
    assert first == space.sample(500, np.random.default_rng(4)) != space.sample(500, np.random.default_rng(5))
    assert len(set(first)) == 500 > len({space.cell(a) for a in first})
    apart = space.sample(2685, np.random.default_rng(4), distinct_cells=True)
    assert len({space.cell(a) for a in apart}) == 2685
    assert apart[:5] == space.sample(5, np.random.default_rng(4), distinct_cells=True)
    with pytest.raises(NasAnalysisError, match="sample of 0 to 2685"):
        space.sample(2686, np.random.default_rng(4), distinct_cells=True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nb101-1", "conv3x3~0+output~1", "expected 4 choice nodes and the output"),
        ("nb101-1", "conv3x3~0+conv3x3~0+conv3x3~01+conv3x3~01+output~01", r"expected \(1, 2, 2, 2, 2\) parents"),
        ("nb101-2", "conv3x3~0+conv3x3~0+conv3x3~01+conv3x3~01+output~01", r"got \(1, 1, 2, 2, 2\)"),
        ("nb101-3", "sep~0+conv3x3~0+conv3x3~0+conv3x3~01+conv3x3~01+output~01", "nb101-3: unknown operation 'sep'"),
    ],
)
def test_texts_that_are_no_encodings(name: str, text: str, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        get_space(name).parse(text)


def test_foreign_architectures_and_indices_are_refused() -> None:
    space = SPACES_1SHOT1["nb101-2"]
    with pytest.raises(ArchError, match="one of 'nb101-1'"):
        space.cell(SPACES_1SHOT1["nb101-1"].arch(0))
    for bad in (-1, len(space), True):
        with pytest.raises(ArchError, match="expected an"):
            space.arch(bad)
    with pytest.raises(ArchError, match="strictly upper triangular"):
        space.from_matrix(np.ones((6, 6)), [OPERATIONS[0]] * 4)


@pytest.mark.parametrize(
    ("name", "rho", "distinct", "rho_distinct"),
    [("nb101-1", 0.788, 127, 0.744), ("nb101-2", 0.811, 165, 0.797), ("nb101-3", 0.780, 147, 0.761)],
)
def test_the_thesis_samples(data_dir: Path, name: str, rho: float, distinct: int, rho_distinct: float) -> None:
    """Thesis, Table 4.5, Spearman of parameters with test accuracy: 0.79, 0.81, 0.78."""
    space = SPACES_1SHOT1[name]
    sample = thesis_sample(name, data_dir)
    assert len(sample) == 200
    cells = [space.cell(arch) for arch in sample]
    table = pl.read_parquet(data_dir / "nb101/mean_test_accuracy_108_epochs.parquet")
    accuracy = dict(table.select("module_hash", "mean_final_test_accuracy").iter_rows())

    def correlation(archs: list) -> float:  # type: ignore[type-arg]
        return float(spearmanr([NB101.params(a) for a in archs], [accuracy[NB101.hash(a)] for a in archs]).statistic)

    assert correlation(cells) == pytest.approx(rho, abs=6e-4)
    assert len(set(cells)) == distinct
    assert correlation(sorted(set(cells))) == pytest.approx(rho_distinct, abs=6e-4)
    assert all(format_cell(space.encoding(arch)) == arch.partition(":")[2] for arch in sample)


def test_a_sample_of_another_space_is_an_error(data_dir: Path) -> None:
    with pytest.raises(ArchError, match="expected one of nb101-1"):
        read_encodings(thesis_sample_file("nb101-1", data_dir), "nb101")
