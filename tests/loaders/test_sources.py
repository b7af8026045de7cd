"""What is read is written down: every file once, found where the loaders find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasanalysis.core.errors import MissingDataError, StudyError
from nasanalysis.core.frames import write_frame
from nasanalysis.core.provenance import sha256
from nasanalysis.core.resources import shipped
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.sources import Sources

DIGITS = shipped("data/digits.parquet")


def test_benchmarks_and_their_notes() -> None:
    sources = Sources()
    assert sources.inputs == ()
    assert sources.benchmark("digits") is load_benchmark("digits")
    sources.benchmark("digits")
    assert sources.inputs == (DIGITS,)
    assert sources.notes == {"digits": list(load_benchmark("digits").notes)}
    record = sources.provenance(seeds={"bootstrap": 1}, config={"a": 2})
    assert record["inputs"] == {"digits.parquet": sha256(DIGITS)}
    assert (record["seeds"], record["config"], record["notes"]) == ({"bootstrap": 1}, {"a": 2}, sources.notes)


def test_files_of_the_data_folder_and_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.txt").write_text("a")
    sources = Sources(tmp_path)
    assert sources.file("logs/a.txt") == tmp_path / "logs" / "a.txt"
    assert sources.folder("logs") == tmp_path / "logs"
    assert sources.inputs == (tmp_path / "logs" / "a.txt",), "a folder is no file: what is read of it is logged"
    with pytest.raises(MissingDataError, match=r"logs/b\.txt: not on this machine"):
        sources.file("logs/b.txt")
    assert len(sources.inputs) == 1


def test_samples_are_files_too(tmp_path: Path) -> None:
    digits = load_benchmark("digits")
    truth = digits.truth("digits", split="test")
    chosen = sorted(truth["arch"].unique())[:3]
    path = tmp_path / "archs.txt"
    path.write_text("\n".join(chosen))
    sources = Sources()
    assert sources.named_archs(str(path), "nb201") == chosen
    assert sorted(sources.take_sample(truth, str(path), digits)["arch"].unique()) == chosen
    assert sources.inputs == (path,)
    assert sources.named_archs("live", "nb201") is None
    assert sources.take_sample(truth, "all", digits).equals(truth)
    assert sources.inputs == (path,)
    with pytest.raises(StudyError, match="expected a file that lists architectures"):
        sources.named_archs(str(tmp_path / "none.txt"), "nb201")


def test_the_thesis_sample_is_the_file_it_is_read_from(data_dir: Path) -> None:
    sources = Sources(data_dir)
    archs = sources.named_archs("thesis", "nb201")
    assert archs is not None
    assert len(archs) == 200
    assert sources.inputs == (data_dir / "nb201" / "thesis_sample_200_seed50.pkl",)


def test_kept_results_by_path_and_by_name(tmp_path: Path) -> None:
    digits = load_benchmark("digits")
    write_frame(digits.truth("digits", split="test"), tmp_path / "a.parquet")
    sources = Sources()
    both = sources.frame((str(tmp_path / "a.parquet"), str(tmp_path / "a.parquet")), "TRUTH")
    assert len(both) == 2 * len(digits.truth("digits", split="test"))
    assert sources.kept("nb201_training.parquet") == shipped("reports/results/nb201_training.parquet")
    assert sources.inputs == (tmp_path / "a.parquet", shipped("reports/results/nb201_training.parquet"))
    with pytest.raises(MissingDataError, match=r"none\.parquet: expected a kept result, found nothing there"):
        sources.kept("none.parquet")
