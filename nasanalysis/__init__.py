"""How well does a cheap proxy rank neural architectures, and why?

From a benchmark to an answer, in the order of the work:

=====================  =======================================================================================
a benchmark            `load_benchmark`, `Benchmark`; architectures: `Arch`, `parse_arch`, `get_space`
its frames             ``.truth() .curves() .archs()``; your own tables: `check`, `read_frame`, `write_frame`
scores                 `score`, `get_proxy`
how well they rank     `correlate`, `compare_proxies`, `difference_by_step`, `leaderboard`, `multiverse`,
                       `reliability_table`; files: `compare`
pictures               `plot_scatter`, `plot_correlation_by_step`, `score_against_truth`, and `plots`
all of it, on a page   `Study`
=====================  =======================================================================================

>>> import nasanalysis as na
>>> digits = na.load_benchmark("digits")
>>> scores = na.score(digits, ["params", "sotl"], step=6)
>>> table = na.correlate(digits.truth(split="test"), scores)
>>> table.columns[:5]
['benchmark', 'dataset', 'method', 'setting', 'proxy']

The folders are there too, from the ground up: `core`, `jobs`, `spaces`, `measures`, `loaders`, `networks`, `training`,
`proxies`, `stats`, `search`, `builders`, `synthetic`, `plots`, `report`, `live`, `studies`:
``na.search.get_moves("nb201")``.

Importing the package loads neither torch nor matplotlib nor polars: every name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module as _import
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:  # what checkers and editors see; "as" hands it on to them; a test keeps it in step with _PUBLIC
    from . import builders as builders
    from . import core as core
    from . import differentiable as differentiable
    from . import jobs as jobs
    from . import live as live
    from . import loaders as loaders
    from . import measures as measures
    from . import networks as networks
    from . import plots as plots
    from . import proxies as proxies
    from . import report as report
    from . import search as search
    from . import spaces as spaces
    from . import stats as stats
    from . import studies as studies
    from . import synthetic as synthetic
    from . import training as training
    from .core.frames import check, read_frame, read_provenance, write_frame
    from .loaders import Benchmark, load_benchmark
    from .plots import plot_correlation_by_step, plot_scatter, score_against_truth
    from .proxies import get_proxy, score
    from .spaces import Arch, get_space, parse_arch
    from .stats import (
        compare_proxies,
        correlate,
        difference_by_step,
        leaderboard,
        multiverse,
        reliability_table,
        summarise_multiverse,
    )
    from .studies.files import compare
    from .studies.study import Study

#: Public name -> the module it is loaded from.
_PUBLIC = {
    "Arch": "spaces",
    "Benchmark": "loaders",
    "Study": "studies.study",
    "check": "core.frames",
    "compare": "studies.files",
    "compare_proxies": "stats",
    "correlate": "stats",
    "difference_by_step": "stats",
    "get_proxy": "proxies",
    "get_space": "spaces",
    "leaderboard": "stats",
    "load_benchmark": "loaders",
    "multiverse": "stats",
    "parse_arch": "spaces",
    "plot_correlation_by_step": "plots",
    "plot_scatter": "plots",
    "read_frame": "core.frames",
    "read_provenance": "core.frames",
    "reliability_table": "stats",
    "score": "proxies",
    "score_against_truth": "plots",
    "summarise_multiverse": "stats",
    "write_frame": "core.frames",
}
_FOLDERS = (
    "builders", "core", "differentiable", "jobs", "live", "loaders", "measures", "networks", "plots", "proxies",
    "report", "search", "spaces", "stats", "studies", "synthetic", "training",
)  # fmt: skip

__all__ = [
    "Arch",
    "Benchmark",
    "Study",
    "check",
    "compare",
    "compare_proxies",
    "correlate",
    "difference_by_step",
    "get_proxy",
    "get_space",
    "leaderboard",
    "load_benchmark",
    "multiverse",
    "parse_arch",
    "plot_correlation_by_step",
    "plot_scatter",
    "read_frame",
    "read_provenance",
    "reliability_table",
    "score",
    "score_against_truth",
    "summarise_multiverse",
    "write_frame",
]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(_import(f".{_PUBLIC[name]}", __name__), name)
    if name in _FOLDERS:
        return _import(f".{name}", __name__)
    if name == "__version__":
        return _import(".core.provenance", __name__).nasanalysis_version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_FOLDERS])
