"""Image data sets without torchvision: arrays of uint8, the hashes of what was read, and how to normalise them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ...core.errors import DataFileError, MissingDataError, ParameterError, UnknownNameError
from ...core.reading import reads
from ..files import candidates, data_folders, missing
from .folders import read_class_folders, resize
from .formats import (
    IMAGENET16_TRAIN,
    cifar_kind,
    idx_files,
    read_cifar,
    read_digits,
    read_idx,
    read_imagenet16,
    read_svhn,
)
from .splits import Nb201Split, nb201_split, split
from .types import ImageData, ImageSet, Raw, moments

__all__ = ["IMAGE_DATA", "ImageData", "ImageSet", "Nb201Split", "load_images", "nb201_split", "resize", "split"]

#: What NAS-Bench-201 normalises with: name -> (side in pixels, mean, standard deviation), pixels in 0 to 255.
#: Source: D-X-Y/AutoDL-Projects, lib/datasets/get_dataset_with_transform.py.
_PUBLISHED: Final = {
    "cifar10": (32, (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
    "cifar100": (32, (129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
    "ImageNet16-120": (16, (122.68, 116.66, 104.01), (63.22, 61.26, 65.09)),
}

#: Known names -> where they lie in a data folder or in ``images`` below it: archives and folders.
_PLACES: Final = {
    "cifar10": ("cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar-10-batches-bin", "cifar-10-binary.tar.gz"),
    "cifar100": ("cifar-100-python", "cifar-100-python.tar.gz", "cifar-100-binary", "cifar-100-binary.tar.gz"),
    "svhn": (".", "svhn", "SVHN"),
    "ImageNet16-120": ("ImageNet16", "ImageNet16-120", "imagenet16", "."),
    "mnist": ("mnist", "MNIST/raw", "MNIST", "."),
    "cifar10-jpeg": ("cifar10_jpeg_25k.zip",),
}
#: The names that `load_images` knows.
IMAGE_DATA: Final = ("cifar10", "cifar100", "svhn", "ImageNet16-120", "mnist", "digits", "cifar10-jpeg")


def load_images(name_or_path: str | Path, data: Path | str | None = None, *, size: int | None = None) -> ImageData:
    """An image data set by name or from a file or folder.

    Parameters
    ----------
    name_or_path: ``cifar10``, ``cifar100``, ``svhn``, ``ImageNet16-120``, ``mnist``, ``digits``, ``cifar10-jpeg``;
        or a path: an official archive or its unpacked folder, a folder of idx or .mat files, or class folders
        (``train/CLASS/x.jpg``, ``test/CLASS/x.jpg``, or ``CLASS/x.jpg``) as a tree or a zip archive. A text that is
        one of the names is that name.
    data: folder searched first, then ``$NASANALYSIS_DATA`` and the user's cache, each with ``images`` below it.
    size: images are brought to ``size x size`` pixels, as `resize` does it.

    ``mean`` and ``std`` are those NAS-Bench-201 uses for CIFAR-10, CIFAR-100 and ImageNet16-120 at their own size, and
    otherwise computed from the training part (all of it, before any `split`).

    Raises `MissingDataError`, `UnknownNameError`, or `DataFileError` that says what is wrong with a file.
    """
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise ParameterError(f"size: expected a whole number of pixels, 1 or more, got {size!r}")
    if isinstance(name_or_path, str) and name_or_path in IMAGE_DATA:
        name: str | None = name_or_path
        path = None if name == "digits" else _find(name_or_path, data)
    else:
        name, path = None, _as_path(name_or_path, data)
    dataset_name, raw = ("digits", read_digits()) if path is None else _read(path, size)
    if name in ("cifar10", "cifar100") and dataset_name != name:
        raise DataFileError(f"{path}: expected {name}, got {dataset_name}")
    if name not in (None, "cifar10-jpeg"):
        dataset_name = str(name)
    if size is not None:
        test = None if raw.test is None else resize(raw.test, size)
        raw = Raw(raw.classes, resize(raw.train, size), test, raw.sha256)
    mean, std = _normalisation(dataset_name, raw)
    source = "scikit-learn" if path is None else str(path)
    return ImageData(dataset_name, raw.classes, raw.train, raw.test, source, raw.sha256, mean, std)


def _normalisation(name: str, raw: Raw) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if name in _PUBLISHED and raw.train.images.shape[1] == _PUBLISHED[name][0]:
        _, mean, std = _PUBLISHED[name]
        return tuple(m / 255 for m in mean), tuple(s / 255 for s in std)
    return moments(raw.train)


@reads("images")
def _read(path: Path, size: int | None) -> tuple[str, Raw]:
    """(name, content) of a file or folder, by what it holds."""
    if path.is_dir():
        names = {p.name for p in path.iterdir() if p.is_file()}
        if cifar_kind(names):
            return read_cifar(path)
        for sign, name, reader in _FOLDERS:
            if sign(names):
                return name or path.resolve().name, reader(path)
        return path.resolve().name, read_class_folders(path, size)
    if path.suffix.lower() == ".zip":
        return path.stem, read_class_folders(path, size)
    if path.name.endswith((".tar.gz", ".tgz", ".tar")):
        return read_cifar(path)
    if path.suffix == ".mat":
        return "svhn", read_svhn(path)
    if "-ubyte" in path.name:
        return path.resolve().parent.name, read_idx(path)
    raise DataFileError(
        f"{path}: expected a .zip of class folders, a CIFAR .tar.gz, a .mat of SVHN, an idx file or a folder, "
        f"got a file of another kind"
    )


#: (whether a folder's file names are of this kind, name or None for the folder's own, reader).
_FOLDERS: Final[tuple[tuple[Callable[[set[str]], bool], str | None, Callable[[Path], Raw]], ...]] = (
    (lambda names: bool(names & {"train_32x32.mat", "test_32x32.mat"}), "svhn", read_svhn),
    (lambda names: bool(names & set(IMAGENET16_TRAIN)), "ImageNet16-120", read_imagenet16),
    (lambda names: any("-idx3-ubyte" in n or ".idx3-ubyte" in n for n in names), None, read_idx),
)


def _find(name: str, data: Path | str | None) -> Path:
    """Where a known data set lies; `MissingDataError` lists where it was looked for."""
    looked = [base / sub / place for base in data_folders(data) for sub in ("", "images") for place in _PLACES[name]]
    for path in looked:
        if path.is_file() or (path.is_dir() and _holds(path, name)):
            return path
    raise missing(name, looked, [name])


def _holds(folder: Path, name: str) -> bool:
    if name == "mnist":
        return "train-images" in idx_files(folder)
    if name == "svhn":
        return (folder / "train_32x32.mat").is_file()
    if name == "ImageNet16-120":
        return (folder / IMAGENET16_TRAIN[0]).is_file()
    return True


def _as_path(name_or_path: str | Path, data: Path | str | None) -> Path:
    def places() -> Iterator[Path]:
        path = Path(name_or_path).expanduser()
        yield path
        if not path.is_absolute():
            yield from candidates(path, data)
            yield from candidates(Path("images") / path, data)

    for path in places():
        if path.exists():
            return path
    text = str(name_or_path)
    if isinstance(name_or_path, str) and not Path(text).suffix and len(Path(text).parts) == 1:
        raise UnknownNameError("image data set", text, IMAGE_DATA)
    raise MissingDataError(
        f"{text}: expected images, found nothing there. Known names: {', '.join(IMAGE_DATA)}; "
        "a path may also lie in --data or $NASANALYSIS_DATA."
    )
