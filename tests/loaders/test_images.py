"""Image data: every format from small files written here, the real files, and what each damage is answered with."""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import json
import os
import pickle
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import (
    DataFileError,
    MissingDataError,
    MissingExtraError,
    ParameterError,
    UnknownNameError,
    UnsafePickleError,
)
from nasanalysis.loaders import registry, safe_pickle
from nasanalysis.loaders.images import folders as image_folders
from nasanalysis.loaders.images import read as images
from nasanalysis.loaders.images.read import load_images, nb201_split, resize, split
from nasanalysis.loaders.images.types import ImageData, ImageSet, moments

PIL = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASANALYSIS_DATA", raising=False)
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "cache"))


def pixels(n: int, side: int = 32, channels: int = 3) -> np.ndarray:
    return RNG.integers(0, 256, (n, side, side, channels), dtype=np.uint8)


# ---------------------------------------------------------------- the official formats


def python2(value: object) -> bytes:
    """What Python 2's cPickle writes at protocol 2: byte strings for text, and for the bytes of an array."""

    def text(data: bytes) -> bytes:
        return (b"U" + bytes([len(data)]) if len(data) < 256 else b"T" + struct.pack("<I", len(data))) + data

    def whole(n: int) -> bytes:
        return b"J" + struct.pack("<i", n)

    def dump(item: object) -> bytes:
        if isinstance(item, str):
            return text(item.encode())
        if isinstance(item, dict):
            return b"}(" + b"".join(dump(k) + dump(v) for k, v in item.items()) + b"u"
        if isinstance(item, list):
            return b"](" + b"".join(map(dump, item)) + b"e"
        if isinstance(item, np.ndarray):
            start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
            kind = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            shape = b"(" + b"".join(map(whole, item.shape)) + b"t"
            return start + b"(K\x01" + shape + kind + b"\x89" + text(item.tobytes()) + b"tb"
        return whole(int(item))  # type: ignore[call-overload]

    return b"\x80\x02" + dump(value) + b"."


def rows(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)


def cifar_files(name: str, n: int = 4, **changed: bytes) -> tuple[dict[str, bytes], dict[str, tuple[np.ndarray, list]]]:
    """The files of a small CIFAR, and file -> (images, labels)."""
    wanted = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"] if name == "cifar10" else ["train", "test"]
    files, truth = {}, {}
    for file in wanted:
        images, labels = pixels(n), RNG.integers(0, 10 if name == "cifar10" else 100, n).tolist()
        own = {"labels": labels} if name == "cifar10" else {"fine_labels": labels, "coarse_labels": [0] * n}
        files[file] = python2({"batch_label": "x", **own, "data": rows(images), "filenames": ["a.png"] * n})
        truth[file] = (images, labels)
    if name == "cifar10":
        files["batches.meta"] = python2({"label_names": CIFAR10, "num_vis": 3072})
    else:
        files["meta"] = python2({"fine_label_names": [f"c{i}" for i in range(100)], "coarse_label_names": ["x"]})
    return files | changed, truth


def pack(path: Path, files: dict[str, bytes], folder: str = "cifar-10-batches-py") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}" if folder else name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def unpack(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def same(part: ImageSet | None, truth: list[tuple[np.ndarray, list]]) -> None:
    assert part is not None
    np.testing.assert_array_equal(part.images, np.concatenate([t[0] for t in truth]))
    np.testing.assert_array_equal(part.labels, np.concatenate([t[1] for t in truth]))
    assert part.images.dtype == np.uint8
    assert part.images.flags.c_contiguous
    assert part.labels.dtype == np.int64


def test_the_writer_of_python_2_pickles_is_right() -> None:
    files, truth = cifar_files("cifar10")
    content = pickle.loads(files["data_batch_1"], encoding="bytes")
    np.testing.assert_array_equal(content[b"data"], rows(truth["data_batch_1"][0]))
    assert content[b"labels"] == truth["data_batch_1"][1]
    assert content[b"filenames"] == [b"a.png"] * 4


