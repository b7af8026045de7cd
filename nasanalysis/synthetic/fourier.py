"""Linear regression on Fourier terms of a fixed degree, by SGD (SoTL thesis, 4.1.2, Figure 4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..core.seeding import generator
from .config import FourierConfig
from .evidence import Floats

#: Steps that one row of a kept curve stands for.
EVERY = 26


@dataclass(frozen=True)
class Terms:
    """Attributes
    ----------
    features: (n, f). targets: (n,). degrees: (f,) of each feature.
    """

    features: Floats
    targets: Floats
    degrees: Floats

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        """One pass in a drawn order, whole batches alone."""
        order = rng.permutation(len(self.targets))
        for first in range(0, len(order) - size + 1, size):
            index = order[first : first + size]
            yield self.features[index], self.targets[index]


def draw_terms(config: FourierConfig, rng: np.random.Generator) -> Terms:
    """Points, their terms and targets; coefficients up to the true degree are 1 (thesis, Eqs 4.3, 4.4).

    ``text``: x uniform in +-span; 1, then cos(2 pi j x) + sin(2 pi j x). ``code``: x equally spaced in +-span pi; 1,
    then cos(j x) and sin(j x) apart, each with a weight. With the code's 50,000 points in +-10,000 pi there are 2.5 of
    them in a period of 2 pi, so that terms whose degrees differ by 5 are nearly alike over any short stretch.
    """
    degrees = np.arange(1, config.max_degree + 1)
    if config.reading == "text":
        angles = 2 * np.pi * rng.uniform(-config.span, config.span, size=config.points)[:, None] * degrees
        terms, kinds = np.cos(angles) + np.sin(angles), degrees
    else:
        angles = np.linspace(-config.span * np.pi, config.span * np.pi, config.points)[:, None] * degrees
        terms = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(config.points, -1)
        kinds = np.repeat(degrees, 2)
    features = np.hstack([np.ones((config.points, 1)), terms])
    of: Floats = np.concatenate([[0], kinds]).astype(np.float64)
    kept = slice(config.columns or None)
    features, of = features[:, kept], of[kept]
    targets = features[:, of <= config.true_degree].sum(axis=1)
    return Terms(features, targets + np.sqrt(config.noise) * rng.normal(size=config.points), of)


def first_weights(count: int, rng: np.random.Generator) -> Floats:
    """As torch's linear layer begins: uniform in +-1 / sqrt(inputs)."""
    weights: Floats = rng.uniform(-1, 1, size=count) / np.sqrt(count)
    return weights


def fixed_degrees(config: FourierConfig, seed: int) -> pl.DataFrame:
    """One training for each degree, all from the same weights and on the same batches.

    A row for every `EVERY` steps. Columns: reading, seed, degree, step, loss (mean of these steps' batches, before each
    step), sotl (sum of all losses so far); mean squared errors.
    """
    rng = generator(seed, "fourier", config.reading)
    terms = draw_terms(config, rng)
    degrees = np.array(config.degrees)
    used = (terms.degrees[None, :] <= degrees[:, None]).astype(np.float64)
    weights = first_weights(terms.features.shape[1], rng)[None, :] * used
    losses = []
    for _ in range(config.epochs):
        for x, y in terms.batches(config.batch_size, rng):
            miss = x @ weights.T - y[:, None]
            losses.append((miss**2).mean(axis=0))
            weights = weights - config.rate * 2 / len(y) * (miss.T @ x) * used
    return _curves(config, seed, np.array(losses))


def _curves(config: FourierConfig, seed: int, losses: Floats) -> pl.DataFrame:
    sums = losses.cumsum(axis=0)
    ends = np.unique([*range(EVERY, len(losses) + 1, EVERY), len(losses)])
    before = np.vstack([np.zeros(losses.shape[1]), sums[ends - 1]])
    means = np.diff(before, axis=0) / np.diff([0, *ends])[:, None]
    count, kinds = len(ends), len(config.degrees)
    return pl.DataFrame(
        {
            "reading": [config.reading] * (count * kinds),
            "seed": [seed] * (count * kinds),
            "degree": np.repeat(config.degrees, count),
            "step": np.tile(ends, kinds),
            "loss": means.T.ravel(),
            "sotl": sums[ends - 1].T.ravel(),
        }
    )
