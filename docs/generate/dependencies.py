"""The page that says what each dependency is for: what pyproject.toml asks for, why, and how heavy it is."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from markdown_text import code, table

REPOSITORY = Path(__file__).resolve().parents[2]
#: Package -> what it is here for. Every one that pyproject.toml asks for stands here; a test says so.
WHAT_FOR = {
    "filelock": "one writer of a folder of results, of a download, of a converted file; which GPU a worker holds",
    "itables": "DataTables, which a page holds itself to sort its tables without a network",
    "jinja2": "templates of pages and cards",
    "joblib": "units of long work, and resamples, on the processes of this machine",
    "matplotlib": "every figure",
    "narwhals": "pandas (and whatever else it knows) in, the same out: functions take the reader's own tables",
    "numpy": "arrays of scores, ranks and resamples",
    "platformdirs": "where the cache of a user lies on each system",
    "polars": "every frame: benchmarks of gigabytes are scanned, filtered and joined without being held",
    "pooch": "downloads that are kept and verified by their hash",
    "pydantic": "study files, descriptions of tables and configurations, read strictly, with errors that name the key",
    "requests": "the downloads themselves: resumed, with a patience of their own",
    "rich": "tables and progress at the prompt",
    "scipy": "rank correlations, distributions and optimisers; figures that fit names beside points",
    "seaborn": "statistical figures where it draws what we draw: heatmaps, marginals, densities",
    "typer": "the command line",
}
#: Extra -> what it adds.
EXTRAS = {
    "fast": "Kendall's tau of resamples, compiled",
    "page": "charts that answer the pointer, with the Vega that a page holds",
    "posthocs": "Nemenyi's critical difference in `[[ranks]]`",
    "supernet": "live networks: supernets, weight measures, differentiable searches, digits trained anew",
    "predict": "regressors: what trained architectures give, what a cell explains of a proxy",
    "nb101": "NAS-Bench-101's records: checksums in C, the format of its messages",
    "nb301": "NAS-Bench-301's surrogates",
    "nats": "NATS-Bench's own interface, beside which ours is timed (`make bench`); nothing else asks for it",
    "robust-darts": "RobustDARTS's configuration files",
    "notebooks": "the notebooks, and an editor for them",
    "distributed": "`--backend dask`, Slurm by dask-jobqueue",
    "hub": "`data get` from the Hugging Face hub by its own library",
    "croissant": "validation of what `data export` describes",
    "docs": "this site",
    "dev": "what tests and checks need",
}


def asked_for() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Package -> lowest version, of the package itself; extra -> packages."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {_name(line): line.partition(">=")[2] for line in project["dependencies"]}
    extras = project["optional-dependencies"]
    return needed, {extra: list(dict.fromkeys(map(_name, lines))) for extra, lines in extras.items()}


def dependencies() -> str:
    """The page."""
    needed, extras = asked_for()
    rows = [(code(name), lowest, _weight(name), WHAT_FOR[name]) for name, lowest in sorted(needed.items())]
    extra_rows = [(code(extra), ", ".join(map(code, packages)), EXTRAS[extra]) for extra, packages in extras.items()]
    return "\n".join(
        [
            "# What each dependency is for\n",
            "*Made from `pyproject.toml`. Weights: megabytes on disk where this page was built, without what a package "
            "brings along. `import nasanalysis` loads none of the heavy ones: the function that needs one does.*\n",
            "## What `pip install nasanalysis` brings\n",
            table(("package", "at least", "MB", "for"), rows),
            "`nox -s lowest` tests the lowest versions, `nox -s newest` the newest.\n",
            "## Extras\n",
            "`pip install 'nasanalysis[page,predict]'` adds some. What needs one says so, with its name.\n",
            table(("extra", "packages", "for"), extra_rows),
        ]
    )


def _name(requirement: str) -> str:
    return re.split(r"[><=\[; ]", requirement, maxsplit=1)[0]


def _weight(package: str) -> str:
    """Megabytes of its files here; nothing where it is not installed."""
    parts = [package, *(["polars-runtime-32"] if package == "polars" else [])]  # polars keeps its engine apart
    try:
        files = [file for part in parts for file in distribution(part).files or ()]
    except PackageNotFoundError:
        return ""
    size = sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())
    return f"{size / 1e6:,.0f}" if size >= 1e6 else "< 1"
