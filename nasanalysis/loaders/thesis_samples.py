"""The samples of architectures that the SoTL thesis evaluated, one for each of its spaces."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import DataFileError, UnknownNameError
from ..core.reading import reads
from ..core.registry import resolve
from ..spaces import get_space
from . import safe_pickle
from .files import find

#: Space -> (file, reader ``(path, space) -> list of texts``, number of architectures).
SAMPLES = {
    "nb201": ("nb201/thesis_sample_200_seed50.pkl", "nasanalysis.loaders.thesis_samples:read_structures", 200),
    "nb101-1": (
        "nb101/thesis_sample_200_space1_seed3000.pkl",
        "nasanalysis.loaders.nb101.benchmark:read_encodings",
        200,
    ),
    "nb101-2": (
        "nb101/thesis_sample_200_space2_seed3000.pkl",
        "nasanalysis.loaders.nb101.benchmark:read_encodings",
        200,
    ),
    "nb101-3": (
        "nb101/thesis_sample_200_space3_seed3000.pkl",
        "nasanalysis.loaders.nb101.benchmark:read_encodings",
        200,
    ),
    "darts": ("darts/thesis_sample_350_seed1000.pkl", "nasanalysis.loaders.darts.trained:read_genotypes", 350),
}


def thesis_sample_file(space: str, data: Path | str | None = None) -> Path:
    """The file of the thesis's sample of `space`."""
    if space not in SAMPLES:
        raise UnknownNameError("space with a sample of the thesis", space, SAMPLES)
    return find(SAMPLES[space][0], data)


def thesis_sample(space: str, data: Path | str | None = None) -> list[str]:
    """Architectures (text ``space:key``) of the thesis's sample of `space`, in its own order.

    ``nb201``: 200, drawn with seed 50. ``nb101-1`` to ``nb101-3``: 200 encodings with loose ends each, drawn
    with replacement (seed 3000): only 127, 165 and 147 of their cells in ``nb101`` are distinct. ``darts``: 350
    (seed 1000).
    """
    return read_thesis_sample(thesis_sample_file(space, data), space)


def read_thesis_sample(path: Path, space: str) -> list[str]:
    """The sample of `space` from its file, see `thesis_sample`."""
    _, reader, count = SAMPLES[space]
    archs: list[str] = [str(arch) for arch in resolve("reader", space, {space: reader})(path, space)]
    if len(archs) != count:
        raise DataFileError(f"{path}: expected {count} architectures, got {len(archs)}; is the download complete?")
    return archs


@reads("pickled Structure objects")
def read_structures(path: Path, space: str = "nb201") -> list[str]:
    """Architectures of a pickled list of ``Structure`` objects (their `nodes`), as text ``space:key``."""
    records = safe_pickle.load(path, safe_pickle.NB201_SAMPLE)
    try:
        keys = [
            "+".join("|" + "|".join(f"{op}~{source}" for op, source in node) + "|" for node in r.nodes) for r in records
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise DataFileError(f"{path}: expected a list of Structure objects with `nodes`, got {error}") from error
    return [str(get_space(space).parse(key)) for key in keys]