def test_numbers_of_python_2_are_read_as_latin1_only() -> None:
    kind = b"cnumpy\ndtype\n(U\x02i8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    data = b"\x80\x02cnumpy.core.multiarray\nscalar\n(" + kind + b"U\x08" + struct.pack("<q", -7) + b"tR."
    assert safe_pickle.loads(data, safe_pickle.NUMPY, encoding="latin1") == pickle.loads(data, encoding="bytes") == -7
    with pytest.raises(DataFileError, match="damaged"):
        safe_pickle.loads(data, safe_pickle.NUMPY)


@pytest.mark.parametrize("below", ["", "images"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_python(tmp_path: Path, name: str, packed: bool, below: str) -> None:
    files, truth = cifar_files(name)
    archive, folder = {
        "cifar10": ("cifar-10-python.tar.gz", "cifar-10-batches-py"),
        "cifar100": ("cifar-100-python.tar.gz", "cifar-100-python"),
    }[name]
    place = tmp_path / below
    path = pack(place / archive, files, folder) if packed else unpack(place / folder, files)
    data = load_images(name, tmp_path)
    *train, test = truth.values()
    same(data.train, train)
    same(data.test, [test])
    assert data.name == name
    assert data.source == str(path)
    assert data.classes[:2] == (("airplane", "automobile") if name == "cifar10" else ("c0", "c1"))
    assert data.mean[0] == pytest.approx((125.3 if name == "cifar10" else 129.3) / 255)
    assert data.std[2] == pytest.approx((66.7 if name == "cifar10" else 70.4) / 255)
    for file, digest in data.sha256.items():
        assert digest == hashlib.sha256(path.read_bytes() if packed else files[file]).hexdigest()
    assert len(data.sha256) == (1 if packed else len(files))
    by_path = load_images(path)
    np.testing.assert_array_equal(by_path.train.images, data.train.images)
    assert by_path.name == name


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_binary(tmp_path: Path, name: str) -> None:
    batches = [f"data_batch_{i}.bin" for i in range(1, 6)] if name == "cifar10" else ["train.bin"]
    test = "test_batch.bin" if name == "cifar10" else "test.bin"
    files, truth = {}, {}
    for file in [*batches, test]:
        images, labels = pixels(3), RNG.integers(0, 10, 3)
        heads = [[label] if name == "cifar10" else [99, label] for label in labels]
        files[file] = b"".join(bytes(map(int, h)) + r.tobytes() for h, r in zip(heads, rows(images), strict=True))
        truth[file] = (images, labels.tolist())
    names = "\n".join(CIFAR10) + "\n\n"
    files["batches.meta.txt" if name == "cifar10" else "fine_label_names.txt"] = names.encode()
    folder = "cifar-10-batches-bin" if name == "cifar10" else "cifar-100-binary"
    unpack(tmp_path / folder, files)
    data = load_images(name, tmp_path)
    same(data.train, [truth[b] for b in batches])
    same(data.test, [truth[test]])
    assert data.classes == tuple(CIFAR10)
    (tmp_path / folder / test).write_bytes(files[test][:-1])
    with pytest.raises(DataFileError, match=r"records of 307[34] bytes, got .* cut off"):
        load_images(name, tmp_path)


def bad_cifar(change: Callable[[dict[str, bytes]], object], tmp_path: Path) -> str:
    files, _ = cifar_files("cifar10")
    change(files)
    path = pack(tmp_path / "cifar-10-python.tar.gz", files)
    with pytest.raises(DataFileError) as caught:
        load_images(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def batch(**entries: object) -> bytes:
    return python2({"labels": [0, 1], "data": rows(pixels(2)), **entries})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (batch(labels=[0, 10]), "expected labels 0 to 9 (10 classes), got 10 (first at image 1)"),
        (batch(labels=[-1, 0]), "expected labels 0 to 9 (10 classes), got -1 (first at image 0)"),
        (batch(labels=[1, 2, 3]), "expected as many labels as images, got 3 labels and 2 images"),
        (batch(data=RNG.integers(0, 256, (2, 768), dtype=np.uint8)), "(n, 3072) of uint8, got (2, 768) of uint8"),
        (python2({"labels": [1]}), "expected an entry 'data', got labels"),
        (python2({"data": rows(pixels(2)), "labels": "no"}), "expected a list as 'labels', got str"),
        (python2({"data": rows(pixels(2))[:0], "labels": []}), "expected images, got none"),
        (python2([1]), "expected a dict, got list"),
        (batch()[:-30], "expected a pickle, got a damaged one"),
    ],
)
def test_a_bad_batch_says_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    told = bad_cifar(lambda files: files.update(data_batch_2=content), tmp_path)
    assert message in told
    assert "data_batch_2" in told


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    assert "lacks data_batch_3" in bad_cifar(lambda files: files.pop("data_batch_3"), tmp_path)
    assert "got none of them" in bad_cifar(lambda files: files.clear(), tmp_path)


def test_a_malicious_batch_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    files, _ = cifar_files("cifar10", data_batch_1=f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode())
    pack(tmp_path / "cifar-10-python.tar.gz", files)
    with pytest.raises(UnsafePickleError, match=r"data_batch_1: asks for posix.system.*Nothing was run"):
        load_images("cifar10", tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["../data_batch_1", "/tmp/data_batch_1", "a/../../data_batch_1"])
def test_a_path_that_climbs_out_of_the_archive(tmp_path: Path, name: str) -> None:
    path = pack(tmp_path / "x.tar.gz", {name: b"x"}, folder="")
    with pytest.raises(DataFileError, match="climbs out"):
        load_images(path)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name + ".jpg", b"x")
    with pytest.raises(DataFileError, match="climbs out"):
        load_images(tmp_path / "x.zip")


def test_a_link_in_the_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo("data_batch_1")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(DataFileError, match="got a link or device 'data_batch_1'"):
        load_images(path)


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.99])
@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar"])
def test_an_archive_that_is_cut_off(tmp_path: Path, name: str, kept: float) -> None:
    path = pack(tmp_path / name, cifar_files("cifar10")[0])
    whole = path.read_bytes()
    end = len(whole) if name.endswith("gz") else whole.rindex(b"label_names") + 500
    path.write_bytes(whole[: int(kept * end)])
    with pytest.raises(DataFileError, match=r"expected a whole tar archive, got .*download it again|lacks"):
        load_images(path)


