"""One reader of architecture names: every spelling comes to one text, and what is not read says why."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import ArchError, NasAnalysisError, UnknownNameError
from nasanalysis.spaces import SPACES, get_space, guessing
from nasanalysis.spaces.guessing import guess_space
from nasanalysis.spaces.names import ArchReader, read_arch

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OPS = ["nor_conv_3x3", "nor_conv_3x3", "none", "skip_connect", "none", "nor_conv_1x1"]
NESTED = [[[OPS[0], 0]], [[OPS[1], 0], [OPS[2], 1]], [[OPS[3], 0], [OPS[4], 1], [OPS[5], 2]]]
NB201 = get_space("nb201")


@pytest.mark.parametrize(
    "spelling",
    [
        CELL,
        f"nb201:{CELL}",
        f"  {CELL} ",
        NB201.index(CELL),
        str(NB201.index(CELL)),
        np.int64(NB201.index(CELL)),
        OPS,
        tuple(OPS),
        str(tuple(OPS)),
        json.dumps(OPS),
        NESTED,
        str([tuple(tuple(pair) for pair in node) for node in NESTED]),
        ", ".join(str(tuple(tuple(pair) for pair in node)) for node in NESTED),
        "(" + ", ".join(str(tuple(tuple(pair) for pair in node)) for node in NESTED) + ")",
    ],
)
def test_nb201_spellings(spelling: object) -> None:
    assert str(read_arch(spelling, "nb201")) == f"nb201:{CELL}"
    assert ArchReader("nb201")(spelling) == f"nb201:{CELL}"


@pytest.mark.parametrize(
    ("spelling", "said"),
    [
        ([3, 3, 0, 1, 0, 2], "got operation numbers .* write names .* or describe the file with arch_code"),
        ("(3, 3, 0, 1, 0, 2)", "got operation numbers"),
        ("012340", "starts with 0, so it is no index"),
        (15625, "expected an index from 0 to 15624"),
        (True, "expected '\\|op~0"),
        (None, "expected '\\|op~0"),
        (1.5, "expected '\\|op~0"),
        ("0" * 31 + "a", "is a module hash, which only nb101 has"),
        ([*OPS[:5], "conv"], "unknown operation 'conv'"),
        (OPS[:5], "six operation names"),
        ([NESTED[0], NESTED[2], NESTED[1]], "with 1, 2 and 3 pairs"),
        (f"nb101:{CELL}", "expected an architecture of this space, got one of 'nb101'"),
        ({"a": 1}, "expected '\\|op~0"),
        ("[" * 3000, "nb201: expected"),
        ("[" * 30_000, "a text of 30,000 characters"),
    ],
)
def test_nb201_names_what_it_found(spelling: object, said: str) -> None:
    with pytest.raises(ArchError, match=said):
        read_arch(spelling, "nb201")


def test_size_space_spellings() -> None:
    for spelling in ("8:16:24:32:40", "nats-sss:8:16:24:32:40", (8, 16, 24, 32, 40), "[8, 16, 24, 32, 40]"):
        assert str(read_arch(spelling, "nats-sss")) == "nats-sss:8:16:24:32:40"
    assert str(read_arch(5, "nats-sss")) == "nats-sss:8:8:8:8:48"
    with pytest.raises(ArchError, match="five numbers of channels"):
        read_arch([0, 1, 2, 3, 4], "nats-sss")


def test_nb101_spellings() -> None:
    space: Any = get_space("nb101")
    arch = space.arch(1234)
    matrix, operations = space.spec(arch)
    listed = matrix.tolist()
    for spelling in (
        str(arch),
        arch.key,
        space.hash(arch),
        space.hash(arch).upper(),
        {"matrix": listed, "ops": operations},
        {"module_adjacency": matrix, "module_operations": operations},
        json.dumps({"adjacency": listed, "operations": operations}),
        (listed, operations),
        {"matrix": listed, "ops": ",".join(operations)},
    ):
        assert read_arch(spelling, "nb101") == arch
    with pytest.raises(ArchError, match="hash of no cell"):
        read_arch("f" * 32, "nb101")
    with pytest.raises(ArchError, match="indices of this space are our own"):
        read_arch(1234, "nb101")
    with pytest.raises(ArchError, match="expected one operation for each"):
        read_arch({"matrix": listed, "ops": operations[1:]}, "nb101")
    with pytest.raises(ArchError, match="reads hashes"):
        read_arch(space.hash(arch), "nb101-1")


def test_a_hash_is_right_to_its_last_digit() -> None:
    space: Any = get_space("nb101")
    name = space.hash(space.arch(77))
    other = name[:-1] + ("0" if name[-1] != "0" else "1")
    with pytest.raises(ArchError, match="hash of no cell of the space; the nearest is"):
        read_arch(other, "nb101")


def test_shipped_hashes_name_their_cells() -> None:
    space: Any = get_space("nb101")
    for index in [0, 1, 2, 423_623, *np.random.default_rng(0).integers(0, 423_624, 300).tolist()]:
        arch = space.arch(index)
        assert space.from_hashes([space.hash(arch)]) == [arch]


@pytest.mark.slow
def test_shipped_hashes_are_all_of_the_space(tmp_path: Any) -> None:
    from nasanalysis.core.resources import shipped
    from nasanalysis.spaces.nb101_hashes import write

    write(tmp_path / "hashes.bin")
    assert (tmp_path / "hashes.bin").read_bytes() == shipped("data/nb101_hashes.bin").read_bytes()


def test_nb1shot1_reads_matrices_with_loose_ends() -> None:
    space: Any = get_space("nb101-1")
    arch = space.arch(4321)
    cell = space.encoding(arch)
    from nasanalysis.spaces.nb101_graph import operation_names, to_matrix

    matrix, operations = to_matrix(cell).tolist(), operation_names(cell)
    for spelling in (str(arch), {"matrix": matrix, "ops": operations}, (matrix, operations[1:-1])):
        assert read_arch(spelling, "nb101-1") == arch


def darts_configuration(arch: str, prefix: str = "NetworkSelectorDatasetInfo:darts:") -> dict[str, str]:
    """As NAS-Bench-301 writes an architecture, worked out edge by edge."""
    space: Any = get_space("darts")
    settings = {}
    for cell, nodes in zip(("normal", "reduce"), space.genotype(arch), strict=True):
        edge = {}
        number = 0
        for node in range(2, 6):
            for source in range(node):
                edge[node, source] = number
                number += 1
        for node, inputs in enumerate(nodes, 2):
            if node > 2:
                settings[f"{prefix}inputs_node_{cell}_{node}"] = "_".join(str(source) for _, source in inputs)
            for operation, source in inputs:
                settings[f"{prefix}edge_{cell}_{edge[node, source]}"] = operation
    return settings


@given(st.integers(0, 10**18))
def test_darts_spellings(index: int) -> None:
    space: Any = get_space("darts")
    arch = space.arch(index % len(space))
    genotype = space.genotype(arch)
    flat = {name: [list(edge) for node in getattr(genotype, name) for edge in node] for name in ("normal", "reduce")}
    nested = [[[list(edge) for edge in node] for node in cell] for cell in genotype]
    for spelling in (
        str(arch),
        arch.key,
        space.python(arch),
        flat,
        json.dumps(flat),
        str(flat),
        nested,
        str(nested),
        darts_configuration(str(arch)),
        darts_configuration(str(arch), prefix=""),
        json.dumps(darts_configuration(str(arch))),
    ):
        assert read_arch(spelling, "darts") == arch


def test_darts_configurations_name_what_is_wrong() -> None:
    given_ = darts_configuration(str(get_space("darts").arch(7)), prefix="")
    with pytest.raises(ArchError, match="inputs_node_normal_4: expected two predecessors such as '0_2', got 'x'"):
        read_arch({**given_, "inputs_node_normal_4": "x"}, "darts")
    edge = next(name for name in given_ if name.startswith("edge_reduce"))
    with pytest.raises(ArchError, match=f"{edge}: unknown operation"):
        read_arch({**given_, edge: "conv"}, "darts")


@pytest.mark.parametrize("space", list(SPACES))
def test_our_own_text_is_read_in_every_space(space: str) -> None:
    home = get_space(space)
    for arch in home.sample(5, np.random.default_rng(1)):
        assert read_arch(str(arch), space) == read_arch(arch.key, space) == arch


def test_an_unknown_space_is_opaque() -> None:
    read = ArchReader("macro")
    assert read("02012100") == "macro:02012100"
    assert read("macro:02012100") == "macro:02012100"
    assert not read.known
    with pytest.raises(ArchError, match="macro: expected text in every row"):
        read(2012100)
    with pytest.raises(UnknownNameError):
        read_arch("x", "macro")
    with pytest.raises(ArchError, match="without a colon"):
        ArchReader("a:b")


def test_all_names_the_place() -> None:
    assert ArchReader("nb201").all([CELL, 0]) == [f"nb201:{CELL}", str(NB201.arch(0))]
    with pytest.raises(ArchError, match="^row 1: nb201: expected three nodes"):
        ArchReader("nb201").all([CELL, "|x"])


def test_many_hashes_at_once() -> None:
    space: Any = get_space("nb101")
    archs = [space.arch(i) for i in range(1000, 1200)]
    hashes = [space.hash(arch) for arch in archs]
    assert ArchReader("nb101").all(hashes) == [str(arch) for arch in archs]
    with pytest.raises(ArchError, match="1 of 201 are none"):
        ArchReader("nb101").all([*hashes, "0" * 32])


@pytest.mark.parametrize(
    ("given_", "space"),
    [
        ([CELL], "nb201"),
        (["nb101-2:whatever"], "nb101-2"),
        ([str(tuple(tuple(tuple(p) for p in n) for n in NESTED))], "nb201"),
        ([OPS], "nb201"),
        (["8:16:24:32:40"], "nats-sss"),
        (["00005c142e6f48ac74fdcf73e3439874"], "nb101"),
        ([get_space("nb101").arch(5).key], "nb101"),
        ([get_space("darts").arch(5).key], "darts"),
        ([get_space("darts").python(get_space("darts").arch(5))], "darts"),  # type: ignore[attr-defined]
        (["resnet18", "vgg"], None),
        ([1, 2, 3], None),
        (["1", "2"], None),
        ([], None),
        (["not one", *[CELL] * 100], "nb201"),
    ],
)
def test_guess(given_: list[object], space: str | None) -> None:
    assert guess_space(given_) == space


def test_guessing_looks_at_few_names(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(guessing, "_reads", lambda name, space: read.append(name))
    assert guess_space([f"|none~0|+{i}" for i in range(100_000)]) is None
    assert len(read) <= 40


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(ANYTHING, st.sampled_from(list(SPACES)))
def test_nothing_but_our_own_error(raw: object, space: str) -> None:
    for value in (raw, repr(raw)):
        try:
            arch = read_arch(value, space)
        except NasAnalysisError:
            continue
        assert arch.space == space
