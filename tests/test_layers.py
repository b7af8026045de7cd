"""The tree is the data flow: imports only go down, and the light path stays light."""

from __future__ import annotations

import ast
import importlib.util
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "nasanalysis"

#: From the bottom up: a folder imports from itself and from those before it in this list.
LAYERS = (
    *("core", "jobs", "spaces", "measures", "loaders", "networks", "training", "proxies", "stats"),
    *("search", "differentiable", "builders", "synthetic", "plots", "report", "live", "studies", "cli"),
)
RANK = {name: i for i, name in enumerate(LAYERS)}
MODULES = sorted(PACKAGE.rglob("*.py"))
#: Folders whose modules are torch from the first line on; everywhere else it is imported where it is used.
TORCH = ("measures", "networks", "training", "differentiable", "builders", "synthetic", "live")
HEAVY = {"torch", "torchvision", "matplotlib", "seaborn", "pandas", "sklearn"}


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path, *, inside_functions: bool = False) -> Iterator[str]:
    """Absolute dotted names that a module imports when it is loaded (``TYPE_CHECKING`` blocks left out)."""
    package = ["nasanalysis", *path.relative_to(PACKAGE).parts[:-1]]

    def walk(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from walk(other)
            return
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and not inside_functions:
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [] if node.level == 0 else package[: len(package) - node.level + 1]
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{name}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return walk(ast.parse(path.read_text(encoding="utf-8")))


def test_every_module_has_a_layer() -> None:
    found = {layer_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert found <= set(RANK), f"give these a layer: {sorted(found - set(RANK))}"
    assert len(MODULES) > 30, "the walk found the package"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_go_down(path: Path) -> None:
    own = layer_of(path)
    if own in ("__init__", "__main__"):  # the facade: lazy names only
        assert not [name for name in imports(path) if name.startswith("nasanalysis.") and own == "__init__"]
        return
    for name in imports(path, inside_functions=True):
        parts = name.split(".")
        if parts[0] == "nasanalysis" and len(parts) > 1 and parts[1] in RANK:
            assert RANK[parts[1]] <= RANK[own], f"{own} imports {name}, which lies above it"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    roots = {name.partition(".")[0] for name in imports(path)}
    allowed = {"torch"} if layer_of(path) in TORCH and path.name != "__init__.py" else set()
    assert not (roots & HEAVY) - allowed


def test_spaces_need_numpy_and_the_standard_library_only() -> None:
    for path in MODULES:
        if layer_of(path) == "spaces":
            roots = {name.partition(".")[0] for name in imports(path, inside_functions=True)}
            assert roots - set(sys.stdlib_module_names) <= {"numpy", "nasanalysis"}, path


def test_the_walk_sees_what_it_must(tmp_path: Path) -> None:
    """The reader of imports above is itself right: relative, nested, conditional."""
    text = "from __future__ import annotations\nif TYPE_CHECKING:\n    import a\nelse:\n    import b\n"
    text += "try:\n    from ..core.frames import check\nexcept E:\n    pass\ndef f():\n    from ...cli import app\n"
    folder = PACKAGE / "loaders"
    module = tmp_path / "m.py"
    module.write_text(text)

    class Fake(type(folder)):  # type: ignore[misc]
        def read_text(self, *args: object, **kwargs: object) -> str:
            return text

    found = list(imports(Fake(folder / "m.py")))
    assert found == ["__future__.annotations", "b", "nasanalysis.core.frames.check"]
    assert "cli.app" in ".".join(list(imports(Fake(folder / "m.py"), inside_functions=True)))


SCRIPT = """
import sys
{code}
heavy = sorted({{m.partition(".")[0] for m in sys.modules}} & {heavy!r})
print(",".join(heavy))
"""


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import nasanalysis", HEAVY | {"polars", "scipy"}),
        ("import nasanalysis.cli.app", HEAVY | {"polars", "scipy"}),
        ("import nasanalysis.spaces.nb201", HEAVY | {"polars", "scipy"}),
        ("import nasanalysis as na; na.load_benchmark; na.score; na.correlate; na.Study; na.plot_scatter", HEAVY),
        ("import nasanalysis as na; na.score(na.load_benchmark('digits'), ['sotl', 'params'])", HEAVY),
    ],
)
def test_light_imports(code: str, heavy: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(code=code, heavy=heavy)],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        check=True,
    )
    assert done.stdout.strip() == ""


def test_public_names_resolve_and_unknown_ones_do_not() -> None:
    import nasanalysis

    for name in nasanalysis.__all__:
        assert getattr(nasanalysis, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'scroe'"):
        nasanalysis.scroe  # noqa: B018
    assert importlib.util.find_spec("nasanalysis") is not None


def test_dir_and_help_show_public_names_and_folders_only() -> None:
    import nasanalysis

    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"cli"}
    assert set(dir(nasanalysis)) == {*nasanalysis.__all__, *folders}
    help_page = pydoc.plain(pydoc.render_doc(nasanalysis))
    assert all(f"{name}(" in help_page for name in ("correlate", "compare_proxies", "load_benchmark", "score"))
    assert "import_module" not in help_page


def test_folders_are_reached_through_the_package() -> None:
    code = (
        "import nasanalysis as na; na.stats.correlate; na.plots.plot_scatter; na.search.get_moves; na.spaces.SPACES; "
    )
    code += "na.proxies.score; na.loaders.load_benchmark; na.measures; na.networks; na.live; assert na.__version__"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_type_checkers_see_is_what_there_is() -> None:
    import nasanalysis

    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {name: module for name, module in seen.items() if module} == nasanalysis._PUBLIC
    assert {name for name, module in seen.items() if not module} == set(nasanalysis._FOLDERS)
    assert sorted(nasanalysis._PUBLIC) == sorted(nasanalysis.__all__)
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.rglob("*.py")), ids=lambda p: p.name)
def test_tests_take_their_helpers_from_the_folder_they_lie_in(path: Path) -> None:
    """``tests`` is no package: ``make test-light`` runs away from the checkout; ``from tests.x`` fails."""
    tree = ast.parse(path.read_text())
    names = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level]
    names += [alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names]
    assert not [name for name in names if name.split(".")[0] == "tests"]
