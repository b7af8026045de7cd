"""NAS-Bench-301: the encoding and ensembles that old XGBoost and LightGBM versions pickled (tests/fixtures/nb301).

``oracle.json`` holds what the public ``nasbench301`` package says of them; `make test-nb301` asks it anew.
"""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import (
    ArchError,
    DataFileError,
    MissingDataError,
    NasAnalysisError,
    UnknownNameError,
    UnsafePickleError,
)
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.files import cache_dir
from nasanalysis.loaders.nb301 import benchmark as nb301
from nasanalysis.loaders.nb301.benchmark import Ensemble
from nasanalysis.loaders.nb301.boosters import lightgbm_text, read_pickle, xgboost_ubjson
from nasanalysis.loaders.nb301.encoding import COLUMNS, encode
from nasanalysis.spaces import get_space

DARTS = get_space("darts")
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "nb301"
ORACLE: dict[str, Any] = json.loads((FIXTURES / "oracle.json").read_text())
ARCHS = ORACLE["archs"]
XGB, LGB = "nb_models_1.0/xgb_v1.0", "nb_models_1.0/lgb_runtime_v1.0"
OLD_XGB, OLD_LGB = "nb_models_0.9/xgb_v0.9", "nb_models_0.9/lgb_runtime_v0.9"


def model(ensemble: str, member: int = 0) -> Path:
    return FIXTURES / ensemble / f"member_{member}" / "surrogate_model.model"


def pickled(state: dict[str, Any], module: str = "xgboost.core") -> bytes:
    """The pickle of a Booster with this state, as any version of the library writes it."""
    return b"\x80\x03c" + module.encode() + b"\nBooster\n)\x81" + pickle.dumps(state, protocol=3)[2:-1] + b"b."


def member(folder: Path, content: bytes, name: str = "xgb", **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "surrogate_model.model").write_bytes(content)
    (folder / "model_config.json").write_text(json.dumps({"model": name, **config}))
    return folder


def test_encoding_is_that_of_the_package() -> None:
    assert np.array_equal(encode(ARCHS), np.array(ORACLE["encodings"]))
    assert len(COLUMNS) == len(set(COLUMNS)) == 56
    assert COLUMNS[10:14] == ("edge_normal_0", "edge_normal_1", "edge_reduce_0", "edge_reduce_1")
    assert COLUMNS[32:37] == ("edge_normal_10", "edge_normal_11", "edge_normal_12", "edge_normal_13", "edge_normal_2")
    assert encode([]).shape == (0, 56)


@given(st.integers(0, len(DARTS) - 1))
def test_encoding_can_be_read_back(index: int) -> None:
    """Edges that are not -1 are exactly those of the genotype, and inputs_node names their predecessors."""
    arch = DARTS.arch(index)
    row = dict(zip(COLUMNS, encode([arch])[0], strict=True))
    assert sum(row[f"edge_{cell}_{k}"] >= 0 for cell in ("normal", "reduce") for k in range(14)) == 16
    for cell, nodes in zip(("normal", "reduce"), DARTS.genotype(arch), strict=True):
        first = 0
        for node, inputs in enumerate(nodes, start=2):
            read = [source for source in range(node) if row[f"edge_{cell}_{first + source}"] >= 0]
            assert read == [source for _, source in inputs]
            if node > 2:
                pairs = [(a, b) for a in range(node) for b in range(a + 1, node)]
                assert list(pairs[int(row[f"inputs_node_{cell}_{node}"])]) == read
            first += node


def test_genotypes_outside_the_encoding_say_why() -> None:
    text = DARTS.python(DARTS.arch(0))
    none = text.replace("max_pool_3x3", "none", 1)
    with pytest.raises(
        ArchError, match=r"normal, node 2 holds 'none'.*knows only max_pool_3x3, .*outside NAS-Bench-301's encoding"
    ):
        encode([none])
    twice = text.replace("('max_pool_3x3', 1)", "('max_pool_3x3', 0)", 1)
    with pytest.raises(
        ArchError, match=r"node 2 reads predecessor 0 twice, and the encoding has one column for each edge"
    ):
        encode([twice])


