"""The data registry: what is listed, and that a check finds what is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nasanalysis.core.errors import UnknownNameError
from nasanalysis.loaders import registry


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NASANALYSIS_DATA", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_every_entry_is_complete() -> None:
    entries = registry.data_sets()
    assert {"digits", "nats-tss", "nats-sss", "nb101-108", "nb101-full", "nb301", "nb201-mean"} <= set(entries)
    for entry in entries.values():
        assert all([entry.title, entry.files, entry.source, entry.size, entry.licence, entry.citation, entry.how])
        assert entry.check in registry.CHECKS
        for digest in (*entry.sha256_published.values(), *entry.sha256_seen.values()):
            assert len(bytes.fromhex(digest)) == 32


def test_list_without_data(empty: Path) -> None:
    table = registry.list_data(empty)
    assert table.columns == ["name", "title", "present", "where", "size", "licence", "source", "citation", "how"]
    assert dict(table.select("name", "present").rows()) == {
        n: "yes" if n == "digits" else "no" for n in registry.data_sets()
    }


def test_check_without_data(empty: Path) -> None:
    results = {r.name: r for r in registry.check_data(None, empty)}
    assert results["digits"].status == "ok"
    assert all(r.status == "absent" for n, r in results.items() if n != "digits")
    assert "by hand" in results["nats-tss"].message
    with pytest.raises(UnknownNameError, match="Did you mean 'nats-tss'"):
        registry.check_data("nats-ts", empty)


@pytest.mark.slow
def test_real_files_pass(data_dir: Path) -> None:
    table = dict(registry.list_data(data_dir).select("name", "present").rows())
    here = [name for name, present in table.items() if present == "yes"]
    assert len(here) >= 10
    for result in registry.check_data(None, data_dir):
        assert result.status == ("ok" if result.name in here else "absent"), result
    messages = {r.name: r.message for r in registry.check_data("nats-tss", data_dir)}
    assert "2 of 15,625" in messages["nats-tss"]


def test_damage_is_found(empty: Path, data_dir: Path) -> None:
    source = data_dir / "nb201"
    for name in ("curves_200_architectures.csv", "thesis_params.pkl", "per_seed_200_epochs.pkl"):
        shutil.copy(source / name, empty / name)
    assert dict(registry.list_data(empty).select("name", "present").rows())["nb201-thesis"] == "part"
    [result] = registry.check_data("nb201-thesis", empty)
    assert result.status == "ok"
    assert "not here: nb201/thesis_test_accuracy_cifar10.pkl" in result.message

    curves = empty / "curves_200_architectures.csv"
    text = curves.read_text()
    curves.write_text(text.replace("[27.206666664632163", "[27.3"))
    [result] = registry.check_data("nb201-curves", empty)
    assert result.status == "ok"
    assert "other bytes" in result.message
    curves.write_text(text.replace("[27.206666664632163", "[127.3"))
    [result] = registry.check_data("nb201-curves", empty)
    assert result.status == "failed"
    assert "line 2: train_accuracy: expected percent, 0 to 100, got 127.3" in result.message
    runs = empty / "per_seed_200_epochs.pkl"
    runs.write_bytes(runs.read_bytes()[:-100])
    [result] = registry.check_data("nb201-runs", empty)
    assert result.status == "failed"
    assert "is the download complete?" in result.message


def test_published_checksums(empty: Path) -> None:
    (empty / "nasbench_only108.tfrecord").write_bytes(b"not it")
    [result] = registry.check_data("nb101-108", empty)
    assert result.status == "failed"
    assert "expected SHA-256 4c39c3936e36a852" in result.message


def test_an_exact_count_that_is_wrong_is_found(empty: Path, data_dir: Path) -> None:
    import pickle

    with open(data_dir / "nb201/thesis_params.pkl", "rb") as file:
        params = pickle.load(file)
    first = next(iter(params))
    params[first] += 0.028
    (empty / "thesis_params.pkl").write_bytes(pickle.dumps(params))
    [result] = registry.check_data("nb201-thesis", empty)
    assert result.status == "failed"
    assert f"1 parameter counts differ from the space's, first nb201:{first}" in result.message


def test_pages_and_archives_that_are_cut_off(empty: Path, data_dir: Path) -> None:
    page = empty / "NATS-sss-v1_0-50262-simple.tar"
    page.write_bytes(b"<!DOCTYPE html><html>Quota exceeded</html>")
    [result] = registry.check_data("nats-sss", empty)
    assert result.status == "failed"
    assert "got a web page (a quota, consent or error page saved in its place)" in result.message
    page.unlink()

    images = empty / "images" / "cifar10_jpeg_25k.zip"
    images.parent.mkdir()
    images.write_bytes((data_dir / "images" / "cifar10_jpeg_25k.zip").read_bytes()[:100_000])
    [result] = registry.check_data("images-cifar10", empty)
    assert result.status == "failed"
    assert "expected a whole zip archive" in result.message


def test_a_wrong_cost_in_the_size_space_is_found(empty: Path, data_dir: Path) -> None:
    import bz2
    import pickle

    real = next((data_dir / "nats-bench").glob("NATS-sss-*-simple"))
    folder = empty / real.name
    shutil.copytree(real, folder)
    [result] = registry.check_data("nats-sss", empty)
    assert result.status == "ok", result
    assert "2 of 32,768 architectures (a part" in result.message
    path = folder / "000011.pickle.pbz2"
    content = pickle.loads(bz2.decompress(path.read_bytes()))
    content["90"]["all_results"][("cifar100", 777)]["flop"] += 1
    path.unlink()
    path.write_bytes(bz2.compress(pickle.dumps(content)))
    [result] = registry.check_data("nats-sss", empty)
    assert result.status == "failed"
    assert "90 epochs: expected at most 0 architectures whose recorded parameters or FLOPs" in result.message


def test_nb301_is_opened(empty: Path) -> None:
    pytest.importorskip("xgboost", reason="xgboost is not installed (extra nb301)")
    pytest.importorskip("lightgbm", reason="lightgbm is not installed (extra nb301)")
    models = Path(__file__).resolve().parents[1] / "fixtures" / "nb301"
    folders = sorted({p.parent.parent for p in models.rglob("surrogate_model.model")})
    assert folders, "the fixtures hold surrogate models"
    place = empty / "nb_models"
    shutil.copytree(models, place)
    [result] = registry.check_data("nb301", empty)
    assert result.status == "ok", result
    assert "members, accuracy" in result.message
    (next(place.rglob("surrogate_model.model"))).write_bytes(b"cut off")
    [result] = registry.check_data("nb301", empty)
    assert result.status == "failed"
