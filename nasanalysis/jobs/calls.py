"""What travels to a process of another machine, and what is checked there before it works."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import socket
import threading
import uuid
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..core.errors import NasAnalysisError
from ..core.provenance import nasanalysis_version, package_versions

#: Packages that have to be the same everywhere: the record of a result names one version of each.
PACKAGES = ("numpy", "scipy", "polars", "scikit-learn", "torch")

#: Variables that say where data is; they travel with the work, a worker's own value wins.
VARIABLES = ("NASANALYSIS_DATA", "NASANALYSIS_CACHE")

_OWN = frozenset(name for name in VARIABLES if name in os.environ)


class BackendError(NasAnalysisError):
    """A place to work that is not there, does not fit, or was lost; what is finished stays on disk."""


@cache
def versions() -> dict[str, str]:
    """What has to agree between the machine that starts a run and those that work for it.

    ``code`` is a hash of this package's sources: two checkouts of one version number differ in it.
    """
    sources = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for path in sorted(package.rglob("*.py")):
        sources.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    public = {name: version.partition("+")[0] for name, version in package_versions(PACKAGES).items()}
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "nasanalysis": nasanalysis_version(),
        "code": sources.hexdigest()[:12],
        **public,
    }


@dataclass(frozen=True)
class Session:
    """What the calls of one run have in common; small, it travels with each of them.

    Attributes
    ----------
    token: the run; what a worker kept from another run is forgotten.
    expected: `versions` where the run was started.
    folder: its working folder: relative paths mean the same on every worker that has it.
    environment: `VARIABLES` that are set there, as absolute paths.
    needs: paths that a worker has to see.
    """

    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    expected: tuple[tuple[str, str], ...] = field(default_factory=lambda: tuple(versions().items()))
    folder: str = field(default_factory=os.getcwd)
    environment: tuple[tuple[str, str], ...] = field(
        default_factory=lambda: tuple((n, str(Path(os.environ[n]).absolute())) for n in VARIABLES if os.environ.get(n))
    )
    needs: tuple[str, ...] = ()


class Cluster(Protocol):
    """Processes outside this one."""

    def run(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], session: Session) -> Generator[Any]:
        """Yields ``function(*arguments)`` of every call, as they finish."""

    def parallel(self) -> contextlib.AbstractContextManager[Any]:
        """joblib's calls inside go there."""

    def close(self) -> None:
        """Let go of it (and end what was started for it); never raises."""


# --- in the worker ----------------------------------------------------------------------------------------

_one_at_a_time = threading.Lock()  # units set threads, folders and caches of their process
_checked: set[Session] = set()
_forget: list[Callable[[], None]] = []

_Cached = TypeVar("_Cached", bound=Any)


def kept_for_one_run(cached: _Cached) -> _Cached:
    """A function under `functools.lru_cache` whose contents a worker forgets when another run begins.

    Workers of a cluster live longer than one command. What they keep of a file (weights, images) would answer
    for a newer file of the same name::

        @kept_for_one_run
        @lru_cache(maxsize=64)
        def supernet(weights: Path) -> Supernet: ...
    """
    _forget.append(cached.cache_clear)
    return cached


def call(session: Session, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """``function(*arguments)`` in a worker, after the checks, in the folder and environment of the run."""
    with _one_at_a_time:
        if session not in _checked:
            _begin(session)
            check_worker(session)
            _checked.add(session)
        with contextlib.chdir(session.folder) if Path(session.folder).is_dir() else contextlib.nullcontext():
            return function(*arguments)


def _begin(session: Session) -> None:
    if not any(known.token == session.token for known in _checked):
        _checked.clear()
        for clear in _forget:
            clear()
    given = dict(session.environment)
    for name in VARIABLES:
        if name in _OWN:
            continue
        if name in given:
            os.environ[name] = given[name]
        else:
            os.environ.pop(name, None)


def check_worker(session: Session) -> None:
    """Refuse to work with other versions, or without the files: `BackendError` says what to do."""
    here, installed = f"worker on {socket.gethostname()}", versions()
    for name, wanted in session.expected:
        got = installed.get(name, "none")
        if got != wanted:
            what = "sources of nasanalysis with hash" if name == "code" else name
            raise BackendError(
                f"{here}: expected {what} {wanted}, as where the run was started, got {got}; "
                "install the same there, and start the workers again"
            )
    for path in session.needs:
        if not Path(path).exists():
            raise BackendError(
                f"{here}: expected to see {path}, found nothing there; results and data have to lie on storage that "
                "every worker mounts under the same path"
            )