def test_the_wrong_archive_for_a_name(tmp_path: Path) -> None:
    pack(tmp_path / "cifar-10-python.tar.gz", cifar_files("cifar100")[0])
    with pytest.raises(DataFileError, match="expected cifar10, got cifar100"):
        load_images("cifar10", tmp_path)
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(b"<html>sorry</html>")
    with pytest.raises(DataFileError, match="got a web page"):
        load_images("cifar100", tmp_path)


def write_mat(path: Path, images: np.ndarray, labels: object) -> None:
    path.parent.mkdir(exist_ok=True)
    scipy.io.savemat(path, {"X": images.transpose(1, 2, 3, 0), "y": np.asarray(labels, np.uint8).reshape(-1, 1)})


def test_svhn(tmp_path: Path) -> None:
    train, test = pixels(3), pixels(2)
    write_mat(tmp_path / "svhn" / "train_32x32.mat", train, [1, 10, 9])
    data = load_images("svhn", tmp_path)
    assert data.test is None
    write_mat(tmp_path / "svhn" / "test_32x32.mat", test, [10, 2])
    data = load_images("svhn", tmp_path)
    same(data.train, [(train, [1, 0, 9])])
    same(data.test, [(test, [0, 2])])
    assert data.classes == tuple("0123456789")
    assert set(data.sha256) == {"train_32x32.mat", "test_32x32.mat"}
    assert load_images(tmp_path / "svhn" / "train_32x32.mat").name == "svhn"


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: scipy.io.savemat(p, {"X": np.zeros(3)}), "expected the variables X and y, lacks y"),
        (lambda p: scipy.io.savemat(p, {"Z": np.zeros(3)}), "lacks X and y"),
        (lambda p: p.write_bytes(b"nonsense" * 100), "expected a MATLAB file, got a damaged one"),
        (lambda p: write_mat(p, pixels(2), [1, 11]), "expected labels 0 to 9 (10 classes), got 11"),
        (lambda p: write_mat(p, pixels(2), [10, 0]), "expected labels 1 to 10"),
        (lambda p: write_mat(p, pixels(2), [1]), "got 1 labels and 2 images"),
    ],
)
def test_a_bad_mat_file(tmp_path: Path, write: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "train_32x32.mat"
    write(path)
    with pytest.raises(DataFileError) as caught:
        load_images("svhn", tmp_path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def imagenet16(folder: Path, n: int = 6) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    folder.mkdir()
    truth = {}
    for name in [*(f"train_data_batch_{i}" for i in range(1, 11)), "val_data"]:
        images, labels = pixels(n, 16), RNG.permutation(np.r_[1, 120, 121, 1000, RNG.integers(1, 1001, n - 4)])
        content = {"data": rows(images), "labels": labels.tolist(), "mean": rows(images).mean(0)}
        (folder / name).write_bytes(pickle.dumps(content, protocol=3))
        keep = labels <= 120
        truth[name] = (images[keep], (labels[keep] - 1).tolist())
    return truth


def test_imagenet16_keeps_the_first_120_classes(tmp_path: Path) -> None:
    truth = imagenet16(tmp_path / "ImageNet16")
    data = load_images("ImageNet16-120", tmp_path)
    *train, test = truth.values()
    same(data.train, train)
    same(data.test, [test])
    assert len(data.classes) == 120
    assert data.classes[-1] == "120"
    assert data.mean == pytest.approx([122.68 / 255, 116.66 / 255, 104.01 / 255])
    (tmp_path / "ImageNet16" / "val_data").write_bytes(pickle.dumps({"data": rows(pixels(1, 16)), "labels": [0]}))
    with pytest.raises(DataFileError, match=r"expected labels 0 to 999 .*, got -1"):
        load_images("ImageNet16-120", tmp_path)
    (tmp_path / "ImageNet16" / "train_data_batch_4").unlink()
    with pytest.raises(MissingDataError, match="lacks train_data_batch_4"):
        load_images("ImageNet16-120", tmp_path)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape) + array.tobytes()


def mnist_files(test: str = "t10k", **changed: bytes) -> dict[str, bytes]:
    images = {"train": pixels(5, 28, 1)[..., 0], test: pixels(2, 28, 1)[..., 0]}
    labels = {"train": np.array([0, 9, 3, 3, 1], np.uint8), test: np.array([2, 9], np.uint8)}
    files = {f"{part}-images-idx3-ubyte": idx(array) for part, array in images.items()}
    return files | {f"{part}-labels-idx1-ubyte": idx(array) for part, array in labels.items()} | changed


@pytest.mark.parametrize("test", ["t10k", "test3000", "test"])
@pytest.mark.parametrize("zipped", [True, False])
def test_mnist(tmp_path: Path, test: str, zipped: bool) -> None:
    files = mnist_files(test)
    unpack(
        tmp_path / "images" / "mnist",
        {n + ".gz" * zipped: gzip.compress(c) if zipped else c for n, c in files.items()},
    )
    data = load_images("mnist", tmp_path)
    np.testing.assert_array_equal(data.train.images.ravel(), list(files["train-images-idx3-ubyte"][16:]))
    assert data.train.images.shape == (5, 28, 28, 1)
    assert data.train.labels.tolist() == [0, 9, 3, 3, 1]
    assert data.test is not None
    assert data.test.labels.tolist() == [2, 9]
    assert data.classes == tuple("0123456789")
    assert len(data.mean) == len(data.std) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train-images-idx3-ubyte": b"\0\0\x08\x01" + bytes(4)}, "3 dimensions (magic 00000803), got 00000801"),
        ({"train-images-idx3-ubyte": b""}, "(magic 00000803), got nothing"),
        ({"train-images-idx3-ubyte": mnist_files()["train-images-idx3-ubyte"][:-1]}, "expected 3,936 bytes"),
        ({"train-images-idx3-ubyte": idx(np.zeros((2**10, 0, 28), np.uint8))}, "expected images as"),
        ({"train-labels-idx1-ubyte": idx(np.zeros(4, np.uint8))}, "got 4 labels and 5 images"),
        ({"t10k-labels-idx1-ubyte": idx(np.array([3, 11], np.uint8))}, "got 11 (first at image 1)"),
    ],
)
def test_bad_idx_files(tmp_path: Path, changed: dict[str, bytes], message: str) -> None:
    unpack(tmp_path / "mnist", mnist_files(**changed))
    with pytest.raises(DataFileError) as caught:
        load_images("mnist", tmp_path)
    assert message in str(caught.value)


