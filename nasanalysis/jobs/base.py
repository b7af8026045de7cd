"""One choice of where units run, the same for every command: ``--backend`` and ``--scheduler``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import joblib

from ..core.errors import ParameterError, UnknownNameError
from .calls import BackendError, Cluster, Session
from .orphans import followed

#: name -> what it is.
NAMES = {
    "loky": "processes of this machine",
    "sequential": "this process, one unit after the other",
    "dask": "a Dask cluster",
}

_current: ContextVar[Backend | None] = ContextVar("nasanalysis_backend", default=None)


class Backend:
    """Where independent calls run. A context: the cluster is connected once for everything inside.

    Parameters
    ----------
    name: ``loky`` (processes of this machine), ``sequential`` or ``dask``.
    workers: processes; with `scheduler` the cluster says how many, and this is not used.
    scheduler: address of a running cluster, ``tcp://HOST:PORT`` of a Dask scheduler; its workers have the GPUs of the
        environment they were started in. Without one, `workers` processes are started here and ended afterwards.

    Inside ``with backend:`` it is the `current_backend`, which `units.run_units` and `unordered` use. Calls of joblib
    elsewhere are left alone, unless inside ``with backend.parallel():``.

    Functions and arguments are pickled. A function is looked up by its name, so it has to stand in a module that the
    workers can import. Paths among the arguments are read there: see ``docs/cluster.md``.
    """

    def __init__(self, name: str = "loky", workers: int = 1, scheduler: str | None = None) -> None:
        if name not in NAMES:
            raise UnknownNameError("backend", name, NAMES)
        if workers < 1:
            raise ParameterError(f"--workers: expected at least 1 process, got {workers}")
        if scheduler is not None and name != "dask":
            raise ParameterError(
                f"--scheduler {scheduler}: expected no address with --backend {name} ({NAMES[name]}); "
                "add --backend dask"
            )
        self.name, self.workers, self.scheduler = name, workers, scheduler
        self._cluster: Cluster | None = None
        self._session: Session | None = None
        self._users = 0
        self._outer: list[Backend | None] = []

    def __repr__(self) -> str:
        return f"Backend({self.name!r}, workers={self.workers}, scheduler={self.scheduler!r})"

    @property
    def remote(self) -> bool:
        """Whether calls may run on other machines: what they return is written here, not there."""
        return self.name == "dask"

    def __enter__(self) -> Backend:
        self._hold()
        self._outer.append(_current.get())
        _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.set(self._outer.pop())
        self._release()

    def _hold(self) -> tuple[Cluster, Session] | None:
        """The cluster, connected by the first of those who use it, and what all calls on it have in common."""
        if not self.remote:
            return None
        if self._cluster is None or self._session is None:
            self._cluster, self._session = self._connect(), Session()
        self._users += 1
        return self._cluster, self._session

    def _release(self) -> None:
        self._users = max(0, self._users - 1)
        if not self._users and self._cluster is not None:
            self._cluster.close()
            self._cluster = self._session = None

    def _connect(self) -> Cluster:
        from .dask_cluster import DaskCluster

        return DaskCluster(self.workers, self.scheduler)

    def run(
        self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]], *, needs: Iterable[Path] = ()
    ) -> Generator[Any]:
        """``function(*arguments)`` of every call, in the order in which they finish.

        The first error ends the run and is raised as it came. `BackendError`: workers or a scheduler that are lost
        or do not fit. A Dask worker that dies hands its calls to another; after several deaths of one call
        the run ends. `needs`: paths that every worker has to see, said before the work if one does not.
        """
        calls = list(calls)
        if not calls:
            return
        connected = self._hold()
        if connected is None:
            yield from self._here(function, calls)
            return
        cluster, session = connected
        try:
            seen = tuple(str(Path(path).absolute()) for path in needs)
            yield from cluster.run(function, calls, replace(session, needs=seen))
        finally:
            self._release()

    def _here(self, function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> Generator[Any]:
        if self.name == "sequential":
            yield from (function(*arguments) for arguments in calls)
            return
        chosen, _ = joblib.parallel.get_active_backend()  # loky, unless a user's joblib.parallel_config says otherwise
        how = "generator_unordered" if chosen.supports_return_generator else "list"
        try:
            yield from joblib.Parallel(n_jobs=min(self.workers, len(calls)), return_as=how)(
                joblib.delayed(followed)(os.getpid(), function, arguments) for arguments in calls
            )
        except BrokenProcessPool as error:
            raise BackendError(
                "a worker process died: it was killed, or memory ran out; run the same command again, "
                f"with fewer --workers than {self.workers} if memory was short"
            ) from error

    @contextlib.contextmanager
    def parallel(self) -> Iterator[None]:
        """Calls of joblib inside (resampling, ablations) go to this backend, as ``joblib.parallel_config`` would."""
        connected = self._hold()
        if connected is None:
            with joblib.parallel_config(self.name, n_jobs=self.workers):
                yield
            return
        try:
            with connected[0].parallel():
                yield
        finally:
            self._release()


def current_backend() -> Backend | None:
    """The backend of the innermost ``with backend:``, if any."""
    return _current.get()


def unordered(
    function: Callable[..., Any],
    calls: Iterable[tuple[Any, ...]],
    *,
    workers: int,
    needs: Iterable[Path] = (),
) -> Generator[Any]:
    """`Backend.run` on the current backend, or else on `workers` processes of this machine."""
    return (current_backend() or Backend(workers=max(1, workers))).run(function, calls, needs=needs)


def backend_from_options(name: str, workers: int, scheduler: str | None = None) -> Backend:
    """The backend of ``--backend``, ``--workers`` and ``--scheduler``; an empty address counts as none."""
    return Backend(name, workers, scheduler or None)
