"""Memory of SoTL's gradient in alpha: exact, whose graph holds all T steps, against the approximation, one step long.

Network of the study (`bench_diffsearch`); bytes of saved tensors alive at the peak, counted, not measured, so a busy
machine does not matter. The approximate one does not grow with T. The exact one grows linearly, and by more than its
first step for each: a step that is differentiated through keeps its backward pass too, the last one (whose step changes
no loss that counts) its forward pass alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from bench_diffsearch import _Images, _learner
from saved import peak_of
from sidebyside import Row, Skipped

#: Steps of the unroll.
STEPS = (1, 2, 4, 7)
MIB = 1024 * 1024


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = "memory of SoTL's gradient in alpha: nb201, C = 8, N = 1, 16 x 16"
    if importlib.util.find_spec("torch") is None:
        yield Skipped(name, "torch is not installed")
        return
    peaks = {exact: {T: _peak(T, exact) / MIB for T in STEPS} for exact in (True, False)}
    for T in STEPS:
        exact, first = peaks[True][T], peaks[False][T]
        growth = f"{exact / peaks[True][1]:.2f} times that of T = 1"
        note = f"exact: {growth}; approximate: {first / peaks[False][1]:.2f} times"
        yield Row(f"{name}, T = {T}", exact, first, "MiB", "exact gradient (Eq. 3.20)", note)


def _peak(T: int, exact: bool) -> int:
    learner = _learner(_Images(), "sotl_darts", {"T": T, "exact": exact})
    learner.begin(0, 2)
    learner.net.train()
    batches = [learner._weight_batch() for _ in range(T)]
    gradient = learner.method.gradient
    return peak_of(lambda: gradient(learner.subject, batches, learner._alpha_batch))
