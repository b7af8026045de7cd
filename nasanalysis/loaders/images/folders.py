"""Images in class folders, as a tree or a zip archive: ``train/CLASS/x.jpg``, ``test/CLASS/x.jpg``, or ``CLASS/x.jpg``.

Decoding thousands of JPEGs takes seconds, so the arrays are kept in the user's cache, named by the SHA-256 of
what was read, the size and the version of this reader.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ...core.atomic import write_atomically
from ...core.budget import in_words, over_budget, read_budget, regular
from ...core.errors import (
    DataFileError,
    MissingDataError,
    MissingExtraError,
    NasAnalysisError,
    OutputError,
    ParameterError,
)
from ...core.provenance import sha256
from ..files import cache_dir
from ..safe_pickle import looks_like
from .formats import check_inside
from .types import ImageSet, Raw, image_set

if TYPE_CHECKING:
    from types import ModuleType

#: Raise it whenever the same files would give other arrays.
_VERSION: Final = 1
_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})
_IMAGE_LIMIT: Final = 256 * 2**20


def pillow() -> ModuleType:
    """``PIL.Image``; `MissingExtraError` where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pillow", "supernet", "reading and resizing images") from error
    return Image


def read_class_folders(path: Path, size: int | None = None) -> Raw:
    """A tree or zip archive of class folders; greyscale where all images are, otherwise red, green, blue.

    Parameters
    ----------
    size: images are reduced to ``size x size`` pixels, as `resize` does it.

    Classes are the folders of the training part by name, images go by class and then by name. Without a level
    ``train`` all images are the training part. Files that are no images by their suffix are passed over.
    """
    hashes = {path.name: sha256(path) if path.is_file() else _tree_hash(path)}
    key = next(iter(hashes.values()))
    cached = cache_dir() / "converted" / f"{key[:16]}-images-{size or 'full'}-v{_VERSION}.npz"
    raw = _from_cache(cached, hashes)
    if raw is None:
        raw = _decode(path, hashes)
        if size is not None:
            test = None if raw.test is None else resize(raw.test, size)
            raw = Raw(raw.classes, resize(raw.train, size), test, hashes)
        _to_cache(cached, raw)
    return raw


@dataclass(frozen=True)
class _Files:
    """Relative paths (with slashes), and what reads one."""

    names: list[str]
    read: Callable[[str], bytes]


def _open(path: Path, stack: ExitStack) -> _Files:
    if path.is_dir():
        return _Files(_walk(path), lambda name: _read_image(path / name))
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
    except FileNotFoundError:
        raise MissingDataError(f"{path}: expected a zip archive or a folder, found nothing there") from None
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        with open(path, "rb") as file:
            looks = looks_like(file.read(64))
        raise DataFileError(f"{path}: expected a whole zip archive, got {looks} ({error}); get it again") from error
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    for name in names:
        check_inside(path, name)

    def read(name: str) -> bytes:
        if archive.getinfo(name).file_size > _IMAGE_LIMIT:
            raise DataFileError(f"{path}: expected images of at most {in_words(_IMAGE_LIMIT)}, {name} is larger")
        try:
            return archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise DataFileError(f"{path}: {name} cannot be unpacked ({error}); get the archive again") from error

    return _Files(names, read)


def _read_image(path: Path) -> bytes:
    size = regular(path).stat().st_size
    if size > _IMAGE_LIMIT:
        raise DataFileError(f"{path}: expected images of at most {in_words(_IMAGE_LIMIT)}, got {in_words(size)}")
    return path.read_bytes()


def _walk(folder: Path) -> list[str]:
    names = []
    for base, folders, files in os.walk(folder):
        folders.sort()
        names += [(Path(base) / file).relative_to(folder).as_posix() for file in files]
    return sorted(names)


def _is_image(name: str) -> bool:
    """By its suffix, and not what an operating system leaves behind (``__MACOSX``, ``._x.jpg``)."""
    parts = name.split("/")
    return Path(name).suffix.lower() in _SUFFIXES and not any(p.startswith((".", "__MACOSX")) for p in parts)


def _tree_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of a tree's images."""
    whole = hashlib.sha256()
    for name in filter(_is_image, _walk(folder)):
        whole.update(name.encode() + b"\0" + hashlib.sha256(_read_image(folder / name)).digest())
    return whole.hexdigest()


def _parts(names: list[str], path: Path) -> dict[str, dict[str, list[str]]]:
    """``{"train": {class: paths}, "test": {class: paths}}`` of the images' paths."""
    split = [name.split("/") for name in sorted(names)]
    if not split:
        raise DataFileError(f"{path}: expected images in class folders, got no image ({', '.join(sorted(_SUFFIXES))})")
    depth = 0  # a single folder around everything, as archives often have
    while min(map(len, split)) > depth + 2 and len(top := {p[depth] for p in split}) == 1:
        if top & {"train", "test"}:
            break
        depth += 1
    top = {p[min(depth, len(p) - 1)] for p in split}
    levels = bool(top & {"train", "test"})
    if levels and top - {"train", "test"}:
        other = ", ".join(sorted(top - {"train", "test"}))
        raise DataFileError(f"{path}: expected the folders train and test alone, got {other} too; move it out")
    if levels and "train" not in top:
        raise DataFileError(f"{path}: expected a folder train beside test, got none")
    by_part: dict[str, dict[str, list[str]]] = {}
    for parts in split:
        inside = parts[depth + levels :]
        if len(inside) < 2:
            raise DataFileError(f"{path}: expected every image in the folder of its class, got {'/'.join(parts)}")
        by_part.setdefault(parts[depth] if levels else "train", {}).setdefault(inside[0], []).append("/".join(parts))
    unknown = sorted(set(by_part.get("test", {})) - set(by_part["train"]))
    if unknown:
        raise DataFileError(
            f"{path}: expected test classes that are in train too, got {', '.join(unknown[:5])}; "
            f"train has {', '.join(sorted(by_part['train'])[:5])} ..."
        )
    return by_part


