"""Checkpoints that are damaged, packed or hostile: one error, with the file's name and without torch's advice."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nasanalysis.training import checkpoints
from nasanalysis.training.checkpoints import CheckpointError, load, save


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimiser = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    net(torch.ones(2, 1, 4, 4)).sum().backward()
    optimiser.step()
    state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "rows": [{"epoch": 1.0}]}
    return save(tmp_path / "whole.pt", "training", {**state, "generator": torch.Generator().get_state()})


def rewritten(whole: Path, change: Callable[[str, bytes], bytes], how: int = zipfile.ZIP_STORED) -> Path:
    """The archive with other members, under another name."""
    path = whole.with_name("changed.pt")
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", how) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
    return path


def said(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(path, "training")
    text = str(caught.value)
    assert text.startswith(f"{path}: expected ")
    assert "weights_only" not in text
    assert "torch" not in text.replace(str(path), "")
    return text


def test_what_is_saved_is_read(whole: Path) -> None:
    found = load(whole, "training")
    assert found["net"]["0.weight"].shape == (2, 1, 3, 3)
    assert found["optimiser"]["state"][0]["momentum_buffer"].shape == (2, 1, 3, 3)
    assert load(rewritten(whole, lambda _, content: content), "training")["rows"] == [{"epoch": 1.0}]


def test_packed_members_are_refused(whole: Path) -> None:
    packed = rewritten(whole, lambda _, content: content, zipfile.ZIP_DEFLATED)
    assert "expected arrays as they are, got" in said(packed)


def test_a_checkpoint_larger_than_its_budget(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASANALYSIS_READ_BUDGET", "2K")
    assert "expected at most 2.0 KiB of memory when read" in said(whole)


def test_an_array_shorter_than_the_pickle_says(whole: Path) -> None:
    def shorter(name: str, content: bytes) -> bytes:
        return content[:-8] if name.endswith("data/0") else content

    assert "expected 72 bytes of array '0', got 64" in said(rewritten(whole, shorter))


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


DEEP = b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"K\x01s."
TWICE = b"\x80\x02}K\x01" + b"2\x86" * 45 + b"K\x01s."


def test_hostile_pickles_in_a_checkpoint(whole: Path, tmp_path: Path) -> None:
    evil = pickle.dumps(Evil(tmp_path / "called"), protocol=2)
    for content, message in (
        (evil, "it asks for posix.system, nothing was run"),
        (DEEP, "tuples nested more than 100 deep"),
        (TWICE, "a key of more than 1,000 values"),
        (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", "expected a checkpoint of kind 'training', got 'list'"),
        (b"\x80\x02K\x01Q.", "expected the name of an array, got 1"),
    ):

        def replaced(name: str, old: bytes, new: bytes = content) -> bytes:
            return new if name.endswith("data.pkl") else old

        assert message in said(rewritten(whole, replaced))
    assert not (tmp_path / "called").exists()


def test_what_is_no_checkpoint(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    for content in (b"", b"x" * 100, pickle.dumps({"a": 1}), whole.read_bytes()[:-30]):
        other.write_bytes(content)
        assert "does not load" in said(other)
    buffer = io.BytesIO()
    torch.save({"nasanalysis": "training", "version": 1}, buffer, _use_new_zipfile_serialization=False)
    other.write_bytes(buffer.getvalue())
    assert "does not load" in said(other)
    assert "expected a checkpoint, found nothing there" in said(tmp_path / "nothing.pt")
    os.mkfifo(tmp_path / "pipe.pt")
    assert "a pipe" in said(tmp_path / "pipe.pt")
    torch.save({"nasanalysis": ["x"] * 100_000, "version": checkpoints.VERSION}, other)
    assert len(said(other)) < 400


def reads(path: Path) -> bool:
    """Whether a checkpoint is read; any other error than ours passes, and fails the test."""
    try:
        load(path, "training")
    except CheckpointError:
        return False
    return True


def test_mutated_checkpoints_are_read_or_refused(whole: Path) -> None:
    """A few bytes changed, anywhere and (where it hurts) in the pickle."""
    rng = np.random.default_rng(0)
    content = whole.read_bytes()
    start = content.index(b"data.pkl")
    damaged, refused = whole.with_name("damaged.pt"), 0
    for round in range(300):
        changed = bytearray(content)
        low, high = (start, start + 1500) if round % 2 else (0, len(content))
        for at in rng.integers(low, high, size=rng.integers(1, 4)):
            changed[at] = rng.integers(256)
        damaged.write_bytes(changed)
        refused += not reads(damaged)
    assert refused > 100


def test_mutated_pickles_with_right_checksums(whole: Path) -> None:
    """The archive is whole, its pickle is not: what a damaged checksum would have told is not told."""
    rng, refused = np.random.default_rng(1), 0

    def change(name: str, old: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return old
        new = bytearray(old)
        for at in rng.integers(0, len(new), size=rng.integers(1, 4)):
            new[at] = rng.integers(256)
        return bytes(new)

    for _ in range(300):
        refused += not reads(rewritten(whole, change))
    assert refused > 100