def test_most_of_the_1000_are_outside_and_all_of_the_350_inside(data_dir: Path) -> None:
    from nasanalysis.loaders.thesis_samples import thesis_sample

    assert encode(thesis_sample("darts", data_dir)).shape == (350, 56)
    outside = 0
    for arch in load_benchmark("darts-1000", data_dir).truth()["arch"]:
        inside = DARTS.is_counted(arch)
        outside += not inside
        if not inside:
            with pytest.raises(ArchError, match="outside NAS-Bench-301's encoding"):
                encode([arch])
    assert 811 <= outside < 1000


@pytest.mark.parametrize("name", [XGB, LGB, OLD_XGB, OLD_LGB])
def test_ensembles_of_old_pickles_predict_as_the_package_does(name: str) -> None:
    pytest.importorskip("xgboost" if "xgb" in name else "lightgbm")
    ensemble = Ensemble.from_folder(FIXTURES / name)
    said = ORACLE[name]
    tolerance = 1e-6 if "xgb" in name else 1e-12  # the package averages XGBoost's predictions in single precision
    for _ in range(2):  # from the pickle, then from the conversion
        assert ensemble.mean(ARCHS) == pytest.approx(np.array(said["mean"]), rel=tolerance)
        std = ensemble.member_predictions(ARCHS).std(axis=0)
        assert std == pytest.approx(np.array(said["std"]), rel=1e-3, abs=tolerance * max(said["mean"]))
        ensemble = Ensemble.from_folder(FIXTURES / name)
    assert ensemble.target == said["target"]


def test_one_batch_is_the_same_as_one_by_one() -> None:
    pytest.importorskip("xgboost")
    ensemble = Ensemble.from_folder(FIXTURES / XGB)
    sample = DARTS.sample(1000, np.random.default_rng(0))
    mean = ensemble.mean(sample)
    assert mean.shape == (1000,)
    assert [float(ensemble.mean([arch])[0]) for arch in sample[:20]] == mean[:20].tolist()
    assert ensemble.mean([]).shape == (0,)
    back = pickle.loads(pickle.dumps(ensemble))  # as joblib sends it to a worker
    assert np.array_equal(back.mean(sample[:5]), mean[:5])


def test_noise_comes_from_the_generator_given() -> None:
    pytest.importorskip("xgboost")
    ensemble = Ensemble.from_folder(FIXTURES / XGB)
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    asked = [arch for arch in ARCHS[:3] for _ in range(400)]
    draws = ensemble.noisy(asked, np.random.default_rng(0)).reshape(3, 400).T
    assert np.array_equal(draws.T.ravel(), ensemble.noisy(asked, np.random.default_rng(0)))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    members = ensemble.member_predictions(ARCHS[:3])
    std = members.std(axis=0)
    assert (std > 0).all()
    assert (np.abs(draws.mean(axis=0) - members.mean(axis=0)) < 5 * std / 20).all()
    assert draws.std(axis=0) == pytest.approx(std, rel=0.15)
    with pytest.raises(NasAnalysisError, match=r"expected a numpy.random.Generator, got int"):
        ensemble.noisy(ARCHS[:1], 3)  # type: ignore[arg-type]


def test_benchmark_predicts_truth_and_seconds() -> None:
    pytest.importorskip("xgboost")
    pytest.importorskip("lightgbm")
    for name, folder in (("nb301", "nb_models_1.0"), ("nb301-v0.9", "nb_models_0.9")):
        benchmark = load_benchmark(name, FIXTURES)
        assert isinstance(benchmark, nb301.SurrogateBenchmark)
        truth = benchmark.predict([*ARCHS, ARCHS[0]])
        assert truth["arch"].to_list() == ARCHS
        assert truth.select("split", "origin", "dataset", "schedule").unique().rows() == [
            ("valid", "surrogate", "cifar10", 100)
        ]
        accuracy = ORACLE[f"{folder}/xgb_v{folder[-3:]}"]["mean"]
        assert truth["accuracy"].to_numpy() == pytest.approx(np.array(accuracy), rel=1e-6)
        seconds = ORACLE[f"{folder}/lgb_runtime_v{folder[-3:]}"]["mean"]
        assert benchmark.seconds(ARCHS) == pytest.approx(np.array(seconds))
        noisy = benchmark.predict(ARCHS, rng=np.random.default_rng(0))
        assert (noisy["accuracy"] != truth["accuracy"]).any()
        assert benchmark.truth().height == 0


