"""How the shared weights are trained: one update of each protocol (SoTL thesis, 3.4).

===================== ==================================================================================
``spos``              one architecture, one step (Guo et al. 2020)
``fairnas``           as many architectures as operations, each operation of each edge used once;
                      gradients averaged, one step (Chu et al. 2019)
``multipath``         4 architectures on one minibatch, gradients averaged, one step (Yu et al. 2019)
``reptile``           4 inner steps on one architecture from w to w'; w <- w + eta (w' - w)
                      (Nichol et al. 2018; thesis, Algorithm 4)
``metaprox``          as reptile, with (lambda / 2) |w' - w|^2 in the inner loss (Zhou et al. 2019)
``multipath+metaprox`` 4 architectures, each 4 inner steps from the same w; the mean of their moves
===================== ==================================================================================

What the papers leave open is a parameter of `Protocol`. The rate eta is not published; ours is 0.5 (1 would
make Reptile's roll-back vanish). Inner steps are steps of the one optimiser (momentum and weight decay
included), so Reptile with one inner step and eta = 1 is SPOS. Momentum is carried on as the mean over the
architectures of an update. A weight that no sampled architecture uses gets no gradient, no decay and no
momentum step, unless `unsampled` is ``zero_grad`` (see `TrainSettings`); batch-norm statistics are not rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import ParameterError, UnknownNameError
from ..networks.base import Choice, Supernet
from .optimisers import momentum_buffers

#: (images, labels) of the next minibatch.
NextBatch = Callable[[], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Protocol:
    """One way to train a supernet.

    Attributes
    ----------
    paths: architectures of one update (for `fair`: as many as there are operations).
    inner_steps: 0: average the gradients of the paths and step once; k > 0: k steps on each path, then move
        `outer_rate` (eta) of the way.
    prox: lambda of the proximal term of the inner loss, 0 for none.
    squared: (lambda/2) |w' - w|^2, whose gradient is lambda (w' - w); False: the norm itself, as the thesis
        prints it.
    inner_batch: ``same`` minibatch for all inner steps (Algorithm 4), or ``fresh`` ones.
    genotype: ``one`` for all cells (GeNAS), or one for each cell (``per_cell``: RLNAS, the thesis's base code).
    empty_nodes: ``kept``, or ``redrawn``: the inputs of a node are drawn again while all of them are ``none`` (RLNAS,
        the code of NAS-Bench-201). The paths of `fair` use every operation once and stay as they are.
    """

    name: str
    paths: int = 1
    fair: bool = False
    inner_steps: int = 0
    prox: float = 0.0
    squared: bool = True
    outer_rate: float = 0.5
    inner_batch: str = "same"
    genotype: str = "one"
    empty_nodes: str = "kept"

    def __post_init__(self) -> None:
        if self.paths < 1 or self.inner_steps < 0 or not self.prox >= 0 or not 0 < self.outer_rate <= 1:
            raise ParameterError(
                f"{self.name}: expected paths >= 1, inner_steps >= 0, prox >= 0 and 0 < outer_rate <= 1, got {self}"
            )
        if self.inner_batch not in ("same", "fresh") or self.genotype not in ("one", "per_cell"):
            raise ParameterError(
                f"{self.name}: expected inner_batch 'same' or 'fresh' and genotype 'one' or 'per_cell', got "
                f"{self.inner_batch!r} and {self.genotype!r}"
            )
        if self.empty_nodes not in ("kept", "redrawn"):
            raise ParameterError(f"{self.name}: expected empty_nodes 'kept' or 'redrawn', got {self.empty_nodes!r}")

    def draw(self, net: Supernet, rng: np.random.Generator) -> Sequence[Choice | Sequence[Choice]]:
        """The architectures of one update: a choice each, or a list of one for each cell."""

        def one() -> list[Choice]:
            draw = net.sample if self.empty_nodes == "kept" else net.sample_fed
            return net.fair(rng) if self.fair else [draw(rng) for _ in range(self.paths)]

        if self.genotype == "one":
            return one()
        each = [one() for _ in range(net.depth)]
        paths: list[Sequence[Choice]] = [[cell[i] for cell in each] for i in range(len(each[0]))]
        return paths

    def described(self) -> dict[str, Any]:
        """Its fields, for fingerprints; what came later is there where it is not what was before."""
        fields = asdict(self)
        if self.empty_nodes == "kept":
            del fields["empty_nodes"]
        return fields

    def passes(self, net: Supernet) -> int:
        """Minibatches forward and backward in one update: what protocols are compared by."""
        paths = len(net.fair(np.random.default_rng(0))) if self.fair else self.paths
        return paths * max(1, self.inner_steps)


PROTOCOLS: dict[str, Protocol] = {
    p.name: p
    for p in (
        Protocol("spos"),
        Protocol("fairnas", fair=True),
        Protocol("multipath", paths=4),
        Protocol("reptile", inner_steps=4),
        Protocol("metaprox", inner_steps=4, prox=10.0),
        Protocol("multipath+metaprox", paths=4, inner_steps=4, prox=10.0),
    )
}


def get_protocol(name: str) -> Protocol:
    """The protocol called `name`, with the defaults of the thesis."""
    if name not in PROTOCOLS:
        raise UnknownNameError("training protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def update(
    net: Supernet,
    optimiser: torch.optim.Optimizer,
    protocol: Protocol,
    next_batch: NextBatch,
    rng: np.random.Generator,
    *,
    unsampled: str = "untouched",
) -> tuple[Tensor, Tensor]:
    """One update of `net` in place; (loss in nats, fraction correct), means over its passes, on the device.

    The losses are those of the passes, each read before the step that it leads to. `unsampled`: see `TrainSettings`;
    with ``zero_grad`` the gradients of `net` say which weights were ever used, so leave them where they are. The
    proximal term pulls at every weight that has a gradient.
    """
    drop = unsampled == "untouched"
    paths = protocol.draw(net, rng)
    if not protocol.inner_steps:
        return _averaged(net, optimiser, paths, next_batch(), drop)
    return _inner(net, optimiser, protocol, paths, next_batch, drop)


def _pass(net: Supernet, path: Choice | Sequence[Choice], batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    images, labels = batch
    logits = net(images, path)
    return nn.functional.cross_entropy(logits, labels), (logits.detach().argmax(1) == labels).float().mean()


def _averaged(
    net: Supernet,
    optimiser: torch.optim.Optimizer,
    paths: Sequence[Choice | Sequence[Choice]],
    batch: tuple[Tensor, Tensor],
    drop: bool,
) -> tuple[Tensor, Tensor]:
    optimiser.zero_grad(set_to_none=drop)
    losses, right = [], []
    for path in paths:
        loss, correct = _pass(net, path, batch)
        (loss / len(paths)).backward()
        losses.append(loss.detach())
        right.append(correct)
    optimiser.step()
    return torch.stack(losses).mean(), torch.stack(right).mean()


def _inner(
    net: Supernet,
    optimiser: torch.optim.Optimizer,
    protocol: Protocol,
    paths: Sequence[Choice | Sequence[Choice]],
    next_batch: NextBatch,
    drop: bool,
) -> tuple[Tensor, Tensor]:
    weights, momentum = list(net.parameters()), momentum_buffers(optimiser)
    start = [w.detach().clone() for w in (*weights, *momentum)]
    moved = [torch.zeros_like(w) for w in start]
    losses, right = [], []
    same = next_batch() if protocol.inner_batch == "same" else None
    for number, path in enumerate(paths):
        if number:
            _place((*weights, *momentum), start)
        for _ in range(protocol.inner_steps):
            optimiser.zero_grad(set_to_none=drop)
            loss, correct = _pass(net, path, same or next_batch())
            loss.backward()
            if protocol.prox:
                _pull_back(weights, start, protocol)
            optimiser.step()
            losses.append(loss.detach())
            right.append(correct)
        for total, now, then in zip(moved, (*weights, *momentum), start, strict=True):
            total.add_(now.detach() - then)
    rates = [protocol.outer_rate] * len(weights) + [1.0] * len(momentum)
    mean = [w + rate / len(paths) * total for w, rate, total in zip(start, rates, moved, strict=True)]
    _place((*weights, *momentum), mean)
    return torch.stack(losses).mean(), torch.stack(right).mean()


@torch.no_grad()
def _place(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


@torch.no_grad()
def _pull_back(weights: Sequence[Tensor], start: Sequence[Tensor], protocol: Protocol) -> None:
    """Add the gradient of the proximal term to the weights that the architecture uses."""
    used = [(w, w0) for w, w0 in zip(weights, start, strict=False) if w.grad is not None]
    scale: float | Tensor = protocol.prox
    if not protocol.squared:
        norm = torch.stack([(w - w0).square().sum() for w, w0 in used]).sum().sqrt()
        scale = 0.5 * protocol.prox / norm.clamp_min(1e-12)  # 0 / 0 at the first step: no pull yet
    for w, w0 in used:
        assert w.grad is not None
        w.grad.add_((w - w0) * scale)
