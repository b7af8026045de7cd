"""The official records of NAS-Bench-101: three runs of a cell at a training schedule, from any of its files.

Every form is brought to one table, RUNS, a row for each run:

* ``arch`` (text), ``schedule`` (epochs: 4, 12, 36 or 108), ``seed`` (0 to 2: the position of the run in the
  file; the benchmark publishes no other name for it);
* ``{initial,halfway,final}_{train,valid,test}`` accuracies as *fractions*, as recorded. Training accuracy
  is on a fixed 10,000 of the 40,000 training images, without dropping what augmentation does not see;
* ``{initial,halfway,final}_seconds`` of training so far, evaluation not included.

The pickles hold no initial values: null there. "Initial" is after one step with learning rate 0.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import polars as pl

from ...core.errors import ArchError
from ...spaces.nb101 import SPACE
from ...spaces.nb101_enumeration import cell_costs, encode, skeleton101
from ...spaces.nb101_graph import (
    MAX_VERTICES,
    Cell,
    bit,
    canonical,
    module_hash,
    operation_label,
    prune,
    validate,
)
from .tfrecord import extra

SCHEDULES = (4, 12, 36, 108)
RUNS_PER_CELL = 3
STAGES = ("initial", "halfway", "final")
SPLITS = ("train", "valid", "test")
#: RUNS' value columns, in order: for each stage three accuracies and the seconds.
VALUES = tuple(f"{stage}_{what}" for stage in STAGES for what in (*SPLITS, "seconds"))

_CHUNK = 1 << 16
_EVALUATED = (9984, 10_000)  # images of an evaluation: whole batches of 256, or all


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of one run: completed epochs, seconds of training, accuracies as fractions."""

    epoch: float
    seconds: float
    train: float
    valid: float
    test: float

    @property
    def values(self) -> tuple[float, float, float, float]:
        """In the order of a stage in `VALUES`."""
        return self.train, self.valid, self.test, self.seconds


