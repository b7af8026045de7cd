"""The architecture Hessian: null vectors, brute force, Lanczos, samplers that have none."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import learner
from torch.nn import functional as F

from nasanalysis.differentiable.hessian import NoHessianError, architecture_hessian, dominant, eigenvalues, products
from nasanalysis.differentiable.learner import SearchLearner
from nasanalysis.measures.hessian import leading_eigenvalues

pytestmark = pytest.mark.torch


def in_double(search: SearchLearner) -> SearchLearner:
    """Weights, alphas of some size, and images in double precision, so that rounding is out of the way."""
    search.net.double()
    generator = torch.Generator().manual_seed(0)
    spread = torch.randn(search.alphas.values.shape, generator=generator, dtype=torch.float64)
    search.alphas.values.data = (0.5 * spread).masked_fill(~search.alphas.active, 0.0)
    search._fixed = {"alpha": [(x.double(), y) for x, y in search._read_batches(0, "alpha")]}
    return search


@pytest.mark.parametrize("space", ["nb201", "s5", "nb101-1"])
def test_the_hessian_is_symmetric_and_blind_to_a_constant_for_an_edge(space: str) -> None:
    search = in_double(learner("darts", space))
    product = products(search)
    raw = np.array([product(column) for column in np.eye(product.size)])
    scale = np.abs(raw).max()
    assert np.abs(raw - raw.T).max() < 1e-10 * scale, "by two products, not by construction"
    trained = search.alphas.trained.numpy()
    rows = np.nonzero(trained)[0]
    for row in range(len(search.alphas.decisions)):
        assert np.abs(raw @ (rows == row).astype(float)).max() < 1e-10 * scale
    values = eigenvalues(architecture_hessian(search))
    assert np.sum(np.abs(values) < 1e-9 * scale) >= len(search.alphas.decisions)
    assert dominant(search) == pytest.approx(values[-1], rel=1e-9)
    assert abs(dominant(search, which="magnitude")) == pytest.approx(np.abs(values).max(), rel=1e-9)


def test_the_hessian_is_that_of_brute_force() -> None:
    search = in_double(learner("darts"))
    x, labels = search._read_batches(1, "alpha")[0]
    alphas = search.alphas

    def loss(values: torch.Tensor) -> torch.Tensor:
        with search.measuring():
            logits = search.net.mixed(x, alphas.mixture(values.reshape(6, 5).softmax(1)))
        return F.cross_entropy(logits, labels)

    whole = torch.autograd.functional.hessian(loss, alphas.values.detach().reshape(-1))
    np.testing.assert_allclose(architecture_hessian(search), whole.numpy(), rtol=1e-8, atol=1e-12)


def test_both_ends_of_the_spectrum_by_lanczos() -> None:
    search = in_double(learner("darts"))  # 30 numbers: too many for Lanczos to give up
    product = products(search)
    values = eigenvalues(product.dense())
    generator = torch.Generator().manual_seed(1)
    for which, expected in (("algebraic", values[-1]), ("magnitude", values[np.abs(values).argmax()])):
        found, _ = leading_eigenvalues(product, generator=generator, which=which)  # type: ignore[arg-type]
        assert found[0] == pytest.approx(expected, rel=1e-3)


def test_operations_that_are_equal_have_neither_gradient_nor_hessian() -> None:
    search = in_double(learner("darts"))
    for cell in (m for m in search.net.modules() if hasattr(m, "edges")):
        for edge in cell.edges.values():
            for name in list(edge):
                edge[name] = torch.nn.Identity()
    # every candidate but `none` is then the identity; `none` goes
    for decision in search.alphas.decisions:
        search.alphas.drop(decision.place, "none")
    mixed = search.net.mixed

    def plain(x, mixture):  # type: ignore[no-untyped-def]
        """The same network, its identities weighed one by one."""
        for layer in search.net.features:
            if not hasattr(layer, "mixed"):
                x = layer(x)
                continue
            nodes = [x]
            for target in (1, 2, 3):
                rows = [mixture.rows[d.place] for d in search.alphas.decisions if d.place.edge.endswith(f"-{target}")]
                nodes.append(sum(sum(row.values()) * nodes[s] for s, row in enumerate(rows)))
            x = nodes[3]
        return search.net.classifier(x)

    search.net.mixed = plain
    try:
        assert np.abs(architecture_hessian(search)).max() < 1e-12
    finally:
        search.net.mixed = mixed


def test_samplers_have_no_hessian_but_that_of_their_softmax() -> None:
    for name in ("gdas", "random_ws", "enas"):
        with pytest.raises(NoHessianError, match=f"{name}: expected weights that move with alpha, got a sampler"):
            architecture_hessian(learner(name))
    relaxed = architecture_hessian(learner("gdas"), relaxed=True)
    np.testing.assert_allclose(relaxed, architecture_hessian(learner("darts")), atol=1e-6)
    search = learner("darts")
    for decision in search.alphas.decisions:
        search.alphas.decide(decision.place, "skip_connect")
    with pytest.raises(NoHessianError, match="every edge is decided"):
        architecture_hessian(search)


def test_a_decided_edge_is_no_part_of_the_hessian() -> None:
    search = learner("darts")
    search.alphas.decide(search.alphas.decisions[0].place, "skip_connect")
    assert architecture_hessian(search).shape == (25, 25)
