"""JavaScript that a page holds itself, from installed packages: sorting by itables, charts by Altair and vl-convert.

Each is optional: a page without it shows the same tables and figures, unsorted and still.
"""

from __future__ import annotations

import contextlib
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec

from ..core.atomic import write_text
from ..core.errors import OutputError
from ..loaders.files import cache_dir
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
    return _charts()


#: What the script of the charts adds to the libraries: they are called by this name.
_ENTRY = "window.vegaEmbed = vegaEmbed;"
#: Ends a script that was kept whole.
_END = "\n"


def _charts() -> str:
    """The charts' script, packed, from the cache where this version of vl-convert has been asked before: the same text
    takes seconds to bundle. Where the cache cannot be written it is bundled every time.
    """
    import vl_convert

    path = cache_dir() / "libraries" / f"vega-{version('vl-convert-python')}.txt"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        kept = path.read_text(encoding="ascii")
        if kept.endswith(_END):  # whole
            return kept.removesuffix(_END)
    script = packed(vl_convert.javascript_bundle(_ENTRY))
    with contextlib.suppress(OutputError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, script + _END)
    return script


def libraries(*names: str) -> dict[str, str]:
    """Those of `names` that are installed, packed."""
    return {name: library(name) for name in names if is_here(name)}
