"""The allow-list unpickler: real exploits, damaged files, and that nothing of theirs ever runs."""

from __future__ import annotations

import bz2
import collections
import gzip
import io
import os
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import DataFileError, MissingDataError, ParameterError, UnsafePickleError
from nasanalysis.loaders import safe_pickle


class Reduce:
    """Pickles as a call of `function`."""

    def __init__(self, function: object, *args: object, state: object = None) -> None:
        self.how = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.how


EVERYTHING = safe_pickle.TABLE | safe_pickle.NB201_SAMPLE | safe_pickle.NB101_SAMPLE | safe_pickle.DARTS_SAMPLE


def exploits(mark: Path) -> dict[str, bytes]:
    """Pickles that would create the file `mark` if the plain unpickler read them."""
    import functools

    run = f"touch {mark}"
    code = f"open({str(mark)!r}, 'w').close()"
    partial = functools.partial(os.system, run)
    return {
        "os.system": pickle.dumps(Reduce(os.system, run)),
        "posix.system": f"cposix\nsystem\n(S'{run}'\ntR.".encode(),
        "protocol 0": pickle.dumps(Reduce(os.system, run), protocol=0),
        "eval": pickle.dumps(Reduce(eval, f"__import__('os').system({run!r})")),
        "exec": pickle.dumps(Reduce(exec, code)),
        "partial": pickle.dumps(Reduce(partial)),
        "inside a list": pickle.dumps([1, {"a": Reduce(os.system, run)}]),
        "inside arrays": pickle.dumps(np.array([Reduce(os.system, run)], dtype=object)),
        "inst opcode": f"(S'{run}'\nios\nsystem\n.".encode(),
        "obj opcode": f"(cos\nsystem\nS'{run}'\no.".encode(),
        "dotted name": b"\x80\x04\x8c\x0bcollections\x8c\x18OrderedDict.__init__.__a\x93.",
        "reach through": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        "getattr": pickle.dumps(Reduce(getattr, "x", "upper")),
        "copyreg": b"ccopy_reg\n_reconstructor\n(c__builtin__\nobject\nc__builtin__\nobject\nNtR.",
        "importlib": pickle.dumps(Reduce(__import__, "antigravity")),
        "numpy load": b"cnumpy\nload\n(S'x'\ntR.",
        "numpy runstring": b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.",
        "extension 1": b"\x80\x02\x82\x01.",
        "extension 2": b"\x80\x02\x83\x01\x00.",
        "persistent id": b"Pname\n.",
        "binary persistent id": b"\x80\x02X\x01\x00\x00\x00aQ.",
        "out of band": b"\x80\x05\x97.",
    }


@pytest.mark.parametrize("packed", ["", ".pbz2", ".gz"])
@pytest.mark.parametrize("name", sorted(exploits(Path("x"))))
def test_exploits_are_refused_and_nothing_runs(tmp_path: Path, name: str, packed: str) -> None:
    mark = tmp_path / "executed"
    content = exploits(mark)[name]
    path = tmp_path / f"attack.pickle{packed}"
    path.write_bytes({"": bytes, ".pbz2": bz2.compress, ".gz": gzip.compress}[packed](content))
    with pytest.raises(UnsafePickleError) as caught:
        safe_pickle.load(path, EVERYTHING)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_the_exploit_is_real(tmp_path: Path) -> None:
    """The same bytes do run under the plain unpickler: the test above can fail."""
    mark = tmp_path / "executed"
    pickle.loads(exploits(mark)["os.system"])
    assert mark.exists()


def build(target: bytes, state: bytes) -> bytes:
    """A pickle that applies the BUILD opcode to what `target` leaves on the stack."""
    return b"\x80\x04" + target + state + b"b."


@pytest.mark.parametrize(
    "target",
    [
        b"cnumpy\nndarray\n",
        b"cnumpy\ndtype\n",
        b"cnumpy.core.multiarray\n_reconstruct\n",
        b"cnumpy.core.multiarray\nscalar\n",
        b"ccollections\nOrderedDict\n",
        b"cmodels.cell_searchs.genotypes\nStructure\n",
        b"cnumpy\ndtype\n(S'f8'\ntR",
    ],
)
@pytest.mark.parametrize(
    "state",
    [
        b"}S'__class__'\nI1\ns",
        b"N}S'__setstate__'\nccollections\nOrderedDict\ns\x86",
        b"N}S'_function'\nI1\ns\x86",
        b"N}S'__defaults__'\nI1\ns\x86",
        b"N}S'dtype'\nI1\ns\x86",
    ],
)
def test_build_cannot_change_what_the_unpickler_uses(target: bytes, state: bytes) -> None:
    with pytest.raises(DataFileError):
        safe_pickle.loads(build(target, state), EVERYTHING)
    again = safe_pickle.loads(pickle.dumps(np.arange(3.0)), safe_pickle.NUMPY)
    np.testing.assert_array_equal(again, np.arange(3.0))


