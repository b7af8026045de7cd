"""Data sets from the Hugging Face hub, with a hub of our own in its library's place: a folder for each repository."""

from __future__ import annotations

import hashlib
import inspect
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from test_syne_tune import KEYS, some_curves, write_blackbox

from nasanalysis.core.errors import DownloadError, MissingExtraError, ParameterError
from nasanalysis.loaders import registry
from nasanalysis.loaders.benchmark import load_benchmark
from nasanalysis.loaders.data_sets import DataSet, data_sets
from nasanalysis.loaders.hub import Repository, get_from_hub, places


class Hub(ModuleType):
    """Answers as `huggingface_hub` does, from folders under `root`; `asked` holds what was asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__("huggingface_hub")
        self.root = root
        self.asked: list[tuple[str, str, str | None]] = []

    def HfApi(self) -> Hub:
        return self

    def list_repo_files(self, repo_id: str, *, revision: str | None, repo_type: str) -> list[str]:
        folder = self.root / repo_id
        if repo_type != "dataset" or not folder.is_dir():
            raise OSError(f"404 Client Error: Repository Not Found for {repo_id}")
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def hf_hub_download(
        self, repo_id: str, filename: str, *, repo_type: str, revision: str | None, local_dir: Path
    ) -> str:
        self.asked.append((repo_id, filename, revision))
        path = local_dir / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / repo_id / filename, path)
        return str(path)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    for name in ("NASANALYSIS_DATA", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "cache"))
    fake = Hub(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return fake


def put(hub: Hub, repository: str, name: str, content: bytes = b"x") -> None:
    path = hub.root / repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def entry(**more: Any) -> DataSet:
    texts = dict.fromkeys(("title", "source", "size", "licence", "citation", "how"), "x")
    return DataSet(**{"name": "x", "files": ["x/a.npy", "b.csv"], "check": "digits", **texts, **more})


def test_what_the_registry_knows_there_is_read_as_a_benchmark(hub: Hub, tmp_path: Path) -> None:
    known = data_sets()["nb201-syne-tune"]
    repository = Repository.parse(known.hub)
    write_blackbox(hub.root / repository.name / "nasbench201", KEYS, some_curves())
    put(hub, repository.name, "fcnet/metadata.json")
    got = registry.get_data("nb201-syne-tune", tmp_path / "data", quiet=True)
    assert {path.name for path in got} == {Path(file).name for file in known.files}
    assert {asked[1] for asked in hub.asked} == set(known.files), "nothing of the other tables there"
    assert {asked[2] for asked in hub.asked} == {repository.revision}
    assert load_benchmark("nb201-syne-tune", tmp_path / "data").truth("cifar10")["arch"].n_unique() == len(KEYS)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["nasbench201"], "nothing is left lying about"
    hub.asked.clear()
    registry.get_data("nb201-syne-tune", tmp_path / "data", quiet=True)
    assert hub.asked == [], "what is there is not fetched again"


def test_a_named_copy_of_nats_bench_in_any_folder_of_it(hub: Hub, tmp_path: Path) -> None:
    put(hub, "some/copy", "README.md")
    put(hub, "some/copy", "tss/NATS-tss-v1_0-3ffb9-simple/meta.pickle.pbz2")
    put(hub, "some/copy", "tss/NATS-tss-v1_0-3ffb9-simple/000000.pickle.pbz2")
    put(hub, "some/copy", "NATS-tss-v1_0-3ffb9-simple.tar")
    registry.get_data("nats-tss", tmp_path / "data", hub="some/copy@v1")
    here = sorted(path.relative_to(tmp_path / "data").as_posix() for path in (tmp_path / "data").rglob("*.*"))
    folder = "NATS-tss-v1_0-3ffb9-simple"
    assert here == [f"{folder}/000000.pickle.pbz2", f"{folder}/meta.pickle.pbz2"], "one form of it is enough"
    assert {asked[2] for asked in hub.asked} == {"v1"}
    with pytest.raises(DownloadError, match=r"some/copy: expected NATS-sss-v1_0-\*-simple or .*, got NATS-tss"):
        registry.get_data("nats-sss", tmp_path / "data", hub="some/copy")


def test_files_are_known_by_their_names_and_none_climbs_out() -> None:
    def found(*listed: str) -> dict[str, str]:
        return {there: str(here) for there, here in places(entry(), listed).items()}

    assert found("y/a.npy", "deep/x/a.npy", "deep/b.csv") == {"deep/x/a.npy": "x/a.npy", "deep/b.csv": "b.csv"}
    assert found("a.npy", "c.csv") == {"a.npy": "x/a.npy"}, "copied without its folder"
    assert found("y/a.npy", "z/a.npy") == {}, "which of them, nobody knows"
    assert found("../b.csv", "/b.csv", "x/../b.csv") == {}


def test_another_content_than_the_known_is_refused(hub: Hub, tmp_path: Path) -> None:
    put(hub, "some/copy", "b.csv", b"right")
    known = entry(sha256_published={"b.csv": hashlib.sha256(b"right").hexdigest()})
    get_from_hub(known, Repository.parse("some/copy"), tmp_path / "data")
    assert (tmp_path / "data" / "b.csv").read_bytes() == b"right"
    put(hub, "some/copy", "b.csv", b"wrong")
    (tmp_path / "data" / "b.csv").write_bytes(b"damaged")
    with pytest.raises(DownloadError, match=r"some/copy: b\.csv: expected SHA-256 \w{64}, got \w{64}"):
        get_from_hub(known, Repository.parse("some/copy"), tmp_path / "data")


def test_what_the_hub_raises_is_an_error_of_ours(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match="some/none: the hub does not list its files: 404 Client Error: Repository"):
        registry.get_data("nats-tss", tmp_path, hub="some/none")
    with pytest.raises(ParameterError, match="--hub: expected OWNER/NAME or OWNER/NAME@REVISION, got 'https://x/y/z'"):
        registry.get_data("nats-tss", tmp_path, hub="https://x/y/z")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"--hub needs 'huggingface_hub'.*'nasanalysis\[hub\]'"):
        registry.get_data("nats-tss", tmp_path, hub="some/copy")


def test_the_library_takes_what_it_is_asked() -> None:
    """What the hub above answers to is what `huggingface_hub` has."""
    library = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed (extra hub)")
    listing = inspect.signature(library.HfApi.list_repo_files)
    listing.bind(library.HfApi, "a/b", revision=None, repo_type="dataset")
    fetching = inspect.signature(library.hf_hub_download)
    fetching.bind("a/b", "c", repo_type="dataset", revision=None, local_dir=Path())
