"""A configuration is the library's settings: the same names, the same defaults, the same fingerprints as before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from nasanalysis.core.errors import ParameterError, StudyError
from nasanalysis.live.config import PRESETS, FinetuneConfig, MeasureConfig, SearchConfig, SupernetConfig, TrainConfig
from nasanalysis.training.settings import FinetuneSettings, MeasureSettings, TrainSettings

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "reports" / "configs").glob("*.toml"))
#: What a unit depended on under 0.1, by configuration: finished runs of then must still be gone on from.
BEFORE = json.loads((Path(__file__).parent / "fingerprints_of_0_1.json").read_text())


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))


@pytest.mark.parametrize("path", [path for path in CONFIGS if path.stem in BEFORE], ids=lambda path: path.stem)
def test_finished_runs_of_0_1_keep_their_fingerprints(path: Path) -> None:
    config, before = SupernetConfig.load(path), BEFORE[path.stem]
    assert as_json(config.train.settings.model_dump()) == before["train"]
    assert as_json(config.network.model_dump()) == before["network"]
    assert as_json(config.data.model_dump()) == before["data"]
    for tuned in config.finetune:
        beside = {key: getattr(tuned, key) for key in ("together", "from_scratch", "data_seed")}
        assert as_json({**tuned.settings.model_dump(), **beside}) == before["finetune"][tuned.name]
    for read in config.measure:
        assert as_json({**read.settings.model_dump(), "noise_seed": read.noise_seed}) == before["measure"][read.name]
    for search in config.search:
        # a search says what it measures when it begins: its terms
        read = MeasureConfig.of(search, measures=before["search"][search.name]["measures"])
        assert as_json({**read.settings.model_dump(), "noise_seed": read.noise_seed}) == before["search"][search.name]


@pytest.mark.parametrize(
    ("config", "settings"),
    [(TrainConfig(), TrainSettings()), (FinetuneConfig(name="a"), FinetuneSettings()),
     (MeasureConfig(name="a"), MeasureSettings())],
)  # fmt: skip
def test_a_configuration_has_the_defaults_of_the_settings(config: Any, settings: Any) -> None:
    assert config.settings == settings
    assert type(config.settings) is type(settings)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_where_defaults_come_from(name: str) -> None:
    assert TrainConfig(preset=name).settings == TrainSettings(**PRESETS[name])
    assert TrainConfig(preset=name, epochs=3).settings == TrainSettings(**{**PRESETS[name], "epochs": 3})


def written(tmp_path: Path, text: str) -> SupernetConfig:
    path = tmp_path / "c.toml"
    path.write_text('space = "nb201"\n' + text)
    return SupernetConfig.load(path)


def test_a_finetuning_decays_as_the_training_unless_it_says_so(tmp_path: Path) -> None:
    parts = '[[finetune]]\nname = "a"\n[[finetune]]\nname = "b"\nweight_decay = 0.5\n'
    config = written(tmp_path, '[train]\npreset = "thesis-darts"\n' + parts)
    assert [part.weight_decay for part in config.finetune] == [3e-4, 0.5]
    assert [part.weight_decay for part in written(tmp_path, parts).finetune] == [5e-4, 0.5]


def test_a_configuration_written_out_reads_the_same(tmp_path: Path) -> None:
    """The record of a result holds the configuration with every default filled in."""
    for path in CONFIGS:
        config = SupernetConfig.load(path)
        assert SupernetConfig.model_validate_json(config.model_dump_json()) == config


def test_a_search_may_read_no_noise(tmp_path: Path) -> None:
    config = written(tmp_path, '[[search]]\nname = "s"\nterms = [{ proxy = "angle" }]\nsigmas = []\n')
    assert config.search[0].sigmas == ()
    with pytest.raises(ParameterError, match="measures: .*expected none in a search"):
        SearchConfig(name="s", terms=[{"proxy": "angle"}], measures=("angle",))  # type: ignore[arg-type, list-item]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[train]\nepochs = "3"', "train.epochs: Input should be a valid integer (got '3')"),
        ("[train]\nepochs = true", "train.epochs: Input should be a valid integer (got True)"),
        ('[[measure]]\nname = "a"\nmeasures = ["angel"]', "measure.0: unknown measure 'angel'. Did you mean 'angle'"),
        ('[train]\nprotocols = ["spso"]', "train: unknown training protocol 'spso'. Did you mean 'spos'"),
    ],
)
def test_wrong_values_are_told_with_their_key(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        written(tmp_path, text)
    assert message in str(caught.value)
