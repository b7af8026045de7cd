"""``nasanalysis benchmark build digits-2``: every proxy recorded for every trained network, run by run.

The order of classes is fixed, and so is a run's file name, so a build goes on to more classes or seeds in the same
folder, over days, and the first n classes are a sample at any time (`nasanalysis.builders.digits2_plan`).
"""

from __future__ import annotations

import json
from pathlib import Path

from ..core.errors import ParameterError
from ..jobs.units import exclusive, prepare, run_units
from .digits2_pack import finish, pack, refuse_difference, unit_name, unpack
from .digits2_plan import checked_classes, class_order
from .digits2_recorder import record_run
from .digits2_settings import RecorderSettings


def build_digits2(
    out: Path,
    *,
    classes: int = 2500,
    seeds: int = 2,
    workers: int = 2,
    resume: bool = True,
    resume_from: Path | None = None,
    settings: RecorderSettings | None = None,
    quiet: bool = False,
) -> Path:
    """Record the first `classes` classes with seeds 0 to `seeds` - 1; write the packed files and the table to `out`.

    Parameters
    ----------
    out: folder of finished runs; the same command goes on from there after a kill at any moment.
    workers: processes, one thread each.
    resume: go on from finished runs, or set them aside.
    resume_from: a folder with packed runs (`digits2_pack.pack`) that are taken over where `out` has none.

    Returns the thin table. Its bytes and those of the raw file depend on the arguments, versions and processor, not
    on workers or kills.

    Raises
    ------
    ParameterError: a number out of range. BuildError: `out` or `resume_from` holds runs of other settings, named.
    """
    settings = settings or RecorderSettings()
    checked_classes(classes)
    for name, number in (("seeds", seeds), ("workers", workers)):
        if number < 1:
            raise ParameterError(f"--{name}: expected at least 1, got {number}")
    fingerprint = json.loads(json.dumps(settings.fingerprint()))
    order = class_order(settings.task.data_seed)[:classes]
    units = {
        unit_name(position, seed): (arch.key, seed, settings)
        for position, arch in enumerate(order)
        for seed in range(seeds)
    }
    with exclusive(out):
        if resume and any((out / "units").glob("*.parquet")):
            refuse_difference(str(out), json.loads((out / "build.json").read_text(encoding="utf-8")), fingerprint)
        folder = prepare(out, fingerprint, resume=resume)
        if resume_from is not None:
            unpack(resume_from, folder, fingerprint)
        run_units(record_run, units, folder, workers=workers, description="digits-2: recording", quiet=quiet)
        return finish(pack(out, out), out)
