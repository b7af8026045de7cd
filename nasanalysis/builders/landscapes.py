"""``nasanalysis measure landscapes``: loss landscapes of digits networks, as the gallery shows them.

Architectures of different accuracy are trained as in ``nasanalysis benchmark build digits``, then measured on the
validation images:

========================== ======================================================================================
``digits_perturbed.parquet`` PERTURBED: loss under weight noise, all positions, independent draws
``digits_lines.parquet``     arch, direction, alpha, loss: filter-normalised random lines
``digits_surfaces.parquet``  arch, alpha, beta, loss: filter-normalised planes of some of them
========================== ======================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from ..core.frames import write_frame
from ..core.provenance import provenance
from ..core.seeding import torch_generator
from ..core.settings import Settings
from ..core.toml import Many
from ..measures.perturb import perturbed_frame, perturbed_losses
from ..measures.surfaces import loss_lines, loss_surface
from ..spaces.nb201 import SPACE
from ..training.digits import DigitsConfig, DigitsData, load_digits
from .digits import train_network


class LandscapeSettings(Settings):
    """What is drawn of which networks.

    Attributes
    ----------
    indices: of NAS-Bench-201; the default: four cells of one operation, the others from the uniform sample of the
        digits benchmark, 12 % to 74 % accurate. planes: those of them whose plane is drawn, the worst and the best.
    seed: of the training, the noise and the directions. sigmas, draws: of the noise. line, plane: points along each
        direction, from -1 to 1.
    """

    indices: Many[int] = (7581, 2097, 4317, 1403, 9535, 13091, 14365, 10635, 2223, 9543, 698, 1462)
    planes: Many[int] = (7581, 1462)
    seed: int = 0
    sigmas: Many[float] = (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1)
    draws: int = 10
    line: int = 21
    plane: int = 17


def digits_landscapes(
    out: Path,
    settings: LandscapeSettings | None = None,
    config: DigitsConfig | None = None,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Train and measure, and write the three files into `out`; about 5 minutes on one core."""
    torch.set_num_threads(1)  # what is measured does not depend on the number of cores
    settings, config = settings or LandscapeSettings(), config or DigitsConfig()
    data = load_digits(config)
    parts: dict[str, list[pl.DataFrame]] = {"perturbed": [], "lines": [], "surfaces": []}
    for index in settings.indices:
        arch = str(SPACE.arch(index))
        net, curves = train_network(SPACE.arch(index), settings.seed, config, data)
        parts["perturbed"].append(_noise(net, arch, data, settings))
        parts["lines"].append(_line(net, arch, data, settings))
        if index in settings.planes:
            parts["surfaces"].append(_plane(net, arch, data, settings))
        say(f"{index:>6} {curves['test_accuracy'].to_list()[-1]:5.1f} % accurate")
    record = _record(settings, config)
    paths = {name: out / f"digits_{name}.parquet" for name, frames in parts.items() if frames}
    for name, path in paths.items():
        write_frame(pl.concat(parts[name]), path, record)
    return list(paths.values())


def _noise(net: nn.Module, arch: str, data: DigitsData, settings: LandscapeSettings) -> pl.DataFrame:
    draws = torch_generator(settings.seed, "perturb", arch)
    losses = perturbed_losses(net, *data.valid, settings.sigmas, draws=settings.draws, generator=draws)
    names = {"benchmark": "digits", "dataset": "digits", "arch": arch, "method": "scratch", "setting": ""}
    return perturbed_frame(losses, {**names, "seed": settings.seed})


def _line(net: nn.Module, arch: str, data: DigitsData, settings: LandscapeSettings) -> pl.DataFrame:
    draws = torch_generator(settings.seed, "lines", arch)
    rows = loss_lines(net, *data.valid, _points(settings.line), generator=draws)
    return rows.select(pl.lit(arch).alias("arch"), pl.all())


def _plane(net: nn.Module, arch: str, data: DigitsData, settings: LandscapeSettings) -> pl.DataFrame:
    draws, points = torch_generator(settings.seed, "plane", arch), _points(settings.plane)
    rows = loss_surface(net, *data.valid, points, points, generator=draws)
    return rows.select(pl.lit(arch).alias("arch"), pl.all())


def _points(count: int) -> tuple[float, ...]:
    return tuple(np.linspace(-1, 1, count).round(3).tolist())


def _record(settings: LandscapeSettings, config: DigitsConfig) -> dict[str, Any]:
    drawn = {name: getattr(settings, name) for name in ("indices", "sigmas", "draws")}
    points = {"line": _points(settings.line), "plane": _points(settings.plane)}
    seeds = dict.fromkeys(("training", "noise", "directions"), settings.seed)
    return provenance(seeds=seeds, config={**config.as_dict(), **drawn, **points}, stamp=False)
