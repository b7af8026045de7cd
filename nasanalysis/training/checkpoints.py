"""Weights on disk: written whole or not at all, read without running what is in them.

A checkpoint is a zip archive with a pickle that names its arrays. Before torch reads one, the archive and the pickle
are checked here: arrays that lie in it as they are (nothing that unpacks to gigabytes), each as long as the pickle
says, and a pickle of plain values and tensors that `nasanalysis.loaders.pickle_walk` finds harmless.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from ..core.atomic import write_atomically
from ..core.budget import over_budget, read_budget, regular
from ..core.errors import DataFileError, MissingDataError, NasAnalysisError, UnsafePickleError
from ..core.reading import reading
from ..core.shown import shown
from ..loaders import safe_pickle

#: Raise it when what a checkpoint holds changes.
VERSION = 1

#: Kind of array in a pickle -> bytes of one number.
_STORAGES: Final = {
    **dict.fromkeys(("BoolStorage", "ByteStorage", "CharStorage", "UntypedStorage"), 1),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    "ComplexDoubleStorage": 16,
}
_ALLOWED: Final = frozenset(
    {
        "collections.OrderedDict",
        "torch.Size",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor_v2",
        *(f"torch.{name}" for name in _STORAGES),
    }
)


class CheckpointError(DataFileError):
    """A file of weights that is damaged, or of another kind, space or version than expected."""


def save(path: Path, kind: str, content: Mapping[str, Any]) -> Path:
    """Write tensors, numbers, text, lists and dicts; `kind` says what they are (``training``, ``weights``)."""
    buffer = io.BytesIO()
    torch.save({"nasanalysis": kind, "version": VERSION, **content}, buffer)
    return write_atomically(path, lambda temp: temp.write_bytes(buffer.getbuffer()))


def load(path: Path, kind: str, *, device: str = "cpu") -> dict[str, Any]:
    """What `save` wrote; `CheckpointError` says what is wrong with anything else. Executes nothing."""
    try:
        _check(path)
        content = torch.load(path, map_location=device, weights_only=True)
    except MissingDataError:
        raise CheckpointError(f"{path}: expected a checkpoint, found nothing there") from None
    except NasAnalysisError as error:
        reason = str(error).removeprefix(f"{path}: ")
        unsafe = isinstance(error, UnsafePickleError)
        raise _no_checkpoint(path, f"it {reason.partition(';')[0]}, nothing was run" if unsafe else reason) from None
    except Exception as error:  # torch raises many kinds; what it says advises to run what is in the file
        raise _no_checkpoint(path, type(error).__name__) from error
    if not isinstance(content, dict) or content.get("nasanalysis") != kind:
        got = shown.repr(content.get("nasanalysis")) if isinstance(content, dict) else repr(type(content).__name__)
        raise CheckpointError(f"{path}: expected a checkpoint of kind {kind!r}, got {got}")
    if content.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: expected a checkpoint of version {VERSION}, got {shown.repr(content.get('version'))}; "
            "use the release of nasanalysis that wrote it, or train again"
        )
    return content


def _no_checkpoint(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: expected a whole checkpoint of this package, got a file that does not load ({reason}); "
        "take it from where it was written, or train again"
    )


def _check(path: Path) -> None:
    """An error unless `path` is an archive of plain arrays and of a pickle that names no others."""
    size = regular(path).stat().st_size
    if size > read_budget():
        over_budget(path, size)
    with reading(path, "a checkpoint"):
        try:
            with zipfile.ZipFile(path) as archive:
                sizes = _sizes(archive, size)
                pickled = [name for name in sizes if name.count("/") == 1 and name.endswith("/data.pkl")]
                if len(pickled) != 1:
                    raise DataFileError("expected one data.pkl in it")
                content = archive.read(pickled[0])
        except zipfile.BadZipFile:
            raise DataFileError("it is no archive, or cut off") from None
        root = pickled[0].removesuffix("data.pkl")
        safe_pickle.loads(content, _ALLOWED, path=path, persistent=_array(root, sizes))


def _sizes(archive: zipfile.ZipFile, size: int) -> dict[str, int]:
    """Bytes of every member: each there once, unencrypted, as it is, and together no longer than the file."""
    entries = archive.infolist()
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            raise DataFileError(f"expected arrays as they are, got {shown.repr(entry.filename)}, which is packed")
    sizes = {entry.filename: entry.file_size for entry in entries}
    if len(sizes) != len(entries) or sum(sizes.values()) > size:
        raise DataFileError("expected every member once, got some that overlap")
    return sizes


def _array(root: str, sizes: Mapping[str, int]) -> Callable[[Any], None]:
    """Checks an array that the pickle names, ``("storage", kind, number, device, count)``, against its member."""

    def check(name: Any) -> None:
        if not isinstance(name, tuple) or len(name) != 5 or name[0] != "storage" or not isinstance(name[1], type):
            raise DataFileError(f"expected the name of an array, got {shown.repr(name)}")
        kind, number, count = str(getattr(name[1], "record_name", "")).removeprefix("torch."), name[2], name[4]
        if not isinstance(number, str) or type(count) is not int or kind not in _STORAGES or count < 0:
            raise DataFileError(f"expected the name of an array, got {shown.repr(name)}")
        needed, there = count * _STORAGES[kind], sizes.get(f"{root}data/{number}", 0)
        if needed > there:
            raise DataFileError(f"expected {needed:,} bytes of array {shown.repr(number)}, got {there:,}")

    return check
