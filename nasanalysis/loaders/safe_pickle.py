"""Pickles of other people, read without running anything of theirs.

A pickle is a program: it may name any function and have it called. Here every name it asks for is looked
up in an allow-list, and nothing but these comes of it:

* numpy arrays and scalars of plain numbers or text, and arrays of objects whose items are on this list
  too, rebuilt by our own code (no structured types, no allocation beyond what the file holds);
* ``collections.OrderedDict``;
* an inert `Record` for a class that a known file needs: name, arguments and state, no code.

Anything else is an `UnsafePickleError`; a file that is cut off, compressed otherwise than its name says,
or no pickle at all is a `DataFileError`. Before anything is built, the opcodes are walked over: extension
codes, persistent ids, out-of-band buffers and memory bombs are refused there.
"""

from __future__ import annotations

import bz2
import gzip
import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

import numpy as np

from ..core.budget import read_budget, regular
from ..core.errors import DataFileError, MissingDataError, NasAnalysisError, UnsafePickleError
from ..core.shown import shown
from .pickle_walk import Damaged, walk

#: numpy arrays and scalars (``numpy._core`` is read as ``numpy.core``).
NUMPY: Final = frozenset(
    {
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.numeric._frombuffer",
        "_codecs.encode",
        "builtins.bytes",
    }
)
#: Names and numbers only.
NONE: Final[frozenset[str]] = frozenset()
#: NATS-Bench ``-simple`` architecture files.
NATS: Final = frozenset({"collections.OrderedDict"}) | NUMPY
#: The SoTL thesis's sample of NAS-Bench-201 architectures.
NB201_SAMPLE: Final = frozenset({"models.cell_searchs.genotypes.Structure"})
#: The SoTL thesis's samples of NAS-Bench-101 cells.
NB101_SAMPLE: Final = frozenset({"models.cell_searchs.nb101.optimizers.darts.model_search.NB101Arch"}) | NUMPY
#: The SoTL thesis's sample of DARTS genotypes.
DARTS_SAMPLE: Final = frozenset({"model_search.Genotype", "model_search.Genotype_tuple"}) | NUMPY
#: Boosters of XGBoost and LightGBM (NAS-Bench-301's surrogates): the buffer comes out, no booster is made.
BOOSTERS: Final = (
    frozenset(
        {
            "xgboost.core.Booster",
            "lightgbm.basic.Booster",
            "builtins.bytearray",
            "collections.OrderedDict",
            "collections.defaultdict",
        }
    )
    | NUMPY
)
#: What a user's own table may hold.
TABLE: Final = frozenset({"collections.OrderedDict"}) | NUMPY

#: Most bytes, after decompression, that `load` reads unless told otherwise.
LIMIT: Final = 512 * 2**20