def test_bad_gzip_and_missing_idx_files(tmp_path: Path) -> None:
    folder = unpack(tmp_path / "mnist", {n + ".gz": gzip.compress(c) for n, c in mnist_files().items()})
    labels = folder / "train-labels-idx1-ubyte.gz"
    whole = labels.read_bytes()
    labels.write_bytes(whole[:-4])
    with pytest.raises(DataFileError, match="expected a whole file, got .*download it again"):
        load_images("mnist", tmp_path)
    labels.unlink()
    with pytest.raises(MissingDataError, match="expected train-labels-idx1"):
        load_images("mnist", tmp_path)
    labels.write_bytes(whole)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(MissingDataError, match="only one of the two"):
        load_images("mnist", tmp_path)


def test_digits_are_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.datasets").load_digits()
    data = load_images("digits")
    np.testing.assert_array_equal(data.train.labels, sklearn.target)
    exact = sklearn.images * 255 / 16
    assert np.abs(data.train.images[..., 0] - exact).max() <= 0.5
    assert (data.train.images.min(), data.train.images.max(), len(np.unique(data.train.images))) == (0, 255, 17)
    assert data.test is None
    assert data.source == "scikit-learn"


# ---------------------------------------------------------------- class folders


def picture(array: np.ndarray, kind: str = "png") -> bytes:
    out = io.BytesIO()
    PIL.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(out, kind)
    return out.getvalue()


