"""Zero-cost measures: what a network's weights say before it is trained, from one batch of images.

They follow the published values of NAS-Bench-Suite-Zero (Krishnakumar et al. 2022, arXiv:2210.03230), whose code
follows Abdelfattah et al. 2021, "Zero-Cost Proxies for Lightweight NAS" (arXiv:2101.08134); where that code is known to
differ from the paper of the measure, the measure says so, and ``variant="paper"`` gives the other where it is cheap.

All are measured in training mode, batch-norm with the statistics of the batch, dropout modules off. "Weights" are those
of `torch.nn.Conv2d` and `torch.nn.Linear` layers; a weight that the network does not use has gradient zero. The
caller's network, its gradients and modes, and torch's global generators stay byte for byte as they are, also when a
measure fails. A value is None where it is not defined or not finite, such as for a network whose logits are not finite.

>>> import torch
>>> from torch import nn
>>> seed = torch.Generator().manual_seed(0)
>>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
>>> images, labels = torch.randn(16, 4, generator=seed), torch.randint(3, (16,), generator=seed)
>>> sorted(zero_cost(net, images, labels, proxies=["snip", "nwot"], generator=seed))
['nwot', 'snip']
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import ParameterError, UnknownNameError
from .names import ZERO_COST_NAMES
from .zero_cost_az import complexity_of, expressivity_of, progressivity_of, trainability_of
from .zero_cost_batches import swap_of, zico_of
from .zero_cost_data_free import l2_norm_of, synflow_of, zen_of
from .zero_cost_gradients import Variant, fisher_of, grad_norm_of, grasp_of, plain_of, snip_of
from .zero_cost_kernels import epe_nas_of, jacov_of, nwot_of
from .zero_cost_subject import Subject, UndefinedMeasureError, isolated


def grad_norm(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """Sum over layers of the Euclidean norm of ``dL/dw``. Abdelfattah et al. 2021, section 3.2.

    L is the mean cross-entropy. Parameters of this and the other measures: `net`, (n, channels, height, width) ->
    logits (n, classes); `images` and `labels`, n of each, n >= 2. Raises `ParameterError` for images or labels that
    are not such, and `NasAnalysisError` for a network that gives no logits or has no weights.
    """
    return _alone("grad_norm", net, images, labels)


def snip(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """Sum over weights of ``|w dL/dw|``. Lee et al. 2019 (SNIP): connection sensitivity before it is normalised."""
    return _alone("snip", net, images, labels)


def plain(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """Sum over weights of ``w dL/dw``, with its sign. Mozer and Smolensky 1988, as Abdelfattah's code names it.

    Zero for weights that a batch-norm rescales (a convolution before one): only the others add to it. Published values
    on NAS-Bench-201 and CIFAR-10 fall with accuracy (Spearman -0.37 over 9,444 architectures).
    """
    return _alone("plain", net, images, labels)


def grasp(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """Sum over weights of ``-w (H g)``, g = dL/dw, H the Hessian in all weights. Wang et al. 2020 (GraSP), Eq. 8.

    Exact, by differentiating twice. The code differs from GraSP's own: logits are not divided by a temperature (there
    200), and gradient and Hessian are of the same batch.
    """
    return _alone("grasp", net, images, labels)


def fisher(net: nn.Module, images: Tensor, labels: Tensor, *, variant: Variant = "reference") -> float | None:
    """Sum over channels of ``1/2 mean_n (sum over positions of a dL/da)^2``, a the output of a layer.

    Fisher pruning, Theis et al. 2018; Turner et al. 2020 (BlockSwap); but L is the mean over the batch. The
    ``reference`` counts each channel once for each weight that it has (it spreads the value of a channel over the
    channel's weights, then adds them all up); ``paper`` counts it once. A layer that runs several times adds the
    values of each run.
    """
    return _alone("fisher", net, images, labels, variant=variant)


def synflow(net: nn.Module, images: Tensor, labels: Tensor, *, variant: Variant = "reference") -> float | None:
    """Log of the sum over weights of ``|w dR/dw|``. Tanaka et al. 2020, Algorithm 1.

    R is the sum of the logits of the network with the absolute values of all parameters, for one image of ones, in
    double precision. Batch-norms are left out: what they read is what they give. Images and labels say nothing but the
    shape of an image. ``reference``: natural logarithm (None where nothing flows; the published table has 0 there);
    ``paper``: the sum itself.
    """
    return _alone("synflow", net, images, labels, variant=variant)


def jacov(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """``-sum(log(v + k) + 1 / (v + k))``, k = 1e-5. Mellor et al. 2020, arXiv:2006.04647v1.

    v are the eigenvalues of the (n, n) matrix of correlations between images of the gradient of the sum of all logits
    in the image. Labels say nothing. None where the gradient does not depend on the pixel.
    """
    return _alone("jacov", net, images, labels)


def nwot(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """``log det K``, K[i, j] the rectifier units on whose sign images i and j agree. Mellor et al. 2021.

    NASWOT, arXiv:2006.04647v3. Counts every call of a rectifier (relu, relu6, leaky_relu, prelu, rrelu), whether it
    is a module, reused or not, or a function; the published code counts modules. Labels say nothing.
    """
    return _alone("nwot", net, images, labels)


def epe_nas(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """Sum over classes of ``|sum over pairs of log(|c| + k)|``, k = 1e-5. Lopes et al. 2021, arXiv:2102.08099.

    c are the correlations, as in `jacov`, between images of one class. With more than 100 classes each class's sum is
    divided by its images, and the measure is the sum of the differences between classes, divided by the classes.
    """
    return _alone("epe_nas", net, images, labels)


def zen(
    net: nn.Module, images: Tensor, labels: Tensor, *, generator: torch.Generator, variant: Variant = "reference"
) -> float | None:
    """``log D + sum over batch-norms of log s``. Lin et al. 2021 (Zen-NAS), Algorithm 1.

    The weights are drawn anew, N(0, 1), and so are a batch of images x, of the shape of `images`, and noise e. D is how
    far the features before global average pooling move from x to x + 0.01 e; s is the root of the mean variance that a
    `torch.nn.BatchNorm2d` divides by. ``reference``: D is the mean over images of the sum of absolute differences,
    and the variance is the running one after the two passes (starting at 1, with the network's momentum). ``paper``:
    the Euclidean norm, and the variance in the batch x. Both keep residual connections, which the paper takes out.
    `generator` is advanced.
    """
    return _alone("zen", net, images, labels, generator=generator, variant=variant)


def l2_norm(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """Sum over layers of the Euclidean norm of the weights; images and labels say nothing."""
    return _alone("l2_norm", net, images, labels)


def zico(
    net: nn.Module, images: Tensor, labels: Tensor, *, variant: Variant = "reference", parts: int = 2
) -> float | None:
    """Sum over layers of ``log sum over weights of mean |g| / sd(g)``. Li et al. 2023 (ZiCo), arXiv:2301.11300.

    g is the gradient of the mean cross-entropy of each of `parts` batches, into which the images are cut in their
    order (the authors take two), each in training mode; sd divides by `parts`. Weights of equal gradients in all parts,
    and layers without any other, are left out. ``reference``: sd of g, as the code; ``paper``: sd of |g|. None with
    fewer than two images in a part.
    """
    return _alone("zico", net, images, labels, variant=variant, parts=parts)


def swap(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """The number of different patterns over the images that rectifier units have. Peng et al. 2024, arXiv:2403.04161.

    A unit's pattern says for each image whether it is active; so the score is at most 2^n. Rectifiers as in `nwot`.
    Without the paper's regularisation by model size, which takes a size to be known beforehand. Labels say nothing.
    """
    return _alone("swap", net, images, labels)


def az_expressivity(net: nn.Module, images: Tensor, labels: Tensor, *, generator: torch.Generator) -> float | None:
    """Sum over blocks of ``-sum p log(p + 1e-8)``, p the principal components' shares. Lee and Ham 2024 (AZ-NAS).

    Of the covariance of the block's channels over images and positions. Weights and inputs are drawn anew, see
    `nasanalysis.measures.zero_cost_az`: images and labels say nothing but their shape, `generator` is advanced. None
    for a network without `feature_blocks`, or with a block whose output does not vary.
    """
    return _alone("az_expressivity", net, images, labels, generator=generator)


def az_progressivity(net: nn.Module, images: Tensor, labels: Tensor, *, generator: torch.Generator) -> float | None:
    """The smallest rise of the entropy of `az_expressivity` from one block to the next. Lee and Ham 2024 (AZ-NAS)."""
    return _alone("az_progressivity", net, images, labels, generator=generator)


def az_trainability(net: nn.Module, images: Tensor, labels: Tensor, *, generator: torch.Generator) -> float | None:
    """Mean over neighbouring blocks of ``2 - s - 1 / (s + 1e-6)``. Lee and Ham 2024 (AZ-NAS).

    s is the largest singular value of ``mean over images and positions of g_in g_out'``, g_out random signs at a
    block's output and g_in what backward makes of them at the block before (a larger image's pixels become channels).
    None also where a block hands on what it reads (the code: minus infinity).
    """
    return _alone("az_trainability", net, images, labels, generator=generator)


def az_complexity(net: nn.Module, images: Tensor, labels: Tensor) -> float | None:
    """Multiply-accumulates of one image, counted on the network. Lee and Ham 2024 (AZ-NAS) take its FLOPs."""
    return _alone("az_complexity", net, images, labels)


@dataclass(frozen=True)
class ZeroCost:
    """A zero-cost measure.

    Attributes
    ----------
    name: as in NAS-Bench-Suite-Zero (`SUITE`) or its paper; direction and reference stand in
        `nasanalysis.measures.names`.
    function: ``(net, images, labels) -> float | None``; see its docstring (zen and AZ-NAS's also take ``generator``).
    of: the same of a `Subject`, which measures share.
    keeps: what the shared forward pass is to keep for it.
    """

    name: str
    function: Callable[..., float | None] = field(repr=False)
    of: Callable[..., float] = field(repr=False)
    keeps: frozenset[str] = frozenset()

    @property
    def direction(self) -> int:
        """+1 if it is made to be higher for better networks, -1 if lower."""
        return ZERO_COST_NAMES[self.name].direction

    @property
    def reference(self) -> str:
        """The paper, and where in it."""
        return ZERO_COST_NAMES[self.name].reference


_ALL = (
    ZeroCost("az_complexity", az_complexity, complexity_of),
    ZeroCost("az_expressivity", az_expressivity, expressivity_of),
    ZeroCost("az_progressivity", az_progressivity, progressivity_of),
    ZeroCost("az_trainability", az_trainability, trainability_of),
    ZeroCost("epe_nas", epe_nas, epe_nas_of),
    ZeroCost("fisher", fisher, fisher_of, frozenset({"activations"})),
    ZeroCost("grad_norm", grad_norm, grad_norm_of),
    ZeroCost("grasp", grasp, grasp_of, frozenset({"curvature"})),
    ZeroCost("jacov", jacov, jacov_of),
    ZeroCost("l2_norm", l2_norm, l2_norm_of),
    ZeroCost("nwot", nwot, nwot_of, frozenset({"kernel"})),
    ZeroCost("plain", plain, plain_of),
    ZeroCost("snip", snip, snip_of),
    ZeroCost("swap", swap, swap_of, frozenset({"patterns"})),
    ZeroCost("synflow", synflow, synflow_of),
    ZeroCost("zen", zen, zen_of),
    ZeroCost("zico", zico, zico_of),
)

#: Name -> measure, in alphabetical order.
ZERO_COST: dict[str, ZeroCost] = {measure.name: measure for measure in _ALL}

#: Those of NAS-Bench-Suite-Zero, which are published for 9,445 architectures and which digits-2 records.
SUITE: tuple[str, ...] = (
    *("epe_nas", "fisher", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "plain", "snip", "synflow", "zen"),
)


def zero_cost(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    proxies: Sequence[str] | None = None,
    generator: torch.Generator,
) -> dict[str, float | None]:
    """Several measures of one network, with one forward pass for all that read the batch.

    Parameters
    ----------
    net: (n, channels, height, width) -> logits (n, classes); it stays as it is.
    images, labels: (n, channels, height, width) and (n,), n >= 2; published values are of 64 images.
    proxies: names in `ZERO_COST`; all by default.
    generator: the only source of randomness (zen and AZ-NAS's terms draw weights and inputs); it is advanced.

    Returns name -> value, None where a measure is undefined or not finite. Raises `UnknownNameError`, `ParameterError`
    for images or labels that do not fit, `NasAnalysisError` for a network that cannot be measured.
    """
    if isinstance(proxies, str):
        raise ParameterError(f"proxies: expected a list of names, got the text {proxies!r}")
    names = list(ZERO_COST if proxies is None else proxies)
    for name in names:
        if name not in ZERO_COST:
            raise UnknownNameError("zero-cost measure", name, ZERO_COST)
    return _measured(names, net, images, labels, generator, {})


def _alone(
    name: str,
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    generator: torch.Generator | None = None,
    **options: Any,
) -> float | None:
    return _measured([name], net, images, labels, generator, options)[name]


def _measured(
    names: Sequence[str],
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator | None,
    options: Mapping[str, Any],
) -> dict[str, float | None]:
    keeps = frozenset().union(*(ZERO_COST[name].keeps for name in names))
    with isolated(images.device):
        subject = Subject(net, images, labels, generator=generator, **dict.fromkeys(keeps, True))
        values = {name: _value(ZERO_COST[name].of, subject, options) for name in names}
        subject.advance()
        return values


def _value(of: Callable[..., float], subject: Subject, options: Mapping[str, Any]) -> float | None:
    try:
        value = of(subject, **options)
    except (UndefinedMeasureError, np.linalg.LinAlgError):
        return None
    return value if math.isfinite(value) else None