class _Frozen(type):
    """A class that a pickle cannot change (the BUILD opcode sets attributes on whatever lies there)."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise UnsafePickleError(f"a pickle tries to set {cls.__name__}.{name}")


class Record(metaclass=_Frozen):
    """An object of a class that is not here: what the pickle says of it, and none of its code.

    Attributes
    ----------
    record_name: ``module.name`` of the class.
    record_args: arguments its constructor was given.
    record_state: state (mostly a dict of attributes), which reads as attributes too: ``record.nodes``.
    """

    __slots__ = ("record_args", "record_state")
    record_name = "?"
    record_args: tuple[Any, ...]
    record_state: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Record:
        self = object.__new__(cls)
        object.__setattr__(self, "record_args", (*args, kwargs) if kwargs else args)
        object.__setattr__(self, "record_state", None)
        return self

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        object.__setattr__(self, "record_state", state)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self.record_name}: a record is read-only")

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__") and isinstance(self.record_state, dict) and name in self.record_state:
            return self.record_state[name]
        raise AttributeError(f"{self.record_name}: no attribute {name!r} in the file")

    def __repr__(self) -> str:
        return f"<record of {self.record_name}>"


class _DType:
    """A numpy type under construction: plain numbers and text only."""

    __slots__ = ("dtype",)
    dtype: np.dtype[Any]

    def __init__(self, code: object) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?([biufc]\d{1,2}|\?|[SU]\d{1,9}|O8?)", code):
            raise UnsafePickleError(f"an array of type {shown.repr(code)}: only plain numbers, text and lists are read")
        dtype = np.dtype(code)
        if not dtype.itemsize:
            raise Damaged(f"an array of type {code!r}, whose items have no size")
        object.__setattr__(self, "dtype", dtype)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise UnsafePickleError(f"a pickle tries to set dtype.{name}")

    def __setstate__(self, state: Any) -> None:
        if (
            not isinstance(state, tuple)
            or len(state) != 8
            or state[2:5] != (None, None, None)
            or state[0] not in (3, 4)
        ):
            raise UnsafePickleError("an array of a structured type: only plain numbers, text and lists are read")
        if state[1] not in ("<", ">", "|", "="):
            raise Damaged(f"byte order {shown.repr(state[1])} of an array")
        if state[1] in "<>":
            object.__setattr__(self, "dtype", self.dtype.newbyteorder(state[1]))


def _plain(dtype: object) -> np.dtype[Any]:
    if not isinstance(dtype, _DType):
        raise Damaged("an array without a type")
    return dtype.dtype


def _shaped(dtype: object, data: object, shape: object, order: str) -> np.ndarray[Any, Any]:
    """The array that `data` holds; it must hold exactly as many bytes as the shape says."""
    plain = _plain(dtype)
    if isinstance(shape, int):
        shape = (shape,)
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise Damaged(f"an array of shape {shown.repr(shape)}")
    flat: np.ndarray[Any, Any]
    if plain.hasobject and type(data) is list:
        flat = np.empty(len(data), object)
        for i, item in enumerate(data):
            flat[i] = item
    elif not plain.hasobject and isinstance(data, bytes | bytearray):
        flat = np.frombuffer(bytes(data), plain)
    else:
        raise Damaged(f"an array of type {plain} with {type(data).__name__} inside")
    if len(shape) > 32 or int(np.prod([float(n) for n in shape])) != flat.size:
        raise Damaged(f"an array of shape {shown.repr(shape)} with {flat.size} values")
    return flat.reshape(shape, order="F" if order == "F" else "C")


class LoadedArray(np.ndarray[Any, Any], metaclass=_Frozen):
    """A numpy array that came out of a pickle (``numpy.asarray`` gives the plain type)."""

    def __new__(cls, *args: Any, **kwargs: Any) -> LoadedArray:
        raise UnsafePickleError("a pickle that allocates an array by hand")

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise Damaged("the state of an array")
        _, shape, dtype, fortran, data = state
        if isinstance(data, str):  # a byte string of Python 2, read as latin1
            data = data.encode("latin1")
        array = _shaped(dtype, data, shape, "F" if fortran is True else "C")
        kept = data if array.dtype.hasobject else bytes(data)
        state = (1, array.shape, array.dtype, fortran is True, kept)
        super().__setstate__(state)

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__()


class _Call:
    """A function that a pickle may call but not change."""

    __slots__ = ("_function",)
    _function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise UnsafePickleError(f"a pickle tries to set {name} of a function")

    def __setstate__(self, state: object) -> NoReturn:
        raise UnsafePickleError("a pickle tries to set the state of a function")


def _dtype(code: object = None, *_: object) -> _DType:
    return _DType(code)


def _scalar(dtype: object = None, data: object = b"") -> Any:
    plain = _plain(dtype)
    if isinstance(data, str):  # of Python 2, as above
        data = data.encode("latin1")
    if plain.hasobject or not isinstance(data, bytes) or len(data) != plain.itemsize:
        raise Damaged("a numpy number of the wrong length")
    return np.frombuffer(data, plain)[0]


def _reconstruct(kind: object = None, shape: object = None, code: object = None) -> LoadedArray:
    if kind is not LoadedArray or shape != (0,) or code not in (b"b", "b"):
        raise UnsafePickleError("a pickle that allocates an array by hand")
    return np.ndarray.__new__(LoadedArray, (0,), "b")


def _frombuffer(data: object = None, dtype: object = None, shape: object = None, order: object = "C") -> Any:
    if _plain(dtype).hasobject:
        raise Damaged("an array of objects in a buffer")
    return _shaped(dtype, data, shape, str(order)).copy()


def _encode(text: object = "", encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise UnsafePickleError(f"a pickle that encodes text as {shown.repr(encoding)}")
    return text.encode("latin1")


def _bytes(*args: object) -> bytes:
    if args:
        raise UnsafePickleError("a pickle that allocates bytes by hand")
    return b""


_REAL: Final[dict[str, Any]] = {
    "collections.OrderedDict": OrderedDict,
    "collections.defaultdict": _Call(lambda *_: {}),  # a plain dict: its default is never called
    "numpy.dtype": _Call(_dtype),
    "numpy.ndarray": LoadedArray,
    "numpy.core.multiarray.scalar": _Call(_scalar),
    "numpy.core.multiarray._reconstruct": _Call(_reconstruct),
    "numpy.core.numeric._frombuffer": _Call(_frombuffer),
    "_codecs.encode": _Call(_encode),
    "builtins.bytes": _Call(_bytes),
}
_RECORDS: dict[str, type[Record]] = {}


def _spelling(module: str, name: str) -> str:
    """numpy 1 and 2, and Python 2 and 3, spell one thing differently."""
    module = "builtins" if module == "__builtin__" else re.sub(r"^numpy[.]_core(?=[.]|$)", "numpy.core", module)
    return f"{module}.{name}"


def _record(name: str) -> type[Record]:
    if name not in _RECORDS:
        _RECORDS[name] = _Frozen(name.rpartition(".")[2], (Record,), {"__slots__": (), "record_name": name})  # type: ignore[assignment]
    return _RECORDS[name]


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        data: bytes,
        allow: frozenset[str],
        path: Path,
        encoding: str,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)
        self._allow, self._path, self._persistent = allow, path, persistent

    def persistent_load(self, pid: Any) -> Any:
        if self._persistent is None:  # the walk refuses it before
            raise UnsafePickleError(f"{self._path}: holds a persistent id, which is not read. Nothing was run.")
        return self._persistent(pid)

    def find_class(self, module: str, name: str) -> Any:
        asked = _spelling(module, name)
        if asked not in self._allow:
            shown = f"{module}.{name}".encode("unicode_escape").decode()[:200]
            allowed = ", ".join(sorted(self._allow)) or "no classes or functions at all"
            raise UnsafePickleError(
                f"{self._path}: asks for {shown}; expected {allowed}. Nothing was run. "
                "If you trust the file, save its numbers as CSV, JSON or Parquet and read those instead."
            )
        return _REAL[asked] if asked in _REAL else _record(asked)


def looks_like(head: bytes) -> str:
    """What the first bytes of a file look like."""
    text = head.lstrip().lower()
    if re.match(rb"<[!?/a-z]", text):  # binary data may begin with a byte "<", the length of a record, say
        return "a web page (an error page or a consent form instead of the file?)"
    for magic, name in (
        (b"BZh", "bzip2 data"),
        (b"\x1f\x8b", "gzip data"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\xfd7zXZ", "xz data"),
        (b"\x28\xb5\x2f\xfd", "zstandard data"),
        (b"PAR1", "a Parquet file"),
        (b"version https://git-lfs", "a Git LFS pointer (the file itself was not fetched)"),
    ):
        if head.startswith(magic):
            return name
    return f"bytes that start {head[:12]!r}" if head else "an empty file"


def read_bytes(path: Path, limit: int = LIMIT) -> bytes:
    """The content of a file, decompressed as its name says (``.bz2``, ``.pbz2``, ``.gz``), at most `limit` bytes."""
    regular(path)
    try:
        with open(path, "rb") as raw:
            head = raw.read(64)
        packed = {".bz2": b"BZh", ".pbz2": b"BZh", ".gz": b"\x1f\x8b"}.get(path.suffix.lower())
        if packed and not head.startswith(packed):
            raise DataFileError(
                f"{path}: expected {looks_like(packed)}, as the name says, got {looks_like(head)}; download it again"
            )
        opener: Callable[..., Any] = {b"BZh": bz2.open, b"\x1f\x8b": gzip.open}.get(packed or b"", open)
        with opener(path, "rb") as stream:
            data: bytes = stream.read(limit + 1)
    except FileNotFoundError:
        raise MissingDataError(f"{path}: expected a file, found nothing there") from None
    except (EOFError, OSError, ValueError, MemoryError) as error:
        raise DataFileError(f"{path}: expected a whole file, got {error}; download it again") from error
    except Exception as error:  # zlib.error
        raise DataFileError(f"{path}: the compressed data is damaged ({error}); download it again") from error
    if len(data) > limit:
        raise DataFileError(
            f"{path}: expected at most {limit / 2**20:,.0f} MiB, got more; pass a larger `limit` if you trust it"
        )
    return data


def loads(
    data: bytes,
    allow: Iterable[str] = TABLE,
    *,
    path: Path | str = "<bytes>",
    limit: int = LIMIT,
    encoding: Literal["ASCII", "latin1"] = "ASCII",
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """`load` from bytes in memory; `path` is only named in messages.

    ``encoding="latin1"`` reads the byte strings of Python 2, arrays among them. ``persistent(id)`` gives what a
    persistent id stands for; without it such ids are refused.
    """
    where = Path(path)
    try:
        if not looks_like(data[:64]).startswith("bytes"):
            raise Damaged("another kind of file")
        walk(data, where, min(16 * limit, read_budget()), persistent=persistent is not None)
        allowed = frozenset(_spelling(*name.rpartition(".")[::2]) for name in allow)
        return _Unpickler(data, allowed, where, encoding, persistent).load()
    except UnsafePickleError as error:
        text = str(error)
        if text.startswith(f"{where}: "):
            raise
        raise UnsafePickleError(f"{where}: {text}. Nothing was run.") from None
    except NasAnalysisError:
        raise
    except Damaged as error:
        raise DataFileError(_message(where, data, str(error))) from None
    except Exception as error:  # a damaged pickle can raise anything: nothing but our own code has run
        raise DataFileError(_message(where, data, f"{type(error).__name__}: {error}")) from error


def _message(path: Path, data: bytes, problem: str) -> str:
    problem = " ".join(problem.split())[:200]
    looks = looks_like(data[:64])
    starts_well = data[:1] in (b"\x80", b"(", b"]", b"}", b"c")
    got = f"a damaged one ({problem})" if starts_well and looks.startswith("bytes") else looks
    return f"{path}: expected a pickle, got {got}; is the download complete?"


def load(path: Path | str, allow: Iterable[str] = TABLE, *, limit: int = LIMIT) -> Any:
    """The object in a pickle file (``.p``, ``.pkl``, ``.pickle``, or compressed ``.pbz2``, ``.bz2``, ``.gz``).

    Parameters
    ----------
    allow: ``module.name`` of every class and function that the file may ask for: one of this module's
        lists (`NUMPY`, `NATS`, `NB201_SAMPLE` ...) or your own. Names this module has no safe stand-in
        for become inert `Record` classes: allowing a name never runs it.
    limit: most bytes after decompression.

    Raises `UnsafePickleError`, `DataFileError`, or `MissingDataError` where there is no file.
    """
    path = Path(path)
    return loads(read_bytes(path, limit), allow, path=path, limit=limit)
