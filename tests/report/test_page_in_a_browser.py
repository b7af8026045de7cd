"""The page in a real browser with the network blocked: what it asks for, what fits, what scripts do.

Runs where Chromium is installed; elsewhere it is skipped and says so.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis.report import Board, Figure, Result, Section, Table, write_report
from nasanalysis.report.explorer import explorer, points
from nasanalysis.report.front_chart import front_chart, front_points
from nasanalysis.report.libraries import is_here
from nasanalysis.spaces.nb201 import SPACE

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: the page was not looked at")

PROBE = Path(__file__).resolve().parents[1] / "fixtures" / "page_probe.js"


def looked_at(page: Path, width: int, tmp_path: Path) -> dict[str, Any]:
    """What the probe saw at this width, without a network."""
    copy = page.with_name(f"probed-{width}.html")
    probe = f"<script>{PROBE.read_text(encoding='utf-8')}</script></body>"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", probe), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=15000"]
    options.append(f"--window-size={width},900")
    blocked = ["--proxy-server=127.0.0.1:9", "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking"]
    home = f"--user-data-dir={tmp_path / str(width)}"
    done = subprocess.run(
        [str(BROWSER), *options, *blocked, home, "--dump-dom", copy.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    saw = re.search(r'<script type="text/plain" id="seen">(.*?)</script>', done.stdout, re.DOTALL)
    assert saw, f"the page did not get to its end: {done.stderr[-800:]}"
    return dict(json.loads(saw[1]))


def _draw() -> Any:
    from nasanalysis.plots.style import new_axes

    return new_axes()


def _wide() -> Table:
    header = ["architecture", "a long heading of one thing", *(f"statistic {i}" for i in range(9)), "beside parameters"]
    line = [*(f"0.{i}12 [0.{i}00, 0.{i}99]" for i in range(9))]
    rows = [["nb201:" + "|nor_conv_3x3~0|" * 6, f"{k}", *line, "not told apart"] for k in range(4)]
    return Table("wide", "Wide", header, rows, pl.DataFrame({"x": [1]}), [False, True, *[True] * 9, False])


def _board(name: str, *proxies: str) -> Board:
    n = len(proxies)
    numbers = {key: [0.9 - 0.1 * i for i in range(n)] for key in ("estimate", "ci_low", "ci_high", "minus_baseline")}
    words = {"proxy": proxies, "statistic": "spearman_rho", "verdict": "ahead", "needs": "curves", "n_archs": 9}
    ranks = {"tier": range(1, n + 1), "rank_low": 1, "rank_high": 2, "step": None, "unit": None, "cost": 1.0}
    ends = {"minus_low": 0.1, "minus_high": 0.2}
    return Board(pl.DataFrame({**words, **numbers, **ranks, **ends}, strict=False), name, "test accuracy", "all")


def _chart() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    archs = [str(SPACE.arch(i)) for i in range(0, len(SPACE), 400)]
    truth = pl.DataFrame({"arch": archs, "accuracy": rng.random(len(archs))})
    scores = pl.DataFrame({"arch": archs, "proxy": "params", "value": rng.random(len(archs))})
    return explorer(points(truth, scores), ["params"], target="test accuracy")


def _front() -> dict[str, Any]:
    points = front_points(_board("one", "sotl", "params", "snip").frame)
    return front_chart(points, statistic="spearman_rho", cost="epochs")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    numbers = pl.DataFrame({"x": [1.0, 2.5], "label": ["a, b", 'c "d"']})
    figure = Figure("points", "Points.", _draw, numbers, _chart, "Point at it.")
    front = Figure("front", "Front.", _draw, numbers, _front, "Point at it.")
    boards = (_board("one", "sotl", "params", "snip"), _board("another", "val_acc", "zen"))
    section = Section(
        "Which?", "", (_wide(),), (figure, front, Figure("still", "Still.", _draw, numbers)), boards=boards
    )
    record = {"inputs": {"needle.parquet": "abc", "hay.parquet": "def"}}
    return write_report([Result("s", "S", "", (section,), record)], tmp_path_factory.mktemp("browser") / "out")


def test_at_a_desktop_everything_fits_and_nothing_is_asked_for(page: Path, tmp_path: Path) -> None:
    seen = looked_at(page, 1400, tmp_path)
    assert seen["asked"] == []
    assert seen["errors"] == []
    assert seen["overflow"] == [], "a table is wider than its place"
    assert not seen["page_overflows"]
    assert seen["first_choice"] == ["SoTL, all steps", "parameters", "SNIP"]
    assert seen["other_choice"] == ["validation accuracy", "Zen-score"]
    assert seen["as_table"] == [["x", "label"], ["1.0", "a, b"], ["2.5000", 'c "d"']]
    assert seen["found"] == ["inputs › needle.parquetabc"]
    if is_here("tables"):
        assert seen["sorted"][-1] == "SNIP", "sorted by the difference, the greatest first"
        assert set(seen["sorted"][:2]) == {"SoTL, all steps", "validation accuracy"}
    charts = 2 if is_here("charts") else 0
    assert (seen["charts"], seen["still"]) == (charts, 3 - charts)
    assert seen["sharp"] == [True, True], "a still figure becomes its drawing"


def test_on_a_telephone_the_page_is_no_wider_than_it(page: Path, tmp_path: Path) -> None:
    seen = looked_at(page, 500, tmp_path)  # a window cannot be narrower without a driver
    assert not seen["page_overflows"]
    assert [label for label in seen["overflow"] if label == "Wide"] == [], "rows fold"
    assert (seen["asked"], seen["errors"]) == ([], [])
