"""Calls on a Dask cluster: a running scheduler, or worker processes started here.

Calls are handed to the client one by one, not through joblib's Dask backend: workers that join later get work too,
a unit that calls joblib itself stays in its process, and a cluster that is gone is noticed.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from multiprocessing import resource_tracker
from typing import Any

import joblib

from ..core.errors import MissingExtraError
from .calls import BackendError, Session, call, check_worker

#: Seconds that a scheduler may take to answer, that a first worker may take to come, that none may be left.
ANSWER, COME, GONE = 5.0, 10.0, 300.0

#: Calls handed out for each thread of the cluster, and at least in all: enough that no worker waits for the next.
AHEAD, LEAST = 3, 16

#: Dask has glibc give memory back to the system after every call of torch; on the CPU that costs a quarter of the time.
OWN_WORKERS = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}

#: What a client raises when its scheduler is gone.
_DEAD = (OSError, TimeoutError, CancelledError, RuntimeError)

#: Numbers the runs of this process: no two calls of theirs share a key.
_RUNS = itertools.count()

_LOGGERS = ("distributed", "distributed.client", "distributed.core", "distributed.comm", "tornado.application")


class DaskCluster:
    """A client of a Dask scheduler, with its own cluster of `workers` processes where no address is given."""

    def __init__(self, workers: int, scheduler: str | None) -> None:
        try:
            import distributed
            from dask import config
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "distributed", "distributed", "--backend dask") from error
        dask: Any = distributed
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(_quiet())
        try:
            if scheduler is None:
                with _uninterrupted(), config.set(OWN_WORKERS):
                    cluster = dask.LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        processes=True,
                        host="127.0.0.1",
                        dashboard_address="127.0.0.1:0",  # any free port
                        silence_logs=logging.CRITICAL,
                    )
                self._stack.callback(cluster.close, timeout=10)
                scheduler = cluster.scheduler_address
            self.where = scheduler
            self.client: Any = dask.Client(scheduler, timeout=ANSWER, set_as_default=False)
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            self._stack.close()
            raise BackendError(
                f"--scheduler {scheduler}: expected a Dask scheduler, none answered within {ANSWER:.0f} s "
                f"({_short(error)}); start one with `dask scheduler`, and give the address that it prints"
            ) from error

    def close(self) -> None:
        """Disconnect; end the workers that were started here."""
        with contextlib.suppress(Exception):
            self.client.close(timeout=2 if self.client.status == "running" else 0)
        with contextlib.suppress(Exception):
            self._stack.close()

    def parallel(self) -> contextlib.AbstractContextManager[Any]:
        config: contextlib.AbstractContextManager[Any] = joblib.parallel_config(
            "dask", client=self.client, wait_for_workers_timeout=COME
        )
        return config

    def run(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], session: Session) -> Generator[Any]:
        """See `Cluster.run`; keeps no more calls with the scheduler than keep the workers busy."""
        self._check(session)
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        out: set[Any] = set()
        number, numbered = next(_RUNS), enumerate(calls)
        room, asked, seen = 0, -1.0, time.monotonic()
        name = getattr(function, "__name__", "call")
        try:
            while True:
                now = time.monotonic()
                if now - asked > 1:
                    threads, asked = self._threads(), now
                    room, seen = max(LEAST, AHEAD * threads), now if threads else seen
                    if now - seen > GONE:
                        raise BackendError(
                            f"{self.where}: no worker has been left for {GONE:.0f} s; start workers with "
                            f"`dask worker {self.where} --nthreads 1`, and run the same command again"
                        )
                for i, arguments in itertools.islice(numbered, max(0, room - len(out))):
                    key = f"{name}-{session.token[:8]}-{number}-{i}"
                    future = self.client.submit(call, session, function, arguments, key=key, pure=False)
                    future.add_done_callback(done.put)
                    out.add(future)
                if not out:
                    return
                with contextlib.suppress(queue.Empty):
                    future = done.get(timeout=1)
                    result = self._result(future)
                    out.discard(future)
                    del future
                    yield result
        finally:
            if out and self.client.status == "running":
                with contextlib.suppress(Exception):
                    self.client.cancel(list(out))

    def _threads(self) -> int:
        try:
            return sum(self.client.nthreads().values())
        except _DEAD as error:
            raise self._lost() from error

    def _result(self, future: Any) -> Any:
        from distributed import KilledWorker

        try:
            if future.status == "error":
                error = future.exception()
            else:
                return future.result()
        except (CancelledError, OSError, TimeoutError) as lost:
            raise self._lost() from lost
        if isinstance(error, KilledWorker):
            raise BackendError(
                f"{self.where}: a unit was on {error.allowed_failures + 1} workers that died, one after the other; did "
                "it need more memory than a worker has? Start workers with more (`dask worker --memory-limit`), and "
                "run the same command again"
            ) from error
        if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("nasanalysis"):
            raise _missing(self.where, error) from error
        raise error

    def _lost(self) -> BackendError:
        return BackendError(
            f"the Dask scheduler at {self.where} is gone; start it and its workers again, and run the same command "
            "with its address"
        )

    def _check(self, session: Session) -> None:
        """Workers are there, single-threaded, with the same versions, and see the files."""
        with contextlib.suppress(*_DEAD):
            self.client.wait_for_workers(1, timeout=COME)
        try:
            threads: dict[str, int] = self.client.nthreads()
        except _DEAD as error:
            raise self._lost() from error
        if not threads:
            raise BackendError(
                f"{self.where}: expected workers, the scheduler has none after {COME:.0f} s; start some with "
                f"`dask worker {self.where} --nthreads 1`, or wait until the jobs that start them run"
            )
        several = [address for address, count in threads.items() if count > 1]
        if several:
            raise BackendError(
                f"{several[0]}: expected workers of one thread, got {threads[several[0]]} threads; each unit needs a "
                "process of its own: `dask worker SCHEDULER --nthreads 1 --nworkers N`"
            )
        try:
            answers = self.client.run(check_worker, session, on_error="return")
        except _DEAD as error:
            raise self._lost() from error
        for address, answer in answers.items():
            if isinstance(answer, BackendError):
                raise BackendError(f"{address}: {answer}") from answer
            if isinstance(answer, OSError) and not isinstance(answer, ImportError):
                continue  # died meanwhile
            if isinstance(answer, BaseException):
                raise _missing(address, answer) from answer


def _missing(where: str, error: BaseException) -> BackendError:
    return BackendError(
        f"{where}: expected a worker that can import the same nasanalysis as here ({_short(error)}); install it "
        "in the environment of the workers, and start them again"
    )


def _short(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits, and reaches none of the threads and processes started inside: this process ends them in order."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing's own helper would let Ctrl-C through again when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No log lines of Dask on stderr: what matters is raised."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