def test_a_record_keeps_state_and_runs_nothing() -> None:
    content = (
        b"\x80\x04\x8c\x21models.cell_searchs.genotypes\x8c\x09Structure\x93".replace(b"\x21", b"\x1d")
        + b")\x81}\x8c\x05nodes]K\x01asb."
    )
    record = safe_pickle.loads(content, safe_pickle.NB201_SAMPLE)
    assert record.nodes == [1]
    assert record.record_state == {"nodes": [1]}
    assert record.record_name == "models.cell_searchs.genotypes.Structure"
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = record.other
    with pytest.raises(AttributeError, match="read-only"):
        record.nodes = 2


def arrays() -> st.SearchStrategy[np.ndarray]:
    kinds = st.sampled_from(["f8", "f4", "i8", "u1", "?", "c16", ">f8", "U5", "S3"])
    return st.builds(
        lambda k, n, f: np.asarray(np.arange(n * 2) % 7, dtype=k).reshape(n, 2, order="F" if f else "C"),
        kinds,
        st.integers(0, 5),
        st.booleans(),
    )


@given(array=arrays(), protocol=st.integers(2, 5))
def test_arrays_come_back(array: np.ndarray, protocol: int) -> None:
    content = pickle.dumps(array, protocol=protocol)
    back = safe_pickle.loads(content, safe_pickle.NUMPY)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == pickle.loads(content).dtype  # numpy itself may bring the byte order to the machine's
    assert back.shape == array.shape
    assert isinstance(back, np.ndarray)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=20,
    ),
    protocol=st.integers(0, 5),
)
def test_plain_values_come_back(value: object, protocol: int) -> None:
    assert safe_pickle.loads(pickle.dumps(value, protocol=protocol), safe_pickle.NUMPY) == value


def test_scalars_ordered_dicts_and_object_arrays_come_back() -> None:
    value = collections.OrderedDict(a=np.float64(1.5), b=np.int64(3), c=np.float32(2))
    back = safe_pickle.loads(pickle.dumps(value))
    assert back == value
    assert type(back) is collections.OrderedDict
    assert type(back["c"]) is np.float32
    objects = np.array([["a", 1], [2.5, None]], dtype=object)
    np.testing.assert_array_equal(safe_pickle.loads(pickle.dumps(objects)), objects)


def test_numpy_spellings_are_equal() -> None:
    new = pickle.dumps(np.float64(1.5))
    assert b"numpy._core" in new
    text = pickle.dumps(np.float64(1.5), protocol=0).replace(b"numpy._core", b"numpy.core")
    for content in (new, text):
        assert safe_pickle.loads(content, {"numpy.dtype", "numpy._core.multiarray.scalar", "_codecs.encode"}) == 1.5
        assert safe_pickle.loads(content, {"numpy.dtype", "numpy.core.multiarray.scalar", "_codecs.encode"}) == 1.5


def test_structured_arrays_are_refused() -> None:
    with pytest.raises(UnsafePickleError, match="V12"):
        safe_pickle.loads(pickle.dumps(np.zeros(2, dtype=[("a", "f8"), ("b", "i4")])))


ALLOCATE = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01btR."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ALLOCATE, "allocates an array by hand"),
        (b"\x80\x02c__builtin__\nbytes\nJ\xff\xff\xff\x7f\x85R.", "allocates bytes by hand"),
        (b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85\x81.", "allocates an array by hand"),
        (b"\x80\x04]r\xff\xff\xff\x7f.", "memo index"),
        (b"\x80\x02]p999999999\n.", "memo index"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.", "the end of the file"),
        (b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.", "the end of the file"),
    ],
)
def test_memory_bombs_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        safe_pickle.loads(content)


def test_size_limits(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps(bytes(10_000_000))))
    assert path.stat().st_size < 1000
    with pytest.raises(DataFileError, match="expected at most 1 MiB"):
        safe_pickle.load(path, limit=2**20)
    with pytest.raises(DataFileError, match="expected at most 16.0 MiB of memory when read, got 91.6 MiB"):
        safe_pickle.loads(b"\x80\x04(" + b"}" * 1_000_000 + b"l.", limit=2**20)


VALID = pickle.dumps({"a": [1.5, 2], "b": np.arange(4.0), "c": ("x", None)})


