"""Which searches lie in a folder of RobustDARTS's logs, whatever part of the repository it holds.

::

    search_logs[/...]/<space>/<dataset>/<drop-path>_<L2 factor>-<job>/arch_k, errors_k.json, derivatives_k.json[.gz]
    search_logs_RandomNAS/<space>/<dataset>/<drop-path>_<L2 factor>-<job>/arch_k, errors_k.json

with or without the folder above the spaces. The authors logged DARTS in S1 on CIFAR-10 and S3 on SVHN, and random
search with weight sharing (method ``random_ws``) in S1 to S4 on three data sets. Hessians were logged for some searches
only; a search without its errors or its genotype was not finished, and is named instead of read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import NasAnalysisError
from ..files import missing

#: The study's own spaces: data set -> space. A setting in another space is spelled with that space.
STUDIED = {"cifar10": "s1", "svhn": "s3"}
_FOLDER = re.compile(r"(?P<drop>\d+(?:\.\d+)?)_(?P<l2>\d+(?:\.\d+)?)(?:-(?P<job>\d+))?")
_SEEDED = re.compile(r"(?:arch_(\d+)|errors_(\d+)\.json|derivatives_(\d+)\.json|log_(\d+)\.txt)(?:\.gz)?")


@dataclass(frozen=True)
class Run:
    """One search.

    Attributes
    ----------
    setting: ``<drop-path>_<L2>``, as the folder spells it. seed: k of its files. folder: where they lie.
    space, dataset: as the folders above spell them. method: ``darts`` or ``random_ws``.
    """

    setting: str
    seed: int
    folder: Path
    space: str = "s1"
    dataset: str = "cifar10"
    method: str = "darts"

    def __str__(self) -> str:
        return f"{self.space}/{self.dataset}/{self.folder.name} run {self.seed}"

    @property
    def drop_path(self) -> float:
        """Maximal drop-path probability."""
        return float(self.setting.partition("_")[0])

    @property
    def weight_decay(self) -> float:
        """L2 factor on the weights."""
        return float(self.setting.partition("_")[2])

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What tells it from every other search."""
        return self.method, self.space, self.dataset, self.setting, self.seed

    def path(self, stem: str, suffix: str) -> Path | None:
        """``<stem>_<seed><suffix>``, packed by gzip or not; None where it is not there."""
        names = (f"{stem}_{self.seed}{suffix}", f"{stem}_{self.seed}{suffix}.gz")
        return next((self.folder / name for name in names if (self.folder / name).exists()), None)

    def file(self, stem: str, suffix: str) -> Path:
        """`path`; `MissingDataError` where the file is not there."""
        if path := self.path(stem, suffix):
            return path
        raise missing(f"robust-darts: {stem}_{self.seed}{suffix}", [self.folder])

    def files(self) -> Iterator[Path]:
        """The files that its trace is read from."""
        yield from (self.file("errors", ".json"), self.file("arch", ""))
        if hessians := self.path("derivatives", ".json"):
            yield hessians
        if self.log.exists():
            yield self.log

    @property
    def log(self) -> Path:
        """The training log, which not every search has here."""
        return self.folder / f"log_{self.seed}.txt"

    @property
    def has_hessians(self) -> bool:
        """Whether its Hessians were logged."""
        return self.path("derivatives", ".json") is not None

    @property
    def lacks(self) -> list[str]:
        """Files without which it was not finished."""
        return [
            f"{stem}_{self.seed}{suffix}"
            for stem, suffix in (("errors", ".json"), ("arch", ""))
            if self.path(stem, suffix) is None
        ]


def spelled(dataset: str, space: str, setting: str) -> str:
    """A setting as the TRACE frame spells it: with its space where that is not the study's own for the data set."""
    return setting if STUDIED.get(dataset) == space else f"{space}/{setting}"


def survey(root: Path) -> tuple[list[Run], list[str]]:
    """Every finished search under `root` (the folder ``robust_darts``), in order, and what is to be said of others."""
    finished: dict[tuple[str, str, str, str, int], Run] = {}
    notes = []
    for search in _candidates(root):
        if search.lacks:
            notes.append(f"{search}: not read, its folder lacks {' and '.join(search.lacks)}")
            continue
        if earlier := finished.get(search.key):
            notes.append(f"{earlier}: not read, {search.folder.name} is a later job of the same search")
        finished[search.key] = search
    return sorted(finished.values(), key=lambda run: (run.method, run.space, run.dataset, run.folder, run.seed)), notes


def runs(root: Path) -> list[Run]:
    """Every finished search under `root` (the folder ``robust_darts``), by method, space, data set, setting, seed."""
    every, _ = survey(root)
    if not every:
        raise missing(
            "robust-darts: s1/cifar10/<drop>_<L2>-<job>/arch_<seed>", [root / "s1" / "cifar10"], ["robust-darts"]
        )
    return every


def run(
    root: Path, setting: str, seed: int, *, space: str = "s1", dataset: str = "cifar10", method: str = "darts"
) -> Run:
    """One search by its setting, such as ``0.0_0.0003``, and seed."""
    every = [r for r in runs(root) if (r.space, r.dataset, r.method) == (space, dataset, method)]
    for search in every:
        if (search.setting, search.seed) == (setting, seed):
            return search
    settings = sorted({r.setting for r in every})
    seeds = sorted({r.seed for r in every})
    raise NasAnalysisError(
        f"robust-darts: {method} in {space} on {dataset}: expected a setting of {', '.join(settings) or 'none'} "
        f"and a seed of {', '.join(map(str, seeds)) or 'none'}, got {setting!r}, {seed!r}"
    )


def log_folders(root: Path) -> list[Path]:
    """The folders at, or at most two below, `root` in which folders of spaces or results files lie."""
    levels = [root, *sorted(root.glob("*/")), *sorted(root.glob("*/*/"))]
    return [folder for folder in levels if any(folder.glob("s[1-4]/*/")) or any(folder.glob("results_*.yaml"))]


def _candidates(root: Path) -> Iterable[Run]:
    for home in log_folders(root):
        method = "random_ws" if "random" in home.name.lower() else "darts"
        for folder in sorted(home.glob("s[1-4]/*/*/"), key=_job):
            match = _FOLDER.fullmatch(folder.name)
            if match is None:
                continue
            space, dataset = folder.parts[-3:-1]
            seeds = {int(next(filter(None, m.groups()))) for p in folder.iterdir() if (m := _SEEDED.fullmatch(p.name))}
            for seed in sorted(seeds):
                yield Run(f"{match['drop']}_{match['l2']}", seed, folder, space, dataset, method)


def _job(folder: Path) -> tuple[str, int]:
    """Later jobs last: they replace earlier ones of the same search."""
    match = _FOLDER.fullmatch(folder.name)
    return str(folder.parent), int(match["job"] or 0) if match else 0
