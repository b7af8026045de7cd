"""Ctrl-C at the command line: what was kept, and how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from nasanalysis.cli.app import interrupted

PACKAGE = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, time
from nasanalysis.cli import app as cli

@cli.app.command()
def wait(name: str) -> None:
    print("ready", flush=True)
    time.sleep(60)

cli.main()
"""


def test_ctrl_c_says_how_to_go_on() -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    command = [sys.executable, "-c", PROGRAM, "wait", "a name"]
    process = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip() == (
        "interrupted: no results were written; data that were converted on the way are kept. "
        "To start again: nasanalysis wait 'a name'"
    )


def test_what_is_kept_by_command() -> None:
    said = interrupted(["supernet", "train", "my run.toml", "--out", "runs"])
    assert said == (
        "interrupted: finished trainings and the last whole epoch of those begun are kept. "
        "To go on: nasanalysis supernet train 'my run.toml' --out runs"
    )
    assert "the partial file too" in interrupted(["data", "get", "nb301"])
    assert "what is finished is kept" in interrupted(["benchmark", "build", "digits"])
