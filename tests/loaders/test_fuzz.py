"""Every reader, given files that are damaged at random: it reads them, or says in an error of ours what is wrong."""

from __future__ import annotations

import bz2
import copy
import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.core.frames import read_frame, read_provenance, write_frame
from nasanalysis.core.toml import read_keys
from nasanalysis.loaders import safe_pickle
from nasanalysis.loaders.darts import robust_darts, trained
from nasanalysis.loaders.images.formats import read_cifar, read_idx
from nasanalysis.loaders.images.read import _read
from nasanalysis.loaders.images.splits import _halves
from nasanalysis.loaders.nats.files import TSS, unpack
from nasanalysis.loaders.nats.parse import read_all
from nasanalysis.loaders.nb101.benchmark import read_encodings, read_records
from nasanalysis.loaders.nb101.one_shot import read_oneshot
from nasanalysis.loaders.nb301.benchmark import _target
from nasanalysis.loaders.nb301.boosters import read_pickle
from nasanalysis.loaders.samples import read_sample
from nasanalysis.loaders.tables.benchmark import load_tables
from nasanalysis.loaders.tables.descriptor import load_descriptor
from nasanalysis.loaders.tables.load import load_own
from nasanalysis.loaders.tables.plain import read_plain
from nasanalysis.spaces.nb201 import SPACE

TIMES = 80
A, B = SPACE.arch(0).key, SPACE.arch(11).key
TOML = """benchmark = "mine"
space = "nb201"
dataset = "cifar10"
frame = "TRUTH"
split = "test"
schedule = 200
unit = "percent"
"""
SPEC = {
    "module_adjacency": [[0, 1, 0], [0, 0, 1], [0, 0, 0]],
    "module_operations": ["input", "conv3x3-bn-relu", "output"],
    "trainable_parameters": 10_177_674,
}
RUN = {
    f"{stage}_{what}": 0.5
    for stage in ("halfway", "final")
    for what in ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
}
RECORDS = {"b49ac8c578b4561d79ac7087988f1c61": (SPEC, {108: [RUN]})}
ONE_SHOT = [
    {
        "architecture": ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [2.0]),
        "full_metrics": (SPEC, {108: [RUN] * 3}),
        "proxy_metrics": {"final_validation_accuracy": 0.5},
    }
]
TRAINING = {
    "epochs": 12,
    "train_losses": dict.fromkeys(range(12), 1.5),
    "train_acc1es": dict.fromkeys(range(12), 50.0),
    "eval_losses": {"ori-test@11": 1.0},
    "eval_acc1es": {"ori-test@11": 60.0},
    "train_times": dict.fromkeys(range(12), 2.0),
    "params": 0.8,
    "flop": 100.0,
}
NATS = {
    "12": {
        "arch_index": 11,
        "arch_str": B,
        "all_results": {("cifar10", 777): TRAINING},
        "dataset_seed": {"cifar10": [777]},
    }
}
ERRORS = {key: [12.5] * 50 for key in ("train_acc", "valid_acc", "train_loss", "valid_loss")}
HESSIAN = json.dumps({"epoch": 0, "H": np.eye(56).tolist()}).encode() + b"\n"
ODD: list[Any] = [
    None, True, -1, 10**400, float("nan"), float("inf"), "", "x" * 1000, "\ud800", [], {}, [[]], {"a": 1}, [1, [2]],
    b"\0", (1,), {1: 2}, [None] * 3, 1 + 2j,
]  # fmt: skip


def png() -> bytes:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed (extra supernet)")
    image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def zipped() -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ("a/1.png", "b/1.png"):
            packed.writestr(name, png())
    return buffer.getvalue()


def cifar() -> bytes:
    batch = pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]}, protocol=2)
    names = pickle.dumps({"label_names": [str(i) for i in range(10)]}, protocol=2)
    with tarfile.open(fileobj=(buffer := io.BytesIO()), mode="w:gz") as tar:
        for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            content = names if name == "batches.meta" else batch
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def parquet() -> bytes:
    frame = pl.DataFrame({"arch": [f"nb201:{A}", f"nb201:{B}"], "accuracy": [90.0, 80.0]})
    frame.write_parquet(buffer := io.BytesIO(), compression="zstd")
    return buffer.getvalue()


def npy() -> bytes:
    np.save(buffer := io.BytesIO(), np.zeros((214, 600)))
    return buffer.getvalue()


def described(path: Path) -> object:
    keys = 'rows = "dict"\n' if path.suffix != ".csv" else 'arch_column = "arch"\nvalues = { accuracy = "accuracy" }\n'
    toml = path.with_name("t.toml")
    toml.write_text(f'{TOML}file = "{path.name}"\n{keys}')
    return load_tables([toml], path.parent).truth()


