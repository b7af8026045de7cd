"""Units on other processes than this one: the same files, whoever dies in the middle."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import polars as pl
import pytest

from nasanalysis import jobs as backends
from nasanalysis.core.errors import MissingExtraError, OutputError, ParameterError, UnknownNameError
from nasanalysis.core.seeding import generator
from nasanalysis.jobs import Backend, BackendError, backend_from_options, calls, current_backend, unordered
from nasanalysis.jobs.units import gather, prepare, run_units

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parents[1]  # where the package is, when it runs from its checkout
needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="dask.distributed is not installed (extra distributed)"
)


# --- units ------------------------------------------------------------------------------------------------


def work(i: int, log: str, wait: float = 0.0) -> pl.DataFrame:
    """A unit of random numbers in two chunks; every run leaves its number and process in `log`."""
    with open(log, "a") as file:
        file.write(f"{i} {os.getpid()}\n")
    time.sleep(wait)
    drawn = generator(7, "unit", i).normal(size=200)
    return pl.concat([pl.DataFrame({"i": i, "x": part}) for part in (drawn[:50], drawn[50:])], rechunk=False)


def dies_once(i: int, marker: str) -> pl.DataFrame:
    """Number 3 kills its process the first time."""
    if i == 3 and not Path(marker).exists():
        Path(marker).write_text("")
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return pl.DataFrame({"i": [i]})


def dies(i: int) -> pl.DataFrame:
    os.kill(os.getpid(), signal.SIGKILL)
    return pl.DataFrame({"i": [i]})


def boom(i: int) -> pl.DataFrame:
    if i == 3:
        raise OutputError("cannot write x: No space left on device")
    return pl.DataFrame({"i": [i]})


def surroundings(path: str) -> tuple[int, str | None, str]:
    """Process, data folder, and what a path relative to the working folder leads to."""
    return os.getpid(), os.environ.get("NASANALYSIS_DATA"), Path(path).read_text()


@backends.kept_for_one_run
@functools.lru_cache(maxsize=4)
def content(path: Path) -> str:
    return path.read_text()


def square(i: int) -> int:
    return i * i


def jobs(log: Path, count: int = 12, wait: float = 0.0) -> dict[str, tuple[Any, ...]]:
    return {f"{i:02d}": (i, str(log), wait) for i in range(count)}


def runs_of(log: Path) -> list[tuple[int, int]]:
    """(unit, process) of every run."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(line.split()[0]), int(line.split()[1])) for line in lines]