def _decode(path: Path, hashes: Mapping[str, str]) -> Raw:
    image = pillow()
    with ExitStack() as stack:
        files = _open(path, stack)
        parts = _parts([name for name in files.names if _is_image(name)], path)
        classes = tuple(sorted(parts["train"]))
        pixels: dict[str, list[NDArray[np.uint8]]] = {}
        first: tuple[str, tuple[int, ...]] | None = None
        taken = 0
        for part, by_class in parts.items():
            pixels[part] = []
            for name in (name for label in sorted(by_class) for name in by_class[label]):
                array = _decode_one(image, files.read(name), f"{path}: {name}")
                first = first or (name, array.shape)
                if array.shape[:2] != first[1][:2]:
                    sizes = [f"{n} ({s[1]} x {s[0]} pixels)" for n, s in (first, (name, array.shape))]
                    raise DataFileError(
                        f"{path}: expected images of one size, got {sizes[0]} and {sizes[1]}; bring them to one size"
                    )
                taken += array.nbytes
                if 2 * taken > read_budget():  # once as images, once stacked
                    over_budget(path, 2 * taken)
                pixels[part].append(array)
    colour = any(array.shape[2] == 3 for arrays in pixels.values() for array in arrays)
    done = {}
    for part, arrays in pixels.items():
        labels = np.repeat(
            [classes.index(label) for label in sorted(parts[part])],
            [len(parts[part][label]) for label in sorted(parts[part])],
        )
        stacked = np.stack([np.repeat(a, 3, axis=2) if colour and a.shape[2] == 1 else a for a in arrays])
        done[part] = image_set(stacked, labels, classes, path)
    return Raw(classes, done["train"], done.get("test"), hashes)


def _decode_one(image: Any, data: bytes, where: str) -> NDArray[np.uint8]:
    """(height, width, 1 or 3) uint8."""
    try:
        with image.open(io.BytesIO(data)) as opened:
            mode = opened.mode
            width, height = opened.size
            allowed = min(_IMAGE_LIMIT, read_budget())
            if 4 * width * height > allowed:  # before anything is decoded
                over_budget(f"{where} ({width:,} x {height:,} pixels)", 4 * width * height, allowed)
            if not mode.startswith(("I", "F")):
                array = np.asarray(opened.convert("L" if mode in ("L", "1") else "RGB"))
                return array[..., None] if array.ndim == 2 else array
    except NasAnalysisError:
        raise
    except Exception as error:  # Pillow raises many kinds for what is no image
        raise DataFileError(f"{where}: expected an image, got {looks_like(data[:64])} ({error})") from error
    raise DataFileError(f"{where}: expected 8 bits per channel, got an image of mode {mode}")


def _from_cache(path: Path, hashes: Mapping[str, str]) -> Raw | None:
    """What an earlier run decoded; None if there is nothing usable."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["sha256"]) != next(iter(hashes.values())):
                return None
            classes = tuple(map(str, kept["classes"]))
            parts = {
                name: image_set(kept[f"{name}_images"], kept[f"{name}_labels"], classes, path)
                for name in ("train", "test")
                if f"{name}_images" in kept
            }
        return Raw(classes, parts["train"], parts.get("test"), hashes)
    except Exception:  # cut off, foreign or of another layout: decode again
        return None


def _to_cache(path: Path, raw: Raw) -> None:
    parts = {"train": raw.train} | ({} if raw.test is None else {"test": raw.test})
    arrays: dict[str, Any] = {f"{name}_images": part.images for name, part in parts.items()}
    arrays |= {f"{name}_labels": part.labels for name, part in parts.items()}

    def write(temp: Path) -> None:
        with open(temp, "wb") as file:
            np.savez(file, classes=np.array(raw.classes), sha256=np.array(next(iter(raw.sha256.values()))), **arrays)

    try:
        for older in path.parent.glob(re.sub(r"-v\d+\.npz$", "-v*.npz", path.name)):
            older.unlink(missing_ok=True)
        write_atomically(path, write)
    except (OutputError, OSError):
        pass


def resize(part: ImageSet, size: int) -> ImageSet:
    """The images at ``size x size`` pixels.

    A whole factor down averages blocks of pixels (Pillow's ``BOX``); any other size is Pillow's antialiased
    ``BILINEAR``. The same input gives the same output.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ParameterError(f"size: expected a whole number of pixels, 1 or more, got {size!r}")
    _, height, width, channels = part.images.shape
    if (height, width) == (size, size):
        return part
    image = pillow()
    whole = height % size == 0 and width % size == 0
    method = image.Resampling.BOX if whole else image.Resampling.BILINEAR
    out = np.empty((len(part), size, size, channels), np.uint8)
    for i, pixels in enumerate(part.images):
        small = image.fromarray(pixels[..., 0] if channels == 1 else pixels).resize((size, size), method)
        out[i] = np.asarray(small).reshape(size, size, channels)
    return ImageSet(out, part.labels)
