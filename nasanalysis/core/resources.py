"""Files that the package ships: studies, configurations, kept results, the data registry, descriptors, digits tables.

They live at the top of the repository and, in a wheel, inside the package: one function finds both.
"""

from __future__ import annotations

from pathlib import Path

from .errors import MissingDataError, StudyError, UnknownNameError

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(relative: str) -> Path:
    """The path of a shipped file or folder, such as ``data/digits.parquet``."""
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (root / relative).exists():
            return root / relative
    raise MissingDataError(f"{relative}: expected it beside the package in {_PACKAGE}; is the installation complete?")


def shipped_toml(folder: str) -> dict[str, Path]:
    """Name -> file of the TOML files of a shipped folder, such as ``reports/configs``."""
    return {path.stem: path for path in sorted(shipped(folder).glob("*.toml"))}


def toml_file(text: Path | str, folder: str, *, kind: str) -> Path:
    """A TOML file of the user's by its path, or one shipped in `folder`, by its name or as ``folder/NAME.toml``.

    Raises `UnknownNameError` for a name, `StudyError` for a path, that is neither; both list what is shipped.
    """
    path, known = Path(text), shipped_toml(folder)
    if path.name == str(text) and not path.suffix:
        if path.name not in known:
            raise UnknownNameError(kind, path.name, [*known, "FILE.toml"])
        return known[path.name]
    if path.exists():
        return path
    if path.parent == Path(folder) and path.stem in known:  # as documents write it, away from the repository
        return known[path.stem]
    raise StudyError(f"{path}: expected a {kind} file, found nothing there; shipped ones: {', '.join(known)}")
