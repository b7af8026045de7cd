"""What `data check` verifies of each kind of data set: each check returns what it found, or raises."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from ..core.errors import DataFileError
from ..core.frames import read_frame
from ..core.provenance import sha256
from ..core.resources import shipped
from ..spaces import get_space
from ..spaces.capabilities import Enumerable, HasParams, Samplable, counter
from . import safe_pickle, syne_tune
from .benchmark import load_benchmark
from .darts import robust_darts
from .data_sets import DataSet
from .images.read import load_images
from .nats import benchmark as nats
from .nats.files import Format, archive_at
from .nb101 import benchmark as nb101
from .nb101.batches import read_tfrecord_runs
from .nb101.one_shot import read_oneshot
from .nb301 import benchmark as nb301
from .tables.benchmark import load_descriptor, read_table
from .tables.nb201_checks import faulty_cost_records
from .thesis_samples import thesis_sample


def _digits(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    frame = read_frame(places[0], "CURVES")
    space = get_space("nb201")
    archs = frame["arch"].unique()
    for arch in archs:
        space.parse(arch)
    return f"{len(archs):,} architectures, {frame.height:,} rows"


def _nats_tss(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    return _nats(nats.TSS, places[0])


def _nats_sss(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    return _nats(nats.SSS, places[0])


def _nats(form: Format, path: Path) -> str:
    """Counts, order, trainings and ranges (the conversion checks these), and every recorded cost against ours."""
    archive, space = archive_at(form, path), get_space(form.space, Enumerable)
    params, flops = counter(space, "params"), counter(space, "flops")
    nats.from_archive(archive)  # the order
    runs = nats.recorded_runs(archive)
    count = runs["arch"].n_unique()
    if archive.members and count != len(archive.members):
        raise DataFileError(f"{path}: expected results of {len(archive.members):,} architectures, got {count:,}")
    off = 0
    for schedule in sorted(runs["schedule"].unique()):
        costs = runs.filter(pl.col("schedule") == schedule).unique(["dataset", "arch", "params", "flops"])
        exact = [(params(a, d), flops(a, d)) for a, d in zip(costs["arch"], costs["dataset"], strict=True)]
        ours = pl.DataFrame(exact, schema={"params": pl.Int64(), "flops": pl.Float64()}, orient="row")
        off = costs.filter((costs["params"] != ours["params"]) | (costs["flops"] != ours["flops"]))["arch"].n_unique()
        known = 150 if form.name == "nats-tss" and schedule == 200 else 0
        if off > known:
            raise DataFileError(
                f"{path}: {schedule} epochs: expected at most {known} architectures whose recorded parameters or FLOPs "
                f"are not the computed ones, got {off}"
            )
    part = "" if count == len(space) else " (a part: everything works on what is there)"
    order = "order and strings official" if archive.kind == "single" or archive.meta else "no index file"
    faults = f" but for {off} (of 150 known to be off at 200 epochs)" if form.name == "nats-tss" else ""
    told = f"{count:,} of {len(space):,} architectures{part}; {order}; parameters and FLOPs exact{faults}"
    if archive.kind == "single" and (named := re.search(r"-([0-9a-f]{5})[.]pickle", path.name)):
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        told += f"; MD5 {digest[:5]}, {'as' if digest.startswith(named[1]) else 'not as'} in its name"
    return told


def _descriptors(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    told, names = [], {path.name for path in places}
    for toml in sorted(shipped("data/descriptors").glob("*.toml")):
        descriptor = load_descriptor(toml)
        if Path(descriptor.file).name in names and descriptor.file in entry.files:
            frame = read_table(descriptor, data)
            told.append(f"{toml.stem} {frame.height:,} rows")
            if toml.stem == "nb201_params":
                _exact_params(places, frame)
    if "thesis_sample_200_seed50.pkl" in names:
        told.append(f"sample of {len(thesis_sample('nb201', data))}")
    if "per_seed_200_epochs.pkl" in names:
        faults = faulty_cost_records(data)
        if faults.height != 150 or set(faults["difference"].abs()) != {28_000, 243_040}:
            raise DataFileError(
                "per_seed_200_epochs.pkl: expected 150 wrong parameter counts, each off by one convolution, "
                f"got {faults.height}"
            )
        told.append("150 known wrong parameter counts")
    lacking = [file for file in entry.files if Path(file).name not in names]
    if lacking:
        told.append(f"not here: {', '.join(lacking)}")
    seen = {Path(file).name: digest for file, digest in entry.sha256_seen.items()}
    other = [path.name for path in places if sha256(path) != seen.get(path.name)]
    changed = f"other bytes than the files this project was checked with: {', '.join(other)}"
    told.append(changed if other else "same bytes as checked")
    return "; ".join(told)


def _syne_tune(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    """Layout, names, accuracies of so many images, and how many trainings are filled in, data set by data set."""
    table = syne_tune.read_blackbox(places[0].parent)
    told = [f"{len(table.archs):,} architectures"]
    for task in table.tasks:
        trained = table.trained(task)
        table.curves(task)
        told.append(f"{task}: {trained.sum():,} trainings, {(~trained).sum():,} filled in or undefined")
    return "; ".join(told)


def _exact_params(places: list[Path], frame: pl.DataFrame) -> None:
    space = get_space("nb201", HasParams)
    exact = pl.Series([space.params(arch, "cifar10") for arch in frame["arch"]], dtype=pl.Float64)
    wrong = frame.filter(pl.col("value") != exact)
    if wrong.height:
        path = next(p for p in places if "params" in p.name)
        first = wrong["arch"][0]
        raise DataFileError(f"{path}: {wrong.height} parameter counts differ from the space's, first {first}")


def _bytes(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    for path in places:
        expected, got = entry.sha256_published[path.name], sha256(path)
        if got != expected:
            raise DataFileError(f"{path}: expected SHA-256 {expected}, got {got}; download it again")
    return "SHA-256 as published"


def _nb101_tfrecord(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    return f"{_bytes(entry, places, data)}; records not read (--full reads every one)"


def _nb101_tfrecord_in_full(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    """The bytes, and every record: checksums, schedule, parameters, ranges, and the whole hash of every cell."""
    told = [_bytes(entry, places, data)]
    for path in places:
        runs = read_tfrecord_runs(path, full=True)
        told.append(
            f"{len(runs):,} records of {runs['arch'].n_unique():,} cells, checksums, values and hashes of all verified"
        )
    return "; ".join(told)


def _nb101_mean(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    frame = read_frame(places[0])
    wanted = ["module_hash", "trainable_parameters", "mean_final_test_accuracy"]
    if frame.columns != wanted or frame.height != 423_624:
        got = f"{frame.height} with {', '.join(frame.columns)}"
        raise DataFileError(f"{places[0]}: expected 423624 rows with {', '.join(wanted)}, got {got}")
    if not frame["module_hash"].is_sorted() or frame["module_hash"].n_unique() != frame.height:
        raise DataFileError(f"{places[0]}: expected distinct hashes in ascending order")
    if not frame["mean_final_test_accuracy"].is_between(0, 1).all():
        raise DataFileError(f"{places[0]}: expected accuracies as fractions, 0 to 1")
    return f"{frame.height:,} cells"


def _nb301(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    models = sorted(path for place in places for path in place.rglob("surrogate_model.model"))
    if not models:
        raise DataFileError(
            f"{places[0]}: expected files surrogate_model.model below it, got none; is the archive unpacked?"
        )
    told, skipped = [], []
    for folder in dict.fromkeys(_surrogate_folder(model) for model in models):
        if "xgb" not in folder.name and "lgb" not in folder.name:
            skipped.append(folder.name)
            continue
        ensemble = nb301.Ensemble.from_folder(folder)
        arch = get_space("darts", Samplable).sample(1, np.random.default_rng(0))[0]
        values = ensemble.member_predictions([arch])
        low, high = (0.0, 100.0) if ensemble.target == "accuracy" else (0.0, 1e6)
        if not ((values > low) & (values < high)).all():
            raise DataFileError(f"{folder}: expected {ensemble.target} from {low:g} to {high:g}, got {values.ravel()}")
        told.append(
            f"{folder.name}: {len(ensemble.members)} members, {ensemble.target} {values.mean():.1f} of a sample"
        )
    if skipped:
        told.append(f"not opened: {', '.join(skipped)}")
    return "; ".join(told)


def _surrogate_folder(model: Path) -> Path:
    """The folder of a model's whole ensemble: ``xgb_v1.0`` above its members."""
    return next((p for p in model.parents if re.search(r"_v\d", p.name)), model.parent)


