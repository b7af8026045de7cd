"""The official tfrecord files of NAS-Bench-101, thousands of records at a time.

What is the same in every record (the frame of its JSON, the tags of its protobuf message) is compared, not parsed; the
numbers are then read as arrays. Checked of every record: both checksums, its hash (the first half against the space's,
the second half against that of the same cell met before), that its graph and operations are the cell of its hash,
schedule, parameters, epochs and ranges. The second half of the hash is computed for one cell in `SAMPLE`, or for all
(`full`).

Records of any other form, and those that fail a check, are read one by one by `records.RecordReader`, which accepts
them or says what is wrong.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from ...core.errors import ArchError, DataFileError
from ...core.reading import reads
from ...spaces.nb101 import SPACE
from ...spaces.nb101_enumeration import all_codes, canonical_codes, decode, labellings
from ...spaces.nb101_graph import MAX_VERTICES, keep, live_vertices, module_hash, operation_label
from ...spaces.nb101_hashes import find_prefixes, halves
from .records import RUNS_PER_CELL, SCHEDULES, STAGES, VALUES, BadRecordError, RecordReader, graph_of
from .tfrecord import read_batches

#: One cell in so many has its whole hash computed (a prime: no pattern of the space falls in step with it).
SAMPLE = 997

#: Lengths in bytes, and the columns of a message of three evaluations, five doubles each.
_EVALUATION, _DOUBLES, _TAGS = 47, 9, (0x09, 0x11, 0x19, 0x21, 0x29)
#: A schedule as records write it -> its position.
_SCHEDULES = {str(epochs).encode(): place for place, epochs in enumerate(SCHEDULES)}
_EPOCH, _SECONDS, _ACCURACIES = 0, 1, (2, 3, 4)


class _OtherFormError(Exception):
    """A record that is not of the usual form, or fails a check: to be read one by one."""


class _Reader:
    """Batches of records -> cells (indices), schedules (positions in `SCHEDULES`), and values (n, 12)."""

    def __init__(self, full: bool) -> None:
        self._sample = 1 if full else SAMPLE
        self._graphs: dict[bytes, tuple[int, np.ndarray]] = {}  # adjacency -> vertices, codes of all labellings
        self._second = np.zeros(len(SPACE), dtype=np.uint64)  # second half of the hash of each cell met
        self._met = np.zeros(len(SPACE), dtype=bool)
        self._slow = RecordReader()

    def read(self, records: Sequence[bytes], number: int, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Places (n,) and values (n, 12) of records, the first of which is `number`."""
        try:
            return self._batch(records)
        except _OtherFormError:
            return self._one_by_one(records, number, path)

    def _batch(self, records: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        cut = [data.rfind(b'"', 0, -2) for data in records]
        heads = [data[:at] for data, at in zip(records, cut, strict=True)]
        known = self._places(list(dict.fromkeys(heads)))
        places = np.array([known[head] for head in heads], dtype=np.int64)
        try:
            packed = [_unpack(data, at) for data, at in zip(records, cut, strict=True)]
        except binascii.Error:
            raise _OtherFormError from None
        return places, self._values(packed, places)

    def _one_by_one(self, records: Sequence[bytes], number: int, path: Path) -> tuple[np.ndarray, np.ndarray]:
        codes, schedules, values = [], [], []
        for offset, data in enumerate(records):
            try:
                code, schedule, row = self._slow.read(data)
            except BadRecordError as error:
                raise DataFileError(f"{path}: record {number + offset}: {error}") from error
            codes.append(code)
            schedules.append(SCHEDULES.index(schedule))
            values.append(row)
        cells = np.searchsorted(all_codes(), np.array(codes, dtype=np.int64))
        return 4 * cells + np.array(schedules), np.array(values, dtype=np.float64)

    def _places(self, heads: Sequence[bytes]) -> dict[bytes, int]:
        """Records up to their metrics -> 4 * cell + schedule, checked together."""
        parts = [head.split(b'"') for head in heads]
        if any(len(p) != 7 or p[0] != b"[" or p[4].strip() != b"," or p[6].strip() != b"," for p in parts):
            raise _OtherFormError
        try:
            schedules = [_SCHEDULES[p[2].strip(b", ")] for p in parts]
            digests = halves([p[1] for p in parts])
        except (KeyError, ValueError):
            raise _OtherFormError from None
        cells, are_cells = find_prefixes(digests[:, 0])
        codes = all_codes()[cells]
        if not are_cells.all() or not (self._codes([p[3] for p in parts], [p[5] for p in parts]) == codes).all():
            raise _OtherFormError
        sampled = np.flatnonzero((cells % self._sample == 0) & ~self._met[cells]).tolist()
        if any(module_hash(decode(int(codes[i]))).encode() != parts[i][1] for i in sampled):
            raise _OtherFormError
        self._compare_second_halves(cells, digests[:, 1])
        return dict(zip(heads, (4 * cells + np.array(schedules)).tolist(), strict=True))

    def _codes(self, graphs: Sequence[bytes], operations: Sequence[bytes]) -> np.ndarray:
        """(n,) codes of the cells of adjacency texts and operation texts."""
        rows = {bits: row for row, bits in enumerate(dict.fromkeys(graphs))}
        known = [self._graph(bits) for bits in rows]
        numbers = {text: _label_number(text) for text in set(operations)}
        row = np.array([rows[bits] for bits in graphs])
        vertices, number = np.array([numbers[text] for text in operations]).T
        if not (np.array([count for count, _ in known])[row] == vertices).all():
            raise _OtherFormError
        return np.asarray(np.stack([codes for _, codes in known])[row, number])

    def _graph(self, bits: bytes) -> tuple[int, np.ndarray]:
        """Adjacency as text -> number of vertices, and the code of the cell under each labelling (padded)."""
        if bits not in self._graphs:
            try:
                vertices, edges = graph_of(bits.decode("ascii", "replace"))
            except BadRecordError:
                raise _OtherFormError from None
            kept = live_vertices(vertices, edges)
            if not kept:
                raise _OtherFormError
            labels = labellings(vertices - 2)[:, [v - 1 for v in kept[1:-1]]]
            codes = np.full(len(labellings(MAX_VERTICES - 2)), -1)
            codes[: len(labels)] = canonical_codes(*keep(vertices, edges, kept), labels)
            self._graphs[bits] = vertices, codes
        return self._graphs[bits]

    def _compare_second_halves(self, cells: np.ndarray, second: np.ndarray) -> None:
        """Every spelling of a cell carries one hash."""
        told = self._second.copy()
        told[cells] = np.where(self._met[cells], told[cells], second)
        if not (told[cells] == second).all():
            raise _OtherFormError
        self._second, self._met[cells] = told, True

    def _values(self, packed: Sequence[bytes], places: np.ndarray) -> np.ndarray:
        lengths = np.fromiter(map(len, packed), dtype=np.int64, count=len(packed))
        doubles, params = np.empty((len(packed), len(STAGES), 5)), np.empty(len(packed), dtype=np.int64)
        for length in np.unique(lengths).tolist():
            at = np.flatnonzero(lengths == length)
            table = np.frombuffer(b"".join(packed[i] for i in at.tolist()), dtype=np.uint8).reshape(len(at), length)
            doubles[at], params[at] = _fields(table)
        epochs = np.array(SCHEDULES)[places % 4, None] * np.array([0, 0.5, 1])
        accuracies, seconds = doubles[:, :, _ACCURACIES], doubles[:, :, _SECONDS]
        fine = (
            (params == _all_params()[places // 4]).all()
            and (np.abs(doubles[:, :, _EPOCH] - epochs) <= 0.5).all()
            and (((accuracies >= 0) & (accuracies <= 1)) | np.isnan(accuracies)).all()
            and ((seconds >= 0) & (seconds < np.inf)).all()
        )
        if not fine:
            raise _OtherFormError
        return doubles[:, :, (*_ACCURACIES, _SECONDS)].reshape(len(packed), len(VALUES))


@cache
def _all_params() -> np.ndarray:
    return SPACE.costs()[0]


def _unpack(data: bytes, at: int) -> bytes:
    """The message in a record ``... "<base64>"]`` whose last text begins after `at`."""
    if data[-2:] != b'"]':
        raise _OtherFormError
    text = data[at + 1 : -2]
    if b"\\" in text:  # line breaks, every 76 characters
        text = text.replace(b"\\n", b"")
    return binascii.a2b_base64(text, strict_mode=True)


def _fields(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Messages of one length, (n, length) bytes -> doubles (n, 3, 5) and trainable parameters (n,)."""
    stop = len(STAGES) * _EVALUATION
    width = table.shape[1] - stop - 1 - _DOUBLES  # bytes of the parameters, a varint
    if not 1 <= width <= 5:
        raise _OtherFormError
    varint = table[:, stop + 1 : stop + 1 + width].astype(np.int64)
    more = np.arange(width) < width - 1
    stages = table[:, :stop].reshape(-1, len(STAGES), _EVALUATION)
    tagged = stages[:, :, 2:].reshape(-1, len(STAGES), 5, _DOUBLES)
    usual = (
        (stages[:, :, :2] == (0x0A, _EVALUATION - 2)).all()
        and (tagged[..., 0] == _TAGS).all()
        and (table[:, stop] == 0x10).all()
        and ((varint >= 0x80) == more).all()
        and (table[:, stop + 1 + width] == 0x19).all()
    )
    if not usual:
        raise _OtherFormError
    doubles = np.ascontiguousarray(tagged[..., 1:]).view("<f8")[..., 0]
    return doubles, ((varint & 0x7F) << (7 * np.arange(width))).sum(axis=1)


def _label_number(text: bytes) -> tuple[int, int]:
    """``input,conv3x3-bn-relu,...,output`` -> number of vertices, and the inner labels as a number in base 3."""
    names = text.decode("ascii", "replace").split(",")
    if len(names) < 2 or names[0] != "input" or names[-1] != "output":
        raise _OtherFormError
    number = 0
    try:
        for name in names[1:-1]:
            number = 3 * number + operation_label(name)
    except ArchError:
        raise _OtherFormError from None
    return len(names), number


@reads("a TFRecord file of NAS-Bench-101")
def read_tfrecord_runs(path: Path | str, *, full: bool = False) -> pl.DataFrame:
    """RUNS of a tfrecord file, official or not, streamed; see the module for what is verified.

    `full`: compute the whole hash of every cell, half a minute more. `DataFileError` names the file and the record.
    """
    path = Path(path)
    reader, counts = _Reader(full), np.zeros(4 * len(SPACE), dtype=np.uint8)
    chunks: list[pl.DataFrame] = []
    number = 0
    for records in read_batches(path):
        places, values = reader.read(records, number, path)
        seeds = counts[places] + _repeats(places)
        if (seeds >= RUNS_PER_CELL).any():
            first = int(np.argmax(seeds >= RUNS_PER_CELL))
            cell, schedule = divmod(int(places[first]), 4)
            raise DataFileError(
                f"{path}: record {number + first}: expected {RUNS_PER_CELL} runs of a cell at {SCHEDULES[schedule]} "
                f"epochs, got another one: {SPACE.arch(cell)}"
            )
        np.add.at(counts, places, 1)
        chunks.append(_chunk(places, seeds, values))
        number += len(records)
    if not chunks:
        raise DataFileError(f"{path}: expected NAS-Bench-101 records, got an empty file; download it again")
    return _named(pl.concat(chunks, how="vertical_relaxed"))


def _repeats(places: np.ndarray) -> np.ndarray:
    """(n,) how often each entry stood before in the array."""
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    lengths = np.diff([*starts.tolist(), len(places)])
    repeats = np.empty(len(places), dtype=np.int64)
    repeats[order] = np.arange(len(places)) - np.repeat(starts, lengths)
    return repeats


def _chunk(places: np.ndarray, seeds: np.ndarray, values: np.ndarray) -> pl.DataFrame:
    """Rows with ``cell`` instead of ``arch``; values as 32-bit floats where those are exact (as they are)."""
    small = values.astype(np.float32)
    if (small.astype(np.float64) == values)[~np.isnan(values)].all():
        values = small
    return pl.DataFrame(
        {"cell": places // 4, "schedule": np.array(SCHEDULES, dtype=np.int64)[places % 4], "seed": seeds}
        | {name: pl.Series(values[:, i]).fill_nan(None) for i, name in enumerate(VALUES)},
        schema_overrides={"seed": pl.Int64},
    )


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """``cell``, the index, -> ``arch``, the text, as categories."""
    cells = frame["cell"].to_numpy()
    met = np.unique(cells)
    place = np.zeros(len(SPACE), dtype=np.int64)
    place[met] = np.arange(len(met))
    archs = pl.Series("arch", SPACE.texts(all_codes()[met]), dtype=pl.Categorical)
    return frame.select(archs.gather(place[cells]), pl.exclude("cell"))
