"""Pages of the reference say something of everything that the registries hold; made as `make docs` makes them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from nasanalysis.core.schemas import SCHEMAS
from nasanalysis.proxies import PROXIES
from nasanalysis.proxies.catalogue import TRAPS
from nasanalysis.stats.catalogue import statistic_catalogue
from nasanalysis.studies.items import KINDS

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "docs" / "generate"))

import dependencies
import reference


def test_every_proxy_has_its_place_its_direction_and_its_trap() -> None:
    page = reference.proxies()
    for name in PROXIES:
        assert re.search(rf"^### `{name}` {{#{name}}}$", page, re.M) or re.search(rf"^\| `{name}[@`]", page, re.M), name
    assert set(TRAPS) <= set(PROXIES)
    assert all(trap in page for trap in TRAPS.values())
    sotl = page.partition("### `sotl` ")[2].partition("\n### ")[0]
    assert "Better: lower. Source: SoTL thesis 3.1" in sotl


def test_zero_cost_measures_are_said_as_their_functions_say_them() -> None:
    page = reference.proxies()
    assert "Exact, by differentiating twice." in page.partition("### `grasp` ")[2].partition("\n### ")[0]


def test_every_statistic_frame_and_kind_of_item_is_there() -> None:
    statistics, frames, keys = reference.statistics(), reference.frames(), reference.studies()
    assert all(f"`{line.name}`" in statistics for line in statistic_catalogue())
    for name, schema in SCHEMAS.items():
        section = frames.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert all(f"| `{column}` |" in section for column in schema.columns), name
    assert all(f"## `[[{kind}]]`" in keys for kind in KINDS)


@pytest.mark.parametrize("leaf", ["report", "compare", "supernet train", "data get", "diffsearch methods"])
def test_commands_have_their_options(leaf: str) -> None:
    assert re.search(rf"^## `nasanalysis {leaf}`$", reference.commands(), re.M)


def test_every_dependency_and_extra_says_what_it_is_for() -> None:
    needed, extras = dependencies.asked_for()
    assert set(needed) == set(dependencies.WHAT_FOR)
    assert set(extras) == set(dependencies.EXTRAS)
    page = dependencies.dependencies()
    assert re.search(r"^\| `polars` \| 1\.\d+ \| \d+ \| every frame", page, re.M), "with its lowest version and weight"


def test_the_menu_names_every_page_and_fetches_nothing() -> None:
    yaml = pytest.importorskip("yaml", reason="pyyaml is not installed (extra robust-darts)")
    text = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    site = yaml.safe_load(text)
    listed = set(re.findall(r"[\w/.-]+\.md", str(site["nav"])))
    pages = {p.relative_to(REPOSITORY / "docs").as_posix() for p in (REPOSITORY / "docs").rglob("*.md")}
    assert pages | set(reference.PAGES) <= listed
    assert site["strict"] is True
    assert site["theme"]["font"] is False
    polyfills = [REPOSITORY / "docs" / path for path in site["extra"]["polyfills"]]
    assert all(path.exists() for path in polyfills)
