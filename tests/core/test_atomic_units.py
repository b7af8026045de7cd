"""Files that appear whole or not at all, and long work that survives kills and full disks."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from nasanalysis.core.atomic import write_atomically, write_text
from nasanalysis.core.errors import BuildError, OutputError
from nasanalysis.core.frames import read_frame, write_frame
from nasanalysis.jobs import units
from nasanalysis.jobs.units import exclusive, gather, prepare, run_units
from nasanalysis.report.writer import write_csv

FULL = Path("/dev/full")
needs_dev_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here to play the full disk")


@contextlib.contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch, after: int = 0) -> Iterator[None]:
    """From the write numbered `after` on, every temporary file is a link to a device without space."""
    real, count = tempfile.mkstemp, iter(range(10**6))

    def mkstemp(*args: object, **kwargs: object) -> tuple[int, str]:
        handle, name = real(*args, **kwargs)  # type: ignore[call-overload]
        if next(count) >= after:
            Path(name).unlink()
            Path(name).symlink_to(FULL)
        return handle, name

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", mkstemp)
        yield


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# --- one file ----------------------------------------------------------------------------------------


def test_a_failing_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")

    def half(temp: Path) -> None:
        temp.write_text("half of the n")
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_target_is_never_half_written(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")

    def look(temp: Path) -> None:
        temp.write_text("new")
        assert path.read_text() == "old"
        assert temp.parent == path.parent, "another file system could not be renamed from"

    assert write_atomically(path, look) == path
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_of_the_system_is_one_readable_message(tmp_path: Path) -> None:
    def no_space(temp: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match=r"cannot write .*a\.txt: No space left on device; free some space and run"):
        write_atomically(tmp_path / "a.txt", no_space)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file/a\.txt: .*; choose another folder with --out"):
        write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(OutputError, match="cannot write"):
        write_text(tmp_path, "a folder is in the way")
    assert names(tmp_path) == ["file"]


@needs_dev_full
@pytest.mark.parametrize("kind", ["parquet", "csv", "text"])
def test_a_full_disk_is_said_and_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    frame = pl.DataFrame({"a": range(1000)})
    path = tmp_path / f"a.{kind}"
    path.write_text("old")
    with full_disk(monkeypatch), pytest.raises(OutputError, match=r"No space left on device.*; free some space and"):
        if kind == "parquet":
            write_frame(frame, path)
        elif kind == "csv":
            write_csv(frame, path)
        else:
            write_text(path, "x" * 10_000)
    assert path.read_text() == "old"
    assert names(tmp_path) == [path.name]


def test_a_limit_on_file_size_is_an_output_error(tmp_path: Path) -> None:
    code = (
        "import resource, polars as pl, sys\n"
        "from pathlib import Path\n"
        "from nasanalysis.core.errors import OutputError\n"
        "from nasanalysis.core.atomic import write_text\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    write_text(Path(sys.argv[1]) / 'big.txt', 'x' * 100_000)\n"
        "except OutputError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert names(tmp_path) == []


# --- units -------------------------------------------------------------------------------------------


def work(i: int, log: str, wait: float = 0.0) -> pl.DataFrame:
    """A unit whose every run leaves a line in `log`."""
    with open(log, "a") as file:
        file.write(f"{i}\n")
    time.sleep(wait)
    return pl.DataFrame({"i": [i], "square": [i * i]})


def boom(i: int) -> pl.DataFrame:
    if i == 3:
        raise OutputError("cannot write x: No space left on device")
    return pl.DataFrame({"i": [i]})


def runs_of(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def test_only_what_is_missing_is_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    folder = prepare(tmp_path / "out", {"v": 1}, resume=True)
    jobs = {f"{i:02d}": (i, str(log)) for i in range(6)}
    first = run_units(work, {k: jobs[k] for k in ("00", "03")}, folder, workers=1, quiet=True)
    assert [p.name for p in first] == ["00.parquet", "03.parquet"]
    paths = run_units(work, jobs, prepare(tmp_path / "out", {"v": 1}, resume=True), workers=1, quiet=True)
    assert sorted(runs_of(log)) == list(range(6)), "each unit ran once"
    assert [f["square"][0] for f in gather(paths)] == [i * i for i in range(6)], "in the order of the units"


def test_the_number_of_workers_does_not_matter(tmp_path: Path) -> None:
    contents = []
    for workers in (1, 2):
        jobs = {f"{i:02d}": (i, str(tmp_path / f"log{workers}")) for i in range(5)}
        folder = prepare(tmp_path / str(workers), {}, resume=True)
        paths = run_units(work, jobs, folder, workers=workers, quiet=True)
        contents.append([p.read_bytes() for p in paths])
    assert contents[0] == contents[1]


def test_units_of_other_settings_are_refused_or_set_aside(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    jobs = {"0": (0, str(log))}
    run_units(work, jobs, prepare(out, {"epochs": 12, "lr": 0.1}, resume=True), workers=1, quiet=True)
    with pytest.raises(BuildError, match=r"finished units of other settings \(epochs differ\); to start over"):
        prepare(out, {"epochs": 13, "lr": 0.1}, resume=True)
    assert (out / "units" / "0.parquet").exists()
    folder = prepare(out, {"epochs": 13, "lr": 0.1}, resume=False)
    assert names(out) == ["build.json", "units", "units.1"]
    assert names(out / "units.1") == ["0.parquet"], "set aside, not deleted"
    assert names(folder) == []
    prepare(out, {"epochs": 13, "lr": 0.1}, resume=False)
    assert "units.2" in names(out)
    assert json.loads((out / "build.json").read_text()) == {"epochs": 13, "lr": 0.1}


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with exclusive(tmp_path / "out"):
        with pytest.raises(BuildError, match="another run is writing this folder"), exclusive(tmp_path / "out"):
            pass
        code = "import sys; from pathlib import Path; from nasanalysis.jobs.units import exclusive\n"
        code += "with exclusive(Path(sys.argv[1])): pass"
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], capture_output=True, text=True)
        assert "another run is writing this folder" in done.stderr
    with exclusive(tmp_path / "out"):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="cannot write .*file/out: .*choose another folder"),
        exclusive(tmp_path / "file" / "out"),
    ):
        pass


def test_a_damaged_unit_is_found_and_made_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    jobs = {f"{i}": (i, str(log)) for i in range(3)}
    paths = run_units(work, jobs, prepare(tmp_path / "out", {}, resume=True), workers=1, quiet=True)
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BuildError, match=r"1\.parquet: expected a whole .*removed: run the same command again"):
        gather(paths)
    assert [p.exists() for p in paths] == [True, False, True]
    paths = run_units(work, jobs, prepare(tmp_path / "out", {}, resume=True), workers=1, quiet=True)
    assert paths[1].read_bytes() == whole
    assert len(gather(paths)) == 3
    assert sorted(runs_of(log)) == [0, 1, 1, 2]


def test_a_failure_says_what_is_kept(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "out", {}, resume=True)
    with pytest.raises(OutputError, match=rf"No space left on device \(3 of 6 units are finished and kept in {folder}"):
        run_units(boom, {str(i): (i,) for i in range(6)}, folder, workers=1, quiet=True)
    assert names(folder) == ["0.parquet", "1.parquet", "2.parquet"]


def test_an_error_in_a_worker_process_comes_back_as_itself(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "out", {}, resume=True)
    with pytest.raises(OutputError, match="units are finished and kept"):
        run_units(boom, {str(i): (i,) for i in range(6)}, folder, workers=2, quiet=True)


@needs_dev_full
def test_a_disk_that_fills_up_loses_nothing_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    jobs = {f"{i}": (i, str(log)) for i in range(6)}
    folder = prepare(tmp_path / "out", {}, resume=True)
    with full_disk(monkeypatch, after=4), pytest.raises(OutputError, match=r"free some space.*\(4 of 6 units"):
        run_units(work, jobs, folder, workers=1, quiet=True)
    assert names(folder) == [f"{i}.parquet" for i in range(4)]
    paths = run_units(work, jobs, prepare(tmp_path / "out", {}, resume=True), workers=1, quiet=True)
    assert [f["i"][0] for f in gather(paths)] == list(range(6))
    assert sorted(runs_of(log)) == [0, 1, 2, 3, 4, 4, 5]


DRIVER = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from nasanalysis.core.frames import write_frame
from nasanalysis.jobs.units import exclusive, gather, prepare, run_units
from test_atomic_units import work
import polars as pl
out = Path(sys.argv[1])
with exclusive(out):
    folder = prepare(out, {}, resume=True)
    print("ready", flush=True)
    jobs = {f"{i:02d}": (i, str(out / "log"), 0.02) for i in range(40)}
    paths = run_units(work, jobs, folder, workers=1, quiet=True)
    write_frame(pl.concat(gather(paths)), out / "all.parquet")
"""


