"""The loss over two directions in alpha: its middle, its curvature against the Hessian, flat directions; spectra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import learner

from nasanalysis.core.errors import ParameterError
from nasanalysis.differentiable.hessian import NoHessianError, architecture_hessian, eigenvalues, spectrum
from nasanalysis.differentiable.landscape import directions, landscape
from nasanalysis.differentiable.learner import SearchLearner
from nasanalysis.differentiable.search import run_search

pytestmark = pytest.mark.torch


def in_double() -> SearchLearner:
    search = learner("darts")
    search.net.double()
    draws = torch.randn(search.alphas.values.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    search.alphas.values.data = draws
    search._fixed = {"alpha": [(x.double(), y) for x, y in search._read_batches(0, "alpha")]}
    return search


def test_the_middle_is_the_loss_and_the_curvature_is_the_eigenvalue() -> None:
    search = in_double()
    along = directions(search)
    np.testing.assert_allclose(along @ along.T, np.eye(2), atol=1e-9)
    reach = 2e-6  # so small that hardly a ReLU changes its side
    table = landscape(search, along, reach=reach, steps=3)
    at = {(round(a / reach), round(b / reach)): loss for a, b, loss in table.iter_rows()}
    assert at[0, 0] == pytest.approx(search.reading(images=32).loss, rel=1e-9)
    values = eigenvalues(architecture_hessian(search))
    first = (at[1, 0] - 2 * at[0, 0] + at[-1, 0]) / reach**2
    second = (at[0, 1] - 2 * at[0, 0] + at[0, -1]) / reach**2
    assert first == pytest.approx(values[-1], rel=0.05)
    assert second == pytest.approx(values[-2], rel=0.05)
    np.testing.assert_allclose(spectrum(search), values, atol=1e-12)


def test_a_constant_for_a_decision_is_flat_and_random_directions_have_none() -> None:
    search = in_double()
    constant = np.zeros((2, 30))
    constant[0, :5], constant[1, 5:10] = 5**-0.5, 5**-0.5
    flat = landscape(search, constant, reach=2.0, steps=3)["loss"]
    assert flat.max() - flat.min() < 1e-10  # type: ignore[operator]
    drawn = directions(search, "random")
    assert np.abs(drawn.reshape(2, 6, 5).sum(2)).max() < 1e-9
    np.testing.assert_allclose(drawn @ drawn.T, np.eye(2), atol=1e-9)
    np.testing.assert_array_equal(drawn, directions(search, "random"))


def test_what_a_landscape_refuses() -> None:
    search = learner("darts")
    along = directions(search, "random")
    with pytest.raises(ParameterError, match="odd number of steps from 3 and reach > 0, got 4"):
        landscape(search, along, steps=4)
    with pytest.raises(ParameterError, match=r"two directions in 30 numbers, got \(2, 5\)"):
        landscape(search, along[:, :5])
    sampler = learner("gdas")
    with pytest.raises(NoHessianError, match="gdas: expected weights that move with alpha"):
        landscape(sampler, along)
    with pytest.raises(NoHessianError, match="gdas"):
        directions(sampler)


def test_a_search_keeps_its_spectrum_and_moves_no_further(tmp_path: Path) -> None:
    def run(folder: str, **settings):  # type: ignore[no-untyped-def]
        return run_search(learner("darts", epochs=1, batch_size=96, eigenvalue_every=1, **settings), tmp_path / folder)

    plain, kept = run("plain"), run("kept", eigenvalue_spectrum=True)
    rows = kept.trace.filter(quantity="arch_hessian_spectrum")
    assert rows.height == 2 * 30
    for epoch in (0, 1):
        values = rows.filter(epoch=epoch)
        assert values["part"].to_list() == [str(i) for i in range(30)]
        assert values["value"].is_sorted()
        ends = dict(kept.trace.filter(epoch=epoch).drop_nulls("value").select("quantity", "value").iter_rows())
        assert ends["arch_hessian_ev"] == values["value"][-1]
        assert ends["arch_hessian_ev_magnitude"] == max(values["value"], key=abs)
        assert plain.trace.filter(epoch=epoch, quantity="arch_hessian_ev")["value"].item() == pytest.approx(
            values["value"][-1], rel=1e-6
        )
    assert kept.alphas.equals(plain.alphas)
    assert plain.trace.filter(quantity="arch_hessian_spectrum").is_empty()


def test_a_spectrum_that_is_too_large_or_that_a_method_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    import nasanalysis.differentiable.hessian as module

    monkeypatch.setattr(module, "WHOLE", 10)
    with pytest.raises(NoHessianError, match="at most 10 architecture parameters for a whole spectrum, got 30"):
        spectrum(learner("darts"))
    search = learner("darts", eigenvalue_every=1, eigenvalue_spectrum=True)
    assert "at most 10" in search.history[0]["notes"]["spectrum_missing"]
    assert "arch_hessian_ev" in search.history[0]["numbers"], "its ends by Lanczos"
    with pytest.raises(NoHessianError, match="gdas"):
        spectrum(learner("gdas"))
