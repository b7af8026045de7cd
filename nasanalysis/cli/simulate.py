"""``nasanalysis simulate ...``: what the statistics are worth, by simulation. Thin, as `cli`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import JsonOption
from .output import print_json, print_table

simulate_app = typer.Typer(no_args_is_help=True, help="Simulate how far intervals and tests can be trusted.")


@simulate_app.command("coverage")
def coverage(
    out: Annotated[Path, typer.Option("--out", help="CSV file to write.")] = Path("coverage.csv"),
    simulations: Annotated[int, typer.Option("--simulations", min=2, help="Studies of each cell.")] = 400,
    resamples: Annotated[int, typer.Option("--resamples", min=2, help="Of each interval.")] = 300,
    case: Annotated[list[str] | None, typer.Option("--case", help="A case; may be repeated (default: all).")] = None,
    n: Annotated[list[int] | None, typer.Option("--n", min=6, help="Architectures; may be repeated.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    build: Annotated[Path, typer.Option("--build", help="Folder of finished cells, to go on from.")] = Path(
        "build/coverage"
    ),
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Coverage of intervals and type I error of tests, each with its Monte Carlo error, as one table."""
    import polars as pl

    from ..core.atomic import write_text
    from ..core.errors import UnknownNameError
    from ..core.provenance import provenance
    from ..jobs.units import gather, prepare, run_units
    from ..stats import simulation

    chosen, sizes = case or list(simulation.cases()), n or list(simulation.SIZES)
    for name in chosen:
        if name not in simulation.cases():
            raise UnknownNameError("case of the simulation", name, simulation.cases())
    config = {"simulations": simulations, "resamples": resamples, "seed": seed}
    units = prepare(build, config, resume=True)
    cells = {f"{c}-n{size}": (c, size, simulations, resamples, seed) for c in chosen for size in sizes}
    parts = gather(run_units(simulation.simulate, cells, units, workers=workers, description="cells"))
    table = pl.concat(parts)
    head = [
        "# Coverage of 95 % intervals and type I error at 5 %, simulated; monte_carlo_error: one standard error",
        f"# made by: nasanalysis simulate coverage --simulations {simulations} --resamples {resamples} --seed {seed}",
        f"# provenance: {json.dumps(provenance(seeds={'simulation': seed}, config=config), sort_keys=True)}",
    ]
    write_text(out, "\n".join(head) + "\n" + table.write_csv())
    if as_json:
        print_json({"out": str(out), "rows": table.to_dicts()})
        return
    print_table(table, "Coverage and type I error")
    print(f"{out}: {len(table)} rows")
