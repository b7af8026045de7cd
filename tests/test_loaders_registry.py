"""The data registry: what is listed, and that a check finds what is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nasanalysis.errors import UnknownNameError
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
        assert entry.check in registry._CHECKS
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
