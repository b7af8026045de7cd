"""Lists of architectures in JSON files, in every form in which people write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nasanalysis.core.errors import DataFileError, FrameError, NasAnalysisError
from nasanalysis.loaders.samples import read_sample
from nasanalysis.spaces.nb201 import SPACE

NAMES = [SPACE.arch(i).key for i in (3, 7, 9)]
EXPECTED = [f"nb201:{name}" for name in NAMES]


@pytest.mark.parametrize(
    "content",
    [
        NAMES,
        EXPECTED,
        {"archs": NAMES, "seed": 777},
        {"sample": NAMES},
        {name: {"accuracy": 90} for name in NAMES},
        [{"arch": name, "accuracy": 90} for name in NAMES],
    ],
    ids=["list", "with the prefix", "under a key", "under the only key", "keys of an object", "objects"],
)
@pytest.mark.parametrize("space", [None, "nb201"])
def test_a_json_file_lists_architectures(content: Any, space: str | None, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps(content))
    assert read_sample(tmp_path / "s.json", space) == EXPECTED


def test_indices_where_the_space_is_known(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("[3, 7, 9]")
    assert read_sample(tmp_path / "s.json", "nb201") == EXPECTED


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[]", FrameError, "expected a JSON list of architectures"),
        ("3", FrameError, "expected a JSON list of architectures, or an object whose keys they are, got 3"),
        ("{", DataFileError, "expected json content"),
        ("[" * 100_000, DataFileError, "s.json"),
        ('["|what|"]', NasAnalysisError, "item 1: nb201: expected three nodes"),
        ('["' + NAMES[0] + '", {"x": 1}]', NasAnalysisError, "item 2"),
    ],
)
def test_what_lists_none_is_an_error_with_the_file(
    text: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(error, match="s.json") as caught:
        read_sample(tmp_path / "s.json", "nb201")
    assert message in str(caught.value)