@pytest.mark.parametrize("name", ["f.pkl", "f.pbz2", "f.gz"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html><html>Quota exceeded</html>",
        VALID[:-1],
        VALID[: len(VALID) // 2],
        VALID + b"more",
        bz2.compress(VALID)[:-8],
        gzip.compress(VALID)[:-9],
        b"PK\x03\x04rest",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\x93NUMPY",
    ],
)
def test_damaged_files_say_what_they_are(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataFileError) as caught:
        safe_pickle.load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "expected" in text or "damaged" in text
    assert "\n" not in text
    assert not isinstance(caught.value, UnsafePickleError)


def test_messages(tmp_path: Path) -> None:
    page = tmp_path / "f.pkl"
    page.write_bytes(b"<html>")
    with pytest.raises(DataFileError, match="expected a pickle, got a web page"):
        safe_pickle.load(page)
    wrong = tmp_path / "f.pbz2"
    wrong.write_bytes(gzip.compress(VALID))
    with pytest.raises(DataFileError, match="expected bzip2 data, as the name says, got gzip data"):
        safe_pickle.load(wrong)
    with pytest.raises(MissingDataError, match="found nothing there"):
        safe_pickle.load(tmp_path / "none.pkl")
    attack = tmp_path / "a.pkl"
    attack.write_bytes(pickle.dumps(Reduce(os.system, "true")))
    with pytest.raises(
        UnsafePickleError, match=r"asks for posix.system; expected .*numpy.dtype.* Nothing was run. If you trust"
    ):
        safe_pickle.load(attack)


def test_a_name_cannot_write_on_the_terminal() -> None:
    content = b"\x80\x04\x8c\x06a\n\x1b[2J\x8c\x01b\x93."
    with pytest.raises(UnsafePickleError) as caught:
        safe_pickle.loads(content, EVERYTHING)
    assert str(caught.value).isprintable()


def only_readable_errors(content: bytes) -> None:
    """Reads, or raises `DataFileError` of one line: any other exception fails the test."""
    message = ""
    try:
        safe_pickle.loads(content, EVERYTHING)
    except DataFileError as error:
        message = str(error)
    assert "\n" not in message


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(content: bytes) -> None:
    only_readable_errors(content)


SOURCES = [
    pickle.dumps(v, protocol=p)
    for p in (0, 2, 4, 5)
    for v in (
        {"a": [1.5, 2], ("x", 1): np.float64(3)},
        np.arange(6).reshape(2, 3),
        collections.OrderedDict(a="b", c=[None, True]),
        np.array(["a", 1], dtype=object),
    )
]


@given(
    source=st.sampled_from(SOURCES),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255), st.sampled_from("rid")), min_size=1, max_size=6),
)
def test_mutated_pickles_never_raise_anything_else(source: bytes, edits: list[tuple[float, int, str]]) -> None:
    content = bytearray(source)
    for where, byte, kind in edits:
        at = int(where * (len(content) - 1)) if content else 0
        if kind == "r":
            content[at : at + 1] = bytes([byte])
        elif kind == "i":
            content[at:at] = bytes([byte])
        else:
            del content[at : at + 1 + byte % 8]
    only_readable_errors(bytes(content))


def test_real_files_read_as_the_plain_unpickler_reads_them(data_dir: Path) -> None:
    """Oracle: Python's own unpickler, on files that need no foreign class."""
    for name in ("nb201/per_seed_200_epochs.pkl", "nb201/thesis_params.pkl", "nb201/test_accuracy_per_seed_cifar10.p"):
        content = (data_dir / name).read_bytes()
        ours, theirs = safe_pickle.loads(content, safe_pickle.NUMPY), pickle.load(io.BytesIO(content))
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            for field, column in value.items() if isinstance(value, dict) else [(None, value)]:
                np.testing.assert_array_equal(ours[key] if field is None else ours[key][field], column)


def test_a_key_nested_deep_is_refused_before_it_is_hashed() -> None:
    """Hashing it overflows the C stack: the process would die here."""
    for wrap in (b"\x85", b"K\x00\x86", b"K\x00K\x00\x87"):
        data = b"\x80\x04}(" + b")" + wrap * 500_000 + b"K\x01u."
        with pytest.raises(DataFileError, match="tuples nested more than 100 deep"):
            safe_pickle.loads(data)
    memo = b"\x80\x04})" + b"\x94" + b"".join(b"h\x00\x85q\x00" for _ in range(200_000)) + b"K\x01s."
    with pytest.raises(DataFileError, match="nested more than"):
        safe_pickle.loads(memo)


