"""Files that crash, hang or bloat a reader: each is an error of ours, and costs no more than its budget."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from nasanalysis.core.budget import DEFAULT, in_words, read_budget
from nasanalysis.core.errors import DataFileError, MissingDataError
from nasanalysis.core.guarded import survives
from nasanalysis.loaders.images.folders import read_class_folders
from nasanalysis.loaders.images.formats import read_svhn, read_tar
from nasanalysis.loaders.nats.files import _walk_tar

HOSTILE = Path(__file__).resolve().parents[2].parent / "shared" / "hostile"


def hostile(name: str) -> Path:
    if not (HOSTILE / name).exists():
        pytest.skip("no hostile files beside the repository")
    return HOSTILE / name


def test_survives() -> None:
    assert survives("os.path:getsize", str(HOSTILE.parent if HOSTILE.exists() else Path.cwd())) is None
    assert "SIGABRT" in str(survives("os:abort"))
    assert "not done after 1 s" in str(survives("time:sleep", 30, seconds=1))
    assert "ValueError" in str(survives("math:sqrt", -1))
    assert "memory" in str(survives("builtins:bytearray", 2**33, memory=2**30))


def test_a_mat_file_that_crashes_scipy(tmp_path: Path) -> None:
    content = hostile("seg.mat").read_bytes()
    for name in ("train_32x32.mat", "test_32x32.mat"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataFileError, match="expected a MATLAB file, got a damaged one"):
        read_svhn(tmp_path)


def test_a_lightgbm_model_that_aborts() -> None:
    pytest.importorskip("lightgbm", reason="lightgbm is not installed (extra nb301)")
    from nasanalysis.loaders.nb301 import boosters

    raw = boosters.read_pickle(hostile("lightgbm_abort.model"))
    with pytest.raises(DataFileError, match="the LightGBM model in it is damaged"):
        boosters.check_lightgbm(boosters.lightgbm_text(raw), raw.path)


def png(width: int, height: int) -> bytes:
    """A PNG of one colour, which packs a thousandfold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress((b"\0" + bytes(width)) * height, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture(autouse=True)
def _pillow() -> None:
    pytest.importorskip("PIL", reason="pillow is not installed (extra supernet)")


def test_an_image_larger_than_its_budget_is_not_decoded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("a/1.png", png(9000, 9000))
    with pytest.raises(DataFileError, match="9,000 x 9,000 pixels.*expected at most 256.0 MiB of memory"):
        read_class_folders(tmp_path / "x.zip")
    with pytest.raises(DataFileError, match="pixels"):
        read_class_folders(hostile("png_bomb.zip"))


def test_many_images_share_one_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(8):
        (tmp_path / "tree" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / "a" / f"{i}.png").write_bytes(png(1000, 1000))
    assert len(read_class_folders(tmp_path / "tree").train) == 8
    monkeypatch.setenv("NASANALYSIS_READ_BUDGET", "10M")
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataFileError, match="expected at most 10.0 MiB of memory when read"):
        read_class_folders(tmp_path / "tree")


def test_only_regular_files_among_images(tmp_path: Path) -> None:
    for name, make in (("pipe", os.mkfifo), ("device", lambda path: path.symlink_to("/dev/zero"))):
        folder = tmp_path / name / "a"
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(png(8, 8))
        make(folder / "2.png")
        with pytest.raises(DataFileError, match="expected a regular file"):
            read_class_folders(tmp_path / name)


def add(tar: tarfile.TarFile, name: str, size: int, kind: bytes = tarfile.REGTYPE) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    tar.addfile(entry, io.BytesIO(bytes(size)))


def test_members_of_a_tar_share_one_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for i in range(1, 6):
            add(tar, f"data_batch_{i}", 3_000_000)
    names = {f"data_batch_{i}" for i in range(1, 6)}
    assert len(read_tar(path, names)) == 5
    monkeypatch.setenv("NASANALYSIS_READ_BUDGET", "10M")
    with pytest.raises(DataFileError, match="expected at most 10.0 MiB of memory"):
        read_tar(path, names)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE])
def test_a_name_of_megabytes_in_a_tar(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        add(tar, "x", 5_000_000, kind)
        add(tar, "data_batch_1", 10)
    with pytest.raises(DataFileError, match="a name of 5,000,000 bytes"):
        read_tar(tmp_path / "x.tar", {"data_batch_1"})
    with pytest.raises(DataFileError, match="a name of 5,000,000 bytes"):
        list(_walk_tar(tmp_path / "x.tar"))


def test_long_names_that_are_names_are_read(tmp_path: Path) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "x.tar", "w", format=form) as tar:
            add(tar, "folder/" * 60 + "data_batch_1", 10)
        assert read_tar(tmp_path / "x.tar", {"data_batch_1"}) == {"data_batch_1": bytes(10)}


def test_the_budget_is_stated_and_settable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASANALYSIS_READ_BUDGET", raising=False)
    assert read_budget() == DEFAULT == 2**31
    for text, size in (("1000", 1000), ("3k", 3072), ("2 ", 2), ("8GiB", 2**33), ("1T", 2**40)):
        monkeypatch.setenv("NASANALYSIS_READ_BUDGET", text)
        assert read_budget() == size
    assert [in_words(n) for n in (5, 2048, 3 * 2**20, 1.5 * 2**30)] == ["5 bytes", "2.0 KiB", "3.0 MiB", "1.5 GiB"]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        read_tar(tmp_path / "no.tar", {"x"})
