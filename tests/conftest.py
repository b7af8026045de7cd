"""Shared fixtures. Real benchmark files are used where they are, and skipped with a reason elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None, max_examples=60)
settings.load_profile("default")

REPOSITORY = Path(__file__).resolve().parent.parent


def real_data() -> Path | None:
    """``$NASANALYSIS_DATA``, or ``../shared/data`` beside the repository."""
    for folder in (os.environ.get("NASANALYSIS_DATA"), REPOSITORY.parent / "shared" / "data"):
        if folder and Path(folder).is_dir():
            return Path(folder).resolve()
    return None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real benchmark files."""
    found = real_data()
    if found is None:
        pytest.skip("no real benchmark files: set NASANALYSIS_DATA to a folder that holds them")
    return found


@pytest.fixture(autouse=True)
def _one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Networks of tests are fastest on one thread, and give the same bits."""
    if request.node.get_closest_marker("torch") is None:
        yield
        return
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests never touch the user's cache."""
    os.environ["NASANALYSIS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
