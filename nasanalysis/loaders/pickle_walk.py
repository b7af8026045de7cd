"""A pickle's opcodes, walked over before anything is built: is it whole, harmless, and small enough?

`walk` reads opcodes without running them and refuses what this package never needs (extension codes, persistent ids,
out-of-band buffers), what would take more memory than allowed, and keys that would bring the interpreter down: Python
hashes a tuple within a tuple within a tuple ... on the C stack, which overflows; a tuple of twice a tuple of twice a
tuple ... is hashed once for each time that it stands in another; and a dictionary whose keys all have one hash takes
hours to fill; a long tuple that is a key again and again is hashed each time. All are found by a small machine that
keeps, for every value on the pickle's stack, how deep it is nested, how long when written out and, where that can be
said, its hash.
"""

from __future__ import annotations

import pickletools
import re
import struct
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..core.budget import over_budget
from ..core.errors import UnsafePickleError

#: Tuples within tuples: real files have a handful.
DEPTH: Final = 100
#: Tuples, sets and large integers up to which a file is not looked at value by value: so few can do no harm.
FEW: Final = 10_000
#: Keys of one hash that a file may hold.
COLLISIONS: Final = 500
#: Values that a key may be, written out.
WRITTEN_OUT: Final = 1_000
#: Values that all keys of a file may be together, each written out as often as it is used: half a second of hashing.
HASHED: Final = 100_000_000
#: Tuples of two or three that may hold others twice, and longer ones, up to which none can be long when written out.
_FEW_TWICE, _FEW_LONG = 6, 1
#: An upper bound of `HASHED` up to which a file is not looked at value by value: a few seconds at worst, mostly none.
_MANY: Final = 1_000_000_000


class Damaged(Exception):
    """What is wrong with a pickle, in words."""


# One run of opcodes whose length is known from their first bytes and which are harmless: the frequent ones
# first (numbers, and a dict's key before its number), short texts with each length an alternative of its own.
# Memo indices below 2**20 are among them; larger ones are looked at one by one, since the memo is an array.
# Tuples and sets are not among them: they are counted.
_SHORT = b"|".join(
    re.escape(bytes([n])) + b".{%d}" % n for n in (11, 12, 10, 9, 8, 13, 14, 15, 7, *range(7), *range(16, 33))
)
_RUN = re.compile(
    rb"(?:(K.|M..|J....)(?=\x86)|G.{8}|\x8c(?:" + _SHORT + rb")\x94G.{8}|K.G.{8}"
    rb"|[()0-2NR\]}abdelosu\x81\x88\x89\x92-\x94]|[Kh]."
    rb"|\x8c(?:" + _SHORT + rb")|[q\x80].|M..|[Jj]....|\x95.{8}|r..[\x00-\x0f]\x00)*+",
    re.DOTALL,
)
_COUNTED: Final = {  # opcodes followed by a length and so many bytes
    0x58: "<I",
    0x8C: "<B",
    0x8D: "<Q",
    0x55: "<B",
    0x54: "<I",
    0x42: "<I",
    0x43: "<B",
    0x8E: "<Q",
    0x96: "<Q",
    0x8A: "<B",
    0x8B: "<I",
}
_LONGS: Final = (0x8A, 0x8B)
_LINES: Final = {ord(c): n for c, n in {"I": 1, "F": 1, "L": 1, "S": 1, "V": 1, "p": 1, "g": 1, "c": 2, "i": 2}.items()}
_NESTING: Final = frozenset(b"t\x85\x86\x87\x8f\x90\x91")  # tuples and sets
_LONG_ONES: Final = frozenset(b"t\x8f\x90\x91")
_PUT: Final = re.compile(rb"(?:q.|r.{4}|\x94)?", re.DOTALL)
_REFUSED: Final = {
    0x82: "an extension code",
    0x83: "an extension code",
    0x84: "an extension code",
    0x50: "a persistent id",
    0x51: "a persistent id",
    0x97: "an out-of-band buffer",
    0x98: "an out-of-band buffer",
}
_PERSISTENT: Final = 0x51
#: Opcodes that bring a value back: from the memo, or from below on the stack. Only so is one a key many times.
_AGAIN: Final = b"hjg2"
#: Upper bounds of the bytes of memory that one opcode makes.
_COSTS: Final = np.zeros(256, np.int64)
for _codes, _cost in ((b"]}l", 80), (b"d\x8fb", 240), (b"R\x81\x92oi", 600)):
    _COSTS[list(_codes)] = _cost