def tree(prefix: str = "", channels: int = 3) -> tuple[dict[str, bytes], dict[str, np.ndarray]]:
    """Files of two classes, and name -> image."""
    names = ["train/cat/b.png", "train/cat/a.png", "train/ant/deep/er/x.png", "test/cat/a.png"]
    truth = {name: pixels(1, 6, channels)[0] for name in names}
    files = {prefix + name: picture(array) for name, array in truth.items()}
    return files | {prefix + "README.txt": b"hello", prefix + "train/cat/._a.png": b"rubbish"}, truth


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("prefix", ["", "pets/", "very/pets/"])
@pytest.mark.parametrize("packed", [True, False])
def test_class_folders(tmp_path: Path, packed: bool, prefix: str) -> None:
    files, truth = tree(prefix)
    path = zipped(tmp_path / "pets.zip", files) if packed else unpack(tmp_path / "pets", files)
    data = load_images(path)
    assert data.classes == ("ant", "cat")
    order = ["train/ant/deep/er/x.png", "train/cat/a.png", "train/cat/b.png"]
    same(data.train, [(np.stack([truth[n] for n in order]), [0, 1, 1])])
    same(data.test, [(truth["test/cat/a.png"][None], [1])])
    assert data.name == "pets"
    assert list(data.sha256) == [path.name]
    assert load_images(path.name, tmp_path).source == str(path)
    mean = data.train.images.reshape(-1, 3) / 255
    np.testing.assert_allclose(data.mean, mean.mean(0), rtol=1e-12)
    np.testing.assert_allclose(data.std, mean.std(0), rtol=1e-12)


def test_class_folders_without_parts_and_in_grey(tmp_path: Path) -> None:
    files, truth = tree(channels=1)
    flat = {n.removeprefix("train/"): c for n, c in files.items() if n.startswith("train/")}
    data = load_images(unpack(tmp_path / "grey", flat))
    assert data.test is None
    assert data.train.images.shape == (3, 6, 6, 1)
    np.testing.assert_array_equal(data.train.images[1], truth["train/cat/a.png"])
    colour = pixels(1, 6)[0]
    data = load_images(unpack(tmp_path / "grey", {"cat/c.png": picture(colour)}))
    assert data.train.images.shape == (4, 6, 6, 3)
    np.testing.assert_array_equal(data.train.images[3], colour)
    np.testing.assert_array_equal(data.train.images[1], truth["train/cat/a.png"].repeat(3, axis=2))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"train/cat/a.png": picture(pixels(1, 6)[0]), "train/cat/b.png": picture(pixels(1, 7)[0])},
            "expected images of one size, got train/cat/a.png (6 x 6 pixels) and train/cat/b.png (7 x 7 pixels)",
        ),
        ({"train/cat/a.png": b"no image"}, "train/cat/a.png: expected an image, got bytes that start b'no image'"),
        ({"train/cat/a.png": picture(pixels(1, 60)[0])[:900]}, "train/cat/a.png: expected an image"),
        ({"train/a.png": b""}, "expected every image in the folder of its class, got train/a.png"),
        ({"a.png": b""}, "expected every image in the folder of its class, got a.png"),
        ({"test/cat/a.png": b""}, "expected a folder train beside test"),
        ({"train/cat/a.png": b"", "val/cat/a.png": b""}, "expected the folders train and test alone, got val too"),
        ({"train/cat/a.png": b"", "test/dog/a.png": b""}, "expected test classes that are in train too, got dog"),
        ({"train/cat/notes.txt": b""}, "expected images in class folders, got no image"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_bad_class_folders(tmp_path: Path, files: dict[str, bytes], message: str, packed: bool) -> None:
    path = zipped(tmp_path / "x.zip", files) if packed else unpack(tmp_path / "x", files)
    with pytest.raises(DataFileError) as caught:
        load_images(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_images_of_16_bits_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    PIL.fromarray(np.full((4, 4), 40_000, np.uint16)).save(out, "png")
    with pytest.raises(DataFileError, match=r"expected 8 bits per channel, got an image of mode I;16"):
        load_images(unpack(tmp_path / "x", {"cat/a.png": out.getvalue()}))


def test_a_zip_that_is_cut_off_or_damaged(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", tree()[0])
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(DataFileError, match="expected a whole zip archive, got a zip archive .*get it again"):
        load_images(path)
    broken = bytearray(whole)
    at = whole.index(b"train/cat/b.png") + 60
    broken[at : at + 8] = bytes(8)
    path.write_bytes(broken)
    with pytest.raises(DataFileError, match=r"train/cat/b.png cannot be unpacked .*get the archive again"):
        load_images(path)
    path.write_bytes(b"")
    with pytest.raises(DataFileError, match="got an empty file"):
        load_images(path)


def test_decoded_arrays_are_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "x.zip", tree()[0])
    first = load_images(path, size=3)
    kept = list((tmp_path / "cache" / "converted").iterdir())
    assert [k.suffix for k in kept] == [".npz"]
    with monkeypatch.context() as patch:
        patch.setattr(image_folders, "_decode", lambda *_: pytest.fail("decoded again"))
        again = load_images(path, size=3)
    for a, b in ((first.train, again.train), (first.test, again.test)):
        assert a is not None
        assert b is not None
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.labels, b.labels)
    assert again.classes == first.classes
    assert load_images(path).train.images.shape[1] == 6, "another size is another entry"
    for damage in (b"", kept[0].read_bytes()[:-50], b"PK\x05\x06" + bytes(18)):
        kept[0].write_bytes(damage)
        np.testing.assert_array_equal(load_images(path, size=3).train.images, first.train.images)
    object_array = io.BytesIO()
    np.savez(object_array, sha256=np.array([object()]), allow_pickle=True)
    kept[0].write_bytes(object_array.getvalue())
    np.testing.assert_array_equal(load_images(path, size=3).train.images, first.train.images)


def test_other_bytes_are_another_entry_and_an_unwritable_cache_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, truth = tree()
    folder = unpack(tmp_path / "x", files)
    load_images(folder)
    (folder / "train/cat/a.png").write_bytes(picture(255 - truth["train/cat/a.png"]))
    np.testing.assert_array_equal(load_images(folder).train.images[1], 255 - truth["train/cat/a.png"])
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "file"))
    assert len(load_images(folder).train) == 3


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "x.zip", tree()[0])
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"needs 'pillow'.*nasanalysis\[supernet\]"):
        load_images(path)
    with pytest.raises(MissingExtraError, match="pillow"):
        resize(ImageSet(pixels(1), np.zeros(1, np.int64)), 16)