def errors(path: Path) -> object:
    return robust_darts._logged(path)


def hessians(path: Path) -> object:
    robust_darts._read_hessians.cache_clear()
    return robust_darts._read_hessians(path, path.stat().st_size)


def results(path: Path) -> object:
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    genotype = robust_darts._yaml(path)
    return [robust_darts._mapping(genotype, path)]


def nats(path: Path) -> object:
    content = safe_pickle.loads(unpack(path.read_bytes(), path), safe_pickle.NATS, path=path)
    return read_all([(11, path, content)], TSS).frames()


CSV = f"arch,accuracy\nnb201:{A},90\nnb201:{B},80\n".encode()
YAML = b"s1_cifar10:\n  0.0_0.0003:\n    1: 12.5\n    2: 3\n"
SPLIT = json.dumps({"train": ["int", ["0", "2"]], "valid": ["int", ["1", "3"]]}).encode()
#: name of the file -> (content, reader)
PARSERS: dict[str, tuple[Callable[[], bytes], Callable[[Path], object]]] = {
    "plain.csv": (lambda: CSV, read_plain),
    "plain.parquet": (parquet, read_plain),
    "own.csv": (lambda: CSV, load_own),
    "own.parquet": (parquet, load_own),
    "sample.csv": (lambda: CSV, lambda path: read_sample(path, "nb201")),
    "sample.txt": (lambda: f"{A}\n{B}\n".encode(), lambda path: read_sample(path, "nb201")),
    "table.csv": (lambda: CSV, described),
    "table.json": (lambda: json.dumps({A: 90.0, B: 80.0}).encode(), described),
    "table.pkl": (lambda: pickle.dumps({A: 90.0, B: np.float64(80)}), described),
    "table.pkl.gz": (lambda: gzip.compress(pickle.dumps({A: 90.0, B: 80.0})), described),
    "table.parquet": (parquet, lambda path: (read_frame(path), read_provenance(path))),
    "keys.toml": (lambda: TOML.encode(), read_keys),
    "descriptor.toml": (lambda: (TOML + 'file = "x.csv"\narch_column = "a"\n').encode(), load_descriptor),
    "records.pkl": (lambda: pickle.dumps(RECORDS), read_records),
    "one_shot/m/space1/seed0/eval_results.pkl": (lambda: pickle.dumps(ONE_SHOT), lambda path: read_oneshot([path])),
    "encodings.pkl": (lambda: pickle.dumps([1, 2]), lambda path: read_encodings(path, "nb101-1")),
    "000011.pickle.pbz2": (lambda: bz2.compress(pickle.dumps(NATS)), nats),
    "errors_1.json": (lambda: json.dumps(ERRORS).encode(), errors),
    "derivatives_1.json": (lambda: HESSIAN, hessians),
    "results_perf.yaml": (lambda: YAML, results),
    "genotypes.pkl": (lambda: pickle.dumps([{"normal": [], "reduce": []}]), trained.read_genotypes),
    "curves.npy": (npy, trained._curves_214),
    "random.csv": (lambda: b'"Genotype(normal=[], reduce=[])",90\n', trained.truth_1000),
    "cifar-split.txt": (lambda: SPLIT, lambda path: _halves(path, ("train", "valid"), 4)),
    "train-images-idx3-ubyte": (lambda: bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7, 9]), read_idx),
    "images.zip": (zipped, lambda path: _read(path, None)),
    "cifar-10-python.tar.gz": (cifar, read_cifar),
    "booster.model": (lambda: pickle.dumps({"handle": b"x"}), read_pickle),
    "model_config.json": (lambda: b'{"model": "xgb", "param:bananas_enc": false}', _target),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "cache"))


