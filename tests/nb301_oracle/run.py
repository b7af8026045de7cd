"""Compare our NAS-Bench-301 with the public ``nasbench301`` package: ``make test-nb301``.

The package needs numpy 1.26, ConfigSpace 0.6.1 and an old XGBoost, so it gets an environment of its own
(``--env``, kept between runs). Compared: the encoding of 1,000 random genotypes, exactly; mean and
standard deviation for 200 of them by the ensembles under tests/fixtures/nb301, which old versions of
XGBoost and LightGBM pickled; the same through `Ensemble.from_ensemble` inside that environment; and the time.

``--write-fixtures`` makes those ensembles and ``oracle.json`` (what the package says of them) anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "nb301"
#: The oldest and the newest spelling of each library's pickles; the environment itself has the newest.
PACKAGES = [
    "numpy==1.26.4",
    "ConfigSpace==0.6.1",
    "scipy<1.14",
    "scikit-learn<1.6",
    "matplotlib<3.10",
    "seaborn<0.14",
    "tqdm",
    "pathvalidate",
    "xgboost==1.5.2",
    "lightgbm==3.3.5",
    "polars>=1.30",
    "platformdirs",
    "filelock",
]
#: Ensemble -> (library, version that writes it, what it predicts).
ENSEMBLES = {
    "nb_models_1.0/xgb_v1.0": ("xgboost", ["1.5.2", "1.2.1", "1.0.2"], "accuracy"),
    "nb_models_1.0/lgb_runtime_v1.0": ("lightgbm", ["3.3.5", "3.3.5"], "runtime"),
    "nb_models_0.9/xgb_v0.9": ("xgboost", ["1.0.2", "1.0.2"], "accuracy"),
    "nb_models_0.9/lgb_runtime_v0.9": ("lightgbm", ["2.3.1", "2.3.1"], "runtime"),
}


def environment(folder: Path) -> Path:
    """The Python of the oracle's environment, made where it is not there."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = folder / "installed.txt"
    if not done.exists() or done.read_text(encoding="utf-8") != "\n".join(PACKAGES):
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True)
        subprocess.run([*pip, "--no-deps", "nasbench301==0.3"], check=True)
        done.write_text("\n".join(PACKAGES), encoding="utf-8")
    return python


def older(python: Path, library: str, version: str) -> Path:
    """A folder with another version of a library, to be put before the environment's own."""
    folder = python.parents[1] / f"{library}-{version}"
    if not folder.exists():
        target = ["--target", str(folder), f"{library}=={version}"]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", *target], check=True)
    return folder


def ask(python: Path, function: str, arguments: dict[str, Any], path: list[Path] = ()) -> Any:  # type: ignore[assignment]
    """Call a function of oracle.py in the oracle's environment."""
    with tempfile.TemporaryDirectory() as temp:
        answer = Path(temp) / "answer.json"
        settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))}
        command = [str(python), str(Path(__file__).with_name("oracle.py")), function, str(answer)]
        done = subprocess.run(
            command, input=json.dumps(arguments), text=True, capture_output=True, env=settings, check=False
        )
        if done.returncode:
            sys.exit(f"oracle.py {function} failed:\n{done.stdout}\n{done.stderr}")
        return json.loads(answer.read_text(encoding="utf-8"))


def cells(space: Any, archs: list[Any]) -> list[Any]:
    """Genotypes as plain lists, flat as the package wants them."""
    return [[[edge for node in cell for edge in node] for cell in space.genotype(arch)] for arch in archs]


def write_fixtures(python: Path, space: Any) -> None:
    rows = ask(python, "encodings", {"cells": cells(space, space.sample(300, np.random.default_rng(0)))})
    for name, (library, versions, target) in ENSEMBLES.items():
        for k, version in enumerate(versions):
            arguments = {
                "library": library,
                "rows": rows,
                "out": str(FIXTURES / name / f"member_{k}"),
                "target": target,
                "seed": k,
            }
            ask(python, "train", arguments, [older(python, library, version)])
    archs = space.sample(20, np.random.default_rng(1))
    genotypes, keys = cells(space, archs), [str(arch) for arch in archs]
    said: dict[str, Any] = {"archs": keys, "encodings": ask(python, "encodings", {"cells": genotypes})}
    for name in ENSEMBLES:
        found = ask(python, "predictions", {"folder": str(FIXTURES / name), "cells": genotypes, "keys": keys})
        said[name] = {key: found[key] for key in ("mean", "std", "target")}
    (FIXTURES / "oracle.json").write_text(json.dumps(said) + "\n", encoding="utf-8")


def compare(python: Path, space: Any) -> bool:
    from nasanalysis.loaders.nb301.benchmark import Ensemble
    from nasanalysis.loaders.nb301.encoding import encode

    good = True

    def report(what: str, fine: bool, detail: str) -> None:
        nonlocal good
        good &= fine
        print(f"{'ok  ' if fine else 'FAIL'} {what}: {detail}")

    archs = space.sample(1000, np.random.default_rng(2))
    genotypes, keys = cells(space, archs), [str(arch) for arch in archs]
    theirs = np.array(ask(python, "encodings", {"cells": genotypes}))
    ours = encode(archs)
    report(
        "encoding",
        bool((ours == theirs).all()),
        f"{(ours == theirs).all(axis=1).sum()} of {len(archs)} genotypes equal",
    )
    archs, genotypes, keys = archs[:200], genotypes[:200], keys[:200]  # one by one is slow
    for name in ENSEMBLES:
        found = ask(python, "predictions", {"folder": str(FIXTURES / name), "cells": genotypes, "keys": keys})
        ensemble = Ensemble.from_folder(FIXTURES / name)
        start = time.perf_counter()
        mean = ensemble.mean(archs)
        seconds = time.perf_counter() - start
        std = ensemble.member_predictions(archs).std(axis=0)
        for what, mine, other in (("mean", mean, "mean"), ("std", std, "std"), ("from_ensemble", mean, "live")):
            gap = float(np.abs(mine - np.array(found[other])).max())
            # The package averages XGBoost's predictions in single precision.
            limit = 1e-6 * float(np.abs(mean).max()) if "xgb" in name else 1e-9 * float(np.abs(mean).max())
            report(f"{name} {what}", gap <= limit, f"largest difference {gap:.2e}, allowed {limit:.2e}")
        rate = len(archs) / seconds, len(archs) / found["seconds"]
        print(f"     {name}: {rate[0]:,.0f} predictions a second in a batch, {rate[1]:,.0f} by the package one by one")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", type=Path, default=ROOT / ".venv" / "nb301-oracle", help="folder of the environment")
    parser.add_argument("--write-fixtures", action="store_true", help="train the small ensembles anew")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from nasanalysis.spaces import get_space

    python, space = environment(options.env), get_space("darts")
    if options.write_fixtures:
        write_fixtures(python, space)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["NASANALYSIS_CACHE"] = cache
        sys.exit(not compare(python, space))


if __name__ == "__main__":
    main()