@cache
def metrics_message() -> Any:
    """The protobuf class ``nasbench.ModelMetrics``, from a descriptor made here: no generated file."""
    descriptor_pb2 = extra("google.protobuf.descriptor_pb2", "reading NAS-Bench-101 records")
    pool = extra("google.protobuf.descriptor_pool", "reading NAS-Bench-101 records").DescriptorPool()
    factory = extra("google.protobuf.message_factory", "reading NAS-Bench-101 records")
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="nasanalysis/model_metrics.proto", package="nasbench", syntax="proto2"
    )
    evaluation = file.message_type.add(name="EvaluationData")
    doubles = ("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
    for number, name in enumerate(doubles, 1):
        evaluation.field.add(name=name, number=number, type=field.TYPE_DOUBLE, label=field.LABEL_OPTIONAL)
    evaluation.field.add(name="checkpoint_path", number=6, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    model = file.message_type.add(name="ModelMetrics")
    model.field.add(
        name="evaluation_data",
        number=1,
        type=field.TYPE_MESSAGE,
        label=field.LABEL_REPEATED,
        type_name=".nasbench.EvaluationData",
    )
    model.field.add(name="trainable_parameters", number=2, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    model.field.add(name="total_time", number=3, type=field.TYPE_DOUBLE, label=field.LABEL_OPTIONAL)
    pool.Add(file)
    return factory.GetMessageClass(pool.FindMessageTypeByName("nasbench.ModelMetrics"))


def encode_record(arch: str, schedule: int, evaluations: Sequence[Evaluation], *, total_seconds: float = 0.0) -> bytes:
    """A record as the official files hold it: JSON of hash, epochs, adjacency, operations, base64 metrics."""
    matrix, operations = SPACE.spec(arch)
    message = metrics_message()(trainable_parameters=SPACE.params(arch), total_time=total_seconds)
    for e in evaluations:
        message.evaluation_data.add(
            current_epoch=e.epoch,
            training_time=e.seconds,
            train_accuracy=e.train,
            validation_accuracy=e.valid,
            test_accuracy=e.test,
        )
    bits = "".join(map(str, matrix.ravel().tolist()))
    metrics = base64.b64encode(message.SerializeToString()).decode()
    return json.dumps([SPACE.hash(arch), schedule, bits, ",".join(operations), metrics]).encode()


class RecordReader:
    """Reads records one by one, with every check; remembers the cells it met: each comes three to twelve times."""

    def __init__(self) -> None:
        self._message = metrics_message()
        #: Hash -> (fingerprint of the record's text, code of the cell, parameters).
        self._cells: dict[str, tuple[int, int, int]] = {}
        self._net = skeleton101("cifar10")

    def read(self, data: bytes) -> tuple[int, int, list[float | None]]:
        """(code of the cell, schedule, 12 values in the order of `VALUES`); `BadRecordError` says what is wrong."""
        name, schedule, bits, operations, metrics = _record(data)
        code, params = self._cell(name, bits, operations)
        try:
            message = self._message.FromString(base64.b64decode(metrics.replace("\n", ""), validate=True))
        except (binascii.Error, ValueError) as error:
            raise BadRecordError(f"expected base64 metrics, got {metrics[:40]!r}") from error
        except Exception as error:  # protobuf's DecodeError, which cannot be imported without protobuf
            raise BadRecordError(f"expected ModelMetrics, got {error}") from error
        if message.trainable_parameters != params:
            raise BadRecordError(
                f"expected {params} trainable parameters of this cell, got {message.trainable_parameters}"
            )
        if len(message.evaluation_data) != len(STAGES):
            raise BadRecordError(f"expected {len(STAGES)} evaluations, got {len(message.evaluation_data)}")
        values: list[float | None] = []
        for e, epoch in zip(message.evaluation_data, (0, schedule / 2, schedule), strict=True):
            if not abs(e.current_epoch - epoch) <= 0.5:
                raise BadRecordError(f"expected an evaluation at epoch {epoch:g}, got one at {e.current_epoch:g}")
            values += _checked((e.train_accuracy, e.validation_accuracy, e.test_accuracy), e.training_time)
        return code, schedule, values

    def _cell(self, name: str, bits: str, operations: str) -> tuple[int, int]:
        known = self._cells.get(name)
        fingerprint = hash((bits, operations))
        if known is None or known[0] != fingerprint:
            cell = _cell(bits, operations)
            if module_hash(cell) != name:
                raise BadRecordError(f"expected the hash of its cell, {module_hash(cell)}, got {name!r}")
            try:
                trained = canonical(validate(cell))
            except ArchError as error:
                raise BadRecordError(str(error)) from error
            known = fingerprint, encode(trained), cell_costs(trained, self._net)[0]
            self._cells[name] = known
        return known[1:]


def _record(data: bytes) -> tuple[str, int, str, str, str]:
    """The five entries of a record."""
    try:
        record = json.loads(data)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadRecordError(f"expected JSON, got {data[:40]!r}") from error
    if not isinstance(record, list) or [type(x) for x in record] != [str, int, str, str, str]:
        raise BadRecordError(f"expected [hash, epochs, adjacency, operations, metrics], got {str(record)[:80]}")
    if record[1] not in SCHEDULES:
        raise BadRecordError(f"expected {SCHEDULES} epochs, got {record[1]}")
    return tuple(record)


class BadRecordError(Exception):
    """What is wrong with a record, in words."""


def _cell(bits: str, operations: str) -> Cell:
    vertices, edges = graph_of(bits)
    names = operations.split(",")
    if len(names) != vertices or names[0] != "input" or names[-1] != "output":
        raise BadRecordError(
            f"expected one operation for each of {vertices} vertices, input to output, got {operations[:80]!r}"
        )
    try:
        return prune(Cell(vertices, edges, tuple(operation_label(name) for name in names[1:-1])))
    except ArchError as error:
        raise BadRecordError(str(error)) from error


@lru_cache(maxsize=1 << 13)  # the files hold 2,494 different graphs
def graph_of(bits: str) -> tuple[int, int]:
    """Adjacency as text, row by row -> (vertices, edges)."""
    side = math.isqrt(len(bits))
    if side * side != len(bits) or not 2 <= side <= MAX_VERTICES or set(bits) - {"0", "1"}:
        raise BadRecordError(f"expected a square adjacency matrix as a text of 0 and 1, got {bits[:60]!r}")
    pairs = [divmod(place, side) for place, digit in enumerate(bits) if digit == "1"]
    if any(source >= target for source, target in pairs):
        raise BadRecordError(f"expected a strictly upper triangular matrix (edges go forward only), got {bits}")
    return side, sum(1 << bit(source, target) for source, target in pairs)


def _checked(accuracies: Iterable[float], seconds: float) -> list[float | None]:
    """Fractions from 0 to 1 and seconds; NaN (a run that failed) becomes null."""
    fields: list[float | None] = []
    for value in accuracies:
        if not (0 <= value <= 1 or math.isnan(value)):
            raise BadRecordError(f"expected accuracies as fractions from 0 to 1, got {value!r}")
        fields.append(None if math.isnan(value) else value)
    if not 0 <= seconds < math.inf:
        raise BadRecordError(f"expected seconds of training, got {seconds!r}")
    return [*fields, seconds]


def spec_runs(spec: Any, by_schedule: Any) -> Iterator[tuple[str, int, int, list[float | None]]]:
    """Rows of one cell in the form of the benchmark's own API: (fixed statistics, {epochs: [run, ...]}).

    Raises KeyError, TypeError, ValueError or `ArchError` where the form is another.
    """
    arch = SPACE.from_spec(np.asarray(spec["module_adjacency"]), list(spec["module_operations"]))
    if (params := SPACE.params(arch)) != spec["trainable_parameters"]:
        raise ValueError(f"expected {params} trainable parameters of {arch}, got {spec['trainable_parameters']}")
    for schedule, runs in by_schedule.items():
        if schedule not in SCHEDULES or len(runs) > RUNS_PER_CELL:
            raise ValueError(
                f"expected at most {RUNS_PER_CELL} runs at {SCHEDULES} epochs, got {len(runs)} at {schedule}"
            )
        for seed, run in enumerate(runs):
            yield str(arch), int(schedule), seed, [None, None, None, None, *_api_run(run)]


def _api_run(run: Mapping[str, float]) -> list[float | None]:
    values: list[float | None] = []
    for stage in STAGES[1:]:
        accuracies = [float(run[f"{stage}_{split}_accuracy"]) for split in ("train", "validation", "test")]
        try:
            values += _checked(accuracies, float(run[f"{stage}_training_time"]))
        except BadRecordError as error:
            raise ValueError(str(error)) from error
    return values


def runs_frame(rows: Iterable[tuple[str, int, int, list[float | None]]]) -> pl.DataFrame:
    """(arch, schedule, seed, values) -> RUNS, in chunks, as 32-bit floats where those are exact (as they are)."""
    chunks: list[pl.DataFrame] = []
    schema = {"arch": pl.String(), "schedule": pl.Int64(), "seed": pl.Int64(), **dict.fromkeys(VALUES, pl.Float64())}
    chunk: list[tuple[Any, ...]] = []

    def flush() -> None:
        frame = pl.DataFrame(chunk, schema=schema, orient="row")
        small = frame.select(pl.col(VALUES).cast(pl.Float32))
        exact = small.select(pl.col(VALUES).cast(pl.Float64)).equals(frame.select(VALUES))
        chunks.append((frame.with_columns(small) if exact else frame).with_columns(pl.col("arch").cast(pl.Categorical)))
        chunk.clear()

    for arch, schedule, seed, values in rows:
        chunk.append((arch, schedule, seed, *values))
        if len(chunk) == _CHUNK:
            flush()
    if chunk or not chunks:
        flush()
    return pl.concat(chunks, how="vertical_relaxed")


def truth_of_runs(runs: pl.LazyFrame) -> pl.LazyFrame:
    """TRUTH of RUNS: final accuracy in percent on ``valid`` and ``test`` for each run, and the mean (seed null)."""
    keys = ["arch", "split", "schedule"]
    each = pl.concat(
        [
            runs.select(
                pl.col("arch").cast(pl.String),
                split=pl.lit(split),
                schedule="schedule",
                seed="seed",
                accuracy=pl.col(f"final_{split}").cast(pl.Float64) * 100,
            )
            for split in ("valid", "test")
        ]
    )
    means = each.group_by(keys, maintain_order=True).agg(
        seed=pl.lit(None, pl.Int64),
        accuracy=pl.when(pl.col("accuracy").is_null().any()).then(None).otherwise(_exact_mean()),
    )
    return _where(pl.concat([each, means.select(each.collect_schema().names())])).with_columns(origin=pl.lit("tabular"))


def _exact_mean() -> pl.Expr:
    """Mean of `accuracy` (percent) from counts of images where all runs are such counts, so that equal counts tie.

    The 32 bits of a recorded fraction round each run by itself, and their plain mean would tell apart runs that are
    right on equally many images in all. As an expression it stays lazy: the table has millions of rows.
    """
    mean = pl.col("accuracy").mean()
    for images in reversed(_EVALUATED):
        right = (pl.col("accuracy") * (images / 100)).round()
        recorded = (right / images).cast(pl.Float32) == (pl.col("accuracy") / 100).cast(pl.Float32)
        mean = pl.when(recorded.all()).then(right.sum() * 100 / (images * pl.len())).otherwise(mean)
    return mean


def curves_of_runs(runs: pl.LazyFrame) -> pl.LazyFrame:
    """CURVES of RUNS: steps 0, half and all of the epochs, accuracies in percent; a stage not recorded has no row."""
    stages = []
    for stage, share in zip(STAGES, (0, 1, 2), strict=True):
        recorded = pl.any_horizontal(pl.col(f"{stage}_{what}").is_not_null() for what in (*SPLITS, "seconds"))
        stages.append(
            runs.filter(recorded).select(
                pl.col("arch").cast(pl.String),
                method=pl.lit("scratch"),
                setting=pl.lit(""),
                schedule="schedule",
                seed="seed",
                unit=pl.lit("epoch"),
                step=pl.col("schedule") * share // 2,
                **{
                    f"{split}_accuracy": (pl.col(f"{stage}_{split}").cast(pl.Float64) * 100).cast(pl.Float32)
                    for split in SPLITS
                },
                seconds=pl.col(f"{stage}_seconds").cast(pl.Float64),
            )
        )
    return _where(pl.concat(stages))


def _where(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.select(pl.lit("nb101").alias("benchmark"), pl.lit("cifar10").alias("dataset"), pl.all())