def outcome(read: Callable[[Path], object], path: Path) -> bool:
    """Whether `path` is read; errors of ours are an answer, any other fails the test."""
    said = ""
    try:
        read(path)
    except NasAnalysisError as error:
        said = str(error)
    assert len(said) < 2000, "a message is read by a person"
    return not said


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    new = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(new) + 1))
        match rng.integers(5):
            case 0:
                new[at : at + 1] = bytes([rng.integers(256)])
            case 1:
                del new[at : at + int(rng.integers(1, 9))]
            case 2:
                new[at:at] = rng.bytes(3)
            case 3:
                new[at:at] = bytes(new[:: max(1, len(new) // 50)])
            case _ if rng.integers(4) == 0:
                del new[at:]
            case _:
                new[at : at + 1] = rng.choice([b"[", b"{", b'"', b"9" * 400, b"-", b"\n", b",", b"\0", b"\xff"])
    return bytes(new)


@pytest.mark.parametrize("name", PARSERS)
def test_damaged_bytes(name: str, tmp_path: Path) -> None:
    make, read = PARSERS[name]
    content, rng = make(), np.random.default_rng(len(name))
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    heads = [b"", b"\0", b"{}", b"[]", b'{"a": 1}', b"[" * 5000, b"9" * 5000, b"<html>", b"a = " + b"[" * 3000]
    for new in (content, *heads, *(damaged(content, rng) for _ in range(TIMES))):
        path.write_bytes(new)
        outcome(read, path)


def changed(value: Any, rng: np.random.Generator) -> Any:
    """`value` with one of its parts exchanged for something odd."""
    if not isinstance(value, dict | list | tuple) or not value or rng.random() < 0.15:
        return ODD[rng.integers(len(ODD))]
    if isinstance(value, dict):
        key = list(value)[rng.integers(len(value))]
        if rng.random() < 0.15:
            return {k: v for k, v in value.items() if k != key} | {("odd", 1): 3}
        return {k: changed(v, rng) if k is key else v for k, v in value.items()}
    at = int(rng.integers(len(value)))
    return type(value)([changed(v, rng) if i == at else v for i, v in enumerate(value)])


STRUCTURES: dict[str, tuple[Any, Callable[[Any], bytes], str]] = {
    "records": (RECORDS, pickle.dumps, "records.pkl"),
    "one-shot": (ONE_SHOT, pickle.dumps, "one_shot/m/space1/seed0/eval_results.pkl"),
    "nats": (NATS, lambda value: bz2.compress(pickle.dumps(value)), "000011.pickle.pbz2"),
    "table": ({A: 90.0, B: 80.0}, pickle.dumps, "table.pkl"),
    "table-json": ({A: 90.0, B: 80.0}, lambda value: _json(value), "table.json"),
    "errors": (ERRORS, lambda value: _json(value), "errors_1.json"),
    "split": (json.loads(SPLIT), lambda value: _json(value), "cifar-split.txt"),
    "config": ({"model": "xgb", "param:bananas_enc": False}, lambda value: _json(value), "model_config.json"),
}


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str, skipkeys=True).encode()


@pytest.mark.parametrize("name", STRUCTURES)
def test_odd_values(name: str, tmp_path: Path) -> None:
    value, dump, file = STRUCTURES[name]
    rng, read = np.random.default_rng(0), PARSERS[file][1]
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dump(value))
    assert outcome(read, path), "undamaged it is read"
    for _ in range(3 * TIMES):
        path.write_bytes(dump(changed(copy.deepcopy(value), rng)))
        outcome(read, path)


def test_yaml_of_aliases(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    laughs = "a: &a [x, x]\n" + "".join(
        f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (tmp_path / "r.yaml").write_text(laughs)
    with pytest.raises(NasAnalysisError, match=r"r\.yaml: expected YAML without aliases, got one"):
        robust_darts._yaml(tmp_path / "r.yaml")


def test_a_header_of_numpy_that_lies(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (6000000000000,), }".ljust(117) + b"\n"
    (tmp_path / "c.npy").write_bytes(b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + bytes(64))
    with pytest.raises(NasAnalysisError, match=r"c\.npy: expected a whole numpy file of curves, got"):
        trained._curves_214(tmp_path / "c.npy")


def test_a_parquet_file_on_which_polars_panics() -> None:
    path = Path(__file__).resolve().parents[2].parent / "shared" / "hostile" / "panic.parquet"
    if not path.exists():
        pytest.skip("no hostile files beside the repository")
    for read in (read_frame, read_plain, load_own):
        with pytest.raises(NasAnalysisError, match="panic"):
            read(path)


def test_polars_panics_and_encrypted_zips(tmp_path: Path) -> None:
    write_frame(pl.DataFrame({"x": np.arange(5000)}), tmp_path / "f.parquet", {})
    content = bytearray((tmp_path / "f.parquet").read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(200):  # in the data pages, where polars panics
        new = bytearray(content)
        for at in rng.integers(4, len(new) // 2, size=3):
            new[at] = rng.integers(256)
        (tmp_path / "d.parquet").write_bytes(new)
        outcome(read_frame, tmp_path / "d.parquet")
    pytest.importorskip("PIL.Image", reason="pillow is not installed (extra supernet)")
    locked = bytearray(zipped())
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        at = locked.index(start) + (6 if start == b"PK\x03\x04" else 8)
        locked[at] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(NasAnalysisError, match=r"locked\.zip: a/1\.png cannot be unpacked"):
        _read(tmp_path / "locked.zip", None)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(NasAnalysisError, match=r"empty\.zip: expected images in class folders, got no image"):
        _read(tmp_path / "empty.zip", None)
