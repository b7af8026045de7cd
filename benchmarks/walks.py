"""Which modules of the package a piece of data passes through: run a command, and list where functions were called.

    python benchmarks/walks.py card sotl --truth digits --bootstrap 50 --out /tmp/card.html
    python benchmarks/walks.py supernet measure --config digits --out build/walk

Prints one line for each module, in the order in which they are first entered, with the number of its functions that
ran; ``docs/architecture.md`` quotes the counts. Calls while modules are imported do not count.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from types import FrameType

import nasanalysis

PACKAGE = Path(nasanalysis.__file__).parent


def main() -> None:
    entered: dict[str, set[str]] = defaultdict(set)

    def look(frame: FrameType, event: str, argument: object) -> None:
        if event != "call" or frame.f_code.co_name.startswith("<"):
            return
        path = frame.f_code.co_filename
        if path.startswith(str(PACKAGE)) and not _importing(frame):
            module = Path(path).relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
            entered[module].add(frame.f_code.co_qualname if sys.version_info >= (3, 11) else frame.f_code.co_name)

    try:
        from nasanalysis.cli.app import main as command
    except ImportError:  # versions before 0.2
        from nasanalysis.cli import main as command  # type: ignore[no-redef]
    sys.setprofile(look)
    try:
        command()
    except SystemExit:
        pass
    finally:
        sys.setprofile(None)
    for module, functions in entered.items():
        print(f"{module:<40}{len(functions):>4}")
    print(f"{len(entered)} modules in {len({module.partition('.')[0] for module in entered})} folders", file=sys.stderr)


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being loaded below this call."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    main()
