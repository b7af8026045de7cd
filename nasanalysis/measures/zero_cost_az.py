"""AZ-NAS's four terms (Lee and Ham 2024, CVPR, arXiv:2403.19232): what a network is like, block by block.

Expressivity, progressivity and trainability are read from the feature maps that the network's blocks give (stem first),
with weights drawn anew, N(0, 2 / fan-in) (He et al. 2015), biases zero, batch-norms at one and zero, and a batch of
Gaussian inputs of the shape of the images: so the authors' code measures NAS-Bench-201. A network says what its blocks
are (`HasFeatureBlocks`); of one that does not, these three are undefined.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from .capabilities import HasFeatureBlocks
from .untouched import untouched
from .zero_cost_data_free import gaussian
from .zero_cost_subject import Subject, UndefinedMeasureError, training_mode

#: Keep a logarithm and a quotient finite (the authors' code).
_IN_LOGARITHM, _IN_QUOTIENT = 1e-8, 1e-6


@dataclass(frozen=True)
class Blocks:
    """entropies: of each block's feature map; norms: largest singular values between neighbours, or None."""

    entropies: list[float]
    norms: list[float | None]


def expressivity_of(subject: Subject) -> float:
    """Sum over blocks of the entropy of the feature map's principal components."""
    return math.fsum(blocks_of(subject).entropies)


def progressivity_of(subject: Subject) -> float:
    """The smallest rise of that entropy from one block to the next."""
    entropies = blocks_of(subject).entropies
    return min(after - before for before, after in itertools.pairwise(entropies))


def trainability_of(subject: Subject) -> float:
    """Mean over neighbouring blocks of ``2 - s - 1 / (s + 1e-6)``, at most 0 and greatest at s = 1."""
    norms = blocks_of(subject).norms
    scores = [2 - s - 1 / (s + _IN_QUOTIENT) for s in norms if s is not None]
    if len(scores) < len(norms):
        raise UndefinedMeasureError("a block that hands on what it reads, or changes the image by no whole factor")
    return math.fsum(scores) / len(scores)


def complexity_of(subject: Subject) -> float:
    """Multiply-accumulates of one image, counted on the network in evaluation mode."""
    with untouched(subject.net) as net, torch.no_grad(), FlopCounterMode(display=False) as counter:
        net.eval()(torch.zeros_like(subject.images[:1]))
    return float(counter.get_total_flops()) / 2


def blocks_of(subject: Subject) -> Blocks:
    """The three terms read one pass, which is run once for a subject."""
    return subject.shared("az", _measured)


def _measured(subject: Subject) -> Blocks:
    draws = subject.stream("az-nas")
    with untouched(subject.net) as net:
        if not isinstance(net, HasFeatureBlocks):
            raise UndefinedMeasureError("the network does not say what its blocks are")
        training_mode(net)
        with torch.no_grad():
            _he_weights(net, draws)
        maps = _feature_maps(net, gaussian(subject.images, draws))
        entropies = [_entropy(each.detach()) for each in maps]
        pairs = list(itertools.pairwise(maps))
        return Blocks(entropies, [_norm(before, after, draws) for before, after in reversed(pairs)])


def _he_weights(net: nn.Module, draws: torch.Generator) -> None:
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.copy_(gaussian(module.weight, draws) * math.sqrt(2 / module.weight[0].numel()))
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            if module.weight is not None:
                module.weight.fill_(1)
        else:
            continue
        if module.bias is not None:
            module.bias.zero_()


def _feature_maps(net: nn.Module, images: Tensor) -> list[Tensor]:
    """(n, channels, height, width) of each block, in the order in which they run."""
    maps: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        several = output if isinstance(output, tuple) else (output,)  # a stem that gives two: the later one
        maps.append(several[-1])
        copies = (*several[:-1], several[-1].clone())  # what follows may work in place
        return copies if isinstance(output, tuple) else copies[0]

    assert isinstance(net, HasFeatureBlocks)
    hooks = [block.register_forward_hook(keep) for block in net.feature_blocks()]
    net(images)
    for hook in hooks:
        hook.remove()
    if len(maps) < 2:
        raise UndefinedMeasureError("fewer than two blocks")
    return maps


def _entropy(features: Tensor) -> float:
    """Of the eigenvalues of the channels' covariance over images and positions, as shares of their sum."""
    rows = features.double().movedim(1, -1).flatten(0, -2)
    centred = rows - rows.mean(0)
    values = torch.linalg.eigvalsh(centred.T @ centred / len(rows)).clamp(min=0)
    if not bool(torch.isfinite(values).all()) or float(values.sum()) == 0:
        raise UndefinedMeasureError("a feature map without variance")
    shares = values / values.sum()
    return float(-(shares * (shares + _IN_LOGARITHM).log()).sum())


def _norm(before: Tensor, after: Tensor, draws: torch.Generator) -> float | None:
    """Largest singular value of the mean over positions of the outer products of a random sign and its gradient."""
    signs = gaussian(after, draws).sign()
    gradient = torch.autograd.grad(after, before, signs, retain_graph=True, allow_unused=True)[0]
    back = torch.zeros_like(before) if gradient is None else gradient
    if back.shape == signs.shape and bool((back == signs).all()):
        return None
    if back.shape[2:] != signs.shape[2:]:
        stride = back.shape[2] // signs.shape[2]
        if stride < 2 or [side // stride for side in back.shape[2:]] != list(signs.shape[2:]):
            return None
        back = F.pixel_unshuffle(back, stride)
    rows_in, rows_out = (t.double().movedim(1, -1).flatten(0, -2) for t in (back, signs))
    return float(torch.linalg.matrix_norm(rows_in.T @ rows_out / len(rows_out), ord=2))
