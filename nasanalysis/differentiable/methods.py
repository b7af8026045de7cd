"""Methods by name: each a row of parts with the defaults of its paper, options named where codes or papers differ.

`METHODS` is an open registry: a method of one's own joins with one line, ``METHODS["name"] = "module:function"``; the
function takes ``epochs`` and names its options with a default each.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from ..core.errors import ParameterError
from ..core.registry import resolve
from .controller import Controller
from .deciders import Greedy, Perturb
from .freezing import OperationStopping
from .gradients import FirstOrder, SecondOrder, SumOverUnroll
from .method import Method, Selection
from .names import METHODS
from .perturbations import Adversarial, RandomNoise
from .relaxations import Dirichlet, Gumbel, OneArchitecture, ReinMax, Softmax
from .settings import family
from .stages import Stage, one
from .stopping import AdaptiveDecay, EarlyStopping
from .updates import AlphaUpdate


def method(name: str, space: str, epochs: int, **options: Any) -> Method:
    """The method called `name`, for a search of `epochs` epochs on `space`.

    Raises `UnknownNameError` with the names there are, `ParameterError` for an option that it does not have.
    """
    make: Callable[..., Method] = resolve("method", name, METHODS)
    known = [key for key in inspect.signature(make).parameters if key not in ("space", "epochs")]
    if unknown := sorted(set(options) - set(known)):
        raise ParameterError(f"{name}: expected options among {', '.join(known) or 'none'}, got {', '.join(unknown)}")
    return replace(make(space, epochs, **options), options=dict(options))


_LIU = "Liu, Simonyan and Yang 2019"
_THESIS = "SoTL thesis, Section 3.3"
_ZELA = "Zela et al. 2020"
_WANG = "Wang et al. 2021"


def darts(
    space: str,
    epochs: int,
    *,
    order: Literal[1, 2] = 1,
    how: Literal["difference", "exact"] = "difference",
    period: int = 1,
    data: Literal["valid", "train"] = "valid",
    alpha_rate: float = 3e-4,
    layers: int | None = None,
) -> Method:
    """DARTS. `period`: weight steps for one step of alpha (a control of SoTL-DARTS: 100); `data`: ``train``
    likewise.
    """
    if order == 2 and (period, data) != (1, "valid"):
        raise ParameterError("darts: expected period 1 and validation data of the second order, got others")
    gradient = SecondOrder(how) if order == 2 else FirstOrder(period, data)
    network = {} if layers is None else {"layers": layers}
    return Method(
        "darts",
        f"{_LIU}, Section 2",
        one(epochs),
        gradient=gradient,
        alpha=AlphaUpdate(rate=alpha_rate),
        network=network,
    )


def darts_20(space: str, epochs: int) -> Method:
    """DARTS with a search network of 20 cells (SoTL thesis, Section 4.3.2)."""
    return replace(darts(space, epochs), name="darts_20", reference="SoTL thesis, 4.3.2", network=_deep(space, 20))


def _deep(space: str, layers: int) -> dict[str, Any]:
    if family(space) != "darts":
        raise ParameterError(f"darts_20: expected a DARTS space, whose depth is a number of cells, got {space}")
    return {"layers": layers}


def sotl_darts(
    space: str,
    epochs: int,
    *,
    T: int = 100,
    exact: bool = False,
    mean: bool = False,
    restore_momentum: bool = True,
    restore_statistics: bool = True,
    same_batch: bool = False,
    rate_scale: float = 1.0,
) -> Method:
    """SoTL-DARTS: alpha follows the sum of training losses over T steps. `rate_scale`: of alpha's rate (a control)."""
    gradient = SumOverUnroll(
        T,
        exact=exact,
        mean=mean,
        restore_momentum=restore_momentum,
        restore_statistics=restore_statistics,
        same_batch=same_batch,
    )
    return Method(
        "sotl_darts",
        f"{_THESIS}.3, Algorithm 3",
        one(epochs),
        gradient=gradient,
        alpha=AlphaUpdate(scale=rate_scale),
        settings={"clip": 0.0},
    )


def sotl_darts_20(space: str, epochs: int, *, T: int = 100) -> Method:
    """SoTL-DARTS with a search network of 20 cells."""
    return replace(sotl_darts(space, epochs, T=T), name="sotl_darts_20", network=_deep(space, 20))