#: Bytes of memory for each byte of opcodes, and for each of text and arrays (as read, as object, as array).
_PER_BYTE, _PER_CONTENT = 16, 3
_LARGE: Final = 2**16  # contents from this size on are counted as what they are


def walk(data: bytes, path: Path, budget: int, *, persistent: bool = False) -> None:
    """`Damaged` unless `data` is one whole pickle; `UnsafePickleError` for what is not read; over `budget` an error.

    `persistent`: the caller reads persistent ids (a torch checkpoint names its arrays so).
    """
    at, size, nested = 0, len(data), 0
    twice = long = wide = scalar = 0  # scalar: where the last string of bytes ends
    contents: list[tuple[int, int]] = []
    while True:
        run = _RUN.match(data, at)
        at = run.end() if run else at
        if at >= size:
            raise _cut(size)
        code = data[at]
        at += 1
        if code == 0x2E:
            if at != size:
                raise Damaged(f"{size - at} bytes behind the end of the pickle")
            break
        if code in _NESTING:
            nested += 1
            long += code in _LONG_ONES
            wide = at if code == 0x74 else wide  # no tuple has more values than bytes before its end
            # A pair whose second value is a number or bytes holds one tuple at most; so does a tuple of one.
            number = run is not None and run.end(1) == at - 1
            single = code == 0x85 or (code == 0x86 and (number or _PUT.fullmatch(data, scalar, at - 1) is not None))
            twice += not single
        elif code in _COUNTED:
            start, at = _counted(code, data, at)
            nested += code in _LONGS and at - start > 8
            scalar = at if code == 0x43 else scalar
            if at - start >= _LARGE:
                contents.append((start, at))
        elif code in _LINES:
            start, at = at, _lines(code, data, at)
            nested += code in b"IL" and at - start > 20
        elif code == 0x72:
            _memo(str(int.from_bytes(data[at : at + 4], "little")).encode(), size)
            at += 4
        elif code == _PERSISTENT and persistent:
            pass
        elif code in _REFUSED:
            raise UnsafePickleError(f"{path}: holds {_REFUSED[code]}, which is not read. Nothing was run.")
        else:
            raise Damaged(f"the unknown opcode {bytes([code])!r} at byte {at - 1}")
        if at > size:
            raise _cut(size)
    if (_PER_BYTE + int(_COSTS.max())) * size > budget and (needs := _memory(data, contents)) > budget:
        over_budget(path, needs, budget)
    if nested > FEW or twice > _FEW_TWICE or long > _FEW_LONG or _hashed(data, nested + wide, twice) > _MANY:
        _Machine(path).run(data)


def _hashed(data: bytes, widest: int, twice: int) -> int:
    """An upper bound of the values of all keys, each written out: tuples' lengths times the opcodes that repeat one."""
    return widest and widest * 3**twice * sum(data.count(code) for code in _AGAIN)


def _cut(size: int) -> Damaged:
    return Damaged(f"the end of the file after {size} bytes, in the middle of the pickle")


def _counted(code: int, data: bytes, at: int) -> tuple[int, int]:
    """Where the content of an opcode with a length starts and ends."""
    width = struct.calcsize(_COUNTED[code])
    if at + width > len(data):
        raise _cut(len(data))
    length = struct.unpack_from(_COUNTED[code], data, at)[0]
    return at + width, at + width + length


def _lines(code: int, data: bytes, at: int) -> int:
    """The end of an opcode that is followed by lines of text."""
    start = at
    for _ in range(_LINES[code]):
        start, at = at, data.find(b"\n", at) + 1
        if not at:
            raise Damaged("a line without an end")
    if code == 0x70:
        _memo(data[start : at - 1], len(data))
    return at


def _memo(index: bytes, size: int) -> None:
    if not index.isdigit() or len(index) > 12 or int(index) > size:
        raise Damaged(f"memo index {index[:20]!r}")


