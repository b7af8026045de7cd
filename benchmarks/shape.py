"""The shape of the package in figures: modules, functions, imports between folders, and seconds to start.

    python benchmarks/shape.py [ROOT]        (ROOT: another checkout to compare with; its interpreter is this one)

Seconds are the least of seven processes; they differ from machine to machine, so compare two checkouts in one run.
"""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
FIRST = (
    "import nasanalysis as na; d = na.load_benchmark('digits'); s = na.score(d, ['params']); t = d.truth(split='test')"
)
TIMED = {
    "import nasanalysis": (None, "import nasanalysis"),
    "nasanalysis --help": (None, "import sys; sys.argv = ['nasanalysis', '--help']; import nasanalysis.__main__"),
    "first na.correlate": (FIRST, "na.correlate(t, s)"),
}


def main() -> None:
    roots = [HERE, *map(Path, sys.argv[1:])]
    columns = [dict(figures(root / "nasanalysis")) for root in roots]
    for name, seconds in timed(roots).items():
        for column, value in zip(columns, seconds, strict=True):
            column[f"seconds: {name}"] = f"{value:.2f}"
    for name in columns[0]:
        print(f"{name:<36}" + "".join(f"{column[name]:>44}" for column in columns))


def figures(package: Path) -> Iterator[tuple[str, str]]:
    """Name and value of what can be counted in the sources."""
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))}
    lines = {path: text.count("\n") for path, text in sources.items()}
    functions = {
        (path, node.name): (node.end_lineno or node.lineno) - node.lineno + 1
        for path, text in sources.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    longest, function = max(lines, key=lines.__getitem__), max(functions, key=functions.__getitem__)
    yield "modules", str(len(sources))
    yield "modules in the top folder", str(sum(path.parent == package for path in sources))
    yield "median lines of a module", f"{statistics.median(lines.values()):g}"
    yield "longest module", f"{lines[longest]} ({longest.relative_to(package)})"
    yield "median lines of a function", f"{statistics.median(functions.values()):g}"
    yield "longest function", f"{functions[function]} ({function[1]})"
    yield "folders that import from another", str(len(set(arrows(package, sources))))


def arrows(package: Path, sources: dict[Path, str]) -> Iterator[tuple[str, str]]:
    """(folder, folder that it imports from), of every import between folders; a module of the top is its own folder."""
    for path, text in sources.items():
        own = path.relative_to(package).with_suffix("").parts
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = own[: len(own) - node.level] + tuple((node.module or "").split(".") if node.module else ())
                for target in [base] if base else [(alias.name,) for alias in node.names]:
                    if own[0] != target[0] and not own[0].startswith("__"):
                        yield own[0], target[0]


def timed(roots: list[Path]) -> dict[str, list[float]]:
    """What is timed -> the least seconds in each checkout, taken in turn."""
    least: dict[str, list[float]] = {name: [float("inf")] * len(roots) for name in TIMED}
    for _ in range(7):
        for name, (before, code) in TIMED.items():
            for i, root in enumerate(roots):
                least[name][i] = min(least[name][i], seconds(root, before, code))
    return least


def seconds(root: Path, before: str | None, code: str) -> float:
    program = f"import time; {before or ''}\nstart = time.perf_counter()\ntry:\n    {code}\nexcept SystemExit: pass\n"
    program += "import sys; print(time.perf_counter() - start, file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return time.perf_counter() - started if before is None else float(done.stderr.split()[-1])


if __name__ == "__main__":
    main()
