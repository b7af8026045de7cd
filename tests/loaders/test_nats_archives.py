"""NATS-Bench in all its forms: folder, tar, single file, API object; damaged, killed, converted twice at once."""

from __future__ import annotations

import bz2
import io
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import DataFileError, MissingCurveError, MissingDataError, ParameterError, UnknownNameError
from nasanalysis.core.frames import check
from nasanalysis.loaders.benchmark import Benchmark, load_benchmark
from nasanalysis.loaders.nats import benchmark as nats
from nasanalysis.loaders.nats import convert as nats_convert
from nasanalysis.loaders.nats import files as nats_files
from nasanalysis.loaders.nats.files import archive_at
from nasanalysis.spaces import get_space

REPOSITORY = Path(__file__).resolve().parents[2]
FORMS = {"tss": nats.TSS, "sss": nats.SSS}


@pytest.fixture(scope="module", params=list(FORMS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def real(data_dir: Path) -> dict[str, Path]:
    try:
        return {kind: nats.find_folder(form, data_dir) for kind, form in FORMS.items()}
    except MissingDataError:
        pytest.skip("no NATS-Bench folders among the data")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "own-cache"))
    return tmp_path / "own-cache"


def contents(folder: Path) -> dict[int, Any]:
    found = {}
    for path in sorted(folder.glob("[0-9]*.pickle.pbz2")):
        with bz2.open(path) as file:
            found[int(path.name[:6])] = pickle.load(file)
    return found


def write(path: Path, content: object) -> None:
    path.write_bytes(bz2.compress(pickle.dumps(content, protocol=4)))


def single(real: Path, path: Path) -> Path:
    held = contents(real)
    whole = {
        "meta_archs": nats.read_meta(real),
        "total_archs": 0,
        "arch2infos": held,
        "evaluated_indexes": set(held),
    }
    write(path, whole)
    return path


