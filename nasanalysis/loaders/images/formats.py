"""The published files of image data sets: CIFAR, SVHN, ImageNet16-120, MNIST's idx files, scikit-learn's digits."""

from __future__ import annotations

import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.budget import over_budget, read_budget, regular
from ...core.errors import DataFileError, MissingDataError, MissingExtraError
from ...core.guarded import survives
from ...core.provenance import sha256
from ...core.shown import words
from .. import safe_pickle
from ..archives import Entry
from .types import ImageSet, Raw, image_set, join

#: Most bytes that one file may hold once it is decompressed (CIFAR-100's training images take 154 MB).
_LIMIT: Final = 2**30

#: CIFAR's files: (training, test, class names).
_PYTHON: Final = {
    "cifar10": (tuple(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"),
    "cifar100": (("train",), "test", "meta"),
}
_BINARY: Final = {
    "cifar10": (tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin", "batches.meta.txt"),
    "cifar100": (("train.bin",), "test.bin", "fine_label_names.txt"),
}
_CIFAR: Final = [(name, kind) for kind in (_PYTHON, _BINARY) for name in kind]


def cifar_kind(names: Iterable[str]) -> tuple[str, bool] | None:
    """(``cifar10`` or ``cifar100``, whether it is the binary version) by file names; None if it is neither."""
    here = set(names)
    for name, kind in _CIFAR:
        if here & set(kind[name][0]):
            return name, kind is _BINARY
    return None


def read_cifar(path: Path) -> tuple[str, Raw]:
    """CIFAR-10 or CIFAR-100 of an official archive or its unpacked folder: (name, content).

    The Python version (pickles of Python 2, read through the allow-list alone) and the binary one. Labels of
    CIFAR-100 are the 100 fine ones. Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
    """
    wanted = {file for _, kind in _CIFAR for train, test, meta in kind.values() for file in (*train, test, meta)}
    if path.is_dir():
        files = {p.name: p for p in path.iterdir() if p.name in wanted and p.is_file()}
        content = {name: safe_pickle.read_bytes(p, _LIMIT) for name, p in files.items()}
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(content.items())}
    else:
        content, hashes = read_tar(path, wanted), {path.name: sha256(path)}
    version = cifar_kind(content)
    if version is None:
        raise DataFileError(
            f"{path}: expected the files of CIFAR-10 (data_batch_1 ... test_batch) or CIFAR-100 (train, test, meta), "
            f"got {', '.join(sorted(content)) or 'none of them'}"
        )
    name, binary = version
    train, test, meta = (_BINARY if binary else _PYTHON)[name]
    lacking = [file for file in (*train, test, meta) if file not in content]
    if lacking:
        raise DataFileError(f"{path}: expected the files of {name}, lacks {', '.join(lacking)}; unpack it again")
    classes = _names(content[meta]) if binary else _python_names(content[meta], path / meta, name)
    read = _cifar_binary if binary else _cifar_python
    parts = [read(content.pop(file), path / file, name, classes) for file in train]
    return name, Raw(classes, join(parts, path), read(content[test], path / test, name, classes), hashes)


def _cifar_python(data: bytes, where: Path, name: str, classes: tuple[str, ...]) -> ImageSet:
    batch = _pickled(data, where)
    label = "labels" if name == "cifar10" else "fine_labels"
    return image_set(_planar(batch, where, 32), _entry(batch, label, where), classes, where)


def _cifar_binary(data: bytes, where: Path, name: str, classes: tuple[str, ...]) -> ImageSet:
    head = 1 if name == "cifar10" else 2  # CIFAR-100: the coarse label, then the fine one
    if len(data) % (head + 3072):
        raise DataFileError(
            f"{where}: expected records of {head + 3072} bytes, got {len(data):,} bytes; the file is cut off"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, head + 3072)
    return image_set(_channels_last(records[:, head:], 32), records[:, head - 1].astype(np.int64), classes, where)


def _python_names(data: bytes, where: Path, name: str) -> tuple[str, ...]:
    key = "label_names" if name == "cifar10" else "fine_label_names"
    return tuple(str(n) for n in _entry(_pickled(data, where), key, where))


def _names(data: bytes) -> tuple[str, ...]:
    return tuple(line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip())


def _pickled(data: bytes, where: Path) -> dict[str, Any]:
    batch = safe_pickle.loads(data, safe_pickle.NUMPY, path=where, limit=_LIMIT, encoding="latin1")
    if not isinstance(batch, dict):
        raise DataFileError(f"{where}: expected a dict, got {type(batch).__name__}")
    return batch


def _entry(batch: Mapping[str, Any], key: str, where: Path) -> Any:
    if key not in batch:
        raise DataFileError(f"{where}: expected an entry {key!r}, got {words(batch)}")
    if not isinstance(batch[key], list | np.ndarray):
        raise DataFileError(f"{where}: expected a list as {key!r}, got {type(batch[key]).__name__}")
    return batch[key]


def _planar(batch: Mapping[str, Any], where: Path, side: int) -> NDArray[np.uint8]:
    """The entry ``data``: a row of red, then green, then blue for each image."""
    data = np.asarray(_entry(batch, "data", where))
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3 * side**2:
        raise DataFileError(
            f"{where}: expected data as (n, {3 * side**2}) of uint8, got {data.shape} of {data.dtype}; "
            f"is it the {side} x {side} version?"
        )
    return _channels_last(data, side)


def _channels_last(rows: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows.reshape(-1, 3, side, side).transpose(0, 2, 3, 1))


def read_tar(path: Path, wanted: set[str]) -> dict[str, bytes]:
    """The content of the `wanted` files (by their last part) of a tar archive; nothing is unpacked to disk.

    `DataFileError` for a path that climbs out, a link among the wanted, and an archive that is cut off.
    """
    content: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(regular(path), "r:*", tarinfo=Entry) as tar:
            for entry in tar:
                check_inside(path, entry.name)
                name = Path(entry.name).name
                if name not in wanted or entry.isdir():
                    continue
                stream = tar.extractfile(entry) if entry.isreg() else None
                if stream is None:
                    raise DataFileError(f"{path}: expected plain files, got a link or device {entry.name!r}")
                total += entry.size
                if total > read_budget():
                    over_budget(path, total)
                if name in content:
                    raise DataFileError(f"{path}: expected one file {name}, got several")
                content[name] = stream.read()
    except FileNotFoundError:
        raise MissingDataError(f"{path}: expected an archive, found nothing there") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        with open(path, "rb") as file:
            looks = safe_pickle.looks_like(file.read(64))
        raise DataFileError(
            f"{path}: expected a whole tar archive, got {looks} ({error}); download it again"
        ) from error
    return content


def check_inside(archive: Path, name: str) -> None:
    """`DataFileError` if a path of an archive climbs out of it."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise DataFileError(
            f"{archive}: expected files inside one folder, got the path {name!r}, which climbs out; "
            "it is not the official archive, and nothing of it was read"
        )


def read_svhn(path: Path) -> Raw:
    """SVHN's cropped digits: ``train_32x32.mat`` and ``test_32x32.mat`` of a folder; label 10 is the digit 0.

    Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers/.
    """
    folder = path if path.is_dir() else path.parent
    train, test = folder / "train_32x32.mat", folder / "test_32x32.mat"
    classes = tuple("0123456789")
    parts = {file.name: _read_mat(file, classes) for file in (train, test) if file.exists()}
    if train.name not in parts:
        raise MissingDataError(f"{train}: expected SVHN's training images, found nothing there")
    hashes = {file.name: sha256(file) for file in (train, test) if file.exists()}
    return Raw(classes, parts[train.name], parts.get(test.name), hashes)


def _read_mat(path: Path, classes: tuple[str, ...]) -> ImageSet:
    from scipy.io import loadmat

    # scipy crashes on some damaged files, which nothing here could catch
    if problem := survives("scipy.io:loadmat", str(regular(path))):
        raise DataFileError(f"{path}: expected a MATLAB file, got a damaged one ({problem}); download it again")
    try:
        content = loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # scipy raises many kinds for a damaged file, zlib.error and TypeError among them
        raise DataFileError(
            f"{path}: expected a MATLAB file, got a damaged one ({error}); download it again"
        ) from error
    lacking = [key for key in ("X", "y") if key not in content]
    if lacking:
        raise DataFileError(f"{path}: expected the variables X and y, lacks {' and '.join(lacking)}")
    images, labels = content["X"], content["y"].reshape(-1)
    if images.ndim != 4 or labels.dtype.kind not in "iuf":
        raise DataFileError(
            f"{path}: expected X as (32, 32, 3, n) and numbers as y, got {images.shape}, {labels.dtype}"
        )
    codes = labels.astype(np.int64)
    if not np.array_equal(codes, labels):
        raise DataFileError(f"{path}: expected whole numbers as labels")
    if np.any(codes == 0) and np.any(codes == 10):
        raise DataFileError(f"{path}: expected labels 1 to 10 (10 is the digit 0), got 0 too")
    return image_set(images.transpose(3, 0, 1, 2), np.where(codes == 10, 0, codes), classes, path)


#: ImageNet16's files.
IMAGENET16_TRAIN: Final = tuple(f"train_data_batch_{i}" for i in range(1, 11))
IMAGENET16_VALID: Final = "val_data"
_IMAGENET16_CLASSES: Final = 120


def read_imagenet16(path: Path) -> Raw:
    """ImageNet16-120: the first 120 classes of ImageNet at 16 x 16 pixels, in the files' order.

    The training part comes from ``train_data_batch_1`` to ``_10`` (151,700 images in the official files), the
    test part from ``val_data`` (6,000). The files number classes from 1 and hold no names: ``classes`` are these
    numbers as text. Chrabaszcz et al. 2017, arXiv:1707.08819; the 120 classes: Dong and Yang 2020, arXiv:2001.00326.
    """
    lacking = [name for name in (*IMAGENET16_TRAIN, IMAGENET16_VALID) if not (path / name).is_file()]
    if lacking:
        raise MissingDataError(f"{path}: expected the files of ImageNet16, lacks {', '.join(lacking)}")
    classes = tuple(str(i) for i in range(1, _IMAGENET16_CLASSES + 1))
    hashes: dict[str, str] = {}

    def read(name: str) -> ImageSet | None:
        data = safe_pickle.read_bytes(path / name, _LIMIT)
        hashes[name] = hashlib.sha256(data).hexdigest()
        batch = _pickled(data, path / name)
        images, labels = _planar(batch, path / name, 16), np.asarray(_entry(batch, "labels", path / name))
        everything = tuple(str(i) for i in range(1, 1001))
        part = image_set(images, labels - 1 if labels.dtype.kind in "iu" else labels, everything, path / name)
        kept = part.take(np.flatnonzero(part.labels < _IMAGENET16_CLASSES))
        return kept if len(kept) else None

    batches = [part for name in IMAGENET16_TRAIN if (part := read(name)) is not None]
    if not batches:
        raise DataFileError(f"{path}: expected images of classes 1 to {_IMAGENET16_CLASSES}, got none")
    return Raw(classes, join(batches, path), read(IMAGENET16_VALID), hashes)


_IDX: Final = re.compile(r"(?P<part>train|t10k|test\w*)-(?P<what>images|labels)[-.]idx[13]-ubyte(\.gz)?")


def idx_files(folder: Path) -> dict[str, Path]:
    """MNIST's four files in a folder: ``train-images``, ``train-labels``, ``test-images``, ``test-labels``."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _IDX.fullmatch(path.name)
        if match:
            key = f"{'train' if match['part'] == 'train' else 'test'}-{match['what']}"
            other = files.get(key)
            if other and other.name.removesuffix(".gz") != path.name.removesuffix(".gz"):
                raise DataFileError(f"{folder}: expected one file of {key}, got {other.name} and {path.name}")
            files[key] = path
    return files


def read_idx(path: Path) -> Raw:
    """MNIST-style idx files of a folder, gzipped or not (test files: ``t10k-...`` or ``test...-...``).

    Classes are the numbers 0 to the largest training label.
    """
    files = idx_files(path if path.is_dir() else path.parent)
    for key in ("train-images", "train-labels"):
        if key not in files:
            raise MissingDataError(f"{path}: expected {key}-idx{3 if 'images' in key else 1}-ubyte.gz, found none")
    if ("test-images" in files) != ("test-labels" in files):
        raise MissingDataError(f"{path}: expected test images and labels, got only one of the two")
    labels = {key: _read_idx(file, 1) for key, file in files.items() if "labels" in key}
    classes = tuple(map(str, range(int(labels["train-labels"].max(initial=0)) + 1)))

    def part(name: str) -> ImageSet:
        images = _read_idx(files[f"{name}-images"], 3)
        return image_set(images[..., None], labels[f"{name}-labels"].astype(np.int64), classes, files[f"{name}-labels"])

    hashes = {file.name: sha256(file) for file in files.values()}
    return Raw(classes, part("train"), part("test") if "test-images" in files else None, hashes)


def _read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    data = safe_pickle.read_bytes(path, _LIMIT)
    magic = bytes([0, 0, 8, ndim])
    if data[:4] != magic:
        raise DataFileError(
            f"{path}: expected idx data of {ndim} dimension{'s' * (ndim > 1)} (magic {magic.hex()}), "
            f"got {data[:4].hex() or 'nothing'}; are images and labels mixed up?"
        )
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim)]
    start, size = 4 + 4 * ndim, int(np.prod(shape, dtype=object))
    if len(data) != start + size:
        raise DataFileError(
            f"{path}: expected {start + size:,} bytes ({' x '.join(map(str, shape))}), got {len(data):,}; "
            "download it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_digits() -> Raw:
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, as one part, in its order.

    Their 17 grey levels 0 to 16 are scaled to 0 to 255: x * 255 / 16, rounded (half to even).
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "supernet", "the digits data") from error
    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images.reshape(-1, 8, 8, 1) * 255 / 16).astype(np.uint8)
    classes = tuple("0123456789")
    digest = hashlib.sha256(pixels.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    part = image_set(pixels, labels.astype(np.int64), classes, "scikit-learn's digits")
    return Raw(classes, part, None, {"sklearn.datasets.load_digits": digest})
