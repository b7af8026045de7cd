"""NAS-Bench-101 cells: identity, enumeration, costs, against the benchmark's own records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import ArchError, NasAnalysisError, UnknownNameError
from nasanalysis.spaces import get_space, parse_arch
from nasanalysis.spaces.base import Space
from nasanalysis.spaces.nb101 import SPACE, format_cell, parse_cell
from nasanalysis.spaces.nb101_enumeration import (
    Skeleton101,
    all_codes,
    all_costs,
    cell_costs,
    decode,
    encode,
    representatives,
    skeleton101,
)
from nasanalysis.spaces.nb101_graph import (
    OPERATIONS,
    Cell,
    bit,
    canonical,
    edge_list,
    from_matrix,
    live_vertices,
    module_hash,
    operation_names,
    prune,
    to_matrix,
)

RESNET_LIKE = "conv3x3~0+conv3x3~1+output~02"
TABLE = "nb101/mean_test_accuracy_108_epochs.parquet"


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """Any cell with a path from input to output, within the limits once pruned, loose ends and all."""
    vertices = draw(st.integers(2, 7))
    edges = draw(st.integers(0, (1 << vertices * (vertices - 1) // 2) - 1))
    cell = Cell(
        vertices,
        edges | 1 << bit(0, vertices - 1),
        tuple(draw(st.lists(st.integers(0, 2), min_size=vertices - 2, max_size=vertices - 2))),
    )
    while prune(cell).edges.bit_count() > 9:  # drop the highest edge but input -> output
        rest = [b for b in range(cell.edges.bit_length()) if cell.edges >> b & 1 and b != bit(0, vertices - 1)]
        cell = cell._replace(edges=cell.edges & ~(1 << rest[-1]))
    return cell


def reordered(cell: Cell, priority: list[int]) -> Cell:
    """The same cell with its inner vertices in another topological order: the one `priority` prefers."""
    order, left = [0], set(range(1, cell.vertices - 1))
    while left:
        ready = [v for v in left if all(x in order for x, y in edge_list(cell.edges) if y == v)]
        order.append(min(ready, key=lambda v: (priority[v % len(priority)], v)))
        left.remove(order[-1])
    place = {v: i for i, v in enumerate([*order, cell.vertices - 1])}
    edges = sum(1 << bit(place[x], place[y]) for x, y in edge_list(cell.edges))
    return Cell(cell.vertices, edges, tuple(cell.labels[v - 1] for v in order[1:]))


# ---- identity ---------------------------------------------------------------------------------------


@given(cells(), st.lists(st.integers(0, 99), min_size=5, max_size=5))
def test_isomorphic_cells_are_one_architecture(cell: Cell, priority: list[int]) -> None:
    pruned = prune(cell)
    other = reordered(pruned, priority)
    assert module_hash(other) == module_hash(pruned)
    assert canonical(other) == canonical(pruned)
    assert SPACE.from_cell(other) == SPACE.from_cell(cell)


@given(cells())
def test_prune_is_idempotent_and_the_key_round_trips(cell: Cell) -> None:
    pruned = prune(cell)
    assert prune(pruned) == pruned
    assert live_vertices(pruned.vertices, pruned.edges) == tuple(range(pruned.vertices))
    arch = SPACE.from_cell(cell)
    assert SPACE.parse(str(arch)) == arch == SPACE.parse(format_cell(cell))
    assert parse_cell(format_cell(cell)) == cell
    assert from_matrix(to_matrix(cell), operation_names(cell)) == cell
    assert decode(encode(SPACE.cell(arch))) == SPACE.cell(arch)


@given(cells(), cells())
def test_different_keys_have_different_hashes(first: Cell, second: Cell) -> None:
    same = SPACE.from_cell(first) == SPACE.from_cell(second)
    assert same == (module_hash(prune(first)) == module_hash(prune(second)))


def test_hashes_known_from_the_published_records() -> None:
    assert SPACE.hash("conv3x3~0+output~1") == "b49ac8c578b4561d79ac7087988f1c61"
    assert SPACE.hash("output~0") == "043721b9c7fe8c5fad811d47d83132ec"


def test_the_official_records_hold_our_canonical_cells(data_dir: Path) -> None:
    from nasanalysis.loaders import safe_pickle

    records = safe_pickle.load(data_dir / "nb101/official_records_30.pkl", safe_pickle.NUMPY)
    for name, (spec, _) in records.items():
        cell = from_matrix(spec["module_adjacency"], spec["module_operations"])
        arch = SPACE.from_cell(cell)
        assert SPACE.hash(arch) == name
        assert SPACE.cell(arch) == cell, "the canonical member of a class is the one that was trained"
        assert SPACE.params(arch) == spec["trainable_parameters"]
        matrix, operations = SPACE.spec(arch)
        assert operations == spec["module_operations"]
        assert (matrix == np.asarray(spec["module_adjacency"])).all()
    assert len(records) == 30


# ---- enumeration ------------------------------------------------------------------------------------


def test_the_space_has_exactly_423624_cells() -> None:
    assert [len(representatives(v)) for v in range(2, 8)] == [1, 2, 10, 97, 810, 1574]
    codes = all_codes()
    assert len(codes) == len(SPACE) == 423_624
    assert (np.diff(codes) > 0).all()


def test_index_and_sample() -> None:
    rng = np.random.default_rng(5)
    for index in [0, 1, 423_623, *rng.integers(0, 423_624, 50).tolist()]:
        arch = SPACE.arch(index)
        assert SPACE.index(arch) == SPACE.index(str(arch)) == index
        assert SPACE.parse(arch.key) == arch, "every enumerated cell is canonical"
        assert SPACE.unique_arch(arch) == SPACE.unique_archs()[arch] == arch
    np.random.seed(1)  # noqa: NPY002 (the global generator must not matter)
    sample = SPACE.sample(20, np.random.default_rng(3))
    np.random.seed(2)  # noqa: NPY002 (the global generator must not matter)
    assert sample == SPACE.sample(20, np.random.default_rng(3))
    assert len(set(sample)) == 20
    assert all(SPACE.has_live_path(arch) for arch in sample)
    assert isinstance(SPACE, Space)
    assert get_space("nb101") is SPACE
    for bad in (-1, 423_624, True, 1.0):
        with pytest.raises(ArchError, match="expected an"):
            SPACE.arch(bad)  # type: ignore[arg-type]
    with pytest.raises(NasAnalysisError, match="sample of 0 to 423624"):
        SPACE.sample(423_625, np.random.default_rng(0))


@pytest.mark.slow
def test_every_hash_and_parameter_count_equals_the_published_table(data_dir: Path) -> None:
    table = pl.read_parquet(data_dir / TABLE)
    params, _ = SPACE.costs()
    ours = pl.DataFrame({"module_hash": SPACE.hashes(), "params": params}).sort("module_hash")
    assert ours["module_hash"].to_list() == table["module_hash"].to_list()
    assert (ours["params"] == table["trainable_parameters"]).all()


def test_parameters_equal_the_published_table_on_a_sample(data_dir: Path) -> None:
    table = pl.read_parquet(data_dir / TABLE)
    known = dict(table.select("module_hash", "trainable_parameters").iter_rows())
    for arch in SPACE.sample(1000, np.random.default_rng(0)):
        assert known[SPACE.hash(arch)] == SPACE.params(arch)
    params, _ = SPACE.costs()
    assert np.sort(params).tolist() == table["trainable_parameters"].sort().to_list()


# ---- costs ------------------------------------------------------------------------------------------


def plain_costs(arch: str) -> tuple[int, int]:
    """Parameters and multiply-accumulates, walking layer by layer through the whole network."""
    matrix, operations = SPACE.spec(arch)
    last = len(matrix) - 1
    total = [0, 0]

    def conv(kernel: int, inputs: int, outputs: int, size: int) -> None:
        total[0] += kernel * kernel * inputs * outputs + 2 * outputs
        total[1] += kernel * kernel * inputs * outputs * size * size

    conv(3, 3, 128, 32)
    inputs = 128
    for outputs, size in [(128, 32)] * 3 + [(256, 16)] * 3 + [(512, 8)] * 3:
        into = [v for v in range(1, last) if matrix[v, last]]
        widths = {v: outputs // len(into) + (1 if i < outputs % len(into) else 0) for i, v in enumerate(into)}
        for v in reversed(range(1, last)):
            widths.setdefault(v, max((widths[t] for t in range(v + 1, last) if matrix[v, t]), default=0))
        if matrix[0, last]:
            conv(1, inputs, outputs, size)
        for v in range(1, last):
            if matrix[0, v]:
                conv(1, inputs, widths[v], size)
            if operations[v] != "maxpool3x3":
                conv(3 if "3x3" in operations[v] else 1, widths[v], widths[v], size)
        inputs = outputs
    return total[0] + 5130, total[1] + 5130


def test_costs_equal_a_plain_walk_and_the_vectorised_table() -> None:
    archs = SPACE.sample(300, np.random.default_rng(1))
    params, flops = SPACE.costs()
    for arch in [SPACE.parse(RESNET_LIKE), SPACE.arch(0), *archs]:
        assert plain_costs(str(arch)) == (SPACE.params(arch), SPACE.flops(arch))
        index = SPACE.index(arch)
        assert (params[index], flops[index]) == (SPACE.params(arch), SPACE.flops(arch))


def test_costs_of_another_width_and_depth() -> None:
    net = skeleton101("cifar10", channels=16, cells=1)
    assert net == Skeleton101(image_size=32, classes=10, channels=16, cells=1)
    arch = SPACE.parse(RESNET_LIKE)
    assert cell_costs(SPACE.cell(arch), net)[0] == SPACE.params(arch, channels=16, cells=1) < SPACE.params(arch)
    code = np.array([encode(SPACE.cell(arch))])
    assert [int(x[0]) for x in all_costs(code, net)] == list(cell_costs(SPACE.cell(arch), net))
    with pytest.raises(UnknownNameError, match="dataset"):
        SPACE.params(arch, "cifar11")
    with pytest.raises(NasAnalysisError, match="channels: expected a positive integer"):
        SPACE.params(arch, channels=0)


# ---- malformed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected vertices as"),
        ("conv3x3", "expected vertices as"),
        ("conv3x3~0", "expected 'output' as the last vertex"),
        ("output~0+output~1", "expected 'output' as the last vertex"),
        ("conv5x5~0+output~1", "unknown operation 'conv5x5'. Did you mean"),
        ("conv3x3~1+output~1", "must read distinct vertices below 1"),
        ("conv3x3~00+output~1", "in ascending order"),
        ("conv3x3~+output~1", "no path leads from input to output"),
        ("+".join(f"conv3x3~{v}" for v in range(6)) + "+output~6", "at most 7 vertices after pruning, got 8"),
        ("conv3x3~0+conv3x3~01+conv3x3~012+conv3x3~0123+output~4", "at most 9 edges after pruning, got 11"),
        ("+".join(["conv3x3~0"] * 10) + "+output~0", "at most 9 vertices after the input"),
        ("nb201:conv3x3~0+output~1", "expected vertices as"),
    ],
)
def test_texts_that_are_no_cells(text: str, message: str) -> None:
    with pytest.raises(ArchError, match=message.replace("(", r"\(")):
        SPACE.parse(text)


@given(st.text(alphabet="convmaxpl3x1~0+output27-r:", max_size=40))
def test_parsing_any_text_raises_only_our_error(text: str) -> None:
    try:
        arch = SPACE.parse(text)
    except ArchError:
        return
    assert SPACE.parse(str(arch)) == arch


@pytest.mark.parametrize(
    ("matrix", "operations", "message"),
    [
        ([[0, 1]], ["input", "output"], "square adjacency matrix"),
        ([[0, 1], [0, 0]], ["input"], "one operation for each of 2 vertices, got 1"),
        ([[0, 1], [0, 0]], ["output", "input"], "'input' first and 'output' last"),
        ([[0, 0.5], [0, 0]], ["input", "output"], "a matrix of 0 and 1"),
        ([[0, 1], [1, 0]], ["input", "output"], "strictly upper triangular"),
        ([[0, "x"], [0, 0]], ["input", "output"], "square matrix of 0 and 1"),
        ([[0, 0], [0, 0]], ["input", "output"], "no path leads"),
    ],
)
def test_specs_that_are_no_cells(matrix: list[list[float]], operations: list[str], message: str) -> None:
    with pytest.raises(ArchError, match=message):
        SPACE.from_spec(matrix, operations)


def test_full_operation_names_and_float_matrices_are_accepted() -> None:
    assert parse_arch("nb101:conv3x3-bn-relu~0+output~1") == SPACE.parse("conv3x3~0+output~1")
    matrix = np.array([[0.0, 1, 1], [0, 0, 1], [0, 0, 0]])
    assert SPACE.from_spec(matrix, ["input", OPERATIONS[1], "output"]).key == "conv1x1~0+output~01"
    with pytest.raises(ArchError, match="one of 'nb201'"):
        SPACE.cell(get_space("nb201").arch(0))
    with pytest.raises(UnknownNameError, match="isomorphism rule"):
        SPACE.unique_archs("functional")


def test_texts_of_many_codes_are_those_of_each() -> None:
    """Graph by graph, few or all labellings of it, in any order, twice over."""
    rng = np.random.default_rng(0)
    codes = all_codes()
    texts = SPACE.texts()
    for asked in (rng.integers(0, len(codes), 300), np.array([5, 5, 423_623, 0]), np.array([], dtype=np.int64)):
        assert SPACE.texts(codes[asked]) == [texts[i] for i in asked] == [str(SPACE.arch(int(i))) for i in asked]
    assert len(set(texts)) == len(SPACE)
