"""Parts of an image data set for training and for validation: drawn here, or NAS-Bench-201's own."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataFileError, MissingDataError, ParameterError, UnknownNameError
from ...core.reading import reads
from ...core.seeding import generator
from ..files import data_folders
from ..safe_pickle import read_bytes
from .types import ImageData, ImageSet


def split(data: ImageData, *, train: int, valid: int, seed: int) -> tuple[ImageSet, ImageSet]:
    """Two disjoint parts of ``data.train``, stratified by class: (training, validation).

    Parameters
    ----------
    train, valid: images in each part, 1 or more; together no more than there are.
    seed: draws them. The two parts keep the order of ``data.train``.

    Each class has its share (largest remainders) of the training part to within one image, of the validation part,
    which gets what is left, to within two. `ParameterError` for parts that are empty or too large.
    """
    for name, count in (("train", train), ("valid", valid)):
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise ParameterError(f"{name}: expected 1 image or more, got {count!r}: the split would be empty")
    labels = data.train.labels
    if train + valid > len(labels):
        raise ParameterError(
            f"{data.name}: expected at most {len(labels):,} images, which the training part has, "
            f"got {train:,} + {valid:,} = {train + valid:,}"
        )
    sizes = np.bincount(labels, minlength=len(data.classes))
    first = _shares(int(train), sizes, sizes)
    second = _shares(int(valid), sizes, sizes - first)
    draw = generator(seed, "images", "split")
    parts: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    for label in range(len(sizes)):
        shuffled = draw.permutation(np.flatnonzero(labels == label))
        parts[0].append(shuffled[: first[label]])
        parts[1].append(shuffled[first[label] : first[label] + second[label]])
    chosen = [np.sort(np.concatenate(part)) for part in parts]
    return data.train.take(chosen[0]), data.train.take(chosen[1])


def _shares(count: int, sizes: NDArray[np.int64], room: NDArray[np.int64]) -> NDArray[np.int64]:
    """`count` dealt out in proportion to `sizes`, at most `room` each: floors first, then the largest remainders."""
    total = int(sizes.sum())
    given = np.minimum(count * sizes // total, room)
    while (short := count - int(given.sum())) > 0:
        open_to = np.flatnonzero(given < room)
        lacks = (count * sizes - given * total)[open_to]
        given[open_to[np.argsort(-lacks, kind="stable")[:short]]] += 1
    return given


class Nb201Split(NamedTuple):
    """NAS-Bench-201's parts of a data set: what it trained on, validated on (x-valid) and tested on."""

    train: ImageSet
    valid: ImageSet
    test: ImageSet


#: data set -> (file of its split, keys of the two halves, which part they index, images there).
_SPLITS: Final = {
    "cifar10": ("cifar-split.txt", ("train", "valid"), "train"),
    "cifar100": ("cifar100-test-split.txt", ("xvalid", "xtest"), "test"),
    "ImageNet16-120": ("imagenet-16-120-test-split.txt", ("xvalid", "xtest"), "test"),
}
_WHERE: Final = "https://github.com/D-X-Y/AutoDL-Projects, folder configs/nas-benchmark"


def nb201_split(data: ImageData, dataset: str | None = None, folder: Path | str | None = None) -> Nb201Split:
    """The official parts of NAS-Bench-201: (train, valid, test).

    CIFAR-10 (the benchmark's ``cifar10-valid``): the training images are halved, the test part is whole.
    CIFAR-100 and ImageNet16-120: trained on all training images, and the *test* images are halved into x-valid and
    x-test. The halves are lists that were drawn once and published (Dong and Yang 2020, arXiv:2001.00326, section
    2.2): they are read from the published files, which are looked for in `folder` and the data folders.

    Parameters
    ----------
    dataset: ``cifar10``, ``cifar100`` or ``ImageNet16-120``; by default ``data.name``.

    Raises `MissingDataError` where the file is not here: `split` gives a stratified half instead, but another one.
    """
    dataset = dataset or data.name
    if dataset not in _SPLITS:
        raise UnknownNameError("data set with an official NAS-Bench-201 split", dataset, _SPLITS)
    name, keys, part = _SPLITS[dataset]
    halved = data.train if part == "train" else data.test
    if halved is None or data.test is None:
        raise ParameterError(f"{data.name}: expected a test part, got none: it is not the official {dataset}")
    looked = [base / sub / name for base in data_folders(folder) for sub in ("", "images", "nb201")]
    path = next((place for place in looked if place.is_file()), None)
    if path is None:
        places = "\n".join(f"  {place}" for place in looked)
        raise MissingDataError(
            f"{name}: the official split of {dataset} is not on this machine. Looked for\n{places}\n"
            f"Get it from {_WHERE}, and put it into your data folder; or use split(data, train=..., valid=..., "
            "seed=...), which draws stratified halves: other images, so no figure of the benchmark is repeated exactly."
        )
    first, second = (halved.take(index) for index in _halves(path, keys, len(halved)))
    return Nb201Split(first, second, data.test) if part == "train" else Nb201Split(data.train, first, second)


@reads("lists of indices")
def _halves(path: Path, keys: tuple[str, str], count: int) -> list[NDArray[np.int64]]:
    """Two index lists of a split file, ``{"train": ["int", ["0", "5", ...]], ...}``: disjoint, and all of `count`."""
    text = read_bytes(path).decode("utf-8", "replace")
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        try:
            content = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise DataFileError(f"{path}: expected JSON with lists of indices, got something else ({error})") from error
    lists = []
    for key in keys:
        try:
            entry = content[key]
            values = entry[1] if len(entry) == 2 and entry[0] == "int" else entry
            lists.append(np.array([int(value) for value in values], np.int64))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataFileError(
                f"{path}: expected a list of indices {key!r}, got none ({type(error).__name__})"
            ) from error
    together = np.sort(np.concatenate(lists))
    if not np.array_equal(together, np.arange(count)):
        sizes = " + ".join(f"{len(part):,}" for part in lists)
        raise DataFileError(
            f"{path}: expected each of {count:,} images once, got {sizes} indices "
            f"({len(np.unique(together)):,} different ones, {together[0]} to {together[-1]}); "
            "is it the split of this data set, and is the data set whole?"
            if len(together)
            else f"{path}: expected indices of {count:,} images, got none"
        )
    return lists