def pack(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        tar.add(folder, folder.name)
    return path


def renumbered(real: Path, folder: Path, indices: range) -> Path:
    """A folder whose architectures are the real first one under other names, in the real format."""
    folder.mkdir(parents=True)
    shutil.copy(real / "meta.pickle.pbz2", folder)
    [content, *_] = contents(real).values()
    space = get_space("nb201")
    for index in indices:
        for info in content.values():
            info.update(arch_index=index, arch_str=space.arch(index).key)
        write(folder / f"{index:06d}.pickle.pbz2", content)
    return folder


def same(a: Benchmark, b: Benchmark) -> None:
    keys = ["dataset", "arch", "schedule", "seed"]
    assert a.curves().sort(*keys, "step").equals(b.curves().sort(*keys, "step"))
    assert a.truth().sort(*keys, "split").equals(b.truth().sort(*keys, "split"))


# --- the forms ------------------------------------------------------------------------------------------


def test_tar_single_and_api_are_the_folder(kind: str, real: dict[str, Path], tmp_path: Path, own_cache: Path) -> None:
    form, folder = FORMS[kind], real[kind]
    expected = nats.from_archive(folder, form)
    assert expected.truth().height > 50
    same(nats.from_archive(pack(folder, tmp_path / f"{folder.name}.tar"), form), expected)
    path = single(folder, tmp_path / f"{folder.name.removesuffix('-simple')}.pickle.pbz2")
    same(nats.from_archive(path, form), expected)
    pytest.importorskip("nats_bench")
    from nats_bench import create

    for api in (create(str(path), kind, fast_mode=False, verbose=False), create(str(folder), kind, True, False)):
        before = (random.getstate(), np.random.get_state()[1].tobytes())  # type: ignore[index]  # noqa: NPY002
        same(nats.from_api(api), expected)
        assert before == (random.getstate(), np.random.get_state()[1].tobytes())  # type: ignore[index]  # noqa: NPY002
    assert check(expected.curves(), "CURVES").height == expected.curves().height
    assert check(expected.truth(), "TRUTH").height == expected.truth().height


def test_forms_are_found_in_their_order(real: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASANALYSIS_DATA", raising=False)
    monkeypatch.delenv("TORCH_HOME", raising=False)
    folder, home = real["sss"], tmp_path / "nats-bench"
    home.mkdir()
    one = single(folder, home / "NATS-sss-v1_0-50262.pickle.pbz2")
    assert nats.find_archive(nats.SSS, tmp_path).path == one
    tar = pack(folder, home / f"{folder.name}.tar")
    assert nats.find_archive(nats.SSS, tmp_path).path == tar
    shutil.copytree(folder, home / folder.name)
    assert nats.find_archive(nats.SSS, tmp_path).path == home / folder.name
    for path in (one, tar, home / folder.name):
        assert nats.find_archive(nats.SSS, path).path == path
    with pytest.raises(MissingDataError, match=r"NATS-tss-v1_0-\*-simple.tar or NATS-tss"):
        nats.find_archive(nats.TSS, tmp_path)


def test_one_key_for_folder_and_tar(real: dict[str, Path], tmp_path: Path) -> None:
    folder = archive_at(nats.TSS, real["tss"])
    tar = archive_at(nats.TSS, pack(real["tss"], tmp_path / "a.tar"))
    assert folder.key == tar.key
    part = renumbered(real["tss"], tmp_path / "part", range(3))
    assert archive_at(nats.TSS, part).key != folder.key
    one = archive_at(nats.TSS, single(real["tss"], tmp_path / "one.pickle.pbz2"))
    assert one.key.startswith("name+size:")


def test_size_space_against_the_package(real: dict[str, Path], data_dir: Path) -> None:
    pytest.importorskip("nats_bench")
    from nats_bench import create

    api = create(str(real["sss"]), "sss", fast_mode=True, verbose=False)
    benchmark = load_benchmark("nats-sss", data_dir)
    truth, curves = benchmark.truth(), benchmark.curves()
    names = {"cifar10": ["ori-test"], "cifar10-valid": ["x-valid", "ori-test"]}
    both = {"x-valid": "valid", "x-test": "test"}
    seen = 0
    for index in (0, 11):
        arch = str(get_space("nats-sss").arch(index))
        api.query_by_index(index, "cifar10", hp="12")
        for hp, schedule in (("01", 1), ("12", 12), ("90", 90)):
            result = api.arch2infos_dict[index][hp]
            for dataset in nats.DATASETS:
                seeds = result.get_dataset_seeds(dataset)
                for name in names.get(dataset, ["x-valid", "x-test", "ori-test"]):
                    small = dataset.startswith("cifar10") and dataset != "cifar100"
                    split = both.get(name, "test" if small else "valtest")
                    mean = result.get_metrics(dataset, name, is_random=False)["accuracy"]
                    rows = truth.filter(arch=arch, dataset=dataset, split=split, schedule=schedule)
                    assert rows.filter(pl.col("seed").is_null())["accuracy"].item() == pytest.approx(mean, abs=1e-9)
                    for seed in seeds:
                        run = result.query(dataset, seed)
                        curve = curves.filter(arch=arch, dataset=dataset, schedule=schedule, seed=seed).sort("step")
                        expected = [run.get_eval(name, e) for e in range(schedule)]
                        for what in ("loss", "accuracy"):
                            ours = curve[f"{split}_{what}"].to_list()
                            assert ours == [np.float32(e[what]) for e in expected]
                        seen += 1
                    assert sorted(rows["seed"].drop_nulls()) == sorted(seeds)
    assert seen == 2 * 9 * (1 + 3 + 1)


def test_wrong_api_objects() -> None:
    with pytest.raises(ParameterError, match=r"nats_bench.create returns, got dict"):
        nats.from_api({})
    empty = type("Api", (), {"search_space_name": "size", "arch2infos_dict": {}, "fast_mode": False})()
    with pytest.raises(DataFileError, match="holds none"):
        nats.from_api(empty)


# --- curves that are there, and those that are not ------------------------------------------------------------


def test_a_curve(data_dir: Path, real: dict[str, Path]) -> None:
    benchmark = load_benchmark("nats-tss", data_dir)
    arch = str(get_space("nb201").arch(11))
    run = contents(real["tss"])[11]["200"]["all_results"][("cifar10-valid", 888)]
    one = benchmark.curve(arch, "cifar10-valid", "valid_loss", schedule=200, seed=888)
    assert one["step"].to_list() == list(range(1, 201))
    assert one["value"].to_list() == [np.float32(run["eval_losses"][f"x-valid@{e}"]) for e in range(200)]
    assert one["n_seeds"].to_list() == [1] * 200
    mean = benchmark.curve(arch.removeprefix("nb201:"), "cifar10-valid", "valid_loss", schedule=200)
    assert mean["n_seeds"].to_list() == [3] * 200
    curves = [
        benchmark.curve(arch, "cifar10-valid", "valid_loss", schedule=200, seed=seed)["value"].to_numpy()
        for seed in (777, 888, 999)
    ]
    assert mean["value"].to_numpy() == pytest.approx(np.mean(curves, axis=0))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (("cifar100", "valid_accuracy", 200, None), "recorded at step 200 only; whole curves are there for train_loss"),
        (("cifar100", "test_loss", 200, 777), "valtest_loss, valtest_accuracy, seconds"),
        (("cifar10-valid", "test_loss", 200, None), "recorded at step 200 only"),
        (("cifar10", "valid_loss", 200, None), "whole curves are there for train_loss, train_accuracy, test_loss"),
        (("cifar10", "test_loss", 100, None), "there is schedule 12, 200"),
        (("cifar10", "test_loss", 200, 111), "there is seed 777, 888, 999"),
        (("cifar10", "test_loss", 12, 888), "there is seed 111"),
    ],
)
def test_a_curve_that_does_not_exist_says_what_does(
    data_dir: Path, real: dict[str, Path], question: tuple[str, str, int, int | None], said: str
) -> None:
    dataset, quantity, schedule, seed = question
    benchmark = load_benchmark("nats-tss", data_dir)
    with pytest.raises(MissingCurveError) as caught:
        benchmark.curve(str(get_space("nb201").arch(0)), dataset, quantity, schedule=schedule, seed=seed)
    assert said in str(caught.value)