# ---------------------------------------------------------------- finding, sizes, splits


def test_names_and_paths_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10'"):
        load_images("cifar-10", tmp_path)
    with pytest.raises(MissingDataError, match="cifar10: not on this machine") as caught:
        load_images("cifar10", tmp_path)
    assert str(tmp_path / "images" / "cifar-10-python.tar.gz") in str(caught.value)
    with pytest.raises(MissingDataError, match=r"x\.zip: expected images, found nothing there"):
        load_images(tmp_path / "x.zip")
    (tmp_path / "x.csv").write_text("a,b")
    with pytest.raises(DataFileError, match="got a file of another kind"):
        load_images(tmp_path / "x.csv")
    with pytest.raises(ParameterError, match="size: expected a whole number of pixels, 1 or more, got 0"):
        load_images("digits", size=0)


def test_the_data_folder_comes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpack(tmp_path / "a" / "mnist", mnist_files())
    unpack(tmp_path / "b" / "mnist", mnist_files())
    monkeypatch.setenv("NASANALYSIS_DATA", str(tmp_path / "b"))
    assert load_images("mnist").source == str(tmp_path / "b" / "mnist")
    assert load_images("mnist", tmp_path / "a").source == str(tmp_path / "a" / "mnist")


@given(st.sampled_from([1, 3]), st.sampled_from([2, 4, 8]), st.integers(0, 2**32 - 1))
def test_resize_by_a_whole_factor_averages_blocks(channels: int, factor: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (2, 16, 16, channels), dtype=np.uint8)
    part = resize(ImageSet(images, np.arange(2)), 16 // factor)
    side = 16 // factor
    mean = images.reshape(2, side, factor, side, factor, channels).mean((2, 4))
    assert np.abs(part.images - mean).max() <= 1.0, "Pillow rounds after rows and after columns"
    assert part.images.shape == (2, side, side, channels)
    np.testing.assert_array_equal(part.images, resize(ImageSet(images, np.arange(2)), side).images)


def test_resize_to_other_sizes() -> None:
    flat = ImageSet(np.full((1, 8, 8, 3), 77, np.uint8), np.zeros(1, np.int64))
    assert np.unique(resize(flat, 5).images).tolist() == [77]
    assert resize(flat, 12).images.shape == (1, 12, 12, 3)
    assert resize(flat, 8) is flat
    with pytest.raises(ParameterError, match="1 or more, got 0"):
        resize(flat, 0)


def test_size_changes_published_moments_to_computed_ones(tmp_path: Path) -> None:
    unpack(tmp_path / "cifar-10-batches-py", cifar_files("cifar10")[0])
    data = load_images("cifar10", tmp_path, size=16)
    assert data.train.images.shape == (20, 16, 16, 3)
    assert data.test is not None
    assert data.test.images.shape == (4, 16, 16, 3)
    assert (data.mean, data.std) == moments(data.train)


def labelled(sizes: list[int]) -> ImageData:
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    images = np.arange(len(labels), dtype=np.uint32).view(np.uint8).reshape(-1, 1, 4, 1)  # the index, as pixels
    part = ImageSet(images, labels)
    return ImageData("toy", tuple(map(str, range(len(sizes)))), part, part, "", {}, (0.0,), (1.0,))


def indices(part: ImageSet) -> np.ndarray:
    return part.images.reshape(-1).view(np.uint32)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.data())
