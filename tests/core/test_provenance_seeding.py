"""Named random streams, and the record that every result carries."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core import provenance as provenance_module
from nasanalysis.core.errors import MissingDataError
from nasanalysis.core.provenance import git_state, package_versions, provenance, sha256
from nasanalysis.core.resources import shipped
from nasanalysis.core.seeding import generator, seed_sequence, torch_generator


def test_streams_are_repeatable_and_named() -> None:
    draw = lambda *key: generator(*key).random(4).tolist()  # noqa: E731
    assert draw(0, "a", 1) == draw(0, "a", 1)
    streams = [draw(0), draw(1), draw(0, "a"), draw(0, "b"), draw(0, "a", "b"), draw(0, "b", "a"), draw(0, "ab")]
    assert len({tuple(s) for s in streams}) == len(streams)
    assert draw(0, "a", 1) == draw(np.int64(0), "a", "1"), "names by their text, any integer type"


def test_a_stream_is_the_same_on_every_machine() -> None:
    """Written down once: a change here changes every published number."""
    drawn = generator(0, "digits", "sample").integers(0, 15_625, 5)
    assert drawn.tolist() == [6496, 7667, 3220, 11040, 14042]


@given(st.integers(0, 2**70), st.lists(st.text(max_size=5), max_size=3))
def test_any_seed_and_names_make_a_stream(seed: int, names: list[str]) -> None:
    assert generator(seed, *names).random() == generator(seed, *names).random()


@pytest.mark.parametrize("seed", [-1, True, 1.0, "0", None])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed: expected a non-negative integer, got"):
        seed_sequence(seed)


def test_another_process_and_hash_seed_give_the_same_stream() -> None:
    code = "from nasanalysis.core.seeding import generator; print(generator(3, 'x', 4).random(3).tolist())"
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(provenance_module.__file__).parents[2])},
        )
        assert json.loads(done.stdout) == generator(3, "x", 4).random(3).tolist()


def test_global_generators_are_neither_read_nor_moved() -> None:
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    before = np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    first = generator(0, "x").random(8)
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert (generator(0, "x").random(8) == first).all()


@pytest.mark.torch
def test_torch_streams() -> None:
    torch = pytest.importorskip("torch")
    state = torch.get_rng_state()
    one = torch.rand(4, generator=torch_generator(0, "a"))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(123)
    assert torch.equal(one, torch.rand(4, generator=torch_generator(0, "a")))
    assert not torch.equal(one, torch.rand(4, generator=torch_generator(0, "b")))
    assert not torch.equal(one, torch.rand(4, generator=torch_generator(1, "a")))
    torch.set_rng_state(state)


def test_the_record(tmp_path: Path) -> None:
    file = tmp_path / "input.csv"
    file.write_bytes(b"abc")
    record = provenance(seeds={"bootstrap": 3}, inputs=[file], config={"a": 1})
    assert record["inputs"] == {"input.csv": hashlib.sha256(b"abc").hexdigest()}
    assert sha256(str(file)) == record["inputs"]["input.csv"]
    assert record["seeds"] == {"bootstrap": 3}
    assert record["config"] == {"a": 1}
    assert record["packages"]["numpy"] == np.__version__
    assert record["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"utc", "machine", "command", "git", "nasanalysis"} <= set(record)
    assert record["utc"].endswith("+00:00")
    json.dumps(record)


def test_inputs_of_one_name_in_two_folders_are_both_recorded(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "eval.pkl").write_text(folder)
    record = provenance(inputs=[tmp_path / "a" / "eval.pkl", tmp_path / "b" / "eval.pkl"])
    assert record["inputs"] == {
        "eval.pkl": sha256(tmp_path / "a/eval.pkl"),
        "b/eval.pkl": sha256(tmp_path / "b/eval.pkl"),
    }


def test_without_a_stamp_two_records_are_equal() -> None:
    one, two = provenance(stamp=False), provenance(stamp=False)
    assert one == two
    assert not {"utc", "machine", "command"} & set(one)


def test_versions_of_what_is_not_installed_are_left_out() -> None:
    assert package_versions(["numpy", "no-such-package-here"]) == {"numpy": np.__version__}


def test_git_state_of_a_checkout_and_of_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*args: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *args], check=True)

    (tmp_path / "nasanalysis").mkdir()
    monkeypatch.setattr(provenance_module, "_PACKAGE", tmp_path / "nasanalysis")
    git_state.cache_clear()
    try:
        assert git_state() == {"commit": None, "dirty": None}
        (tmp_path / "nasanalysis" / "a.py").write_text("1")
        (tmp_path / "notes.txt").write_text("1")
        git("init", "-q")
        git("add", "-A")
        git("commit", "-q", "-m", "one")
        for name, dirty in (("notes.txt", False), ("nasanalysis/a.py", True)):
            (tmp_path / name).write_text("2")
            git_state.cache_clear()
            state = git_state()
            assert len(state["commit"]) == 40
            assert state["dirty"] is dirty
    finally:
        git_state.cache_clear()


def test_shipped_files() -> None:
    assert shipped("data/digits.parquet").is_file()
    with pytest.raises(MissingDataError, match=r"data/nothing\.bin: expected it beside the package .*complete"):
        shipped("data/nothing.bin")