def test_runtime_may_be_missing(tmp_path: Path) -> None:
    pytest.importorskip("xgboost")
    shutil.copytree(FIXTURES / XGB, tmp_path / "xgb_v1.0")
    benchmark = nb301.load(tmp_path)
    assert benchmark.runtime is None
    with pytest.raises(MissingDataError, match="the runtime surrogate"):
        benchmark.seconds(ARCHS)
    with pytest.raises(UnknownNameError, match=r"unknown version of NAS-Bench-301 '1.1'"):
        nb301.load_version("1.1", tmp_path)


def test_accuracy_frame_of_a_runtime_ensemble_is_refused() -> None:
    pytest.importorskip("lightgbm")
    with pytest.raises(
        NasAnalysisError, match="expected an ensemble that predicts accuracy, got one that predicts runtime"
    ):
        nb301.truth_frame(Ensemble.from_folder(FIXTURES / LGB), ARCHS)


def test_from_a_loaded_ensemble() -> None:
    xgboost = pytest.importorskip("xgboost")
    booster = xgboost.Booster()
    booster.load_model(bytearray(xgboost_ubjson(read_pickle(model(XGB)))))
    loaded = SimpleNamespace(
        model=SimpleNamespace(ensemble_members=[SimpleNamespace(model=booster)] * 2, model_config={"model": "xgb"})
    )
    ensemble = Ensemble.from_ensemble(loaded)
    assert ensemble.target == "accuracy"
    expected = Ensemble.from_folder(FIXTURES / XGB).member_predictions(ARCHS)[0]
    assert np.array_equal(ensemble.mean(ARCHS), expected)
    loaded.model.model_config = {}
    with pytest.raises(NasAnalysisError, match="pass target='accuracy' or 'runtime'"):
        Ensemble.from_ensemble(loaded)
    assert Ensemble.from_ensemble(loaded, target="runtime").target == "runtime"
    with pytest.raises(NasAnalysisError, match=r"expected what nasbench301.load_ensemble\(\) returns.*got int"):
        Ensemble.from_ensemble(3)
    loaded.model.ensemble_members = [SimpleNamespace(model=object())]
    with pytest.raises(NasAnalysisError, match="ask graph networks through the nasbench301 package"):
        Ensemble.from_ensemble(loaded, target="accuracy")


@pytest.mark.parametrize(("name", "suffix"), [(XGB, ".ubj"), (OLD_XGB, ".ubj"), (LGB, ".txt")])
def test_conversion_is_kept_and_a_damaged_one_made_again(
    name: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xgboost" if "xgb" in name else "lightgbm")
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "cache"))
    before = Ensemble.from_folder(FIXTURES / name).mean(ARCHS)
    kept = sorted((cache_dir() / "converted").glob(f"*-nb301-booster-v{nb301.VERSION}{suffix}"))
    assert len(kept) == len(list((FIXTURES / name).rglob("surrogate_model.model")))
    kept[0].write_bytes(b"{broken")
    assert np.array_equal(Ensemble.from_folder(FIXTURES / name).mean(ARCHS), before)
    assert kept[0].stat().st_size > 100


def test_conversion_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xgboost")
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "file"))
    assert len(Ensemble.from_folder(FIXTURES / XGB).mean(ARCHS)) == len(ARCHS)