def test_split_is_disjoint_stratified_and_exact(sizes: list[int], draw: st.DataObject) -> None:
    total = sum(sizes)
    if total < 2:
        return
    train = draw.draw(st.integers(1, total - 1))
    valid = draw.draw(st.integers(1, total - train))
    data = labelled(sizes)
    parts = split(data, train=train, valid=valid, seed=3)
    assert [len(p) for p in parts] == [train, valid]
    assert not set(indices(parts[0])) & set(indices(parts[1]))
    for part in parts:
        assert np.all(np.diff(indices(part).astype(int)) > 0), "in the order of the data, none twice"
        np.testing.assert_array_equal(part.labels, data.train.labels[indices(part)])
    share = np.bincount(parts[0].labels, minlength=len(sizes)) - train * np.array(sizes) / total
    assert np.all(np.abs(share) < 1)
    # what training left over may hold back one image of a class, never two
    rest = np.bincount(parts[1].labels, minlength=len(sizes)) - valid * np.array(sizes) / total
    assert np.all(np.abs(rest) < 2)


def test_split_follows_its_seed_alone() -> None:
    data = labelled([30, 30])
    np.random.seed(5)  # noqa: NPY002
    first = split(data, train=20, valid=10, seed=0)
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr] # noqa: NPY002
    np.random.seed(6)  # noqa: NPY002
    again = split(data, train=20, valid=10, seed=0)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(indices(a), indices(b))
    assert not np.array_equal(indices(first[0]), indices(split(data, train=20, valid=10, seed=1)[0]))
    np.random.seed(5)  # noqa: NPY002
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index] # noqa: NPY002


@pytest.mark.parametrize(
    ("train", "valid", "message"),
    [
        (0, 5, "train: expected 1 image or more, got 0: the split would be empty"),
        (5, 0, "valid: expected 1 image or more, got 0"),
        (5, -1, "valid: expected 1 image or more, got -1"),
        (50, 11, "toy: expected at most 60 images, which the training part has, got 50 + 11 = 61"),
    ],
)
def test_split_refuses(train: int, valid: int, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        split(labelled([30, 30]), train=train, valid=valid, seed=0)
    assert message in str(caught.value)


def split_file(path: Path, first: list[int], second: list[int], keys: tuple[str, str], python: bool = False) -> None:
    content = {key: ["int", [str(i) for i in part]] for key, part in zip(keys, (first, second), strict=True)}
    path.parent.mkdir(exist_ok=True)
    path.write_text(repr(content) if python else json.dumps(content))


@pytest.mark.parametrize("python", [True, False])
def test_nb201_split_reads_the_published_lists(tmp_path: Path, python: bool) -> None:
    data = labelled([3, 3])
    split_file(tmp_path / "nb201" / "cifar-split.txt", [0, 2, 5], [1, 3, 4], ("train", "valid"), python)
    train, valid, test = nb201_split(data, "cifar10", tmp_path)
    assert indices(train).tolist() == [0, 2, 5]
    assert indices(valid).tolist() == [1, 3, 4]
    assert test is data.test
    split_file(tmp_path / "cifar100-test-split.txt", [5, 1, 0], [2, 3, 4], ("xvalid", "xtest"), python)
    train, valid, test = nb201_split(data, "cifar100", tmp_path)
    assert train is data.train
    assert indices(valid).tolist() == [5, 1, 0]
    assert indices(test).tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{'train': ['int', ['0', '1', '2']], 'valid': ['int', ['2', '4', '5']]}", "got 3 + 3 indices (5 different"),
        ("{'train': ['int', ['0', '1', '2']], 'valid': ['int', ['3', '4', '6']]}", "different ones, 0 to 6"),
        ("{'train': ['int', ['0', '1', '2']]}", "expected a list of indices 'valid', got none"),
        ("{'train': ['int', ['x']], 'valid': []}", "expected a list of indices 'train', got none"),
        ("{'train': [], 'valid': []}", "expected indices of 6 images, got none"),
        ("__import__('os').system('true')", "expected JSON with lists of indices"),
    ],
)
def test_bad_split_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "cifar-split.txt").write_text(text)
    with pytest.raises(DataFileError) as caught:
        nb201_split(labelled([3, 3]), "cifar10", tmp_path)
    assert message in str(caught.value)


