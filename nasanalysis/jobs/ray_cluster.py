"""Calls on Ray: a running cluster, or workers started here.

Calls are handed to Ray one by one: its joblib backend cannot answer in the order in which calls finish.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
from collections.abc import Callable, Generator, Sequence
from typing import Any
from urllib.parse import urlsplit

import joblib

from ..core.errors import MissingExtraError
from .calls import BackendError, Session, call

#: Seconds that a cluster may take to answer.
ANSWER = 5.0

#: Calls handed out for each processor, and at least in all; tries of a call whose worker dies.
AHEAD, LEAST, TRIES = 3, 16, 3


class RayCluster:
    """A connection to Ray; one that was there before is used and left as it is."""

    def __init__(self, workers: int, scheduler: str | None, gpus: float) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a unit without GPUs may still look for one
        try:
            import ray
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "ray", "ray", "--backend ray") from error
        self.ray: Any = ray
        self.where = scheduler or "local"
        self.gpus = gpus
        self._ours = not ray.is_initialized()
        if not self._ours:
            return
        local: dict[str, Any] = {} if scheduler else {"num_cpus": workers, "include_dashboard": False}
        try:
            _answers(self.where)
            ray.init(address=self.where, log_to_driver=False, logging_level=logging.ERROR, **local)
        except (OSError, ValueError, RuntimeError, ImportError, ray.exceptions.RayError) as error:
            raise BackendError(
                f"--scheduler {self.where}: expected a Ray cluster, none answered ({_short(error)}); start one with "
                "`ray start --head`, and give the address that it prints, or `auto` on a machine of the cluster"
            ) from error

    def close(self) -> None:
        """Disconnect; end what was started here."""
        if self._ours:
            with contextlib.suppress(Exception):
                self.ray.shutdown()

    def parallel(self) -> contextlib.AbstractContextManager[Any]:
        import ray.util.joblib

        joblib_of_ray: Any = ray.util.joblib
        joblib_of_ray.register_ray()
        config: contextlib.AbstractContextManager[Any] = joblib.parallel_config("ray")
        return config

    def run(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], session: Session) -> Generator[Any]:
        """See `Cluster.run`."""
        cpus = float(self.ray.cluster_resources().get("CPU", 0))
        if not cpus:
            raise BackendError(f"{self.where}: expected processors, the Ray cluster has none; start nodes that have")
        task = self.ray.remote(call).options(num_cpus=1, num_gpus=self.gpus, max_retries=TRIES)
        out: list[Any] = []
        left = iter(calls)
        try:
            while True:
                room = max(LEAST, int(AHEAD * float(self.ray.cluster_resources().get("CPU", cpus))))
                out += [task.remote(session, function, a) for a in itertools.islice(left, max(0, room - len(out)))]
                if not out:
                    return
                done, out = self.ray.wait(out, num_returns=1, timeout=1.0)
                for reference in done:
                    yield self._result(reference)
        finally:
            for reference in out:
                with contextlib.suppress(Exception):
                    self.ray.cancel(reference, force=True)

    def _result(self, reference: Any) -> Any:
        errors = self.ray.exceptions
        try:
            return self.ray.get(reference)
        except errors.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, BaseException):
                raise cause from None
            raise BackendError(
                f"{self.where}: a worker could not run a unit ({_short(error)}); is the same nasanalysis installed on "
                "every node?"
            ) from error
        except errors.RayError as error:
            raise BackendError(
                f"{self.where}: a unit was lost {TRIES + 1} times, or the cluster is gone ({_short(error)}); "
                "run the same command again, with more memory for each worker if that was short"
            ) from error


def _answers(address: str) -> None:
    """Somebody listens there (Ray itself would try for minutes)."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), timeout=ANSWER).close()


def _short(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
