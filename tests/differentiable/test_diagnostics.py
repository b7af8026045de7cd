"""What a search says of itself: numbers of known cells, both ends of a known spectrum, and that nothing moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import learner
from differentiable_toys import Toy

from nasanalysis.core.errors import ParameterError
from nasanalysis.differentiable.diagnostics import architecture_numbers, discrete_accuracy
from nasanalysis.differentiable.hessian import NoHessianError, architecture_hessian, extremes
from nasanalysis.differentiable.learner import SearchLearner
from nasanalysis.differentiable.search import run_search
from nasanalysis.measures.hessian import leading_eigenvalues
from nasanalysis.measures.hessian_products import HessianProducts
from nasanalysis.networks.mixture import one_hot
from nasanalysis.spaces import get_space
from nasanalysis.spaces.base import Arch

pytestmark = pytest.mark.torch

ALL = {"diagnose_every": 1, "eigenvalue_every": 1, "eigenvalue_data": "both", "keep_weights_every": 1}


def searched(folder: Path, name: str, epochs: int = 1, **settings: Any) -> tuple[SearchLearner, Any]:
    search = learner(name, epochs=epochs, batch_size=96, **settings)
    return search, run_search(search, folder)


@pytest.mark.parametrize("name", ["darts", "sdarts_rs"])
def test_a_search_that_is_looked_at_is_byte_for_byte_the_same(tmp_path: Path, name: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    np_before = np.random.get_state()[1].copy()  # noqa: NPY002
    plain, one = searched(tmp_path / "plain", name)
    looked, other = searched(tmp_path / "looked", name, **ALL)
    assert torch.equal(torch.get_rng_state(), before), "no global stream"
    assert (np.random.get_state()[1] == np_before).all()  # noqa: NPY002
    mine, theirs = plain.net.state_dict(), looked.net.state_dict()
    assert mine.keys() == theirs.keys()
    for key, value in mine.items():  # weights, and batch-norm's running statistics with them
        assert value.numpy().tobytes() == theirs[key].numpy().tobytes(), key
    assert one.alphas.equals(other.alphas)
    for a, b in zip(plain._streams(), looked._streams(), strict=True):
        assert torch.equal(a.get_state(), b.get_state())
    assert plain.rng.bit_generator.state == looked.rng.bit_generator.state
    names = set(one.trace["quantity"])
    shared = other.trace.filter(other.trace["quantity"].is_in(sorted(names - {"seconds", "arch_hessian_ev"})))
    assert shared.equals(one.trace.filter(one.trace["quantity"].is_in(sorted(names - {"seconds", "arch_hessian_ev"}))))
    new = {"discretisation_drop", "selected_skips", "selected_depth", "train_arch_hessian_ev_magnitude"}
    assert new <= set(other.trace["quantity"]) - names


def test_early_stopping_sees_the_epochs_of_its_rule_alone() -> None:
    from nasanalysis.differentiable.search import SearchLoop

    seen: list[dict[int, float]] = []
    search = learner("darts_es", epochs=3, batch_size=96)
    loop = SearchLoop(search)
    rule = search.method.stopping.rule  # type: ignore[union-attr]

    class Noting:
        every = rule.every

        def __call__(self, values: dict[int, float]) -> None:
            seen.append(values)

    class Stopping:
        rule = Noting()

    for epoch in (1, 2, 3, 4):
        search.history.append({"epoch": epoch, "numbers": {"arch_hessian_ev": float(epoch)}})
    loop._judge(Stopping())  # type: ignore[arg-type]
    assert list(seen[0]) == [2, 4]


def test_numbers_of_cells_counted_by_hand() -> None:
    def numbers(key: str) -> dict[str, float]:
        return architecture_numbers(get_space("nb201").parse(key))

    chain = numbers("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|")
    # 0 -conv-> 1 -skip-> 2 -pool-> 3: one path; a skip is no operation on the way
    assert chain["selected_skips"] == 1
    assert chain["selected_parameter_free"] == 2
    assert chain["selected_depth"] == 2
    assert chain["selected_width"] == 1
    fan = numbers("|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|nor_conv_1x1~0|nor_conv_3x3~1|nor_conv_3x3~2|")
    assert (fan["selected_skips"], fan["selected_parameter_free"]) == (0, 0)
    assert (fan["selected_depth"], fan["selected_width"]) == (2, 3)
    one_shot = get_space("nb101-1").sample(1, np.random.default_rng(0))[0]
    assert "selected_skips" not in architecture_numbers(one_shot), "the space has none to count"


def test_the_drop_is_between_the_mixture_and_the_cell_alone() -> None:
    search = learner("darts", **ALL)
    record = search.history[0]
    arch = Arch.from_text(record["genotype"])
    x, labels = search.task.valid
    mixture = one_hot(search.net, search.net.chosen(search.net.choice(arch)))  # type: ignore[arg-type, operator]
    right = total = 0
    with torch.no_grad(), search.measuring():
        for start in range(0, len(labels), 32):
            logits = search.net.mixed(x[start : start + 32], mixture)  # type: ignore[operator]
            right += int((logits.argmax(1) == labels[start : start + 32]).sum())
            total += len(labels[start : start + 32])
    numbers = record["numbers"]
    assert numbers["discrete_valid_accuracy"] == pytest.approx(100 * right / total)
    assert discrete_accuracy(search, arch) == numbers["discrete_valid_accuracy"]
    drop = numbers["supernet_valid_accuracy"] - numbers["discrete_valid_accuracy"]
    assert numbers["discretisation_drop"] == pytest.approx(drop)


def test_a_toy_whose_hessian_is_known_in_closed_form() -> None:
    matrix = torch.tensor([[2.0, 1.0, 0.0], [1.0, -4.0, 0.5], [0.0, 0.5, 1.0]], dtype=torch.float64)
    toy = Toy(lambda w, a, batch: a @ matrix @ a / 2 + w[0].sum() * a.sum(), [1.0, 2.0], [0.3, -0.2, 0.1])
    product = HessianProducts([lambda: toy.loss(None)], [toy.alpha])
    np.testing.assert_allclose(product.dense(), matrix.numpy(), atol=1e-12)
    values = np.linalg.eigvalsh(matrix.numpy())
    assert abs(values[0]) > values[-1], "the largest in magnitude is negative: which one is meant must be said"
    generator = torch.Generator().manual_seed(0)
    positive, _ = leading_eigenvalues(product, generator=generator)
    largest, _ = leading_eigenvalues(product, generator=generator, which="magnitude")
    assert (positive[0], largest[0]) == (pytest.approx(values[-1]), pytest.approx(values[0]))


@pytest.mark.parametrize("data", ["alpha", "weights"])
def test_both_ends_by_lanczos_are_those_of_the_whole_matrix(data: str) -> None:
    search = learner("darts")
    search.net.double()
    draws = torch.randn(search.alphas.values.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    search.alphas.values.data = draws
    search._fixed = {kind: [(x.double(), y) for x, y in search._read_batches(0, kind)] for kind in ("alpha", "weights")}
    whole, lanczos = extremes(search, data=data), extremes(search, data=data, whole=0)
    assert lanczos == (pytest.approx(whole[0], rel=1e-3), pytest.approx(whole[1], rel=1e-3))
    values = np.linalg.eigvalsh(architecture_hessian(search))
    if data == "alpha":
        assert whole == (pytest.approx(values[-1]), pytest.approx(values[np.abs(values).argmax()]))


def test_what_a_method_does_not_define_is_refused_by_name_and_what_is_not_finite_is_noted() -> None:
    with pytest.raises(ParameterError, match="enas: expected architecture parameters for eigenvalue_every"):
        learner("enas", eigenvalue_every=1)
    with pytest.raises(ParameterError, match="gdas: .*eigenvalue_every = 0 .*eigenvalue_relaxed = true"):
        learner("gdas", eigenvalue_every=1)
    assert "arch_hessian_ev" in learner("gdas", eigenvalue_every=1, eigenvalue_relaxed=True).history[0]["numbers"]
    with pytest.raises(ParameterError, match="eigenvalue_every and keep_weights_every of 0 or more"):
        learner("darts", eigenvalue_every=-1)
    search = learner("darts", eigenvalue_every=1)
    for decision in search.alphas.decisions:
        search.alphas.decide(decision.place, "skip_connect")
    search.record(1)
    assert "every edge is decided" in search.history[-1]["notes"]["eigenvalue_missing"]
    assert "arch_hessian_ev" not in search.history[-1]["numbers"]
    broken = learner("darts")
    mixed = broken.net.mixed
    # finite itself, but for its second derivative: that of sqrt at 0
    broken.net.mixed = lambda x, m: (
        mixed(x, m)
        + sum(  # type: ignore[operator]
            (w - w.detach()).abs().sqrt() for row in m.rows.values() for w in row.values()
        )
    )
    with pytest.raises(NoHessianError, match="darts, seed 0: hessian: the second derivatives .* not finite; use a"):
        extremes(broken)
