"""GPUs shared out among real processes by file locks; no GPU and no torch needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nasanalysis.core.errors import OutputError, ParameterError
from nasanalysis.training import gpu_slots
from nasanalysis.training.gpu_slots import worker_gpu

CODE = """
import sys
from pathlib import Path
from nasanalysis.training.gpu_slots import worker_gpu
count, folder = int(sys.argv[1]), Path(sys.argv[2])
print(worker_gpu(count, folder=folder), worker_gpu(count, folder=folder), "torch" in sys.modules, flush=True)
sys.stdin.read()
"""

Worker = Callable[[int], tuple[int, subprocess.Popen[str]]]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Starts a process that claims one of `count` GPUs, and says which."""
    started: list[subprocess.Popen[str]] = []

    def start(count: int) -> tuple[int, subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(count), str(tmp_path / "gpus")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        started.append(process)
        assert process.stdout is not None
        first, second, torch = process.stdout.readline().split()
        assert first == second, "the same answer within one process"
        assert torch == "False"
        return int(first), process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen[str], how: signal.Signals | None) -> None:
    if how is None:
        process.communicate()  # its input ends, and so does it
    else:
        process.send_signal(how)
        process.wait(timeout=10)


@pytest.mark.parametrize("how", [None, signal.SIGKILL, signal.SIGTERM], ids=["ends", "killed", "terminated"])
def test_slots_fill_evenly_and_are_freed(worker: Worker, how: signal.Signals | None) -> None:
    held = [worker(2) for _ in range(4)]
    assert [gpu for gpu, _ in held] == [0, 1, 0, 1]
    end(held[1][1], how)
    end(held[3][1], how)
    assert worker(2)[0] == 1, "the GPU that lost both"
    assert worker(2)[0] == 1
    assert worker(2)[0] == 0, "three each way, lowest first"


def test_the_fewest_processes_count_not_the_first_free_slot(worker: Worker) -> None:
    held = [worker(2) for _ in range(5)]  # 0: three processes, 1: two
    assert [gpu for gpu, _ in held] == [0, 1, 0, 1, 0]
    end(held[0][1], signal.SIGKILL)
    end(held[2][1], signal.SIGKILL)  # 0: one process, in its third slot
    assert worker(2)[0] == 0


def test_many_at_once_share_evenly(tmp_path: Path) -> None:
    """Six processes that start together: two on each of three."""
    command = [sys.executable, "-c", CODE, "3", str(tmp_path)]
    where = Path(__file__).resolve().parents[2]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=where) for _ in range(6)
    ]
    try:
        found = [int(process.stdout.readline().split()[0]) for process in started if process.stdout]
    finally:
        for process in started:
            process.kill()
            process.communicate()
    assert sorted(found) == [0, 0, 1, 1, 2, 2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_claims_its_own(tmp_path: Path) -> None:
    assert worker_gpu(2, folder=tmp_path) == 0
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(worker_gpu(2, folder=tmp_path)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"1"
    os.close(reader)
    os.close(writer)
    assert worker_gpu(2, folder=tmp_path) == 0


def test_malformed_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="worker_gpu: expected at least 1 GPU, got 0"):
        worker_gpu(0)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write .*file/gpus"):
        worker_gpu(1, folder=tmp_path / "file" / "gpus")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    first = gpu_slots._folder()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert gpu_slots._folder() != first, "GPU 0 of another job is another GPU"