def test_other_wrong_questions(data_dir: Path, real: dict[str, Path]) -> None:
    benchmark = load_benchmark("nats-tss", data_dir)
    with pytest.raises(MissingCurveError, match="no curve of this architecture"):
        benchmark.curve(str(get_space("nb201").arch(5)), "cifar10", "train_loss", schedule=200)
    with pytest.raises(UnknownNameError, match="quantity"):
        benchmark.curve(str(get_space("nb201").arch(0)), "cifar10", "loss", schedule=200)
    with pytest.raises(UnknownNameError, match="dataset"):
        benchmark.curve(str(get_space("nb201").arch(0)), "cifar", "train_loss", schedule=200)


def test_missing_seeds_stay_missing(real: dict[str, Path], tmp_path: Path, own_cache: Path) -> None:
    """An architecture with two trainings at 200 epochs, as almost half of the official ones have."""
    content = contents(real["tss"])[11]
    info = content["200"]
    info["all_results"] = {key: run for key, run in info["all_results"].items() if key[1] != 888}
    info["dataset_seed"] = {name: [s for s in seeds if s != 888] for name, seeds in info["dataset_seed"].items()}
    write(tmp_path / "000011.pickle.pbz2", content)
    benchmark = nats.from_archive(tmp_path)
    rows = benchmark.truth("cifar10", split="test", schedule=200)
    assert sorted(rows["seed"].to_list(), key=lambda s: s or 0) == [None, 777, 999]
    runs = rows.filter(pl.col("seed").is_not_null())["accuracy"]
    assert rows.filter(pl.col("seed").is_null())["accuracy"].item() == pytest.approx(runs.mean())
    arch = str(get_space("nb201").arch(11))
    assert benchmark.curve(arch, "cifar10", "train_loss", schedule=200)["n_seeds"].unique().to_list() == [2]
    with pytest.raises(MissingCurveError, match="seed 888: not recorded; there is seed 777, 999"):
        benchmark.curve(arch, "cifar10", "train_loss", schedule=200, seed=888)


