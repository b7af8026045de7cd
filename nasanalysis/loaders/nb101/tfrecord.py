"""TFRecord files without TensorFlow: a stream of byte records, each guarded by two checksums.

A record is its length (8 bytes, little-endian), the masked CRC32C of those 8 bytes, the data, and the
masked CRC32C of the data. The reader holds one record at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from ...core.atomic import write_atomically
from ...core.errors import DataFileError, MissingDataError, MissingExtraError

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


def _checksum() -> Callable[[bytes], int]:
    crc: Callable[[bytes], int] = extra("google_crc32c", "reading TFRecord files").value

    def masked(data: bytes) -> int:
        value = crc(data)
        return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF

    return masked


def read_tfrecord(path: Path | str) -> Iterator[bytes]:
    """The records of a file in turn.

    Raises `DataFileError` that names the file and the record (counted from 0) where a checksum does not
    match, the file ends in the middle of a record, or it is no TFRecord file; `MissingDataError` where
    there is no file. A file cut between two records reads like a shorter file: callers that know how
    many records there must be have to count them.
    """
    path = Path(path)
    masked = _checksum()
    try:
        file = open(path, "rb", buffering=1 << 20)  # noqa: SIM115 (closed below)
    except FileNotFoundError:
        raise MissingDataError(f"{path}: expected a TFRecord file, found nothing there") from None
    except OSError as error:
        raise DataFileError(f"{path}: expected a TFRecord file, got {error}") from error
    with file:
        number = 0
        while head := file.read(_HEAD.size):
            where = f"{path}: record {number}"
            if len(head) < _HEAD.size:
                raise _cut(where, _HEAD.size, len(head))
            length, expected = _HEAD.unpack(head)
            if masked(head[:8]) != expected:
                if number == 0:
                    raise DataFileError(
                        f"{where}: expected a TFRecord file, got bytes that start {head!r}; "
                        "is it the file that its name says? Download it again."
                    )
                raise _damaged(where, "of its length", expected, masked(head[:8]))
            if length > LONGEST:
                raise DataFileError(f"{where}: expected at most {LONGEST:,} bytes, got a length of {length:,}")
            data, tail = file.read(length), file.read(_TAIL.size)
            if len(data) + len(tail) < length + _TAIL.size:
                raise _cut(where, length + _TAIL.size, len(data) + len(tail))
            (expected,) = _TAIL.unpack(tail)
            if masked(data) != expected:
                raise _damaged(where, "of its data", expected, masked(data))
            yield data
            number += 1


def write_tfrecord(path: Path | str, records: Iterable[bytes]) -> Path:
    """Write `records` to a TFRecord file, atomically."""
    masked = _checksum()

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
