"""``make bench``: run every bench_*.py, print a table, write results.json (see README.md here)."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sidebyside import Skipped

from nasanalysis.core.atomic import write_text

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("NASANALYSIS_DATA"), help="folder of real benchmark files"
    )
    parser.add_argument("--only", default="", help="run the modules whose name holds this text")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    parser.add_argument("--full", action="store_true", help="whole archives where a part is the default (minutes)")
    arguments = parser.parse_args()
    if arguments.full:
        os.environ["BENCH_FULL"] = "1"
    data = None if arguments.data is None else Path(arguments.data)
    results, skipped = [], []
    for path in sorted(HERE.glob("bench_*.py")):
        if arguments.only not in path.stem:
            continue
        for row in importlib.import_module(path.stem).rows(data):
            (skipped if isinstance(row, Skipped) else results).append(row)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    table = Table(title="peer / ours: above 1 we are ahead")
    for heading, justify in (
        ("what", "left"),
        ("peer", "left"),
        ("peer cost", "right"),
        ("ours", "right"),
        ("ratio", "right"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for row in results:
        table.add_row(
            row.name, row.peer_name, f"{row.peer:.3g} {row.unit}", f"{row.ours:.3g} {row.unit}", f"{row.ratio:.1f}"
        )
    Console(width=130).print(table)
    for row in skipped:
        print(f"left out: {row.name}: {row.why}")
    write_text(arguments.out, json.dumps([row.as_dict() for row in results], indent=2) + "\n")


if __name__ == "__main__":
    main()