def test_missing_epochs_stay_missing(real: dict[str, Path], tmp_path: Path, own_cache: Path) -> None:
    content = contents(real["tss"])[11]
    run = content["200"]["all_results"][("cifar10", 777)]
    del run["train_losses"][7], run["eval_acc1es"]["ori-test@199"]
    run["train_acc1es"][3] = float("inf")
    run["eval_losses"]["ori-test@5"] = None
    write(tmp_path / "000011.pickle.pbz2", content)
    benchmark = nats.from_archive(tmp_path)
    curve = benchmark.curves("cifar10", schedule=200).filter(seed=777)
    assert curve.filter(pl.col("train_loss").is_null())["step"].to_list() == [8]
    assert curve.filter(pl.col("train_accuracy").is_null())["step"].to_list() == [4]
    assert curve.filter(pl.col("test_loss").is_null())["step"].to_list() == [6]
    assert curve["test_loss"][6] == np.float32(run["eval_losses"]["ori-test@6"])
    assert 777 not in benchmark.truth("cifar10", split="test", schedule=200)["seed"].to_list()
    with pytest.raises(MissingCurveError, match="recorded at step 1, 2, 3, 4, 5 ..."):
        benchmark.curve(str(get_space("nb201").arch(11)), "cifar10", "train_loss", schedule=200, seed=777)


# --- bad input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["12"]["all_results"].popitem(), "expected the 5 trainings that it lists, got 4"),
        (lambda d: d["200"]["dataset_seed"]["cifar10"].append(5), r"they differ in \[\('cifar10', 5\)\]"),
        (
            lambda d: d["12"]["all_results"][("cifar10", 111)]["train_losses"].update({0: -1.0}),
            "train_loss of step 1: expected a number of 0 or more",
        ),
        (
            lambda d: d["12"]["all_results"][("cifar10", 111)]["train_acc1es"].update({3: 101.0}),
            "train_accuracy of step 4: expected percent, 0 to 100",
        ),
        (
            lambda d: d["12"]["all_results"][("cifar10", 111)]["train_times"].update({3: -1.0}),
            "seconds of step 4: expected a number",
        ),
        (lambda d: d["12"]["all_results"][("cifar10", 111)]["train_losses"].update({12: 1.0}), "epoch 12 of 12"),
        (lambda d: d["12"]["all_results"][("cifar10", 111)]["train_losses"].update({"0": 1.0}), "epoch '0' of 12"),
        (lambda d: d["12"]["all_results"][("cifar10", 111)]["eval_losses"].update({"ori-test@01": 1.0}), "twice"),
        (lambda d: d["12"]["all_results"][("cifar10", 111)]["eval_losses"].update({"ori-test@0": "x"}), "ValueError"),
        (lambda d: d["12"].update(arch_index=12), "expected architecture 11"),
        (lambda d: d["12"].update(arch_str="8:8:8:8:8"), "expected three nodes"),
        (lambda d: d.clear(), "none of 12, 200"),
    ],
)
def test_wrong_content(real: dict[str, Path], tmp_path: Path, own_cache: Path, change: Any, message: str) -> None:
    content = contents(real["tss"])[11]
    change(content)
    write(tmp_path / "000011.pickle.pbz2", content)
    with pytest.raises(DataFileError, match=message) as caught:
        nats.from_archive(tmp_path).truth()
    assert "000011.pickle.pbz2" in str(caught.value)


