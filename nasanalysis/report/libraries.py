"""JavaScript that a page holds itself, from installed packages: sorting by itables, charts by Altair and vl-convert.

Each is optional: a page without it shows the same tables and figures, unsorted and still.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec

from .page import packed

#: Name of a library on the page -> packages it comes from.
NEEDS = {"tables": ("itables",), "charts": ("altair", "vl_convert")}


def is_here(library: str) -> bool:
    """Whether the packages of a library are installed."""
    return all(find_spec(package) is not None for package in NEEDS[library])


@lru_cache
def library(name: str) -> str:
    """The library's JavaScript, packed: ``tables`` is a module with DataTables, ``charts`` a script with vegaEmbed."""
    if name == "tables":
        return packed((files("itables") / "html" / "dt_bundle.js").read_text(encoding="utf-8"))
    import vl_convert

    return packed(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def libraries(*names: str) -> dict[str, str]:
    """Those of `names` that are installed, packed."""
    return {name: library(name) for name in names if is_here(name)}