def test_nb201_split_without_the_file_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="AutoDL-Projects") as caught:
        nb201_split(labelled([3, 3]), "cifar10", tmp_path)
    assert "cifar-split.txt" in str(caught.value)
    assert "split(data, train=..., valid=..., seed=...)" in str(caught.value)
    with pytest.raises(UnknownNameError, match="cifar100"):
        nb201_split(labelled([3, 3]), "cifar1000", tmp_path)


# ---------------------------------------------------------------- real files


def test_the_real_archive_of_class_folders(data_dir: Path, tmp_path: Path) -> None:
    data = load_images("cifar10-jpeg", data_dir, size=16)
    assert data.test is not None
    assert (data.train.images.shape, data.test.images.shape) == ((20_000, 16, 16, 3), (5_000, 16, 16, 3))
    assert data.classes == tuple(CIFAR10)
    np.testing.assert_array_equal(np.bincount(data.train.labels), [2_000] * 10)
    np.testing.assert_array_equal(np.bincount(data.test.labels), [500] * 10)
    with zipfile.ZipFile(data.source) as archive:  # one image by hand
        picture = PIL.open(io.BytesIO(archive.read("train/cat/0007.jpg")))
    np.testing.assert_array_equal(data.train.images[3 * 2_000 + 7], picture.resize((16, 16), PIL.Resampling.BOX))
    # JPEG or not, it is CIFAR-10: the mean is near the published one
    assert np.abs(np.array(data.mean) * 255 - [125.3, 123.0, 113.9]).max() < 1.5
    assert set(data.sha256.values()) <= set(registry.data_sets()["images-cifar10"].sha256_seen.values())
    train, valid = split(data, train=10_000, valid=5_000, seed=0)
    assert np.bincount(train.labels).tolist() == [1_000] * 10
    assert np.bincount(valid.labels).tolist() == [500] * 10


def test_real_mnist(data_dir: Path) -> None:
    data = load_images("mnist", data_dir)
    assert data.test is not None
    assert (data.train.images.shape, len(data.test)) == ((60_000, 28, 28, 1), 3_000)
    assert data.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert (data.mean[0], data.std[0]) == (pytest.approx(0.1307, abs=1e-4), pytest.approx(0.3081, abs=1e-4))
    assert load_images(data_dir / "images" / "mnist").name == "mnist"


def test_the_registry_checks_what_is_here(tmp_path: Path) -> None:
    results = {r.name: r for r in registry.check_data(None, tmp_path)}
    assert {results[n].status for n in ("cifar10", "cifar100", "svhn", "ImageNet16-120")} == {"absent"}
    pack(tmp_path / "cifar-10-python.tar.gz", cifar_files("cifar10")[0])
    (result,) = registry.check_data("cifar10", tmp_path)
    assert result.status == "failed"
    assert "expected SHA-256 6d958be074" in result.message
    imagenet16(tmp_path / "ImageNet16")
    (result,) = registry.check_data("ImageNet16-120", tmp_path)
    assert result.status == "ok"
    assert result.message.endswith("test images of 120 classes")


def test_the_module_needs_no_torch() -> None:
    import subprocess

    heavy = {"torch", "PIL", "sklearn", "scipy"}
    code = f"import sys, nasanalysis.loaders.images.read; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert ast.literal_eval(done.stdout) == []
    assert images.__all__ == sorted(images.__all__)
