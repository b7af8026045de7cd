"""Published samples of architectures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import DataFileError, UnknownNameError
from ..spaces import get_space
from . import safe_pickle
from .files import find

#: Sample name -> (file, allow-list, space, number of architectures).
SAMPLES = {
    "nb201-thesis-200": ("nb201/thesis_sample_200_seed50.pkl", safe_pickle.NB201_SAMPLE, "nb201", 200),
}


def thesis_sample(name: str = "nb201-thesis-200", data: Path | str | None = None) -> list[str]:
    """Architectures (text ``space:key``) of a sample of the SoTL thesis, in its own order.

    ``nb201-thesis-200``: 200 of NAS-Bench-201, drawn with seed 50.
    """
    if name not in SAMPLES:
        raise UnknownNameError("sample", name, SAMPLES)
    relative, allow, space, count = SAMPLES[name]
    archs = read_structures(find(relative, data), space, allow)
    if len(archs) != count:
        raise DataFileError(f"{relative}: expected {count} architectures, got {len(archs)}")
    return archs


def read_structures(path: Path, space: str = "nb201", allow: Iterable[str] = safe_pickle.NB201_SAMPLE) -> list[str]:
    """Architectures of a pickled list of ``Structure`` objects (their `nodes`), as text ``space:key``."""
    records = safe_pickle.load(path, allow)
    try:
        keys = [
            "+".join("|" + "|".join(f"{op}~{source}" for op, source in node) + "|" for node in r.nodes) for r in records
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise DataFileError(f"{path}: expected a list of Structure objects with `nodes`, got {error}") from error
    return [str(get_space(space).parse(key)) for key in keys]
