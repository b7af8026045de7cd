"""Where a result comes from: commit, versions, seeds and the SHA-256 of every input."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: Packages whose version can change a number.
PACKAGES = ("numpy", "scipy", "polars", "scikit-learn", "torch", "matplotlib", "joblib")

_PACKAGE = Path(__file__).resolve().parent.parent


def package_versions(names: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Installed versions; a package that is not installed is left out."""
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def nasanalysis_version() -> str:
    """Version of this package ("unknown" when run from a bare source tree)."""
    try:
        return version("nasanalysis")
    except PackageNotFoundError:
        return "unknown"


@cache
def git_state() -> dict[str, Any]:
    """``{"commit": ..., "dirty": ...}`` of the checkout this package runs from; nulls if it is installed.

    ``dirty`` looks at the package, the data and the studies: not at notes beside them.
    """
    root = _PACKAGE.parent
    if not (root / ".git").exists():
        return {"commit": None, "dirty": None}

    def git(*args: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *args], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        changes = git("status", "--porcelain", "--untracked-files=no", "--", "nasanalysis", "data", "reports")
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changes)}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}


def sha256(path: Path | str) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class InputSet:
    """Many raw files that count as one input: hashing 15,625 of them would take longer than the report.

    ``key`` stands for their content and says how it was made, such as ``names+sizes+meta:3b1f...``.
    """

    name: str
    key: str


def _hashes(inputs: Iterable[Path | str | InputSet]) -> dict[str, str]:
    """File name -> SHA-256 (of a set of files its key); files that share a name are told apart by their folders."""
    inputs = list(inputs)
    names: dict[str, Path] = {}
    for path in dict.fromkeys(Path(p).resolve() for p in inputs if not isinstance(p, InputSet)):
        parts = 1
        while (name := "/".join(path.parts[-parts:])) in names:
            parts += 1
        names[name] = path
    return {i.name: i.key for i in inputs if isinstance(i, InputSet)} | {n: sha256(path) for n, path in names.items()}


def provenance(
    *,
    seeds: Mapping[str, int] | None = None,
    inputs: Iterable[Path | str | InputSet] = (),
    config: Mapping[str, Any] | None = None,
    stamp: bool = True,
) -> dict[str, Any]:
    """The record that every result carries.

    Parameters
    ----------
    seeds: name -> seed of every random choice.
    inputs: files read; each is recorded with its SHA-256, a set of files with its key.
    config: the settings of the run.
    stamp: record UTC time and machine too. Off for files that must come out the same, byte by byte.
    """
    record: dict[str, Any] = {
        "nasanalysis": nasanalysis_version(),
        "git": git_state(),
        "python": platform.python_version(),
        "packages": package_versions(),
        "seeds": dict(seeds or {}),
        "inputs": _hashes(inputs),
        "config": dict(config or {}),
    }
    if stamp:
        record["utc"] = datetime.now(UTC).isoformat(timespec="seconds")
        record["machine"] = {"system": platform.platform(), "processor": platform.machine()}
        record["command"] = [Path(sys.argv[0]).name, *sys.argv[1:]]
    return record
