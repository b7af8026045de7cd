"""Workers end with the process that started them, so that the same command can go on at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]

PROGRAM = """
import os, sys, time
from pathlib import Path
from nasanalysis.jobs import unordered
from small_work import mark_and_sleep

list(unordered(mark_and_sleep, [(sys.argv[1], n) for n in range(2)], workers=2))
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "small_work.py").write_text(
        "import os, time\nfrom pathlib import Path\n"
        "def mark_and_sleep(folder, n):\n"
        "    Path(folder, f'{n}.pid').write_text(str(os.getpid()))\n"
        "    time.sleep(120)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE), str(tmp_path)])}
    parent = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment)
    try:
        until = time.monotonic() + 60
        while len(found := list(tmp_path.glob("*.pid"))) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        assert len(found) == 2, "the workers began"
        time.sleep(0.2)
        workers = [int(path.read_text()) for path in found]
        assert parent.pid not in workers
        assert all(map(alive, workers))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until = time.monotonic() + 20
        while any(map(alive, workers)) and time.monotonic() < until:
            time.sleep(0.1)
        assert not any(map(alive, workers))
    finally:
        parent.kill()
