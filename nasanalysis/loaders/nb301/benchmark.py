"""NAS-Bench-301 (Zela, Siems et al. 2022): surrogates that predict accuracy and runtime over the ``darts`` space.

The official archives hold one folder per surrogate, ``nb_models*/{xgb,lgb_runtime}_v{0.9,1.0}``, and
below it one folder per member of the ensemble with ``surrogate_model.model`` (a pickled booster),
``model_config.json`` and ``data_config.json``. Members are read without unpickling
(`nasanalysis.loaders.nb301.boosters`), converted once, and asked about any number of genotypes in one
batch.

What is predicted: validation accuracy (percent) on CIFAR-10 and training time (seconds) of the
network of 8 cells and 32 channels that NAS-Bench-301 trained, with mixup and an auxiliary head. A
prediction is the mean over members; with noise it is drawn from a normal distribution around it whose
standard deviation is that of the members (dividing by their number), as the public package does from
NumPy's global generator; here the generator is passed in. The graph networks (``gnn_gin``) are not read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from ...core.atomic import write_atomically
from ...core.errors import DataFileError, MissingExtraError, NasAnalysisError, OutputError, UnknownNameError
from ...core.frames import check
from ...core.provenance import sha256
from ...core.reading import reads
from ...core.shown import shown
from ...spaces.base import Arch
from ...spaces.darts import SPACE
from ..benchmark import Benchmark
from ..files import cache_dir, data_folders, missing
from .boosters import RawBooster, check_lightgbm, lightgbm_text, read_pickle, xgboost_ubjson
from .encoding import COLUMNS, encode

Vector = npt.NDArray[np.float64]
Target = Literal["accuracy", "runtime"]

#: Versions of the archive.
VERSIONS = ("1.0", "0.9")
#: Epochs that the surrogates are asked about: the package's constant ``T_max``.
SCHEDULE = 100
#: Raise it when a change here changes what a booster becomes.
VERSION = 1

_PLACES = (".", "nb_models*", "nb301", "nb301/nb_models*")
_MODELS: dict[str, Target] = {"xgb": "accuracy", "lgb": "accuracy", "xgb_time": "runtime", "lgb_time": "runtime"}
_WHY = "reading NAS-Bench-301"


@dataclass(frozen=True)
class Ensemble:
    """Boosters that predict one quantity.

    Attributes
    ----------
    target: ``accuracy`` (validation, percent) or ``runtime`` (seconds).
    members: each maps an (n, 56) matrix of encodings to n predictions.
    name: where the ensemble comes from.
    inputs: its files, for provenance.
    """

    target: Target
    members: tuple[Callable[[Vector], Vector], ...]
    name: str = "nb301"
    inputs: tuple[Path, ...] = ()

    def member_predictions(self, archs: Iterable[Arch | str]) -> Vector:
        """(n_members, n_archs) predictions; architectures of the ``darts`` space, in any spelling it reads."""
        features = encode(archs)
        if not len(features):
            return np.empty((len(self.members), 0))
        return np.stack([member(features) for member in self.members]).astype(np.float64)

    def mean(self, archs: Iterable[Arch | str]) -> Vector:
        """(n_archs,) mean over the members."""
        return np.asarray(self.member_predictions(archs).mean(axis=0))

    def noisy(self, archs: Iterable[Arch | str], rng: np.random.Generator) -> Vector:
        """(n_archs,) one draw each from N(mean, std) of the members, std with divisor n_members."""
        if not isinstance(rng, np.random.Generator):
            raise NasAnalysisError(
                f"rng: expected a numpy.random.Generator, got {type(rng).__name__}; "
                "use nasanalysis.core.seeding.generator"
            )
        predictions = self.member_predictions(archs)
        return np.asarray(
            predictions.mean(axis=0) + predictions.std(axis=0) * rng.standard_normal(predictions.shape[1])
        )

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """The ensemble whose members lie anywhere below `folder`, in order of their paths."""
        paths = sorted(folder.rglob("surrogate_model.model"))
        if not paths:
            raise missing(f"{folder.name}/**/surrogate_model.model", [folder])
        targets = {_target(path) for path in paths}
        if len(targets) > 1:
            raise DataFileError(
                f"{folder}: expected members that predict one quantity, got {', '.join(sorted(targets))}"
            )
        return cls(targets.pop(), tuple(_member(path) for path in paths), folder.name, tuple(paths))

    @classmethod
    def from_ensemble(cls, obj: Any, *, target: Target | None = None) -> Self:
        """An ensemble that the public ``nasbench301`` package has loaded: its API object, or the ensemble in it.

        Parameters
        ----------
        obj: what ``nasbench301.load_ensemble(folder)`` returned.
        target: what it predicts; read off its ``model_config`` where that is there.
        """
        ensemble = getattr(obj, "model", obj)
        members = getattr(ensemble, "ensemble_members", None)
        if not members:
            raise NasAnalysisError(
                f"expected what nasbench301.load_ensemble() returns, with ensemble_members, got {type(obj).__name__}"
            )
        if target is None:
            config = getattr(ensemble, "model_config", None) or {}
            target = _MODELS.get(str(config.get("model", getattr(ensemble, "member_model_name", ""))))
            if target is None:
                raise NasAnalysisError(
                    "from_ensemble: cannot tell what this ensemble predicts; pass target='accuracy' or 'runtime'"
                )
        elif target not in ("accuracy", "runtime"):
            raise UnknownNameError("target", target, ("accuracy", "runtime"))
        return cls(target, tuple(_live_member(member) for member in members), type(obj).__name__)


@dataclass(frozen=True, repr=False)
class SurrogateBenchmark(Benchmark):
    """A benchmark that predicts: its TRUTH is made by `predict`, of whatever architectures it is given.

    Attributes
    ----------
    accuracy, runtime: the ensembles; `runtime` is None where its folder is not there.
    """

    accuracy: Ensemble | None = None
    runtime: Ensemble | None = None

    def predict(self, archs: Iterable[Arch | str], *, rng: np.random.Generator | None = None) -> pl.DataFrame:
        """TRUTH frame (``origin`` surrogate) of architectures; each is listed once, in the order given.

        `rng`: draw with the noise of the ensemble; without it the prediction is the mean.
        """
        assert self.accuracy is not None
        return truth_frame(self.accuracy, archs, rng=rng, benchmark=self.name)

    def seconds(self, archs: Iterable[Arch | str], *, rng: np.random.Generator | None = None) -> Vector:
        """(n_archs,) predicted training time in seconds."""
        if self.runtime is None:
            raise missing(
                f"{self.name}: the runtime surrogate lgb_runtime_v*", self.accuracy.inputs[:1] if self.accuracy else []
            )
        return self.runtime.mean(archs) if rng is None else self.runtime.noisy(archs, rng)


def truth_frame(
    ensemble: Ensemble, archs: Iterable[Arch | str], *, rng: np.random.Generator | None = None, benchmark: str = "nb301"
) -> pl.DataFrame:
    """TRUTH frame of an accuracy ensemble: split ``valid``, CIFAR-10, schedule `SCHEDULE`, no seed."""
    if ensemble.target != "accuracy":
        raise NasAnalysisError(f"expected an ensemble that predicts accuracy, got one that predicts {ensemble.target}")
    names = list(dict.fromkeys(SPACE.parse(str(arch)) for arch in archs))
    values = ensemble.mean(names) if rng is None else ensemble.noisy(names, rng)
    frame = pl.DataFrame(
        {"arch": [str(a) for a in names], "accuracy": values}, schema={"arch": pl.String, "accuracy": pl.Float64}
    )
    frame = frame.with_columns(
        benchmark=pl.lit(benchmark),
        dataset=pl.lit("cifar10"),
        split=pl.lit("valid"),
        schedule=pl.lit(SCHEDULE, pl.Int64),
        seed=pl.lit(None, pl.Int64),
        origin=pl.lit("surrogate"),
    )
    return check(frame, "TRUTH", where=benchmark)


def load(data: Path | None = None) -> SurrogateBenchmark:
    """Version 1.0 of the surrogates: XGBoost for accuracy, LightGBM for runtime."""
    return load_version("1.0", data)


def load_v09(data: Path | None = None) -> SurrogateBenchmark:
    """Version 0.9 of the surrogates."""
    return load_version("0.9", data)


def load_version(version: str, data: Path | None = None) -> SurrogateBenchmark:
    """The surrogates of one version of the archive, from the first folder that holds them.

    Raises `MissingDataError` where the accuracy surrogate is nowhere; the runtime one may be missing.
    """
    if version not in VERSIONS:
        raise UnknownNameError("version of NAS-Bench-301", version, VERSIONS)
    accuracy = Ensemble.from_folder(_folder(f"xgb_v{version}", data))
    try:
        runtime = Ensemble.from_folder(_folder(f"lgb_runtime_v{version}", data))
    except FileNotFoundError:
        runtime = None
    return SurrogateBenchmark(
        name="nb301" if version == "1.0" else f"nb301-v{version}",
        space="darts",
        datasets=("cifar10",),
        inputs=(*accuracy.inputs, *(runtime.inputs if runtime else ())),
        notes=(
            "predictions of a surrogate, not trained networks",
            "validation accuracy of the network with 8 cells and 32 channels",
        ),
        accuracy=accuracy,
        runtime=runtime,
    )


def _folder(name: str, data: Path | None) -> Path:
    looked = [folder / place / name for folder in data_folders(data) for place in _PLACES]
    for folder in data_folders(data):
        for place in _PLACES:
            paths = [folder / name] if place == "." else sorted(folder.glob(f"{place}/{name}"))
            for path in paths:
                if path.is_dir():
                    return path
    raise missing(f"nb301: {name}", looked, ["nb301"])


def _target(path: Path) -> Target:
    """What a member predicts, by the ``model_config.json`` beside it."""
    config = path.with_name("model_config.json")
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
        model = str(settings["model"])
        paths_encoding = bool(settings.get("param:bananas_enc"))
    except FileNotFoundError:
        raise DataFileError(
            f"{config}: expected the settings of the surrogate beside it, found nothing there"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise DataFileError(f"{config}: expected JSON with the key 'model', got {type(error).__name__}") from error
    if model not in _MODELS:
        raise DataFileError(
            f"{config}: expected a surrogate of boosters ({', '.join(_MODELS)}), got {shown.repr(model)}; "
            "load it with the nasbench301 package"
        )
    if paths_encoding:
        raise DataFileError(f"{config}: expected the encoding of 56 columns, got that of paths (param:bananas_enc)")
    return _MODELS[model]


@reads("a pickled booster")
def _member(path: Path) -> Callable[[Vector], Vector]:
    """One booster: from the cache in its library's own format, else from the pickle."""
    key = sha256(path)
    for suffix, read in ((".ubj", _xgboost_file), (".txt", _lightgbm_file)):
        cached = _converted(key, suffix)
        if cached.exists():
            try:
                return read(cached, path)
            except DataFileError:
                cached.unlink(missing_ok=True)
    raw = read_pickle(path)
    return _convert_xgboost(raw, key) if raw.library == "xgboost" else _convert_lightgbm(raw, key)