def test_an_index_file_of_another_version(real: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(real["tss"] / "000011.pickle.pbz2", tmp_path)
    order = nats.read_meta(real["tss"])
    for changed, said in (
        (order[:-1], "got 15,624;"),
        ([order[1], order[0], *order[2:]], "number 0 being"),
        (nats.read_meta(real["sss"]), "got 32,768, number 0 being '8:8:8:8:8'"),
    ):
        write(tmp_path / "meta.pickle.pbz2", {"meta_archs": changed})
        with pytest.raises(DataFileError, match="is it the index file of another version") as caught:
            nats.from_archive(tmp_path)
        assert said in str(caught.value)
    write(tmp_path / "meta.pickle.pbz2", [])
    with pytest.raises(DataFileError, match="the list 'meta_archs', got list"):
        nats.from_archive(tmp_path)


def test_truncated_members(real: dict[str, Path], tmp_path: Path, own_cache: Path) -> None:
    raw = (real["tss"] / "000011.pickle.pbz2").read_bytes()
    path = tmp_path / "000011.pickle.pbz2"
    for cut in (0, 3, 10, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:cut])
        with pytest.raises(DataFileError, match="000011.pickle.pbz2: .*download it again"):
            nats.from_archive(tmp_path).truth()
    flipped = bytearray(raw)
    flipped[len(raw) // 2] ^= 4
    path.write_bytes(flipped)
    with pytest.raises(DataFileError, match="damaged"):
        nats.from_archive(tmp_path).truth()
    path.write_bytes(bz2.compress(bytes(80 * 2**20)))
    with pytest.raises(DataFileError, match="at most 64 MiB"):
        nats.from_archive(tmp_path).truth()


def test_truncated_tars(real: dict[str, Path], tmp_path: Path, own_cache: Path) -> None:
    whole = pack(real["tss"], tmp_path / "whole.tar").read_bytes()
    path = tmp_path / "a.tar"
    with tarfile.open(tmp_path / "whole.tar") as tar:
        ends = [entry.offset_data + entry.size for entry in tar]
    for cut in (len(whole) // 2, ends[-1] - 1, ends[-1], -(-ends[-1] // 512) * 512, ends[1] + 1000, 700, 100):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataFileError, match="(cut off|tar archive).*[Dd]ownload it again"):
            nats.from_archive(path)
    path.write_bytes(b"<!doctype html><html>quota</html>" * 40)
    with pytest.raises(DataFileError, match="expected an uncompressed tar archive, got a web page"):
        nats.from_archive(path)
    path.write_bytes(bz2.compress(whole))
    with pytest.raises(DataFileError, match="got bzip2 data"):
        nats.from_archive(path)


@pytest.mark.parametrize("name", ["../000001.pickle.pbz2", "/etc/000001.pickle.pbz2", "a/../../000001.pickle.pbz2"])
def test_a_path_in_a_tar_that_climbs_out(real: dict[str, Path], tmp_path: Path, name: str) -> None:
    path = pack(real["tss"], tmp_path / "a.tar")
    with tarfile.open(path, "a") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"BZh9"))
    with pytest.raises(DataFileError, match="which climbs out; it is not the official archive"):
        nats.from_archive(path)


def test_links_and_doubles_in_a_tar(real: dict[str, Path], tmp_path: Path) -> None:
    link = tarfile.TarInfo("NATS/000001.pickle.pbz2")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(link)
    with pytest.raises(DataFileError, match="got a link or device"):
        nats.from_archive(path)
    path = pack(real["tss"], tmp_path / "b.tar")
    with tarfile.open(path, "a") as tar:
        tar.add(real["tss"] / "000011.pickle.pbz2", "elsewhere/000011.pickle.pbz2")
    with pytest.raises(DataFileError, match="each file once, got 000011.pickle.pbz2 twice"):
        nats.from_archive(path)


