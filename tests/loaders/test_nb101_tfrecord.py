"""TFRecord framing and NAS-Bench-101's official records, from files that the tests write."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("google_crc32c", reason="google-crc32c is not installed (extra nb101)")
pytest.importorskip("google.protobuf", reason="protobuf is not installed (extra nb101)")

from nasanalysis.core.errors import DataFileError, MissingDataError, MissingExtraError, NasAnalysisError
from nasanalysis.core.provenance import sha256
from nasanalysis.loaders import registry
from nasanalysis.loaders.data_sets import data_sets
from nasanalysis.loaders.nb101 import batches, tfrecord
from nasanalysis.loaders.nb101.batches import read_tfrecord_runs
from nasanalysis.loaders.nb101.benchmark import from_tfrecord, load, read_records
from nasanalysis.loaders.nb101.records import (
    VALUES,
    Evaluation,
    RecordReader,
    curves_of_runs,
    encode_record,
    metrics_message,
    truth_of_runs,
)
from nasanalysis.loaders.nb101.tfrecord import read_tfrecord, write_tfrecord
from nasanalysis.spaces.nb101 import SPACE

ARCH = "nb101:conv3x3~0+maxpool3x3~01+output~2"
POINTS = [
    Evaluation(0.0, 1.5, 0.1, 0.125, 0.25),
    Evaluation(54.0, 100.0, 0.5, 0.625, 0.75),
    Evaluation(108.0, 200.0, 1.0, 0.875, 0.5),
]


def fields(data: bytes) -> list:  # type: ignore[type-arg]
    return list(json.loads(data))


# ---- framing ----------------------------------------------------------------------------------------


def test_framing_equals_a_record_written_by_tensorflow(tmp_path: Path) -> None:
    """The frame of b"hello": length 5, masked CRC32C of the length, data, masked CRC32C of the data.

    The checksums are worked out here bit by bit from the polynomial 0x1EDC6F41 (reflected 0x82F63B78).
    """

    def crc32c(data: bytes) -> int:
        value = 0xFFFFFFFF
        for byte in data:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        return value ^ 0xFFFFFFFF

    assert crc32c(b"123456789") == 0xE3069283, "the check value of CRC-32C"

    def mask(value: int) -> bytes:
        return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", 5)
    path = write_tfrecord(tmp_path / "a.tfrecord", [b"hello"])
    assert path.read_bytes() == length + mask(crc32c(length)) + b"hello" + mask(crc32c(b"hello"))


@given(records=st.lists(st.binary(max_size=40), max_size=5))
def test_records_round_trip(records: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write_tfrecord(tmp_path_factory.mktemp("tf") / "a.tfrecord", records)
    assert list(read_tfrecord(path)) == records


@given(bit=st.integers(0, 8 * (12 + 20 + 4 + 12 + 30 + 4) - 1))
def test_one_flipped_bit_anywhere_is_found(bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write_tfrecord(tmp_path_factory.mktemp("tf") / "a.tfrecord", [b"x" * 20, b"y" * 30])
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    number = 0 if bit // 8 < 36 else 1
    with pytest.raises(DataFileError, match=rf"a\.tfrecord: record {number}: "):
        list(read_tfrecord(path))


@given(kept=st.integers(1, 12 + 20 + 4 + 12 + 30 + 3))
def test_a_file_cut_off_is_found(kept: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write_tfrecord(tmp_path_factory.mktemp("tf") / "a.tfrecord", [b"x" * 20, b"y" * 30])
    path.write_bytes(path.read_bytes()[:kept])
    if kept == 36:  # between two records: a shorter file, which the count of cells finds
        assert len(list(read_tfrecord(path))) == 1
        return
    with pytest.raises(DataFileError, match=r"more bytes, got .* the file is cut off"):
        list(read_tfrecord(path))


@given(st.binary(max_size=200))
def test_any_bytes_give_only_our_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("tf") / "any.tfrecord"
    path.write_bytes(data)
    if not data:
        assert list(read_tfrecord(path)) == []
        return
    with pytest.raises(DataFileError, match=r"any\.tfrecord: record 0: "):
        list(read_tfrecord(path))


def test_a_web_page_and_a_length_beyond_reason_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.tfrecord"
    page.write_text("<!DOCTYPE html><html>quota exceeded</html>")
    with pytest.raises(DataFileError, match="record 0: expected a TFRecord file, got bytes that start b'<!DOCTYPE"):
        list(read_tfrecord(page))
    with pytest.raises(MissingDataError, match="found nothing there"):
        list(read_tfrecord(tmp_path / "none.tfrecord"))
    with pytest.raises(DataFileError, match="expected a TFRecord file, got"):
        list(read_tfrecord(tmp_path))
    path = write_tfrecord(tmp_path / "long.tfrecord", [b"x" * 100])
    monkeypatch.setattr(tfrecord, "LONGEST", 99)
    with pytest.raises(DataFileError, match="record 0: expected at most 99 bytes, got a length of 100"):
        list(read_tfrecord(path))


def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(tfrecord, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"needs 'google_crc32c'.*nasanalysis\[nb101\]"):
        list(read_tfrecord(tmp_path / "a.tfrecord"))


def test_reading_streams(tmp_path: Path) -> None:
    """A gigabyte-sized file would not fit otherwise: the first record comes before the last is looked at."""
    path = write_tfrecord(tmp_path / "a.tfrecord", [b"first", b"second"])
    path.write_bytes(path.read_bytes()[:-1])
    stream = read_tfrecord(path)
    assert next(stream) == b"first"
    with pytest.raises(DataFileError, match="record 1"):
        next(stream)


# ---- records ----------------------------------------------------------------------------------------


def test_a_record_is_read_as_written(tmp_path: Path) -> None:
    path = write_tfrecord(tmp_path / "a.tfrecord", [encode_record(ARCH, 108, POINTS)] * 3)
    runs = read_tfrecord_runs(path)
    assert runs["seed"].to_list() == [0, 1, 2]
    assert runs.row(1)[3:] == (0.1, 0.125, 0.25, 1.5, 0.5, 0.625, 0.75, 100.0, 1.0, 0.875, 0.5, 200.0)
    truth = truth_of_runs(runs.lazy()).collect()
    assert truth.filter(seed=2).select("split", "accuracy").rows() == [("valid", 87.5), ("test", 50.0)]
    assert truth.filter(pl.col("seed").is_null())["accuracy"].to_list() == [87.5, 50.0]
    curves = curves_of_runs(runs.lazy()).filter(pl.col("seed") == 0).collect()
    assert curves.select("step", "train_accuracy", "valid_accuracy", "test_accuracy", "seconds").rows() == [
        (0, pytest.approx(10.0), 12.5, 25.0, 1.5),
        (54, 50.0, 62.5, 75.0, 100.0),
        (108, 100.0, 87.5, 50.0, 200.0),
    ]


def test_the_protobuf_wire_format_is_the_published_one() -> None:
    """Field 1 of ModelMetrics is a message, 2 a varint, 3 a double; EvaluationData has five doubles and a text."""
    message = metrics_message()(trainable_parameters=300, total_time=1.0)
    message.evaluation_data.add(current_epoch=2.0, checkpoint_path="x")
    inner = b"\x09" + struct.pack("<d", 2.0) + b"\x32\x01x"
    expected = b"\x0a" + bytes([len(inner)]) + inner + b"\x10\xac\x02" + b"\x19" + struct.pack("<d", 1.0)
    assert message.SerializeToString() == expected


def with_metrics(**changes: object) -> bytes:
    record = fields(encode_record(ARCH, 108, POINTS))
    message = metrics_message().FromString(base64.b64decode(record[4]))
    for name, value in changes.items():
        if name == "evaluations":
            del message.evaluation_data[value:]
        elif name == "trainable_parameters":
            message.trainable_parameters = value
        else:
            setattr(message.evaluation_data[2], name, value)
    record[4] = base64.b64encode(message.SerializeToString()).decode()
    return json.dumps(record).encode()


def with_field(position: int, value: object) -> bytes:
    record = fields(encode_record(ARCH, 108, POINTS))
    record[position] = value
    return json.dumps(record).encode()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"\xff\xfe", "expected JSON, got"),
        (lambda: b"{}", r"expected \[hash, epochs, adjacency, operations, metrics\]"),
        (lambda: b"[" * 100_000, "expected JSON"),
        (lambda: with_field(0, "0" * 32), "expected the hash of its cell, .* got '0000"),
        (lambda: with_field(1, 50), r"expected \(4, 12, 36, 108\) epochs, got 50"),
        (lambda: with_field(1, True), "expected .hash, epochs"),
        (lambda: with_field(2, "0100"), "one operation for each of 2 vertices"),
        (lambda: with_field(2, "01012"), "a square adjacency matrix as a text of 0 and 1"),
        (lambda: with_field(2, "0010100001000000"), "strictly upper triangular matrix"),
        (lambda: with_field(3, "input,conv9x9,maxpool3x3,output"), "unknown operation 'conv9x9'"),
        (lambda: with_field(4, "?"), "expected base64 metrics"),
        (lambda: with_field(4, base64.b64encode(b"\x0a\xff").decode()), "expected ModelMetrics"),
        (lambda: with_metrics(trainable_parameters=1), "trainable parameters of this cell, got 1"),
        (lambda: with_metrics(evaluations=2), "expected 3 evaluations, got 2"),
        (lambda: with_metrics(current_epoch=54.0), "expected an evaluation at epoch 108, got one at 54"),
        (lambda: with_metrics(test_accuracy=93.0), "accuracies as fractions from 0 to 1, got 93.0"),
        (lambda: with_metrics(training_time=-1.0), "expected seconds of training, got -1.0"),
    ],
)
def test_a_bad_record_is_named(tmp_path: Path, make: Callable[[], bytes], message: str) -> None:
    good = encode_record(ARCH, 108, POINTS)
    path = write_tfrecord(tmp_path / "bad.tfrecord", [good, make()])
    with pytest.raises(DataFileError, match=rf"bad\.tfrecord: record 1: .*{message}"):
        read_tfrecord_runs(path)


def test_a_fourth_run_is_an_error_and_an_empty_file_too(tmp_path: Path) -> None:
    path = write_tfrecord(tmp_path / "bad.tfrecord", [encode_record(ARCH, 108, POINTS)] * 4)
    with pytest.raises(DataFileError, match="record 3: expected 3 runs of a cell at 108 epochs, got another one"):
        read_tfrecord_runs(path)
    with pytest.raises(DataFileError, match="got an empty file"):
        read_tfrecord_runs(write_tfrecord(tmp_path / "empty.tfrecord", []))


def test_a_failed_run_is_null_and_its_mean_too(tmp_path: Path) -> None:
    records = [encode_record(ARCH, 108, POINTS), with_metrics(test_accuracy=float("nan"))]
    truth = truth_of_runs(read_tfrecord_runs(write_tfrecord(tmp_path / "a.tfrecord", records)).lazy()).collect()
    assert truth.filter(split="test")["accuracy"].to_list() == [50.0, None, None]
    assert truth.filter(split="valid")["accuracy"].to_list() == [87.5, 87.5, 87.5]


@given(st.binary(max_size=300))
def test_any_record_gives_only_our_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = write_tfrecord(tmp_path_factory.mktemp("tf") / "any.tfrecord", [data])
    with pytest.raises(NasAnalysisError):
        read_tfrecord_runs(path)


# ---- the official records ---------------------------------------------------------------------------


def written_from(runs: pl.DataFrame, path: Path, schedule: int = 108) -> Path:
    """RUNS -> a tfrecord of the official format."""
    records = []
    for row in runs.iter_rows(named=True):
        evaluations = [
            Evaluation(epoch, *(row[f"{stage}_{what}"] or 0.0 for what in ("seconds", "train", "valid", "test")))
            for stage, epoch in (("initial", 0.0), ("halfway", schedule / 2), ("final", float(schedule)))
        ]
        records.append(encode_record(row["arch"], schedule, evaluations, total_seconds=2 * row["final_seconds"]))
    return write_tfrecord(path, records)


def test_the_30_official_records_round_trip(tmp_path: Path, data_dir: Path) -> None:
    known = read_records(data_dir / "nb101/official_records_30.pkl")
    assert len(known) == 90
    path = written_from(known, tmp_path / "thirty.tfrecord")
    found = read_tfrecord_runs(path)
    late = [name for name in VALUES if not name.startswith("initial")]
    columns = ["arch", "schedule", "seed", *late]
    assert found.select(columns).equals(known.select(columns))
    benchmark = from_tfrecord(path)
    truth = benchmark.truth(split="test", schedule=108)
    assert len(truth) == 120
    hashes = {SPACE.hash(arch): arch for arch in truth["arch"].unique()}
    table = pl.read_parquet(data_dir / "nb101/mean_test_accuracy_108_epochs.parquet").filter(
        pl.col("module_hash").is_in(list(hashes))
    )
    for name, params, mean in table.iter_rows():
        rows = truth.filter(pl.col("arch") == hashes[name])
        runs = rows.drop_nulls("seed")["accuracy"]
        assert runs.mean() == pytest.approx(100 * mean, abs=1e-9)  # the mean of what was recorded, in 32 bits
        images = (runs * 9984 / 100).round()  # the recorded runs are counts of 9,984 images; their mean is exact
        assert rows.filter(pl.col("seed").is_null())["accuracy"].item() == images.sum() * 100 / (9984 * len(runs))
        assert rows.filter(pl.col("seed").is_null())["accuracy"].item() == pytest.approx(
            100 * mean, abs=1e-5
        )  # theirs: of 32-bit fractions
        assert SPACE.params(hashes[name]) == params
    assert benchmark.curves()["step"].unique().sort().to_list() == [0, 54, 108]
    archs = benchmark.archs()
    assert len(archs) == 30
    assert archs["flops"].min() > 1e8


def test_every_schedule_of_the_full_file_stays_apart(tmp_path: Path) -> None:
    records = []
    for schedule in (4, 12, 36, 108):
        for repeat in range(3):
            points = [Evaluation(f * schedule, 10.0 * f, 0.1, 0.2, f / 2 + repeat / 100) for f in (0.0, 0.5, 1.0)]
            records.append(encode_record(ARCH, schedule, points))
    benchmark = from_tfrecord(write_tfrecord(tmp_path / "full.tfrecord", records))
    assert sorted(benchmark.curves()["step"].unique().to_list()) == [0, 2, 4, 6, 12, 18, 36, 54, 108]
    truth = benchmark.truth(schedule=36, split="test")
    assert truth["accuracy"].to_list() == pytest.approx([50.0, 51.0, 52.0, 51.0])
    assert truth["seed"].to_list() == [0, 1, 2, None]


def test_an_official_file_that_lacks_records_is_an_error(tmp_path: Path) -> None:
    write_tfrecord(tmp_path / "nb101/nasbench_only108.tfrecord", [encode_record(ARCH, 108, POINTS)] * 3)
    with pytest.raises(DataFileError, match=r"expected runs by schedule {108: 1270872}, got {108: 3}; is the download"):
        load(tmp_path).truth()


# ---- thousands at a time ------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Three runs of 200 cells at two schedules, shuffled."""
    rng = np.random.default_rng(0)
    records = []
    for arch in SPACE.sample(200, rng):
        for schedule in (108, 4) * 3:
            values = rng.uniform(0.1, 1, (3, 3)).astype(np.float32).astype(float)
            points = [Evaluation(e * schedule / 2, 10.0 * e, *v) for e, v in zip((0, 1, 2), values, strict=True)]
            records.append(encode_record(str(arch), schedule, points))
    return write_tfrecord(tmp_path / "many.tfrecord", [records[i] for i in rng.permutation(len(records))])