def _converted(key: str, suffix: str) -> Path:
    return cache_dir() / "converted" / f"{key[:16]}-nb301-booster-v{VERSION}{suffix}"


def _keep(path: Path, model: bytes) -> None:
    """Keep a conversion under its SHA-256; where the cache cannot be written, it is made anew each time."""
    content = b"%s\n%s" % (hashlib.sha256(model).hexdigest().encode(), model)
    try:
        write_atomically(path, lambda temp: temp.write_bytes(content))
    except (OutputError, OSError):
        return


def _kept(path: Path) -> bytes:
    """What was kept, byte by byte; `DataFileError` otherwise: damaged models crash the libraries that read them."""
    try:
        digest, _, model = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise DataFileError(f"{path}: expected a readable file, got {error.strerror or error}") from error
    if hashlib.sha256(model).hexdigest().encode() != digest:
        raise DataFileError(f"{path}: expected a model as it was kept, got other bytes")
    return model


def _convert_xgboost(raw: RawBooster, key: str) -> Callable[[Vector], Vector]:
    model = xgboost_ubjson(raw)
    member = _xgboost_model(bytearray(model), raw.path)
    _keep(_converted(key, ".ubj"), model)
    return member


def _convert_lightgbm(raw: RawBooster, key: str) -> Callable[[Vector], Vector]:
    lightgbm = _lightgbm()
    try:
        booster = lightgbm.Booster(model_str=check_lightgbm(lightgbm_text(raw), raw.path))
    except lightgbm.basic.LightGBMError as error:
        raise DataFileError(f"{raw.path}: LightGBM cannot read the model in it ({error})") from error
    text = booster.model_to_string(num_iteration=raw.best_iteration or -1)
    member = _lightgbm_model(text, raw.path)
    _keep(_converted(key, ".txt"), text.encode())
    return member