def test_keys_of_one_hash_are_refused() -> None:
    """A dictionary of them takes hours to fill."""
    modulus = sys.hash_info.modulus
    for keys in (
        [k * modulus for k in range(1, 40_000)],
        [tuple(-1 - (n >> bit & 1) for bit in range(16)) for n in range(2**16)],
    ):
        assert len({hash(key) for key in keys}) < 3
        body = b"".join(pickle.dumps(key, protocol=2)[2:-1] + b"N" for key in keys)
        with pytest.raises(DataFileError, match="more than 500 keys of one hash"):
            safe_pickle.loads(b"\x80\x02}(" + body + b"u.")


def test_one_key_in_many_dictionaries_is_read() -> None:
    content = [{108: [(n, (n,))], (0, 1): {108: n}} for n in range(6000)]
    for protocol in range(5):
        assert safe_pickle.loads(pickle.dumps(content, protocol=protocol)) == content


def test_many_honest_tuples_are_read() -> None:
    content = {(a, b, str(a)): [a, (b,)] for a in range(150) for b in range(150)}
    for protocol in range(5):
        assert safe_pickle.loads(pickle.dumps(content, protocol=protocol)) == content


@pytest.mark.parametrize("name", ["deep_key.pkl.bz2", "laughs_dtype.pkl"])
def test_hostile_files(name: str) -> None:
    path = Path(__file__).resolve().parents[2].parent / "shared" / "hostile" / name
    if not path.exists():
        pytest.skip("no hostile files beside the repository")
    with pytest.raises(DataFileError):
        safe_pickle.load(path)


def test_one_budget_for_a_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.pkl.bz2"
    path.write_bytes(bz2.compress(b"\x80\x04(" + b")" * 10_000_000 + b"l."))
    monkeypatch.setenv("NASANALYSIS_READ_BUDGET", "100M")
    with pytest.raises(
        DataFileError, match="expected at most 100.0 MiB of memory when read, got .*NASANALYSIS_READ_BUDGET"
    ):
        safe_pickle.load(path)
    monkeypatch.setenv("NASANALYSIS_READ_BUDGET", "lots")
    with pytest.raises(ParameterError, match="expected a size such as 500M"):
        safe_pickle.load(path)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pkl")
    (tmp_path / "endless.pkl").symlink_to("/dev/zero")
    (tmp_path / "folder.pkl").mkdir()
    for name, kind in (("pipe", "a pipe"), ("endless", "a device"), ("folder", "a folder")):
        with pytest.raises(DataFileError, match=f"expected a regular file, got {kind}"):
            safe_pickle.load(tmp_path / f"{name}.pkl")


@pytest.mark.parametrize(
    "key", [b"2\x86" * 45, b"22\x87" * 30, b"2\x86K\x05\x86" * 45, b"\x94" + b"(h\x00h\x00h\x00t\x94" * 3]
)
def test_a_key_that_is_long_when_written_out(key: bytes) -> None:
    """A tuple of twice a tuple of twice ...: Python hashes it once for each time that it stands in another."""
    head = b"\x80\x04}" + (b"K\x01" if b"h" not in key else b"(" + b"K\x01" * 2000 + b"t")
    with pytest.raises(DataFileError, match="a key of more than 1,000 values"):
        safe_pickle.loads(head + key + b"K\x01s.")


def test_many_small_tuples_as_keys_are_read() -> None:
    content = {("cifar10", n): (n, (n, 0.5)) for n in range(3000)}
    assert safe_pickle.loads(pickle.dumps(content)) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"(" + b"N" * 30_000 + b"t\x940}(" + b"h\x00N" * 20_000 + b"u.", "a key of more than 1,000 values"),
        (
            b"(" + b"N" * 900 + b"t\x940}" + b"h\x00Ns" * 1_200_000 + b".",
            "keys of more than 100,000,000 values together",
        ),
        (
            b"N" + b"22\x87" * 5 + b"\x940}" + b"h\x00Ns" * 900_000 + b".",
            "keys of more than 100,000,000 values together",
        ),
        (b"N" + b"K\x01\x86" * 9_000 + b"\x940}(" + b"h\x00N" * 120_000 + b"u.", "nested more than 100 deep"),
    ],
    ids=["one wide tuple", "one of 900", "twice a tuple", "a chain of pairs"],
)
def test_one_key_that_is_hashed_again_and_again(content: bytes, message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        safe_pickle.loads(b"\x80\x04" + content)


def test_a_wide_tuple_that_is_a_key_now_and_then_is_read() -> None:
    wide = tuple(range(900))
    value = [{wide: i} for i in range(2_000)]
    assert safe_pickle.loads(pickle.dumps(value)) == value
