"""What the public ``nasbench301`` package says. Runs in an environment of its own: see run.py beside it.

The package is imported whole but for the parts that boosters do not touch: torch (imported to be
seeded), the graph networks, the path encoding of BANANAS, the downloader. Those are empty stand-ins.
"""

from __future__ import annotations

import json
import pickle
import sys
import types
from collections import namedtuple
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np

Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")


def stand_in(name: str, **attributes: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    module.__dict__.update(attributes)
    sys.modules[name] = module
    return module


def import_nasbench301() -> tuple[Any, Any, Any]:
    """The package, its ``api`` and its ``utils``."""
    empty = type("Empty", (), {})
    seed = lambda *_: None  # noqa: E731
    torch = stand_in("torch", manual_seed=seed)
    torch.cuda = stand_in("torch.cuda", manual_seed=seed)
    torch.backends = stand_in("torch.backends", cudnn=stand_in("torch.backends.cudnn"))
    stand_in("IPython", embed=None)
    stand_in("nasbench301.model_downloader", download_models=None)
    stand_in("nasbench301.surrogate_models.gnn.gnn", GNNSurrogateModel=empty)
    stand_in("nasbench301.surrogate_models.bananas.bananas", BANANASModel=empty)
    stand_in("nasbench301.surrogate_models.bananas.bananas_utils", BANANASDataset=lambda **_: None)
    import nasbench301
    from nasbench301 import api
    from nasbench301.surrogate_models import utils

    return nasbench301, api, utils


def genotype(cells: list[Any]) -> Any:
    normal, reduce = ([tuple(edge) for edge in cell] for cell in cells)
    return Genotype(normal, [2, 3, 4, 5], reduce, [2, 3, 4, 5])


def encodings(cells: list[Any]) -> list[list[float]]:
    """The vector that ``XGBModel.query`` and ``LGBModel.query`` hand to their booster."""
    package, api, utils = import_nasbench301()
    loader = utils.ConfigLoader(str(Path(package.__file__).with_name("configspace.json")))
    convert = api.representations.GenotypeConverter().convert
    rows = []
    for one in cells:
        vector = loader.query_config_dict({**api.fixed_hyperparameters, **convert(genotype(one))}).get_array()
        vector[np.isnan(vector)] = -1
        rows.append(vector.tolist())
    return rows


def predictions(folder: str, cells: list[Any], keys: list[str]) -> dict[str, Any]:
    """Mean and standard deviation by the package, one genotype after the other; and by `from_ensemble`."""
    import time

    from nasanalysis.loaders.nb301.benchmark import Ensemble

    package, _, _ = import_nasbench301()
    api = package.load_ensemble(folder)
    asked = [genotype(one) for one in cells]
    start = time.perf_counter()
    means = [float(api.predict(config=one, representation="genotype", with_noise=False)) for one in asked]
    seconds = time.perf_counter() - start
    convert = api.convert_representation
    fixed = sys.modules["nasbench301.api"].fixed_hyperparameters
    stds = [float(api.model.query_std({**fixed, **convert(one, "genotype")})) for one in asked]
    live = Ensemble.from_ensemble(api)
    return {"mean": means, "std": stds, "live": live.mean(keys).tolist(), "target": live.target, "seconds": seconds}


def train(library: str, rows: list[list[float]], out: str, target: str, seed: int) -> None:
    """One tiny member of a surrogate, in the archive's layout, on a made-up function of the encoding."""
    x = np.array(rows)
    skips, convs = (x == 2).sum(1), ((x == 3) | (x == 4)).sum(1)
    noise = np.random.default_rng(seed).normal(0, 0.05, len(x))
    y = 93 + 0.2 * convs - 0.1 * skips + noise if target == "accuracy" else 4000 + 500 * convs + 100 * noise
    name = {"xgboost": "xgb", "lightgbm": "lgb"}[library] + ("_time" if target == "runtime" else "")
    if library == "xgboost":
        import xgboost

        data = xgboost.DMatrix(x, label=y)
        settings = {
            "objective": "reg:squarederror",
            "max_depth": 3,
            "eta": 0.4,
            "gamma": 0.3,
            "seed": seed,
            "base_score": 90.0,
        }
        model = xgboost.train(settings, data, 5, evals=[(data, "val")], early_stopping_rounds=3, verbose_eval=False)
    else:
        import lightgbm

        data = lightgbm.Dataset(x, label=y)
        settings = {"objective": "regression", "metric": "rmse", "num_leaves": 5, "seed": seed, "verbose": -1}
        valid = lightgbm.Dataset(x, label=y)
        model = lightgbm.train(settings, data, 5, valid_sets=[valid], early_stopping_rounds=3, verbose_eval=False)
        model.best_iteration = 4  # as after early stopping: predict() then leaves the last tree out
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "surrogate_model.model", "wb") as file:
        pickle.dump(model, file)
    (folder / "model_config.json").write_text(json.dumps({"model": name, "param:bananas_enc": False}), encoding="utf-8")
    (folder / "data_config.json").write_text(json.dumps({"seed": seed}), encoding="utf-8")


def main() -> None:
    """``oracle.py FUNCTION``: JSON arguments on stdin, JSON result in the file named by the first argument."""
    arguments = json.load(sys.stdin)
    result = globals()[sys.argv[1]](**arguments)
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