def _xgboost_file(cached: Path, path: Path) -> Callable[[Vector], Vector]:
    return _xgboost_model(bytearray(_kept(cached)), path)


def _lightgbm_file(cached: Path, path: Path) -> Callable[[Vector], Vector]:
    return _lightgbm_model(_kept(cached).decode(), path)


def _xgboost_model(model: bytearray, path: Path) -> Callable[[Vector], Vector]:
    xgboost = _xgboost()
    booster = xgboost.Booster()
    try:
        booster.load_model(model)
    except xgboost.core.XGBoostError as error:
        raise DataFileError(f"{path}: XGBoost cannot read the model in it ({str(error).splitlines()[0]})") from error
    return _xgboost_booster(booster, booster.num_features(), str(path))


def _lightgbm_model(text: str, path: Path) -> Callable[[Vector], Vector]:
    lightgbm = _lightgbm()
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise DataFileError(f"{path}: LightGBM cannot read the model in it ({error})") from error
    return _lightgbm_booster(booster, booster.num_feature(), str(path))


@dataclass(frozen=True)
class _Member:
    """One booster, asked about a matrix of encodings."""

    library: Literal["xgboost", "lightgbm"]
    booster: Any

    def __call__(self, features: Vector) -> Vector:
        given = _xgboost().DMatrix(features) if self.library == "xgboost" else features
        return np.asarray(self.booster.predict(given), dtype=np.float64)


