"""Settings: one model for a library call and for a file, with errors that suit each."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Self

import pytest
from pydantic import model_validator

from nasanalysis.core.errors import ParameterError, StudyError
from nasanalysis.core.settings import Settings
from nasanalysis.core.toml import Many, StrictModel, read_toml


class Rate(Settings):
    rate: float = 0.1
    steps: Many[int] = (1, 2)

    @model_validator(mode="after")
    def _above(self) -> Self:
        if self.rate <= 0:
            raise ValueError(f"expected rate > 0, got {self.rate}")
        return self


class Part(Rate):
    name: str = "part"


class File(StrictModel):
    part: Many[Part]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": -1}, "expected rate > 0, got -1.0"),
        ({"rate": "1"}, "rate: Input should be a valid number (got '1')"),
        ({"rat": 1}, "unknown key 'rat'. Did you mean 'rate'?"),
    ],
)
def test_python_is_told_without_pydantic_and_a_file_with_its_key(
    given: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError) as told:
        Rate(**given)  # type: ignore[arg-type]
    assert str(told.value) == message
    path = tmp_path / "f.toml"
    path.write_text("[[part]]\n[[part]]\n" + "\n".join(f"{k} = {v!r}" for k, v in given.items()))
    with pytest.raises(StudyError) as caught:
        read_toml(path, File)
    assert "part.1" in str(caught.value)
    assert message.split(":")[-1].split("'")[-1] in str(caught.value)


def test_of_gives_the_settings_alone_and_changes_are_checked() -> None:
    part = Part(rate=1, name="x")
    assert Rate.of(part) == Rate(rate=1)
    assert type(Rate.of(part)) is Rate
    assert Rate.of(part, steps=[3]).steps == (3,)
    assert part.changed(steps=(5,)) == Part(rate=1, name="x", steps=(5,))
    with pytest.raises(ParameterError, match="expected rate > 0"):
        part.changed(rate=0.0)


def test_settings_travel_and_are_kept_by() -> None:
    part = Part(rate=0.5)
    assert pickle.loads(pickle.dumps(part)) == part
    assert len({part, Part(rate=0.5), Part(rate=0.6)}) == 2
    with pytest.raises(ValueError, match="frozen"):
        part.rate = 2.0  # type: ignore[misc]