def _memory(data: bytes, contents: list[tuple[int, int]]) -> int:
    """An upper bound of the bytes of memory that a pickle's objects take."""
    view = np.frombuffer(data, np.uint8)
    edges = [0, *(edge for span in contents for edge in span), len(data)]
    opcodes = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > start]
    counts = np.zeros(256, np.int64)
    for start, end in opcodes:
        for at in range(start, end, 2**20):
            counts += np.bincount(view[at : min(at + 2**20, end)], minlength=256)
    content = sum(end - start for start, end in contents)
    return int(_PER_BYTE * (len(data) - content) + _PER_CONTENT * content + np.sum(counts * _COSTS))


class _Value:
    """A value on the stack: how deep its tuples are nested, how many values it is when written out, its hash where a
    file can choose it, hashes of its keys."""

    __slots__ = ("code", "depth", "keys", "size")

    def __init__(self, depth: int = 0, code: int | None = None, size: int = 1) -> None:
        self.depth, self.code, self.size = depth, code, size
        self.keys: Counter[int] | None = None

    def add(self, keys: list[_Value]) -> None:
        """Keys of a dictionary, or members of a set."""
        for key in keys:
            if key.size > WRITTEN_OUT:
                raise Damaged(f"a key of more than {WRITTEN_OUT:,} values")
            if key.code is not None:
                self.keys = Counter() if self.keys is None else self.keys
                self.keys[key.code] += 1
                if self.keys[key.code] > COLLISIONS:
                    raise Damaged(f"more than {COLLISIONS} keys of one hash")


_PLAIN: Final = _Value()  # what is neither chosen by the file nor filled by it
_MARK: Final = "mark"
_FILLED: Final = ("EMPTY_DICT", "EMPTY_SET", "REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST")  # may take keys afterwards


class _Machine:
    """The stack and memo of an unpickler, with depths and hashes in place of values."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack: list[Any] = []
        self._memo: dict[Any, _Value] = {}
        self._hashed = 0

    def run(self, data: bytes) -> None:
        try:
            for opcode, argument, _ in pickletools.genops(data):
                self._step(opcode, argument)
        except (IndexError, KeyError, ValueError, AttributeError) as error:
            raise Damaged(f"a stack that does not hold what it asks for ({error})") from None

    def _step(self, opcode: Any, argument: Any) -> None:
        name, stack = opcode.name, self._stack
        if name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self._tuple([self._pop() for _ in range(int(name[-1]))][::-1])
        elif name == "TUPLE":
            self._tuple(self._to_mark())
        elif name == "FROZENSET":
            members = self._to_mark()
            self._add(_Value(), members)
            self._tuple(members)
        elif name == "SETITEM":
            _, key = self._pop(), self._pop()
            self._add(stack[-1], [key])
        elif name in ("SETITEMS", "ADDITEMS"):
            items = self._to_mark()
            self._add(stack[-1], items[:: 2 if name == "SETITEMS" else 1])
        elif name == "DICT":
            items, filled = self._to_mark(), _Value()
            self._add(filled, items[::2])
            stack.append(filled)
        elif name in ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"):
            stack.append(_Value(0, hash(argument)))
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if name == "MEMOIZE" else int(argument)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo[int(argument)])
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self._to_mark()
        else:
            self._other(opcode)

    def _add(self, value: _Value, keys: list[_Value]) -> None:
        value.add(keys)
        self._hashed += sum(key.size for key in keys)
        if self._hashed > HASHED:
            raise Damaged(f"keys of more than {HASHED:,} values together")

    def _other(self, opcode: Any) -> None:
        """An opcode that takes values and leaves others."""
        before = [kind.name for kind in opcode.stack_before]
        if "mark" in before:
            self._to_mark()
            before = before[: before.index("mark")]
        if opcode.name in ("APPEND", "APPENDS", "BUILD"):  # what is below stays the same value
            if opcode.name != "APPENDS":
                self._pop()
            return
        for _ in before:
            self._pop()
        self._stack.extend(_Value() if opcode.name in _FILLED else _PLAIN for _ in opcode.stack_after)

    def _pop(self) -> _Value:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark in place of a value")
        return value  # type: ignore[no-any-return]

    def _to_mark(self) -> list[_Value]:
        values = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def _tuple(self, items: list[_Value]) -> None:
        depth = 1 + max((item.depth for item in items), default=0)
        if depth > DEPTH:
            raise Damaged(f"tuples nested more than {DEPTH} deep")
        known = [item.code for item in items]
        code = None if any(item is None for item in known) else hash(tuple(known))
        self._stack.append(_Value(depth, code, 1 + sum(item.size for item in items)))
