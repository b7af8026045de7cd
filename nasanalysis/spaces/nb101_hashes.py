"""The public hashes of NAS-Bench-101, looked up without computing them: hash -> index of the cell.

Files of the benchmark name a cell by its hash, which cannot be turned back. Computing all 423,624 takes most of a
minute (`nasanalysis.spaces.nb101.NB101.hashes`), so the first 8 bytes of each are shipped, in index order
(``data/nb101_hashes.bin``, big-endian): they are all different, so they name a cell as well as the whole hash does.

``python -m nasanalysis.spaces.nb101_hashes FILE`` computes the file anew; a test compares it with what is shipped.
"""

from __future__ import annotations

import binascii
import re
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ..core.errors import ArchError, DataFileError
from ..core.resources import shipped

_FILE = "data/nb101_hashes.bin"
_HASH = re.compile(r"[0-9a-f]{32}")
_CELLS = 423_624


@cache
def _prefixes() -> tuple[np.ndarray, np.ndarray]:
    """(423624,) prefixes, ascending, and the index of each one's cell."""
    path = shipped(_FILE)
    prefixes = np.fromfile(path, dtype=">u8").astype(np.uint64)
    if len(prefixes) != _CELLS:
        raise DataFileError(f"{path}: expected {_CELLS} hashes, got {len(prefixes)}; is the installation complete?")
    order = np.argsort(prefixes)
    return prefixes[order], order


def find_prefixes(asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) uint64 first halves of hashes -> (n,) index of the cell, and (n,) whether it is the hash of one at all."""
    ascending, order = _prefixes()
    place = np.minimum(np.searchsorted(ascending, asked), _CELLS - 1)
    return order[place], ascending[place] == asked


def halves(hashes: Sequence[bytes]) -> np.ndarray:
    """(n, 2) uint64: both halves of hashes of 32 hexadecimal digits each; ValueError where one is none."""
    joined = b"".join(hashes)
    if len(joined) != 32 * len(hashes) or joined != joined.lower():
        raise ValueError("not hashes of 32 digits")
    return np.frombuffer(binascii.unhexlify(joined), dtype=">u8").astype(np.uint64).reshape(-1, 2)


def indices_of(hashes: Sequence[str]) -> np.ndarray:
    """(n,) int64: the index of the cell behind each hash; `ArchError` names the first that is none of the space."""
    for number, name in enumerate(hashes):
        if not isinstance(name, str) or not _HASH.fullmatch(name):
            raise ArchError(f"nb101: expected a hash of 32 hexadecimal digits, got {name!r:.80} (number {number})")
    cells, known = find_prefixes(halves([name.encode() for name in hashes])[:, 0])
    if (wrong := np.flatnonzero(~known)).size:
        raise ArchError(
            f"nb101: {hashes[wrong[0]]!r} is the hash of no cell of the space ({wrong.size} of {len(hashes)} are none)"
        )
    return np.asarray(cells, dtype=np.int64)


def write(path: Path) -> None:
    """Compute the file (about a minute)."""
    from ..core.atomic import write_atomically
    from .nb101 import SPACE

    prefixes = np.array([int(name[:16], 16) for name in SPACE.hashes()], dtype=">u8")
    write_atomically(path, lambda temp: prefixes.tofile(temp))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