def until(true: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def alone(tmp_path: Path) -> Callable[[int], list[bytes]]:
    """The files that one process writes."""

    def make(count: int = 12) -> list[bytes]:
        folder = prepare(tmp_path / "alone", {}, resume=True)
        paths = run_units(work, jobs(tmp_path / "log0", count), folder, backend=Backend("sequential"), quiet=True)
        return [path.read_bytes() for path in paths]

    return make


# --- a real cluster of separate processes -----------------------------------------------------------------


class Cluster:
    """A Dask scheduler and its workers, each a process of its own that speaks TCP."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, []  # type: tuple[Path, list[subprocess.Popen[bytes]]]
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "scheduler.json"
        self.scheduler = self.start(
            "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file),
        )  # fmt: skip
        until(lambda: file.exists() and file.stat().st_size)
        self.address: str = json.loads(file.read_text())["address"]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(TESTS), str(ROOT)])
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NASANALYSIS_")} | {"PYTHONPATH": path}
        with open(self.folder / f"log{len(self.processes)}", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], stdout=log, stderr=log, env=environment, cwd=self.folder,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def worker(self, *options: str, before: str | None = None) -> subprocess.Popen[bytes]:
        """A worker without a nanny, so that a kill is final; `before` is code that it runs first."""
        named = ("worker", self.address, "--no-nanny", "--no-dashboard", "--nthreads", "1", *options)
        if before is None:
            return self.start("-m", "dask", *named)
        return self.start("-c", f"{before}; import sys; from dask.__main__ import main; main()", *named)

    def stop(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes:
            process.wait(timeout=20)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of two workers that nobody kills."""
    made = Cluster(tmp_path_factory.mktemp("steady"))
    try:
        made.worker()
        made.worker()
        yield made.address
    finally:
        made.stop()


# --- what may be asked for --------------------------------------------------------------------------------


def test_names_and_addresses() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown backend 'dusk'\. Did you mean 'dask'\?"):
        backend_from_options("dusk", 2, None)
    with pytest.raises(ParameterError, match=r"--scheduler tcp://a:1: expected no address with --backend loky .*add"):
        backend_from_options("loky", 2, "tcp://a:1")
    with pytest.raises(ParameterError, match="--workers: expected at least 1 process, got 0"):
        Backend("loky", 0)
    assert backend_from_options("dask", 2, "").scheduler is None
    assert [Backend(name).remote for name in ("loky", "sequential", "dask")] == [False, False, True]


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    message = r"--backend dask needs 'distributed'.*'nasanalysis\[distributed\]'"
    with pytest.raises(MissingExtraError, match=message), Backend("dask"):
        pass


def test_importing_does_not_load_dask() -> None:
    code = "import sys, nasanalysis.jobs.units, nasanalysis.jobs as b; b.Backend('dask')\n"
    code += "print(sorted({m.partition('.')[0] for m in sys.modules} & {'dask', 'distributed', 'torch'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


# --- this machine -----------------------------------------------------------------------------------------


def test_processes_of_this_machine_write_the_same_files(tmp_path: Path, alone: Callable[[int], list[bytes]]) -> None:
    folder = prepare(tmp_path / "loky", {}, resume=True)
    paths = run_units(work, jobs(tmp_path / "log"), folder, backend=Backend("loky", 2), quiet=True)
    assert [path.read_bytes() for path in paths] == alone(12)
    assert os.getpid() not in {process for _, process in runs_of(tmp_path / "log")}


def test_the_innermost_backend_counts(tmp_path: Path) -> None:
    assert current_backend() is None
    with Backend("loky", 2) as outer, Backend("sequential") as inner:
        assert current_backend() is inner
        run_units(work, jobs(tmp_path / "log", 2), prepare(tmp_path / "a", {}, resume=True), workers=2, quiet=True)
        assert {process for _, process in runs_of(tmp_path / "log")} == {os.getpid()}
        with outer:
            assert current_backend() is outer
    assert current_backend() is None
    assert sorted(unordered(square, [(i,) for i in range(5)], workers=1)) == [0, 1, 4, 9, 16]
    with Backend("loky", 2).parallel():
        assert joblib.effective_n_jobs() == 2


def test_a_killed_process_of_this_machine(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "out", {}, resume=True)
    units = {str(i): (i, str(tmp_path / "marker")) for i in range(6)}
    message = r"a worker process died: .*fewer --workers than 2.*\([1-5] of 6 units are finished and kept in"
    with pytest.raises(BackendError, match=message):
        run_units(dies_once, units, folder, workers=2, quiet=True)
    paths = run_units(dies_once, units, prepare(tmp_path / "out", {}, resume=True), workers=2, quiet=True)
    assert [frame["i"][0] for frame in gather(paths)] == list(range(6))


# --- what is refused before any work ----------------------------------------------------------------------


@needs_dask
def test_nobody_listens() -> None:
    start = time.monotonic()
    with pytest.raises(BackendError, match=r"--scheduler tcp://127\.0\.0\.1:9: expected a Dask scheduler, none ans"):
        list(Backend("dask", scheduler="tcp://127.0.0.1:9").run(square, [(1,)]))
    with pytest.raises(BackendError, match=r"--scheduler what\?://x: expected a Dask scheduler"):
        list(Backend("dask", scheduler="what?://x").run(square, [(1,)]))
    assert time.monotonic() - start < 15, "a few seconds, not minutes"


@needs_dask
def test_workers_that_do_not_fit(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker; one of many threads; one of another version; one without this package: each is said."""
    from nasanalysis.jobs import dask_cluster

    monkeypatch.setattr(dask_cluster, "COME", 0.5)
    with Backend("dask", scheduler=cluster.address) as backend:

        def refused(message: str, *options: str, before: str | None = None, needs: tuple[Path, ...] = ()) -> None:
            client = backend._cluster.client  # type: ignore[union-attr]
            worker = None
            if options or before:
                worker = cluster.worker(*options, before=before)
                until(client.nthreads)
            with pytest.raises(BackendError, match=message):
                list(backend.run(square, [(1,)], needs=needs))
            if worker is not None:
                worker.kill()
                until(lambda: not client.nthreads())

        refused(r"expected workers, the scheduler has none after .*`dask worker tcp://127.0.0.1:\d+ --nthreads 1`")
        refused(r"expected workers of one thread, got 3 threads", "--nthreads", "3")
        older = "import nasanalysis.core.provenance as p; p.nasanalysis_version = lambda: '0.0.9'"
        refused(r"worker on \S+: expected nasanalysis \S+, as where .*, got 0\.0\.9; install the same", before=older)
        other = "import nasanalysis.jobs.calls as c; c.versions = lambda v=c.versions(): {**v, 'code': 'f00'}"
        refused(r"expected sources of nasanalysis with hash \w{12}, .*, got f00", before=other)
        without = "import sys; sys.modules['nasanalysis'] = None"
        refused(r"expected a worker that can import the same nasanalysis as here", before=without)
        away = tmp_path / "not" / "mounted"
        refused(rf"expected to see {away}, found nothing there; .*every worker mounts", "--name", "w", needs=(away,))


# --- a cluster that works ---------------------------------------------------------------------------------


@needs_dask
def test_surroundings_of_a_unit(steady: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data folder and working folder are those of the command; an error comes back as itself."""
    monkeypatch.setenv("NASANALYSIS_DATA", "data")
    monkeypatch.chdir(tmp_path)
    Path("note").write_text("here")
    with Backend("dask", scheduler=steady) as backend:
        (process, data, text), *_ = backend.run(surroundings, [("note",)], needs=[Path("note")])
        assert (data, text) == (str(tmp_path / "data"), "here")
        assert process != os.getpid()
        folder = prepare(tmp_path / "out", {}, resume=True)
        with pytest.raises(OutputError, match=r"No space left on device \(\d of 6 units are finished and kept in"):
            run_units(boom, {str(i): (i,) for i in range(6)}, folder, quiet=True)
        assert sorted(unordered(square, [(i,) for i in range(40)], workers=1)) == [i * i for i in range(40)]
    monkeypatch.delenv("NASANALYSIS_DATA")
    found = list(Backend("dask", scheduler=steady).run(surroundings, [("note",)]))
    assert found[0][1] is None, "nothing of the run before stays"


@needs_dask
def test_a_worker_forgets_between_runs(steady: str, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_text("old")
    with Backend("dask", scheduler=steady) as backend:
        assert set(backend.run(content, [(file,)] * 4)) == {"old"}
    file.write_text("new")
    assert set(Backend("dask", scheduler=steady).run(content, [(file,)] * 4)) == {"new"}


@needs_dask
def test_joblib_goes_there_when_asked(steady: str) -> None:
    with Backend("dask", scheduler=steady) as backend, backend.parallel():
        found = joblib.Parallel()(joblib.delayed(os.getpid)() for _ in range(4))
    assert os.getpid() not in found


@needs_dask
def test_workers_come_and_die(cluster: Cluster, tmp_path: Path, alone: Callable[[int], list[bytes]]) -> None:
    """One worker; a second comes; the first is killed: the files are those of one process, byte by byte."""
    first = cluster.worker()
    log, folder = tmp_path / "log", prepare(tmp_path / "out", {}, resume=True)

    def disturb() -> None:
        until(lambda: runs_of(log))
        second = cluster.worker()
        until(lambda: second.pid in {process for _, process in runs_of(log)})
        first.kill()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        paths = run_units(
            work, jobs(log, 60, 0.1), folder, backend=Backend("dask", scheduler=cluster.address), quiet=True
        )
    finally:
        thread.join()
    assert first.wait() == -signal.SIGKILL
    assert [path.read_bytes() for path in paths] == alone(60)
    ran = runs_of(log)
    assert {unit for unit, _ in ran} == set(range(60))
    assert len({process for _, process in ran}) == 2
    assert not list(folder.glob(".*")), "nothing half written"


@needs_dask
def test_the_scheduler_dies(cluster: Cluster, tmp_path: Path, alone: Callable[[int], list[bytes]]) -> None:
    cluster.worker()
    log, out = tmp_path / "log", tmp_path / "out"
    folder = prepare(out, {}, resume=True)

    def kill() -> None:
        until(lambda: len(list(folder.glob("*.parquet"))) >= 4)
        cluster.scheduler.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    message = r"the Dask scheduler at tcp://\S+ is gone; .*run the same command .*\((\d+) of 40 units are finished and"
    with pytest.raises(BackendError, match=message) as caught:
        run_units(work, jobs(log, 40, 0.1), folder, backend=Backend("dask", scheduler=cluster.address), quiet=True)
    thread.join()
    kept = len(list(folder.glob("*.parquet")))
    assert 4 <= kept < 40
    assert f"({kept} of 40" in str(caught.value)
    again = Cluster(tmp_path / "again")
    try:
        again.worker()
        second = tmp_path / "log2"
        paths = run_units(
            work,
            jobs(second, 40),
            prepare(out, {}, resume=True),
            backend=Backend("dask", scheduler=again.address),
            quiet=True,
        )
    finally:
        again.stop()
    assert len(runs_of(second)) == 40 - kept, "what is finished is not done again"
    assert [path.read_bytes() for path in paths] == alone(40)


@needs_dask
def test_all_workers_are_gone(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nasanalysis.jobs import dask_cluster

    monkeypatch.setattr(dask_cluster, "GONE", 2.0)
    worker, log = cluster.worker(), tmp_path / "log"
    folder = prepare(tmp_path / "out", {}, resume=True)

    def kill() -> None:
        until(lambda: len(list(folder.glob("*.parquet"))) >= 2)
        worker.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(BackendError, match=r"no worker has been left for 2 s; start workers .*of 40 units are fin"):
        run_units(work, jobs(log, 40, 0.1), folder, backend=Backend("dask", scheduler=cluster.address), quiet=True)
    thread.join()
    assert 2 <= len(list(folder.glob("*.parquet"))) < 40


# --- workers started here ---------------------------------------------------------------------------------


@needs_dask
def test_without_an_address_workers_are_started_here(
    tmp_path: Path, alone: Callable[[int], list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)  # Dask sets it, and torch suffers
    log, folder = tmp_path / "log", prepare(tmp_path / "out", {}, resume=True)
    with Backend("dask", 2) as backend:
        paths = run_units(work, jobs(log, 12, 0.05), folder, backend=backend, quiet=True)
        processes = {process for _, process in runs_of(log)}
        assert len(processes) == 2
        assert os.getpid() not in processes
        assert list(backend.run(os.getenv, [("MALLOC_TRIM_THRESHOLD_",)])) == [None]
    assert [path.read_bytes() for path in paths] == alone(12)
    until(lambda: not any(Path(f"/proc/{p}").exists() for p in processes))


@needs_dask
def test_a_unit_that_kills_every_worker(tmp_path: Path) -> None:
    import dask

    folder = prepare(tmp_path / "out", {}, resume=True)
    message = r"a unit was on 1 workers that died.*--memory-limit.*\(0 of 1 units"
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        pytest.raises(BackendError, match=message),
    ):
        run_units(dies, {"0": (0,)}, folder, backend=Backend("dask", 1), quiet=True)


DRIVER = """
import sys
from pathlib import Path
from nasanalysis.jobs import Backend
from nasanalysis.jobs.units import prepare, run_units
from test_backends import jobs, work
if __name__ == "__main__":
    out = Path(sys.argv[1])
    folder = prepare(out, {}, resume=True)
    try:
        run_units(work, jobs(out / "log", 40, 0.1), folder, backend=Backend("dask", 2), quiet=True)
    except KeyboardInterrupt:
        sys.exit("interrupted")
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    """Starts a process that runs 40 units on two workers of its own."""
    script, started = tmp_path / "driver.py", []
    script.write_text(DRIVER)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), str(ROOT)])}

    def start(out: Path) -> subprocess.Popen[bytes]:
        with open(tmp_path / "stderr", "wb") as log:
            command = [sys.executable, str(script), str(out)]
            started.append(subprocess.Popen(command, env=environment, stderr=log, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)


@needs_dask
def test_the_command_itself_is_killed(
    tmp_path: Path, driver: Callable[[Path], subprocess.Popen[bytes]], alone: Callable[[int], list[bytes]]
) -> None:
    """Its workers end with it; the same command goes on from what is there."""
    out = tmp_path / "out"
    process = driver(out)
    until(lambda: len(list(out.glob("units/*.parquet"))) >= 4)
    process.kill()  # this process only: its workers are not told
    process.wait(timeout=20)
    workers = {p for _, p in runs_of(out / "log")}
    until(lambda: not any(Path(f"/proc/{p}").exists() for p in workers))
    assert len(list(out.glob("units/*.parquet"))) < 40
    assert driver(out).wait(timeout=60) == 0
    assert [path.read_bytes() for path in sorted(out.glob("units/*.parquet"))] == alone(40)
    assert len(runs_of(out / "log")) <= 40 + 8, "lost: units at work, and frames on their way"


@needs_dask
def test_control_c(tmp_path: Path, driver: Callable[[Path], subprocess.Popen[bytes]]) -> None:
    """The whole terminal's processes get it: one line is said, not a traceback for every worker."""
    out = tmp_path / "out"
    process = driver(out)
    until(lambda: len(list(out.glob("units/*.parquet"))) >= 2)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == 1
    assert (tmp_path / "stderr").read_text().split() == ["interrupted"]
    assert 2 <= len(list(out.glob("units/*.parquet"))) < 40


# --- docs/cluster.md --------------------------------------------------------------------------------------


@needs_dask
def test_the_script_for_slurm() -> None:
    """What the page submits: jobs of one GPU, each one worker of one thread that leaves in time."""
    jobqueue = pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (extra distributed)")
    page = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    trees = [ast.parse(block) for block in blocks]
    (call,) = [
        node for node in ast.walk(trees[0]) if isinstance(node, ast.Call) and ast.unparse(node.func) == "SLURMCluster"
    ]
    options = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    with jobqueue.SLURMCluster(
        **options, scheduler_options={"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    ) as cluster:
        script = cluster.job_script()
    for line in ("#SBATCH --gres=gpu:1", "#SBATCH --requeue", "#SBATCH --cpus-per-task=8", "#SBATCH -p gpu"):
        assert line in script
    assert "--nthreads 1 " in script
    assert "--nworkers" not in script, "one process for each job"
    assert "--lifetime 11h" in script


# --- what a worker checks ---------------------------------------------------------------------------------


def test_versions_name_what_changes_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    found = calls.versions()
    assert {"python", "nasanalysis", "code", "numpy", "polars"} <= set(found)
    calls.check_worker(calls.Session())
    monkeypatch.setattr(calls, "versions", lambda: {**found, "numpy": "1.0"})
    with pytest.raises(BackendError, match=rf"expected numpy {found['numpy']}, as where the run was started, got 1\.0"):
        calls.check_worker(calls.Session(expected=tuple(found.items())))
    monkeypatch.setattr(calls, "versions", lambda: {k: v for k, v in found.items() if k != "numpy"})
    with pytest.raises(BackendError, match=r"expected numpy \S+, .*got none; install the same there"):
        calls.check_worker(calls.Session(expected=tuple(found.items())))
