"""Images with drawn pixels in the shape of a known data set: for what takes time alone, as ``estimate`` counts it."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...core.errors import UnknownNameError
from ...core.seeding import generator
from .types import ImageData, ImageSet

#: The source of what was drawn.
DRAWN: Final = "drawn pixels"
#: Name -> images to train on and to test on, pixels a side, channels, classes (Krizhevsky 2009; Netzer et al. 2011;
#: Dong and Yang 2020, Section 2.2; LeCun et al. 1998).
_SHAPES: Final = {
    "cifar10": (50_000, 10_000, 32, 3, 10),
    "cifar100": (50_000, 10_000, 32, 3, 100),
    "svhn": (73_257, 26_032, 32, 3, 10),
    "ImageNet16-120": (151_700, 6_000, 16, 3, 120),
    "mnist": (60_000, 10_000, 28, 1, 10),
}


def drawn_images(name: str, *, size: int | None = None, seed: int = 0) -> ImageData:
    """Noise in the shape of data set `name`; it says in its own name that it is none.

    Parameters
    ----------
    name: ``cifar10``, ``cifar100``, ``svhn``, ``ImageNet16-120`` or ``mnist``. size: pixels a side, where they are not
        the data set's own. seed: of pixels and labels.

    Raises `UnknownNameError` for any other name.
    """
    if name not in _SHAPES:
        raise UnknownNameError("image data set of known shape", name, _SHAPES)
    train, test, own, channels, classes = _SHAPES[name]
    rng, side = generator(seed, "drawn images", name), size or own

    def part(count: int) -> ImageSet:
        pixels = np.frombuffer(rng.bytes(count * side * side * channels), np.uint8)
        labels = rng.permutation(np.arange(count, dtype=np.int64) % classes)
        return ImageSet(pixels.reshape(count, side, side, channels).copy(), labels)

    names = tuple(str(i) for i in range(classes))
    half, spread = (0.5,) * channels, (0.29,) * channels
    return ImageData(f"{name} ({DRAWN})", names, part(train), part(test), DRAWN, {}, half, spread)
