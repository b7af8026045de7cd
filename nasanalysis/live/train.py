"""``nasanalysis supernet train``: every protocol with every seed of a configuration, several at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..core.atomic import write_text
from ..jobs import unordered
from ..jobs.looking import looking
from ..jobs.units import exclusive, progress_bar
from ..training.devices import explained_memory, settle
from ..training.train import train_supernet
from .run import Job, Run


def train_all(run: Run, workers: int = 1, *, other_versions: bool = False) -> list[Path]:
    """Train every protocol with every seed; the files of weights, in that order.

    `other_versions`: go on with what other versions of packages began; fingerprints then name both.
    """
    config = run.config
    for protocol in map(config.train.protocol, config.train.protocols):
        if protocol.fair:  # not defined on every space: said before hours of training
            protocol.passes(run.on_cpu.blank())
    jobs = [(protocol, seed) for protocol in config.train.protocols for seed in config.train.seeds]
    folders = [run.folder(*job) for job in jobs]
    with exclusive(run.out), epochs_shown("training supernets: epochs", folders, config.train.epochs * len(folders)):
        for _ in unordered(train_one, [(run, job, other_versions) for job in jobs], workers=workers, needs=run.needs):
            pass
    return [folder / "weights.pt" for folder in folders]


def train_one(run: Run, job: Job, other_versions: bool = False) -> Path:
    """One supernet, in this process."""
    config, (protocol, seed) = run.config, job
    settle(config.threads)
    settings, folder = config.train.settings, run.folder(protocol, seed)
    with explained_memory(f"training {protocol}, seed {seed}", settings.batch_size, run.place):
        return train_supernet(
            run.blank(),
            run.task,
            config.train.protocol(protocol),
            settings,
            seed=seed,
            folder=folder,
            config=run.skeleton,
            snapshots=config.train.snapshots,
            on_epoch=lambda done, of: write_text(folder / "epoch", str(done)),
            other_versions=other_versions,
        )


@contextlib.contextmanager
def epochs_shown(what: str, folders: Sequence[Path], total: int) -> Iterator[None]:
    """A progress bar over the epochs of all trainings, whichever process runs them: each writes its own to a file."""

    def done() -> int:
        total = 0
        for folder in folders:
            with contextlib.suppress(OSError, ValueError):
                total += int((folder / "epoch").read_text())
        return total

    with progress_bar() as bar:
        task = bar.add_task(what, total=total, completed=done())
        with looking(lambda: bar.update(task, completed=done()), every=1.0):
            yield