def test_killed_five_times_and_resumed_gives_the_same_file(tmp_path: Path) -> None:
    def start(out: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(out), "", str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    whole = start(tmp_path / "whole")
    assert whole.wait(timeout=120) == 0
    draws, killed = random.Random(0), 0
    for _ in range(5):
        process = start(tmp_path / "killed")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draws.uniform(0.01, 0.25))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        killed += process.wait(timeout=60) == -signal.SIGKILL
    assert killed >= 4, "the kills came too late to test anything"
    log = tmp_path / "killed" / "log"
    assert start(tmp_path / "killed").wait(timeout=120) == 0
    assert (tmp_path / "killed/all.parquet").read_bytes() == (tmp_path / "whole/all.parquet").read_bytes()
    assert not list((tmp_path / "killed" / "units").glob(".*"))
    assert len(runs_of(log)) <= 40 + 5, "at most the unit at work is lost in each kill"
    assert read_frame(tmp_path / "killed/all.parquet")["i"].to_list() == list(range(40))


def test_the_progress_bar_goes_to_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = prepare(tmp_path / "out", {}, resume=True)
    run_units(work, {"0": (0, str(tmp_path / "log"))}, folder, workers=1, description="training")
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err
    assert "1/1" in err
    assert units.progress_bar(quiet=True).disable