def _xgboost_booster(booster: Any, features: int, where: str) -> Callable[[Vector], Vector]:
    _check_features(features, where)
    return _Member("xgboost", booster)


def _lightgbm_booster(booster: Any, features: int, where: str) -> Callable[[Vector], Vector]:
    _check_features(features, where)
    return _Member("lightgbm", booster)


def _check_features(features: int, where: str) -> None:
    if features != len(COLUMNS):
        raise DataFileError(
            f"{where}: expected a booster of {len(COLUMNS)} features (NAS-Bench-301's encoding), got {features}; "
            "it belongs to another benchmark or encoding"
        )


def _live_member(member: Any) -> Callable[[Vector], Vector]:
    """A member of a loaded ensemble: the booster in its ``model``."""
    booster: Any = getattr(member, "model", None)
    library = type(booster).__module__.partition(".")[0]
    if library == "xgboost" and hasattr(booster, "num_features"):
        return _xgboost_booster(booster, booster.num_features(), type(member).__name__)
    if library == "xgboost":  # before version 1.6 a booster does not tell its number of features
        return _xgboost_booster(booster, len(COLUMNS), type(member).__name__)
    if library == "lightgbm":
        return _lightgbm_booster(booster, booster.num_feature(), type(member).__name__)
    raise NasAnalysisError(
        f"from_ensemble: expected members that hold a booster of XGBoost or LightGBM, got {type(member).__name__} with "
        f"{type(booster).__name__}; ask graph networks through the nasbench301 package"
    )


def _xgboost() -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise MissingExtraError("xgboost", "nb301", _WHY) from error
    return xgboost


def _lightgbm() -> Any:
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise MissingExtraError("lightgbm", "nb301", _WHY) from error
    return lightgbm
