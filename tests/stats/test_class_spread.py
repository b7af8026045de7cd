"""Members of a class beside what seeds alone give: on drawn runs whose law is known."""

from __future__ import annotations

import numpy as np
import pytest

from nasanalysis.stats.class_spread import class_spread, mean_gap


def drawn(effect: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """400 classes of 2 to 5 members with 1 to 3 runs each; seeds of another deviation in each class."""
    values, archs, classes, arch = [], [], [], 0
    for c in range(400):
        scale = rng.uniform(0.2, 3)
        for _ in range(rng.integers(2, 6)):
            level = 50 + c / 10 + effect * scale * rng.normal()
            runs = rng.integers(1, 4)
            values += (level + scale * rng.normal(size=runs)).tolist()
            archs += [arch] * runs
            classes += [c] * runs
            arch += 1
    return np.array(values), np.array(archs), np.array(classes)


def test_members_that_differ_by_their_seeds_alone_have_ratio_one() -> None:
    inside = 0
    for trial in range(40):
        one = class_spread(*drawn(0.0, np.random.default_rng(trial)), n_boot=200)
        inside += one.interval.low <= 1 <= one.interval.high
        assert 0.8 < one.ratio < 1.25
    assert inside >= 34  # of 40, at 95 %


def test_members_of_their_own_level_have_more() -> None:
    one = class_spread(*drawn(1.0, np.random.default_rng(0)), n_boot=200)
    assert one.interval.low > 1.5
    assert one.n_classes <= 400 < one.n_archs


def test_nothing_to_compare() -> None:
    one = class_spread(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]), np.array([0, 0, 1]))
    assert np.isnan(one.ratio)
    assert (one.n_classes, one.n_archs) == (0, 0)
    gap, ends, share, n = mean_gap(np.ones(3), np.ones(3), np.array([0, 0, 1]))
    assert np.isnan([gap, ends.low, share]).all()
    assert n == 0


def test_the_gap_is_that_of_the_largest_and_the_smallest_members() -> None:
    values, sizes = np.array([1.0, 2.0, 5.0, 7.0, 1.0]), np.array([1.0, 1.0, 2.0, 3.0, 3.0])
    gap, _, share, n = mean_gap(values, sizes, np.array([0, 0, 0, 1, 1]))
    assert (gap, share, n) == (pytest.approx(3.5), 1.0, 1)
