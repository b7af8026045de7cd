"""Makes the three files beside it: loss landscapes of digits networks, as the gallery shows them.

    python reports/results/digits_landscapes.py        (about 5 minutes on one core; needs the extra `supernet`)

Twelve architectures of different accuracy are trained as in ``nasanalysis benchmark build digits`` (seed 0),
then measured on the validation images:

``digits_perturbed.parquet``  PERTURBED frame: loss under weight noise, all positions, independent draws
``digits_lines.parquet``      arch, direction, alpha, loss: filter-normalised random lines
``digits_surfaces.parquet``   arch, alpha, beta, loss: filter-normalised planes of the worst and the best of them

Provenance (commit, versions, seeds, settings) stands in each file's metadata.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch

from nasanalysis.builders.digits import train_network
from nasanalysis.core.frames import write_frame
from nasanalysis.core.provenance import provenance
from nasanalysis.core.seeding import torch_generator
from nasanalysis.measures.perturb import perturbed_frame, perturbed_losses
from nasanalysis.measures.surfaces import loss_lines, loss_surface
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.training.digits import DigitsConfig, load_digits

#: NAS-Bench-201 indices: four cells of one operation, the others from the uniform sample; 12 % to 74 % accurate.
INDICES = (7581, 2097, 4317, 1403, 9535, 13091, 14365, 10635, 2223, 9543, 698, 1462)
PLANES = (7581, 1462)
SEED = 0
SIGMAS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1)
DRAWS = 10
LINE = tuple(np.linspace(-1, 1, 21).round(3).tolist())
PLANE = tuple(np.linspace(-1, 1, 17).round(3).tolist())


def main(out: Path) -> None:
    torch.set_num_threads(1)
    config = DigitsConfig()
    data = load_digits(config)
    perturbed, lines, planes = [], [], []
    for index in INDICES:
        start = time.perf_counter()
        arch = SPACE.arch(index)
        net, curves = train_network(arch, SEED, config, data)
        losses = perturbed_losses(
            net, *data.valid, SIGMAS, draws=DRAWS, generator=torch_generator(SEED, "perturb", str(arch))
        )
        where = {
            "benchmark": "digits",
            "dataset": "digits",
            "arch": str(arch),
            "method": "scratch",
            "setting": "",
            "seed": SEED,
        }
        perturbed.append(perturbed_frame(losses, where))
        line = loss_lines(net, *data.valid, LINE, generator=torch_generator(SEED, "lines", str(arch)))
        lines.append(line.select(pl.lit(str(arch)).alias("arch"), pl.all()))
        if index in PLANES:
            plane = loss_surface(net, *data.valid, PLANE, PLANE, generator=torch_generator(SEED, "plane", str(arch)))
            planes.append(plane.select(pl.lit(str(arch)).alias("arch"), pl.all()))
        accuracy = curves["test_accuracy"].to_list()[-1]
        print(f"{index:>6} {accuracy:5.1f} % {time.perf_counter() - start:5.1f} s", file=sys.stderr, flush=True)
    settings = {**config.as_dict(), "indices": INDICES, "sigmas": SIGMAS, "draws": DRAWS, "line": LINE, "plane": PLANE}
    record = provenance(seeds={"training": SEED, "noise": SEED, "directions": SEED}, config=settings, stamp=False)
    for name, parts in (("perturbed", perturbed), ("lines", lines), ("surfaces", planes)):
        write_frame(pl.concat(parts), out / f"digits_{name}.parquet", record)


if __name__ == "__main__":
    main(Path(__file__).resolve().parent)