def test_batches_give_what_reading_one_by_one_gives(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(RecordReader, "read", None)  # the usual form needs none of it
        together = read_tfrecord_runs(many, full=True)
    with monkeypatch.context() as patch:
        patch.setattr(batches, "_EVALUATION", 46)  # no record is of this form
        patch.setattr(tfrecord, "_BATCH", 4096)
        alone = read_tfrecord_runs(many)
    assert len(together) == 1200
    assert together.with_columns(arch=pl.col("arch").cast(pl.String)).equals(
        alone.with_columns(arch=pl.col("arch").cast(pl.String))
    )


def test_metrics_with_line_breaks_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python 2's encodestring writes them: one every 76 characters."""
    record = fields(encode_record(ARCH, 108, POINTS))
    record[4] = base64.encodebytes(base64.b64decode(record[4])).decode()
    broken = json.dumps(record).encode()
    assert b"\\n" in broken
    path = write_tfrecord(tmp_path / "a.tfrecord", [broken, encode_record(ARCH, 108, POINTS)])
    with monkeypatch.context() as patch:
        patch.setattr(RecordReader, "read", None)
        runs = read_tfrecord_runs(path)
    assert runs.row(0)[3:] == runs.row(1)[3:]
    assert RecordReader().read(broken) == RecordReader().read(encode_record(ARCH, 108, POINTS))


def test_the_second_half_of_a_hash_is_compared_within_a_cell_and_computed_for_a_sample(tmp_path: Path) -> None:
    good = fields(encode_record(ARCH, 108, POINTS))
    other = [good[0][:16] + "0" * 16, *good[1:]]
    records = [json.dumps(r).encode() for r in (good, other)]
    with pytest.raises(DataFileError, match="record 1: expected the hash of its cell"):
        read_tfrecord_runs(write_tfrecord(tmp_path / "two.tfrecord", records))
    with pytest.raises(DataFileError, match="record 0: expected the hash of its cell"):
        read_tfrecord_runs(write_tfrecord(tmp_path / "one.tfrecord", records[1:]), full=True)
    sampled = str(SPACE.arch(3 * batches.SAMPLE))
    record = fields(encode_record(sampled, 108, POINTS))
    record[0] = record[0][:16] + "0" * 16
    with pytest.raises(DataFileError, match="record 0: expected the hash of its cell"):
        read_tfrecord_runs(write_tfrecord(tmp_path / "sample.tfrecord", [json.dumps(record).encode()]))


# ---- data check -----------------------------------------------------------------------------------------


def test_data_check_reads_every_record_and_computes_every_hash_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash whose second half is wrong, of a cell outside the sample: the published bytes would tell, nothing else."""
    record = fields(encode_record(ARCH, 108, POINTS))
    wrong = json.dumps([record[0][:16] + "0" * 16, *record[1:]]).encode()

    def checked(records: list[bytes], *, full: bool) -> registry.CheckResult:
        path = write_tfrecord(tmp_path / "nasbench_only108.tfrecord", records)
        entry = data_sets()["nb101-108"].model_copy(update={"sha256_published": {path.name: sha256(path)}})
        monkeypatch.setattr(registry, "data_sets", lambda: {"nb101-108": entry})
        return registry.check_data("nb101-108", tmp_path, full=full)[0]

    usual = checked([wrong], full=False)
    assert (usual.status, usual.message) == (
        "ok",
        "SHA-256 as published; records not read (--full reads every one)",
    )
    in_full = checked([wrong], full=True)
    assert in_full.status == "failed"
    assert "record 0: expected the hash of its cell" in in_full.message
    good = checked([encode_record(ARCH, 108, POINTS)] * 3, full=True)
    assert "3 records of 1 cells, checksums, values and hashes of all verified" in good.message
