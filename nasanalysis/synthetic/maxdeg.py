"""The degree of a Fourier regression by gradient: MaxDeg and the weights together (SoTL thesis, 4.1.2, Figure 4.3).

The model is x (w * s), s = f(MaxDeg - degree) with f(z) = (tanh z + 1) / 2 (Eq. 4.5); a batch's loss is its mean
squared error, with a penalty on MaxDeg and a decay of w. An outer step takes T batches: the weights descend T steps
while their derivative v in MaxDeg goes along (the recursion of `nasanalysis.synthetic.unroll`, in closed form, as the
model is linear); MaxDeg steps against the slope; the weights go back and descend the T batches again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.seeding import generator
from .config import MaxDegConfig
from .evidence import Floats
from .fourier import Terms, draw_terms, first_weights

#: What MaxDeg descends on: training losses; a validation loss without the penalty (the author's baseline), with it, or,
#: as a control, without it and times T: SoTL is a sum of T losses, so its slope is about T times as large.
Objective = Literal["sotl", "validation", "validation + penalty", "validation x T"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
#: A path is kept at every outer step up to `EARLY`, and then at every `EVERY`th.
EARLY, EVERY = 100, 50
#: MaxDeg has arrived where it is as near as this to the true degree.
NEAR = 0.5
Batch = tuple[Floats, Floats]


@dataclass(frozen=True)
class Model:
    """Attributes
    ----------
    degrees: (f,). penalty, squared, decay: see `MaxDegConfig`.
    """

    degrees: Floats
    penalty: float
    squared: bool
    decay: float

    def gates(self, degree: float) -> tuple[Floats, Floats]:
        """s and ds / dMaxDeg, both (f,)."""
        tanh = np.tanh(degree - self.degrees)
        return (tanh + 1) / 2, (1 - tanh**2) / 2

    def pull(self, degree: float) -> float:
        """Derivative of the penalty."""
        return self.penalty * (2 * degree if self.squared else float(np.sign(degree)))

    def gradient(self, w: Floats, degree: float, batch: Batch) -> Floats:
        """(f,) of a training loss in the weights."""
        x, y = batch
        s, _ = self.gates(degree)
        return 2 / len(y) * s * (x.T @ (x @ (w * s) - y)) + 2 * self.decay / len(w) * w

    def along(self, w: Floats, v: Floats, degree: float, batch: Batch) -> Linearised:
        """Gradient in the weights, its derivative in MaxDeg where w moves by v, and the error's own derivative."""
        x, y = batch
        s, slope = self.gates(degree)
        miss = x @ (w * s) - y
        back, moved = x.T @ miss, v * s + w * slope
        turned = slope * back + s * (x.T @ (x @ moved))
        pull = 2 * self.decay / len(w)
        error = 2 / len(y) * float(back @ moved)
        return Linearised(2 / len(y) * s * back + pull * w, 2 / len(y) * turned + pull * v, error, pull * float(w @ v))


class Linearised(NamedTuple):
    """Attributes
    ----------
    gradient, turned: (f,). error, decay: derivatives in MaxDeg of the mean squared error and of the decay's term.
    """

    gradient: Floats
    turned: Floats
    error: float
    decay: float


def slope_of_sotl(model: Model, w: Floats, degree: float, batches: Sequence[Batch], rate: float) -> float:
    """dSoTL / dMaxDeg over the batches; the last step changes no loss that counts."""
    v, total = np.zeros_like(w), 0.0
    for batch in batches:
        here = model.along(w, v, degree, batch)
        total += here.error + here.decay + model.pull(degree)
        w, v = w - rate * here.gradient, v - rate * here.turned
    return total


def slope_of_validation(
    model: Model, w: Floats, degree: float, batches: Sequence[Batch], valid: Batch, rate: float, penalised: bool
) -> float:
    """The same of a validation batch's error at the weights before the last of the steps (`unroll` says why)."""
    v = np.zeros_like(w)
    for batch in batches[:-1]:
        here = model.along(w, v, degree, batch)
        w, v = w - rate * here.gradient, v - rate * here.turned
    return model.along(w, v, degree, valid).error + (model.pull(degree) if penalised else 0.0)


def search(config: MaxDegConfig, start: float, T: int, objective: Objective, seed: int) -> pl.DataFrame:
    """One search: rows of its path, the first before any step.

    Columns: reading, seed, start, T, objective, outer (steps of MaxDeg), batches (of training, each descended twice),
    max_deg, true_degree, arrived (the first outer step after which MaxDeg is within `NEAR` of it, null for never). A
    drawn half of the points is kept for validation batches where the objective asks for them, as DARTS does.
    """
    rng = generator(seed, "maxdeg", config.reading)
    terms = draw_terms(config, rng)
    model = Model(terms.degrees, config.penalty, config.squared, config.decay)
    w, degree = first_weights(terms.features.shape[1], rng), start
    train = valid = terms
    if objective != "sotl":  # drawn: points may be in order, as the code has them, and far ones need not be alike
        train, valid = (_part(terms, part) for part in np.array_split(rng.permutation(len(terms.targets)), 2))
    batches, others = _endless(train, config, generator(seed, "maxdeg", "train")), None
    if objective != "sotl":
        others = _endless(valid, config, generator(seed, "maxdeg", "valid"))
    path, arrived = [(0, 0, degree)], None
    for outer in range(1, config.outer + 1):
        few = [next(batches) for _ in range(T)]
        if others is None:
            slope = slope_of_sotl(model, w, degree, few, config.rate)
        else:
            penalised = objective == "validation + penalty"
            slope = slope_of_validation(model, w, degree, few, next(others), config.rate, penalised)
            slope *= T if objective == "validation x T" else 1
        degree -= config.hyper_rate * slope
        for batch in few:
            w = w - config.rate * model.gradient(w, degree, batch)
        if outer <= EARLY or outer % EVERY == 0:
            path.append((outer, outer * T, degree))
        if arrived is None and abs(degree - config.true_degree) <= NEAR:
            arrived = outer
    frame = pl.DataFrame(path, schema=["outer", "batches", "max_deg"], orient="row")
    head = {"reading": config.reading, "seed": seed, "start": start, "T": T, "objective": objective}
    ends = {"true_degree": pl.lit(config.true_degree), "arrived": pl.lit(arrived, pl.Int64)}
    return frame.select(*(pl.lit(value).alias(name) for name, value in head.items()), pl.all(), **ends)


def _part(terms: Terms, part: NDArray[np.int64]) -> Terms:
    return Terms(terms.features[part], terms.targets[part], terms.degrees)


def _endless(terms: Terms, config: MaxDegConfig, rng: np.random.Generator) -> Iterator[Batch]:
    while True:
        yield from terms.batches(config.batch_size, rng)
