"""Every file of the data folder that a study opens stands in its provenance, with its hash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.frames import check, write_frame
from nasanalysis.core.provenance import sha256
from nasanalysis.loaders import load_benchmark
from nasanalysis.studies.reading import shipped_studies

#: Runs studies and prints which files were opened, by Python or by polars, and what the provenance says.
SCRIPT = """
import json, os, sys
opened = set()
def seen(path):
    if isinstance(path, (str, bytes, os.PathLike)):
        opened.add(os.path.realpath(os.fsdecode(path)))
sys.addaudithook(lambda event, arguments: seen(arguments[0]) if event == "open" else None)
import polars as pl
def watched(function):
    def call(source, *arguments, **options):
        seen(source)
        return function(source, *arguments, **options)
    return call
for name in ("read_parquet", "scan_parquet", "read_parquet_schema", "read_csv", "scan_csv", "read_json", "read_ndjson"):
    setattr(pl, name, watched(getattr(pl, name)))
from nasanalysis.studies.study import Study
data, *names = sys.argv[1:]
results = [Study.load(name).model_copy(update={"bootstrap": 0}).run(data) for name in names]
print(json.dumps({
    "opened": sorted(opened),
    "inputs": {r.name: r.provenance["inputs"] for r in results},
    "skipped": [line for r in results for line in r.skipped],
}))
"""


def run(data: Path, cache: Path, *names: str) -> tuple[dict[str, str], dict[str, str]]:
    """File of `data` that was opened -> its hash; recorded name -> hash."""
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"NASANALYSIS_CACHE": str(cache), "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", SCRIPT, str(data), *names]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    few = "architectures of it are here"  # of an official archive: what is there was read all the same
    assert [line for line in answer["skipped"] if few not in line] == []
    inside = str(data.resolve()) + os.sep
    opened = {path: sha256(path) for path in answer["opened"] if path.startswith(inside) and Path(path).is_file()}
    return opened, {name: key for inputs in answer["inputs"].values() for name, key in inputs.items()}


def robust_darts(folder: Path) -> None:
    """Logs of two searches, as small as the reader takes them: the second is packed."""
    import gzip

    for l2, seed in (("0.0003", 1), ("0.0009", 2)):
        run = folder / "robust_darts" / "s1" / "cifar10" / f"0.0_{l2}-1"
        run.mkdir(parents=True)
        text = "\n".join(json.dumps({"epoch": e, "H": (np.eye(56) * (e + seed)).tolist()}) for e in (0, 49))
        for unread in (f"arch_{seed}", f"errors_{seed}.json"):  # without them it was not finished
            (run / unread).write_text("not read")
        if seed == 1:
            (run / "derivatives_1.json").write_text(text)
        else:
            (run / "derivatives_2.json.gz").write_bytes(gzip.compress(text.encode()))


STUDY = """
title = "Everything a study can read"
[[table]]
name = "eigenvalues"
title = "Eigenvalues"
table = "hessian-eigenvalues"
[[compare]]
name = "compared"
title = "Compared"
benchmark = "digits"
schedule = 12
sample = "{data}/archs.txt"
proxies = ["params"]
[[supernet]]
name = "live"
title = "Live"
scores = "{data}/scores.parquet"
benchmark = "digits"
dataset = "digits"
schedule = 12
sample = "{data}/few.csv"
arms = [{{ label = "SPOS", protocol = "spos", part = "a" }}]
readings = [{{ label = "SoTL", proxy = "sotl", step = 2 }}]
"""


def test_every_file_that_a_study_opens_is_recorded(tmp_path: Path) -> None:
    data = tmp_path / "data"
    robust_darts(data)
    archs = sorted(load_benchmark("digits").truth("digits", split="test")["arch"].unique())[:20]
    (data / "archs.txt").write_text("\n".join(archs))
    pl.DataFrame({"arch": archs[:15]}).write_csv(data / "few.csv")
    where = {"benchmark": "live", "dataset": "digits", "unit": "minibatch", "method": "spos", "setting": "a",
             "proxy": "sotl", "step": 2, "seed": 0}  # fmt: skip
    frame = pl.DataFrame({"arch": archs, "value": [float(i) for i in range(20)]})
    scores = frame.with_columns(pl.lit(value).alias(key) for key, value in where.items())
    write_frame(check(scores, "SCORES"), data / "scores.parquet")
    (tmp_path / "all.toml").write_text(STUDY.format(data=data), encoding="utf-8")
    opened, recorded = run(data, tmp_path / "cache", str(tmp_path / "all.toml"))
    assert sorted(Path(path).name for path in opened) == [
        "archs.txt", "derivatives_1.json", "derivatives_2.json.gz", "few.csv", "scores.parquet"
    ]  # fmt: skip
    assert set(opened.values()) <= set(recorded.values())


def test_the_eigenvalue_tables_record_the_hessians_they_read(data_dir: Path, tmp_path: Path) -> None:
    """Provenance once named every ``*.yaml`` beside them; of these only the errors are read."""
    opened, recorded = run(data_dir, tmp_path, "darts")
    hessians = [path for path in opened if "derivatives" in path]
    assert len(hessians) == 21
    assert set(opened.values()) <= set(recorded.values())
    assert [Path(name).name for name in recorded if name.endswith(".yaml")] == ["results_perf.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_studies())
def test_every_file_that_a_shipped_study_opens_is_recorded(name: str, data_dir: Path, tmp_path: Path) -> None:
    opened, recorded = run(data_dir, tmp_path, name)
    sets = {name for name, key in recorded.items() if key.startswith("names+sizes")}  # an archive's folder as one input
    lost = [path for path, key in opened.items() if key not in recorded.values() and Path(path).parent.name not in sets]
    assert not lost