def test_single_files_that_are_wrong(
    real: dict[str, Path], tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = single(real["sss"], tmp_path / "one.pickle.pbz2")
    monkeypatch.setattr(nats_convert, "_physical_memory", lambda: 100_000)
    with pytest.raises(DataFileError, match="takes about 0.0 GiB of memory; this machine has 0.0. Use the folder or"):
        nats.from_archive(path, nats.SSS).truth()
    monkeypatch.undo()
    with pytest.raises(DataFileError, match="another version"):
        nats.from_archive(path, nats.TSS).truth()
    write(path, {"meta_archs": nats.read_meta(real["sss"]), "arch2infos": {"a": {}}})
    with pytest.raises(DataFileError, match="architectures by index"):
        nats.from_archive(path, nats.SSS).truth()
    write(path, {"meta_archs": []})
    with pytest.raises(DataFileError, match="'arch2infos'"):
        nats.from_archive(path, nats.SSS).truth()


def test_memory_is_said_beforehand(
    real: dict[str, Path], tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = single(real["sss"], tmp_path / "one.pickle.pbz2")
    archive = archive_at(nats.SSS, path)
    assert nats_convert.memory_needed(archive) == path.stat().st_size * 18
    monkeypatch.setitem(nats_convert.MEMORY_FACTOR, "nats-sss", 20 * 2**30 // path.stat().st_size)
    monkeypatch.setattr(nats_convert, "_physical_memory", lambda: 64 * 2**30)
    with pytest.warns(nats_convert.MemoryNeededWarning, match=r"about 20.0 GiB of memory, once"):
        nats.from_archive(path, nats.SSS).truth()
    assert nats_convert.memory_needed(archive_at(nats.SSS, real["sss"])) == 0


# --- the cache ----------------------------------------------------------------------------------------------


def files_of(cache: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in cache.rglob("*.parquet")}


def test_converted_once_and_again_when_a_file_changes(real: dict[str, Path], tmp_path: Path, own_cache: Path) -> None:
    folder = renumbered(real["tss"], tmp_path / "a", range(124, 127))
    assert nats.from_archive(folder).truth()["arch"].n_unique() == 3
    first = files_of(own_cache)
    assert len(first) == 2 * 2 + 1
    nats.from_archive(folder).curves()
    assert files_of(own_cache) == first
    path = folder / "000126.pickle.pbz2"
    content = pickle.loads(bz2.decompress(path.read_bytes()))
    content["200"]["all_results"][("cifar10", 777)]["eval_acc1es"]["ori-test@199"] = 12.5
    write(path, content)
    assert 12.5 in nats.from_archive(folder).truth("cifar10")["accuracy"].to_list()


def test_only_the_chunk_that_is_asked_for_is_read(
    real: dict[str, Path], tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = nats.from_archive(renumbered(real["tss"], tmp_path / "a", range(124, 127)))
    benchmark.truth()
    wanted = str(get_space("nb201").arch(126))
    opened: list[Any] = []
    scan = pl.scan_parquet
    monkeypatch.setattr(nats.pl, "scan_parquet", lambda files: opened.append(files) or scan(files))
    rows = benchmark.curves("cifar10", schedule=200, archs=[wanted])
    assert rows["arch"].unique().to_list() == [wanted]
    assert len(opened) == len(opened[0]) == 1
    assert benchmark.curves(archs=[str(get_space("nb201").arch(9000))]).is_empty()


def test_a_cache_of_an_older_converter(real: dict[str, Path], tmp_path: Path, own_cache: Path) -> None:
    home = own_cache / "converted" / f"nats-tss-v{nats_convert.VERSION}"
    older = home.with_name("nats-tss-v1")
    older.mkdir(parents=True)
    (older / "0123-000-curves.parquet").write_bytes(b"old")
    oldest = home.parent / "0123456789abcdef-nats-tss-curves-v1.parquet"
    oldest.write_bytes(b"older")
    kept = home.parent / "0123456789abcdef-nats-sss-curves-v1.parquet"
    kept.write_bytes(b"another benchmark's")
    assert nats.from_archive(real["tss"]).truth().height == 2 * 56
    assert not older.exists()
    assert not oldest.exists()
    assert kept.exists()


def test_a_damaged_cache_is_made_again(real: dict[str, Path], own_cache: Path) -> None:
    expected = nats.from_archive(real["tss"]).curves()
    for path in own_cache.rglob("*-000-*.parquet"):
        path.write_bytes(path.read_bytes()[:-50])
    assert nats.from_archive(real["tss"]).curves().equals(expected)
    for path in own_cache.rglob("*-truth.parquet"):
        path.write_bytes(b"")
    assert nats.from_archive(real["tss"]).truth().height == 2 * 56


SCRIPT = """
import sys
from nasanalysis.loaders.nats import benchmark as nats
from nasanalysis.loaders.nats import convert as nats_convert
nats_convert.MOST_WORKERS = 1
nats_convert.CHUNK = nats.CHUNK = 1
write = nats_convert._write
def slow(*args):
    write(*args)
    print("chunk", flush=True)
    if len(sys.argv) > 2:
        import time
        time.sleep(float(sys.argv[2]))
nats_convert._write = slow
print("rows", nats.from_archive(sys.argv[1]).truth().height, flush=True)
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def test_a_kill_in_the_middle_is_gone_on_from(real: dict[str, Path], tmp_path: Path, own_cache: Path) -> None:
    folder = renumbered(real["tss"], tmp_path / "a", range(4))
    process = start(folder, "0.2")
    assert process.stdout is not None
    for _ in range(2):
        assert process.stdout.readline() == "chunk\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = files_of(own_cache)
    assert 4 <= len(done) < 8
    (own_cache / "converted" / f"nats-tss-v{nats_convert.VERSION}" / ".x.parquet.abc.partial").write_bytes(b"cut off")
    out, _ = start(folder).communicate(timeout=120)
    assert out.count("chunk") == 4 - len(done) // 2, "what was finished is kept"
    assert out.splitlines()[-1] == f"rows {4 * 56}"
    after = files_of(own_cache)
    assert {name: after[name] for name in done} == done
    assert not list(own_cache.rglob("*.partial"))


def test_two_processes_at_once(real: dict[str, Path], tmp_path: Path, own_cache: Path) -> None:
    folder = renumbered(real["tss"], tmp_path / "a", range(3))
    both = [start(folder, "0.3"), start(folder, "0.3")]
    outs = [process.communicate(timeout=120)[0] for process in both]
    assert [out.splitlines()[-1] for out in outs] == [f"rows {3 * 56}"] * 2
    assert sum(out.count("chunk") for out in outs) == 3, "each chunk is converted once"


def test_an_error_in_one_file_keeps_the_rest(real: dict[str, Path], tmp_path: Path, own_cache: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(nats_convert, "CHUNK", 1)
    monkeypatch.setattr(nats_convert, "MOST_WORKERS", 1)
    folder = renumbered(real["tss"], tmp_path / "a", range(3))
    good = (folder / "000002.pickle.pbz2").read_bytes()
    (folder / "000002.pickle.pbz2").write_bytes(good[:-40])
    with pytest.raises(DataFileError, match="000002.pickle.pbz2"):
        nats.from_archive(folder).truth()
    assert len(files_of(own_cache)) == 4


def test_files_beyond_the_space(real: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(real["tss"] / "000011.pickle.pbz2", tmp_path / "015625.pickle.pbz2")
    with pytest.raises(DataFileError, match=r"expected files 000000 to 015624, got 015625.pickle.pbz2"):
        nats.from_archive(tmp_path)


# --- fuzz: no crash other than our own errors, for a bounded time; the seed of a failure is in its message ----


def mutated(rng: random.Random, raw: bytes) -> bytes:
    """`raw` with a few bytes set, a part removed or doubled, or its end cut off."""
    buffer = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(max(len(buffer), 1))
        match rng.choice(["set", "set", "set", "double", "drop", "cut"]):
            case "set" if buffer:
                buffer[at] = rng.randrange(256)
            case "double":
                buffer[at:at] = buffer[at : at + rng.randint(1, 600)]
            case "drop":
                del buffer[at : at + rng.randint(1, 600)]
            case "cut":
                del buffer[at:]
    return bytes(buffer)


def junk(rng: random.Random, depth: int = 2) -> Any:
    simple: list[Any] = [None, True, 7, -1, 2**80, 1e400, float("nan"), "", "x-valid@0", "12", b"x", (), ("cifar10", 1)]
    if depth and rng.random() < 0.4:
        inner = [junk(rng, depth - 1) for _ in range(rng.randint(0, 3))]
        return (
            inner if rng.random() < 0.5 else {rng.choice([0, 5, "a", "x-test@3", ("cifar10", 777)]): v for v in inner}
        )
    return rng.choice(simple)


def attempts(attempt: Any, seconds: float, at_least: int) -> None:
    """Call ``attempt(rng)`` for a bounded time; only `DataFileError` may come out of it."""
    begun, count, refused = time.monotonic(), 0, 0
    while time.monotonic() - begun < seconds:
        try:
            attempt(random.Random(count))
        except DataFileError:
            refused += 1
        except BaseException as error:
            pytest.fail(f"attempt {count}: {type(error).__name__}: {error}")
        count += 1
    assert count >= at_least
    assert refused > count / 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(FORMS), indirect=True)
def test_fuzz_of_a_file(kind: str, real: dict[str, Path], tmp_path: Path) -> None:
    raw = bz2.decompress((real[kind] / "000011.pickle.pbz2").read_bytes())
    path = tmp_path / "000011.pickle.pbz2"

    def attempt(rng: random.Random) -> None:
        path.write_bytes(bz2.compress(mutated(rng, raw), 1))
        list(nats.read_file(path, FORMS[kind]))

    attempts(attempt, 20, 50)


@pytest.mark.slow
def test_fuzz_of_compressed_data(real: dict[str, Path], tmp_path: Path) -> None:
    raw = (real["sss"] / "000011.pickle.pbz2").read_bytes()
    path = tmp_path / "000011.pickle.pbz2"

    def attempt(rng: random.Random) -> None:
        path.write_bytes(mutated(rng, raw))
        list(nats.read_file(path, nats.SSS))

    attempts(attempt, 10, 50)


@pytest.mark.slow
def test_fuzz_of_a_tar(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, size in (("N/000011.pickle.pbz2", 30), ("N/meta.pickle.pbz2", 700), ("N/000000.pickle.pbz2", 3)):
            entry = tarfile.TarInfo(name)
            entry.size = size
            tar.addfile(entry, io.BytesIO(bytes(size)))
    raw = path.read_bytes().rstrip(b"\0") + bytes(1024)

    def attempt(rng: random.Random) -> None:
        path.write_bytes(mutated(rng, raw))
        list(nats_files._walk_tar(path))

    attempts(attempt, 15, 500)


@pytest.mark.slow
def test_fuzz_of_structures(real: dict[str, Path], tmp_path: Path) -> None:
    """Anything in place of a part of a real file's structure."""
    raw = bz2.decompress((real["tss"] / "000011.pickle.pbz2").read_bytes())
    path = tmp_path / "000011.pickle.pbz2"

    def attempt(rng: random.Random) -> None:
        place = content = pickle.loads(raw)
        for _ in range(rng.randint(1, 6)):
            key = rng.choice(list(place))
            if not isinstance(place[key], dict) or not place[key]:
                break
            parent, place = place, place[key]
        if rng.random() < 0.5 and isinstance(place, dict):
            place[rng.choice([*list(place)[:3], "new", 3])] = junk(rng)
        else:
            parent[key] = junk(rng)
        path.write_bytes(bz2.compress(pickle.dumps(content, protocol=4), 1))
        list(nats.read_file(path))

    attempts(attempt, 20, 50)
