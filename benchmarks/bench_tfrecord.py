"""NAS-Bench-101's tfrecord: our reader against the loop of the official API, without TensorFlow.

The official API walks over a TensorFlow record iterator, decodes each record (JSON, base64, protobuf) and puts
its numbers into dicts. Here the iterator is ours, with every checksum compared; the rest of that loop is
written out. Ours checks each cell's hash, its parameters and its epochs too, and ends in columns. What is done once
in a process (the list of all cells, their parameters) is done before; it is a second.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sidebyside import Row, Skipped, side_by_side

from nasanalysis.loaders.nb101.batches import read_tfrecord_runs
from nasanalysis.loaders.nb101.records import Evaluation, encode_record, metrics_message
from nasanalysis.loaders.nb101.tfrecord import read_tfrecord, write_tfrecord
from nasanalysis.spaces.nb101 import SPACE

CELLS = 6000
RUNS = 3
OFFICIAL = 423_624 * RUNS


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = "NAS-Bench-101: read the 108-epoch tfrecord"
    if importlib.util.find_spec("google_crc32c") is None or importlib.util.find_spec("google.protobuf") is None:
        yield Skipped(name, "google-crc32c or protobuf is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="bench-tfrecord-") as temp:
        path = write_tfrecord(Path(temp) / "nasbench_only108.tfrecord", _records())
        assert len(official_loop(path)) == CELLS
        assert len(read_tfrecord_runs(path)) == CELLS * RUNS
        row = side_by_side(
            name,
            lambda: official_loop(path),
            lambda: read_tfrecord_runs(path),
            peer_name="official loop, no TF",
            scale=OFFICIAL / (CELLS * RUNS),
            ours_scale=OFFICIAL / (CELLS * RUNS),
            note=f"{CELLS * RUNS:,} records of the official format, both scaled to {OFFICIAL:,}; one process each",
        )
        rate = OFFICIAL / row.ours
        yield Row(row.name, row.peer, row.ours, row.unit, row.peer_name, f"{row.note}; ours: {rate:,.0f} records/s")


def _records() -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    for arch in SPACE.sample(CELLS, rng):
        for _ in range(RUNS):
            values = rng.uniform(0.1, 1, (3, 3))
            yield encode_record(
                str(arch), 108, [Evaluation(e, 10.0 * e, *v) for e, v in zip((0, 54, 108), values, strict=True)]
            )


def official_loop(path: Path) -> dict[str, Any]:
    """The metrics of a file as nested dicts, as ``nasbench.api.NASBench`` holds them."""
    message_type = metrics_message()
    fixed: dict[str, Any] = {}
    computed: dict[str, Any] = {}
    for record in read_tfrecord(path):
        module_hash, epochs, raw_adjacency, raw_operations, raw_metrics = json.loads(record.decode("utf-8"))
        side = int(np.sqrt(len(raw_adjacency)))
        adjacency = np.array([int(e) for e in raw_adjacency], dtype=np.int8).reshape(side, side)
        metrics = message_type.FromString(base64.decodebytes(raw_metrics.encode()))
        if module_hash not in fixed:
            fixed[module_hash] = {
                "module_adjacency": adjacency,
                "module_operations": raw_operations.split(","),
                "trainable_parameters": metrics.trainable_parameters,
            }
            computed[module_hash] = {}
        point: dict[str, float] = {}
        for stage, e in (("halfway", metrics.evaluation_data[1]), ("final", metrics.evaluation_data[2])):
            point[f"{stage}_training_time"] = e.training_time
            point[f"{stage}_train_accuracy"] = e.train_accuracy
            point[f"{stage}_validation_accuracy"] = e.validation_accuracy
            point[f"{stage}_test_accuracy"] = e.test_accuracy
        computed[module_hash].setdefault(epochs, []).append(point)
    return computed