def sovl_darts(space: str, epochs: int, *, T: int = 100, exact: bool = False) -> Method:
    """SoVL-DARTS: the same with validation losses, after each of the T steps (thesis, Section 4.3.1)."""
    gradient = SumOverUnroll(T, data="valid", exact=exact)
    return Method("sovl_darts", "SoTL thesis, 4.3.1", one(epochs), gradient=gradient, settings={"clip": 0.0})


def _enough(name: str, epochs: int, stages: int) -> None:
    if epochs < stages:
        raise ParameterError(f"{name}: expected at least an epoch for each of its {stages} stages, got {epochs}")


def _progressive(space: str, epochs: int, shares: tuple[int, int] | None, widened: bool) -> tuple[Stage, ...]:
    """Stages of DrNAS: a share of the channels and all candidates, then more channels and fewer candidates."""
    _enough("drnas", epochs, 2)
    first = epochs // 2
    published, keep = ((4, 2), 3) if family(space) == "nb201" else ((6, 4), 4)
    shares = published if shares is None else shares
    frozen = min(10, first // 2)
    return (
        Stage(first, frozen=frozen, network={"partial": shares[0]}),
        Stage(
            epochs - first,
            frozen=min(frozen, epochs - first),
            network={"partial": shares[1]},
            keep=keep,
            widen=widened,
        ),
    )


def drnas(
    space: str,
    epochs: int,
    *,
    progressive: bool | None = None,
    penalty: Literal["l2", "kl"] = "l2",
    strength: float = 1e-3,
    shares: tuple[int, int] | None = None,
    widened: bool = True,
) -> Method:
    """DrNAS. `progressive`: in two stages; by default on the DARTS spaces (always, in its paper) and not on nb201.

    `penalty`: coupled decay of beta, or the divergence from the flat Dirichlet times `strength`. `widened`: whether the
    second stage takes the weights of the first, widened as in the public code, or begins with fresh ones.
    """
    progressive = family(space) == "darts" if progressive is None else progressive
    alpha = (
        AlphaUpdate() if penalty == "l2" else AlphaUpdate(weight_decay=0.0, penalty="dirichlet_kl", strength=strength)
    )
    stages = _progressive(space, epochs, shares, widened) if progressive else one(epochs)
    return Method("drnas", "Chen et al. 2021", stages, relaxation=Dirichlet(), gradient=FirstOrder(), alpha=alpha)


def sotl_drnas(
    space: str,
    epochs: int,
    *,
    T: int = 100,
    progressive: bool | None = None,
    shares: tuple[int, int] | None = None,
    widened: bool = True,
) -> Method:
    """DrNAS whose beta follows the sum of training losses over T steps; progressive where its space can be."""
    progressive = family(space) != "nb101" if progressive is None else progressive
    stages = _progressive(space, epochs, shares, widened) if progressive else one(epochs)
    return Method(
        "sotl_drnas",
        "SoTL thesis, 4.3.1",
        stages,
        relaxation=Dirichlet(),
        gradient=SumOverUnroll(T, restore_momentum=False),
        settings={"clip": 0.0},
    )


def pdarts(
    space: str,
    epochs: int,
    *,
    layers: tuple[int, ...] = (5, 11, 17),
    keep: tuple[int, ...] = (8, 5, 3),
    skip_dropout: tuple[float, ...] = (0.0, 0.4, 0.7),
    frozen: int | None = None,
    skips: int = 2,
) -> Method:
    """P-DARTS: stages of growing depth and fewer candidates, with dropout on skips; weights and alphas drawn anew.

    `skip_dropout`: paper 0, 0.4, 0.7; README of its code 0.1, 0.4, 0.7. `skips`: most skip connections in the normal
    cell that is selected (paper: 2).
    """
    if family(space) != "darts":
        raise ParameterError(f"pdarts: expected a DARTS space, whose depth can grow, got {space}")
    if not len(layers) == len(keep) == len(skip_dropout):
        raise ParameterError("pdarts: expected layers, keep and skip_dropout for the same stages, got other numbers")
    _enough("pdarts", epochs, len(layers))
    each = [epochs // len(layers) + (i < epochs % len(layers)) for i in range(len(layers))]
    stages = tuple(
        Stage(
            count,
            frozen=min(10, count * 2 // 5) if frozen is None else frozen,
            network={"layers": depth},
            keep=kept,
            fresh=True,
            skip_dropout=drop,
        )
        for count, depth, kept, drop in zip(each, layers, keep, skip_dropout, strict=True)
    )
    return Method(
        "pdarts",
        "Chen et al. 2019",
        stages,
        gradient=FirstOrder(),
        alpha=AlphaUpdate(rate=6e-4, clip=5.0),
        selection=Selection(skips=skips),
        settings={"batch_size": 96, "learning_rate_min": 0.0},
    )


def sotl_pdarts(space: str, epochs: int, *, T: int = 100, layers: tuple[int, ...] = (5, 11, 17)) -> Method:
    """P-DARTS with the sum of training losses; no dropout on skips, nothing frozen (author's code)."""
    base = pdarts(space, epochs, layers=layers, skip_dropout=(0.0,) * len(layers), frozen=0)
    return replace(
        base,
        name="sotl_pdarts",
        reference="SoTL thesis, 4.3.1",
        gradient=SumOverUnroll(T, restore_momentum=False),
        alpha=AlphaUpdate(),
        settings={**base.settings, "clip": 0.0},
    )


def gdas(space: str, epochs: int, *, start: float = 10.0, end: float = 0.1, chosen_only: bool = False) -> Method:
    """GDAS. `chosen_only`: what is not drawn has no gradient (see `Gumbel`)."""
    relaxation = Gumbel(start, end, hard=True, chosen_only=chosen_only)
    return Method("gdas", "Dong and Yang 2019", one(epochs), relaxation=relaxation, gradient=FirstOrder())


def snas(space: str, epochs: int, *, start: float = 1.0, end: float = 0.1) -> Method:
    """SNAS's relaxation (Xie et al. 2019) with alpha trained on validation batches."""
    relaxation = Gumbel(start, end, hard=False)
    return Method("snas", "Xie et al. 2019", one(epochs), relaxation=relaxation, gradient=FirstOrder())


def reinmax(space: str, epochs: int, *, tau: float = 1.0) -> Method:
    """One candidate drawn for each edge, with ReinMax's gradient in place of Gumbel noise (Liu et al. 2023)."""
    return replace(darts(space, epochs), name="reinmax", reference="Liu et al. 2023", relaxation=ReinMax(tau))


def enas(space: str, epochs: int, *, samples: int = 100, steps: int = 50, draws: int = 20) -> Method:
    """ENAS: a controller draws architectures and learns from the accuracy of the supernet; the best of `samples`."""
    if family(space) == "nb101":
        raise ParameterError("enas: expected one candidate for each decision, got inputs of nodes; use random_ws there")
    if family(space) == "darts":
        raise ParameterError(
            "enas: expected a space whose every edge has an operation, got a DARTS space, whose nodes choose two "
            "inputs; use random_ws there"
        )
    return Method(
        "enas",
        "Pham et al. 2018",
        one(epochs),
        relaxation=OneArchitecture(),
        controller=Controller(steps=steps, samples=draws),
        selection=Selection("best_of", samples),
    )


def random_ws(space: str, epochs: int, *, samples: int | None = None) -> Method:
    """Random search with weight sharing: the supernet's best of `samples` (nb201 100, else 1,000)."""
    per_cell = family(space) == "nb201"
    count = (100 if per_cell else 1000) if samples is None else samples
    return Method(
        "random_ws",
        "Li and Talwalkar 2019",
        one(epochs),
        relaxation=OneArchitecture(per_cell=per_cell),
        selection=Selection("best_of", count),
    )


def sdarts_rs(
    space: str,
    epochs: int,
    *,
    start: float = 0.03,
    end: float = 0.3,
    law: Literal["uniform", "gaussian"] = "uniform",
) -> Method:
    """SDARTS with random noise. `law`: DARTS-PT's appendix has it Gaussian."""
    noise = RandomNoise(start, end, law=law)
    return replace(darts(space, epochs), name="sdarts_rs", reference="Chen and Hsieh 2020", perturbation=noise)


def sdarts_adv(space: str, epochs: int, *, start: float = 0.03, end: float = 0.3, steps: int = 7) -> Method:
    """SDARTS with adversarial noise."""
    noise = Adversarial(start, end, steps=steps)
    return replace(darts(space, epochs), name="sdarts_adv", reference="Chen and Hsieh 2020", perturbation=noise)


def _decisions(space: str) -> int:
    """Operations of one cell that are to be decided."""
    return 6 if family(space) == "nb201" else 2 if space == "s5" else 14


def sgas(
    space: str,
    epochs: int,
    *,
    criterion: Literal[1, 2] = 1,
    first: int | None = None,
    every: int | None = None,
    grow: int = 8,
) -> Method:
    """SGAS: edges are decided greedily. By default as published in 50 epochs: after 9, then every 5."""
    if family(space) == "nb101":
        raise ParameterError("sgas: expected operations on edges, got operations on nodes")
    at = round(9 * epochs / 50) if first is None else first
    count = _decisions(space) if family(space) == "nb201" else 8
    gap = max(1, (epochs - at) // count) if every is None else every
    stage = Stage(epochs, decider=Greedy(at, gap, criterion, grow=grow))
    return replace(darts(space, epochs), name="sgas", reference="Li et al. 2020", stages=(stage,))


def sgas_pt(space: str, epochs: int) -> Method:
    """SGAS's schedule, each operation by what masking it costs (DARTS-PT; defined by us, no public code)."""
    base = sgas(space, epochs)
    decider = base.stages[0].decider
    assert isinstance(decider, Greedy)
    return replace(
        base,
        name="sgas_pt",
        reference=f"{_WANG}, Table 3",
        stages=(Stage(epochs, decider=replace(decider, strength=True)),),
    )


def pc_darts(space: str, epochs: int, *, K: int = 4, frozen: int | None = None, edge_weights: bool = True) -> Method:
    """PC-DARTS: a K-th of the channels, weights of inputs, alpha at rest for 15 of 50 epochs."""
    return Method(
        "pc_darts",
        "Xu et al. 2020",
        one(epochs, frozen=round(15 * epochs / 50) if frozen is None else frozen),
        gradient=FirstOrder(),
        alpha=AlphaUpdate(rate=6e-4),
        edge_weights=edge_weights,
        network={"partial": K},
        settings={"batch_size": 256, "learning_rate": 0.1, "learning_rate_min": 0.0},
    )


def darts_es(space: str, epochs: int, *, order: Literal[1, 2] = 1) -> Method:
    """DARTS with early stopping by the dominant eigenvalue."""
    return replace(darts(space, epochs, order=order), name="darts_es", reference=_ZELA, stopping=EarlyStopping())


def darts_ada(
    space: str, epochs: int, *, order: Literal[1, 2] = 2, factor: float = 3.0, most: float = 0.0243
) -> Method:
    """DARTS that goes back and grows its weight decay. Launch script of the public code: factor 10, most 0.03."""
    stopping = AdaptiveDecay(factor=factor, most=most)
    return replace(darts(space, epochs, order=order), name="darts_ada", reference=_ZELA, stopping=stopping)


def r_darts_l2(space: str, epochs: int, *, weight_decay: float = 0.0243) -> Method:
    """DARTS with more weight decay: 3e-4 times 1, 3, 9, 27, 81. The choice over runs belongs to the study."""
    return replace(darts(space, epochs), name="r_darts_l2", reference=_ZELA, settings={"weight_decay": weight_decay})


def r_darts_dp(space: str, epochs: int, *, drop_path: float = 0.6, cutout: bool = True) -> Method:
    """DARTS with drop-path and cutout, both growing with the epochs: 0, 0.2, 0.4, 0.6."""
    if family(space) == "nb101":
        raise ParameterError("r_darts_dp: expected operations on edges, got operations on nodes")
    return replace(
        darts(space, epochs),
        name="r_darts_dp",
        reference=_ZELA,
        drop_path=drop_path,
        cutout_probability=1.0 if cutout and drop_path else 0.0,
    )


def _tuned(space: str, base: Method, decider: Perturb, *, alpha: bool = True) -> tuple[Stage, ...]:
    """The stages of a search, and one in which edges are decided at a tenth of the rate."""
    if family(space) == "nb101":
        raise ParameterError(f"{base.name}: expected operations on edges, got operations on nodes")
    decisions = _decisions(space)
    if family(space) == "nb201":
        length = max(decisions, decider.every * (decisions - 1))
    else:
        topology = 0 if space == "s5" else 3
        length = decider.every * (decisions + topology - 1) + 1
    return (*base.stages, Stage(length, rate=(0.1, 0.1), alpha=alpha, decider=decider))


def darts_pt(
    space: str,
    epochs: int,
    *,
    every: int = 5,
    criterion: Literal["accuracy", "loss"] = "accuracy",
    topology: Literal["single", "greedy"] = "single",
    images: int = 0,
) -> Method:
    """DARTS-PT: a DARTS supernet, then edge by edge the operation whose masking costs most. `every`: epochs between."""
    base = darts(space, epochs)
    stages = _tuned(space, base, Perturb(every, criterion, topology, images))
    return replace(base, name="darts_pt", reference=f"{_WANG}, Algorithm 1", stages=stages)


def darts_pt_fixed(space: str, epochs: int, *, every: int = 5, zero: bool = True, images: int = 0) -> Method:
    """DARTS-PT with alpha that rests (Section 5): at 0 as the paper has it, or (`zero` false) at its first values."""
    base = darts(space, epochs)
    stages = tuple(replace(stage, alpha=False) for stage in _tuned(space, base, Perturb(every, images=images)))
    return replace(
        base,
        name="darts_pt_fixed",
        reference=f"{_WANG}, Section 5.2",
        stages=stages,
        gradient=None,
        relaxation=Softmax(),
        network={},
        zero_alphas=zero,
    )


def darts_pt_mag(space: str, epochs: int, *, every: int = 5) -> Method:
    """DARTS-PT's schedule with the largest alpha (DARTS-PT-Mag; schedule defined by us)."""
    base = darts(space, epochs)
    return replace(base, name="darts_pt_mag", reference=_WANG, stages=_tuned(space, base, Perturb(every, "alpha")))


def sdarts_pt(space: str, epochs: int, *, every: int = 5) -> Method:
    """SDARTS-RS and perturbation-based selection; the noise stays at its largest while edges are decided."""
    base = sdarts_rs(space, epochs)
    return replace(base, name="sdarts_pt", reference=_WANG, stages=_tuned(space, base, Perturb(every)))


def gaea(space: str, epochs: int, *, rate: float = 0.1) -> Method:
    """DARTS whose weights follow exponentiated gradients (Li et al. 2021)."""
    alpha = AlphaUpdate("exponentiated", rate=rate, weight_decay=0.0)
    return replace(darts(space, epochs), name="gaea", reference="Li et al. 2021", alpha=alpha)


def oles(
    space: str,
    epochs: int,
    *,
    threshold: float = 0.4,
    window: int = 20,
    reading: Literal["paper", "code"] = "code",
) -> Method:
    """DARTS whose operations stop learning where they overfit (Jiang et al. 2023); threshold and window of its code.

    `reading`: the paper's cosine or the public code's (`OperationStopping`), whose threshold this is.
    """
    freezing = OperationStopping(threshold, window, reading)
    return replace(darts(space, epochs), name="oles", reference="Jiang et al. 2023", freezing=freezing)


def beta_darts(space: str, epochs: int, *, strength: float = 1.0) -> Method:
    """DARTS with a penalty on the softmax's normaliser that grows over the search (Ye et al. 2022)."""
    alpha = AlphaUpdate(weight_decay=0.0, penalty="beta_decay", strength=strength)
    return replace(darts(space, epochs), name="beta_darts", reference="Ye et al. 2022", alpha=alpha)


def most_parameters(space: str, epochs: int) -> Method:
    """No search: the architecture of most parameters, a control that stands beside every table."""
    return replace(
        darts(space, 1), name="most_parameters", reference="control", gradient=None, selection=Selection("largest")
    )


def random_architecture(space: str, epochs: int) -> Method:
    """No search: an architecture drawn uniformly, a control."""
    return replace(
        darts(space, 1), name="random_architecture", reference="control", gradient=None, selection=Selection("random")
    )