def _darts(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    if entry.name == "darts-thesis":
        told = f"sample of {len(thesis_sample('darts', data))}"
    else:
        truth = load_benchmark(entry.name, data).truth()
        told = f"{truth['arch'].n_unique():,} architectures, accuracy {_span(truth['accuracy'])}"
    return f"{told}; {_same_bytes(entry, places)}"


def _nb101_thesis(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    here = [number for number in (1, 2, 3) if any(f"space{number}" in path.name for path in places)]
    counts = [f"space {number}: {len(thesis_sample(f'nb101-{number}', data))}" for number in here]
    return f"{', '.join(counts)}; {_same_bytes(entry, places)}"


def _nb101_records(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    runs = nb101.read_records(places[0])
    return f"{runs['arch'].n_unique()} cells, {len(runs)} runs; {_same_bytes(entry, places)}"


def _nb101_one_shot(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    scores, runs = read_oneshot(places)
    lacking = f"; {len(entry.files) - len(places)} of {len(entry.files)} files not here"
    told = f"{len(places)} files, {len(scores):,} scores, {runs['arch'].n_unique():,} cells with their official runs"
    return f"{told}{lacking if len(places) < len(entry.files) else ''}; {_same_bytes(entry, places)}"


def _robust_darts(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    """Every search: its errors, its genotypes, its Hessians where they were logged; and the results files."""
    searches, unread = robust_darts.survey(places[0])
    if not searches:
        robust_darts.runs(places[0])  # raises: says what was looked for
    turned = hessians = 0
    for search in searches:
        robust_darts.errors(search), robust_darts.genotypes(search)
        turned += robust_darts.holds_accuracies(search)
        hessians += len(robust_darts.hessians(search)[0]) if search.has_hessians else 0
    told = [f"{len(searches)} searches, {hessians:,} Hessians"]
    told += [f"accuracies under the names of errors in {turned}"] if turned else []
    return "; ".join([*told, *unread])


def _images(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    told = []
    for path in places:
        if path.suffix == ".zip":
            try:
                with zipfile.ZipFile(path) as packed:
                    damaged, names = packed.testzip(), packed.namelist()
            except (zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
                raise DataFileError(f"{path}: expected a whole zip archive, got {error}; get the file again") from error
            if damaged:
                raise DataFileError(f"{path}: {damaged} is damaged; get the file again")
            told.append(f"{path.name}: {sum(name.lower().endswith('.jpg') for name in names):,} images")
        else:
            head = safe_pickle.read_bytes(path)
            count = int.from_bytes(head[4:8], "big")
            size = 16 + 784 * count if head[:4] == b"\0\0\x08\x03" else 8 + count
            if head[:3] != b"\0\0\x08" or len(head) != size:
                raise DataFileError(f"{path}: expected idx data of {size:,} bytes, got {len(head):,} bytes")
            told.append(f"{path.name}: {count:,}")
    return f"{', '.join(told)}; {_same_bytes(entry, places)}"


def _image_set(entry: DataSet, places: list[Path], data: Path | str | None) -> str:
    """An image data set as `load_images` reads it, and the SHA-256 of its archives where one is published."""
    images = load_images(entry.name, data)
    known = [name for name in images.sha256 if name in entry.sha256_published]
    for name in known:
        if images.sha256[name] != entry.sha256_published[name]:
            expected, got = entry.sha256_published[name], images.sha256[name]
            raise DataFileError(f"{name} of {images.source}: expected SHA-256 {expected}, got {got}; download it again")
    parts = f"{len(images.train):,} training and {0 if images.test is None else len(images.test):,} test images"
    return f"{parts} of {len(images.classes)} classes" + ("; SHA-256 as published" if known else "")


def _span(values: pl.Series) -> str:
    numbers = values.to_numpy()
    return f"{numbers.min():.1f} to {numbers.max():.1f} %"


def _same_bytes(entry: DataSet, places: list[Path]) -> str:
    """Whether the files are those this project was checked with."""
    seen = set(entry.sha256_seen.values())
    other = [path.name for path in places if sha256(path) not in seen]
    if other:
        return f"other bytes than the files this project was checked with: {', '.join(other)}"
    return "same bytes as checked"


#: What an entry's `check` names.
CHECKS: dict[str, Callable[[DataSet, list[Path], Path | str | None], str]] = {
    "digits": _digits,
    "nats-tss": _nats_tss,
    "nats-sss": _nats_sss,
    "descriptors": _descriptors,
    "syne-tune": _syne_tune,
    "nb101-tfrecord": _nb101_tfrecord,
    "nb101-mean": _nb101_mean,
    "nb301": _nb301,
    "darts": _darts,
    "nb101-thesis": _nb101_thesis,
    "nb101-records": _nb101_records,
    "nb101-one-shot": _nb101_one_shot,
    "robust-darts": _robust_darts,
    "images": _images,
    "image-set": _image_set,
}

#: What it names where everything is to be verified, of data sets of which the usual check leaves something out.
FULL_CHECKS = {**CHECKS, "nb101-tfrecord": _nb101_tfrecord_in_full}
