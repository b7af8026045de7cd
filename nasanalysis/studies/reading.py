"""Study files: from TOML to a `Study`, and which of them the package ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, create_model

from ..core.errors import StudyError
from ..core.registry import resolve
from ..core.resources import shipped_toml, toml_file
from ..core.toml import read_keys, validated
from ..loaders import available
from .items import KINDS
from .study import Study, StudyHead

#: The folder of the shipped studies: every TOML file in it is one, and its stem is its name.
FOLDER = "reports"


#: What a reader of the page meets first.
FIRST = "digits-2"


def shipped_studies() -> dict[str, Path]:
    """Name -> file of the studies that the package ships, by name; `FIRST`, the tour of the embedded benchmark,
    first.
    """
    studies = shipped_toml(FOLDER)
    return {name: studies[name] for name in sorted(studies, key=lambda name: (name != FIRST, name))}


def default_studies(data: Path | str | None = None) -> list[str]:
    """The studies that ``nasanalysis report`` runs without names: those whose files are here."""
    needs = {name: load_study(name).needs for name in shipped_studies()}
    here = available(tuple({need for need in needs.values() if need}), data)
    names = sorted(needs, key=lambda name: needs[name] is not None)
    return [name for name in names if needs[name] is None or needs[name] in here]


def load_study(name_or_path: str | Path) -> Study:
    """A shipped study by name, or a TOML file; `StudyError` says what is wrong in it."""
    path = toml_file(name_or_path, FOLDER, kind="study")
    keys = read_keys(path, what="a study file")
    file = validated(_file_model(keys), {"name": path.stem, **keys}, where=str(path))
    # kinds stand in the order in which the file first names them, items of a kind in that of the file
    items = tuple(item for kind in keys if kind in KINDS for item in getattr(file, kind))
    if not items:
        wanted = ", ".join(f"[[{kind}]]" for kind in KINDS)
        raise StudyError(f"{path}: expected at least one item ({wanted}), got none")
    head = {name: getattr(file, name) for name in StudyHead.model_fields}
    study = validated(Study, {**head, "items": items}, where=str(path))
    study._folder = path.parent
    return study


def _file_model(keys: Mapping[str, Any]) -> type[StudyHead]:
    """The model of a study file: its head and a list of items for every kind; kinds it does not use stay unloaded."""
    kinds: dict[str, Any] = {
        kind: (_many(resolve("kind of item", kind, KINDS)) if kind in keys else Any, ()) for kind in KINDS
    }
    return create_model("StudyFile", __base__=StudyHead, **kinds)


def _many(item: type) -> Any:
    """A list of tables as a tuple of items."""
    return Annotated[tuple[item, ...], Field(strict=False)]  # type: ignore[valid-type]
