"""TFRecord files without TensorFlow: a stream of byte records, each guarded by two checksums.

A record is its length (8 bytes, little-endian), the masked CRC32C of those 8 bytes, the data, and the
masked CRC32C of the data. The reader holds a few megabytes at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...core.atomic import write_atomically
from ...core.errors import DataFileError, MissingDataError, MissingExtraError

#: Bytes that are read at a time.
_BATCH = 1 << 22
#: Longest record that is read, in bytes: a wrong length must not fill the memory.
LONGEST = 64 * 2**20

_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")


def extra(module: str, why: str) -> Any:
    """An optional module of the extra `nb101`; `MissingExtraError` says how to install it."""
    try:
        return import_module(module)
    except ImportError:
        raise MissingExtraError(module, "nb101", why) from None


def read_tfrecord(path: Path | str) -> Iterator[bytes]:
    """The records of a file in turn; see `read_batches`."""
    for records in read_batches(path):
        yield from records


def read_batches(path: Path | str) -> Iterator[list[bytes]]:
    """The records of a file, as many at a time as a few megabytes hold.

    Raises `DataFileError` that names the file and the record (counted from 0) where a checksum does not
    match, the file ends in the middle of a record, or it is no TFRecord file; `MissingDataError` where
    there is no file. A file cut between two records reads like a shorter file: callers that know how
    many records there must be have to count them.
    """
    path = Path(path)
    splitter = _Splitter(path)
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115 (closed below)
    except FileNotFoundError:
        raise MissingDataError(f"{path}: expected a TFRecord file, found nothing there") from None
    except OSError as error:
        raise DataFileError(f"{path}: expected a TFRecord file, got {error}") from error
    with file:
        rest = b""
        while more := file.read(_BATCH):
            records, rest, problem = splitter.split(rest + more)
            if records:
                yield records
            if problem:
                raise problem
        if rest:
            needed = int.from_bytes(rest[:8], "little") + _TAIL.size if len(rest) >= _HEAD.size else _HEAD.size
            got = len(rest) - _HEAD.size if len(rest) >= _HEAD.size else len(rest)
            raise _cut(f"{path}: record {splitter.number}", needed, got)


class _Splitter:
    """Bytes of a file -> whole records, their checksums compared together."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        self._crc: Callable[[bytes], int] = extra("google_crc32c", "reading TFRecord files").value
        self._lengths: dict[bytes, int] = {}  # heads met: the length and its checksum

    def split(self, buffer: bytes) -> tuple[list[bytes], bytes, DataFileError | None]:
        """Records of which the whole is here, the bytes after them, and what is wrong with the next one."""
        crc, lengths, end, at = self._crc, self._lengths, len(buffer), 0
        records: list[bytes] = []
        sums: list[int] = []
        tails: list[bytes] = []
        problem: DataFileError | None = None
        while at + 12 <= end:
            head = buffer[at : at + 12]
            length = lengths.get(head)
            if length is None:
                try:
                    length = self._length(head, self.number + len(records))
                except DataFileError as error:
                    problem = error
                    break
            stop = at + 12 + length
            if stop + 4 > end:
                break
            data = buffer[at + 12 : stop]
            records.append(data)
            sums.append(crc(data))
            tails.append(buffer[stop : stop + 4])
            at = stop + 4
        expected, got = np.frombuffer(b"".join(tails), dtype="<u4"), _mask(np.array(sums, dtype=np.uint32))
        if (wrong := np.flatnonzero(expected != got)).size:
            first = int(wrong[0])
            where = f"{self.path}: record {self.number + first}"
            problem = _damaged(where, "of its data", int(expected[first]), int(got[first]))
            records = records[:first]
        self.number += len(records)
        return records, buffer[at:], problem

    def _length(self, head: bytes, number: int) -> int:
        """The length that a head of 12 bytes gives, checked."""
        length, expected = _HEAD.unpack(head)
        got = int(_mask(np.array([self._crc(head[:8])], dtype=np.uint32))[0])
        where = f"{self.path}: record {number}"
        if got != expected:
            if number == 0:
                raise DataFileError(
                    f"{where}: expected a TFRecord file, got bytes that start {head!r}; "
                    "is it the file that its name says? Download it again."
                )
            raise _damaged(where, "of its length", expected, got)
        if length > LONGEST:
            raise DataFileError(f"{where}: expected at most {LONGEST:,} bytes, got a length of {length:,}")
        if len(self._lengths) < 10_000:
            self._lengths[head] = length
        return int(length)


def _mask(sums: np.ndarray) -> np.ndarray:
    """Checksums (uint32) as TFRecord files hold them."""
    return (sums >> np.uint32(15) | sums << np.uint32(17)) + np.uint32(0xA282EAD8)


def write_tfrecord(path: Path | str, records: Iterable[bytes]) -> Path:
    """Write `records` to a TFRecord file, atomically."""
    crc: Callable[[bytes], int] = extra("google_crc32c", "writing TFRecord files").value

    def masked(data: bytes) -> int:
        return int(_mask(np.array([crc(data)], dtype=np.uint32))[0])

    def write(temp: Path) -> None:
        with open(temp, "wb") as file:
            for data in records:
                length = struct.pack("<Q", len(data))
                file.write(length + _TAIL.pack(masked(length)) + data + _TAIL.pack(masked(data)))

    return write_atomically(Path(path), write)


def _cut(where: str, expected: int, got: int) -> DataFileError:
    return DataFileError(f"{where}: expected {expected} more bytes, got {got}: the file is cut off. Download it again.")


def _damaged(where: str, what: str, expected: int, got: int) -> DataFileError:
    return DataFileError(
        f"{where}: expected checksum {expected:08x} {what}, got {got:08x}: the file is damaged. Download it again."
    )