def test_a_booster_of_the_wrong_feature_count(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    snapshot = json.loads(read_pickle(model(XGB)).buffer)
    learner = snapshot["Model"]["learner"]
    assert learner["learner_model_param"]["num_feature"] == "56"
    learner["learner_model_param"]["num_feature"] = "57"
    for tree in learner["gradient_booster"]["model"]["trees"]:
        tree["tree_param"]["num_feature"] = "57"
    content = pickled({"handle": bytearray(json.dumps(snapshot).encode())})
    folder = member(tmp_path / "a", content)
    with pytest.raises(DataFileError, match=r"expected a booster of 56 features \(NAS-Bench-301's encoding\), got 57"):
        Ensemble.from_folder(folder)
    booster = xgboost.train({"max_depth": 1}, xgboost.DMatrix(np.zeros((2, 3)), label=[0, 1]), 1)
    loaded = SimpleNamespace(ensemble_members=[SimpleNamespace(model=booster)])
    with pytest.raises(DataFileError, match="expected a booster of 56 features"):
        Ensemble.from_ensemble(loaded, target="accuracy")


def test_a_lightgbm_booster_of_the_wrong_feature_count(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    rng = np.random.default_rng(0)
    data = lightgbm.Dataset(rng.normal(size=(50, 5)), label=rng.normal(size=50))
    text = lightgbm.train({"num_leaves": 3, "verbose": -1, "min_data_in_leaf": 5}, data, 2).model_to_string()
    folder = member(tmp_path / "a", pickled({"handle": text, "best_iteration": 0}, "lightgbm.basic"), "lgb_time")
    with pytest.raises(DataFileError, match=r"expected a booster of 56 features .* got 5"):
        Ensemble.from_folder(folder)


def test_foreign_and_unsafe_pickles(tmp_path: Path) -> None:
    for content, message, error in (
        (b"cos\nsystem\n(S'false'\ntR.", "asks for os.system", UnsafePickleError),
        (
            pickled({"handle": None}),
            "expected a pickled Booster of XGBoost or LightGBM with a model in it",
            DataFileError,
        ),
        (pickled({"handle": 3}, "lightgbm.basic"), "expected a pickled Booster", DataFileError),
        (pickle.dumps({"a": 1}), "expected a pickled Booster", DataFileError),
        (pickled({"handle": bytearray(b"binf?")}), "expected the buffer of XGBoost 1.0 to 1.5", DataFileError),
        (b"<!doctype html>", "a web page", DataFileError),
        (model(XGB).read_bytes()[:1000], "expected a pickle, got a damaged one", DataFileError),
    ):
        folder = member(tmp_path / "a", content)
        with pytest.raises(error, match=message):
            Ensemble.from_folder(folder)


def test_folders_that_are_no_ensemble(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"surrogate_model.model: not on this machine"):
        Ensemble.from_folder(tmp_path)
    folder = member(tmp_path / "a", b"", "gnn_gin")
    with pytest.raises(
        DataFileError, match=r"expected a surrogate of boosters .*got 'gnn_gin'; load it with the nasbench301"
    ):
        Ensemble.from_folder(tmp_path)
    (folder / "model_config.json").write_text("{")
    with pytest.raises(DataFileError, match="expected JSON with the key 'model'"):
        Ensemble.from_folder(tmp_path)
    (folder / "model_config.json").unlink()
    with pytest.raises(DataFileError, match="expected the settings of the surrogate beside it"):
        Ensemble.from_folder(tmp_path)
    member(tmp_path / "a", b"", "xgb", **{"param:bananas_enc": True})
    with pytest.raises(DataFileError, match=r"got that of paths \(param:bananas_enc\)"):
        Ensemble.from_folder(tmp_path)
    member(tmp_path / "a", b"", "xgb")
    member(tmp_path / "b", b"", "xgb_time")
    with pytest.raises(DataFileError, match="expected members that predict one quantity, got accuracy, runtime"):
        Ensemble.from_folder(tmp_path)


def _damaged(edit: Any) -> bytes:
    """The pickle of a JSON booster whose third tree (one that was pruned) was edited."""
    snapshot = json.loads(read_pickle(model(XGB)).buffer)
    edit(snapshot["Model"]["learner"])
    return pickled({"handle": bytearray(json.dumps(snapshot).encode())})


def _tree(learner: Any) -> Any:
    return learner["gradient_booster"]["model"]["trees"][2]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: _tree(m)["left_children"].__setitem__(0, 9999), "its nodes form no tree"),
        (lambda m: _tree(m)["left_children"].__setitem__(1, 0), "its nodes form no tree"),
        (lambda m: _tree(m)["right_children"].__setitem__(0, _tree(m)["left_children"][0]), "its nodes form no tree"),
        (lambda m: _tree(m)["left_children"].__setitem__(0, -1), "a node with one child"),
        (lambda m: _tree(m)["split_indices"].__setitem__(0, 56), "a split on a feature beyond 56"),
        (lambda m: _tree(m)["split_conditions"].pop(), "columns differ in length"),
        (lambda m: m["objective"].__setitem__("name", "binary:logistic"), "expected regression trees"),
        (lambda m: m["gradient_booster"].__setitem__("name", "dart"), "expected regression trees"),
        (lambda m: m["gradient_booster"]["model"].__setitem__("trees", []), "a model without trees"),
        (lambda m: m.pop("learner_model_param"), "learner_model_param"),
    ],
)
def test_damaged_trees(edit: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(_damaged(edit))
    with pytest.raises(DataFileError, match=f"the XGBoost model in it cannot be read .*{message}"):
        xgboost_ubjson(read_pickle(path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("max_feature_idx=55", "max_feature_idx=x", "expected the text of a LightGBM model"),
        ("left_child=1", "left_child=9", "its nodes form no tree"),
        ("num_leaves=5", "num_leaves=6", "expected 6 leaves, got 5"),
        ("num_cat=0", "num_cat=1", "splits by category"),
        ("max_feature_idx=55", "max_feature_idx=3", "a split on a feature beyond 4"),
        ("split_feature=", "split=", "split_feature"),
        ("Tree=", "Bush=", "expected a LightGBM model with trees, got none"),
    ],
)
def test_damaged_lightgbm_text(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = read_pickle(model(LGB)).buffer.decode()
    assert old in text
    path = tmp_path / "x"
    path.write_bytes(pickled({"handle": text.replace(old, new), "best_iteration": 0}, "lightgbm.basic"))
    with pytest.raises(DataFileError, match=message):
        lightgbm_text(read_pickle(path))


BINARY = read_pickle(model(OLD_XGB)).buffer


def test_both_spellings_of_xgboost_are_in_the_fixtures() -> None:
    assert BINARY.startswith(b"CONFIG-offset:")
    assert read_pickle(model(XGB)).buffer.startswith(b'{"')
    assert read_pickle(model(XGB, 1)).buffer.startswith(b"CONFIG-offset:")
    assert read_pickle(model(LGB)).best_iteration == 4


@given(st.integers(0, struct.unpack_from("<q", BINARY, 14)[0] + 21), st.integers(1, 255))
def test_a_flipped_byte_of_a_binary_model_is_no_crash(at: int, flip: int) -> None:
    """It either shows, or leaves trees that XGBoost can walk (a changed leaf cannot be told)."""
    changed = bytearray(BINARY)
    changed[at] ^= flip
    raw = read_pickle(model(OLD_XGB))
    try:
        ubjson = xgboost_ubjson(type(raw)("xgboost", bytes(changed), 0, raw.path))
    except DataFileError:
        return
    assert ubjson.startswith(b"{")


@given(st.integers(0, len(BINARY)))
def test_a_truncated_binary_model_is_an_error(size: int) -> None:
    raw = read_pickle(model(OLD_XGB))
    start = struct.unpack_from("<q", BINARY, 14)[0] + 22
    if size < start:
        with pytest.raises(DataFileError):
            xgboost_ubjson(type(raw)("xgboost", BINARY[:size], 0, raw.path))
    else:
        assert xgboost_ubjson(type(raw)("xgboost", BINARY[:size], 0, raw.path))
