"""Loss under weight noise (GeNAS, Eq. 4): the rows of a PERTURBED frame, from which any flatness is computed.

Noise is absolute and Gaussian, ``L(w + N(0, sigma^2))``. It is added to a copy: the caller's network stays as it
is, byte by byte, training mode included. Batch-norm statistics are those of the unperturbed network unless
`recalibrate_after_noise` is given.

Two ways to the same losses, to rounding, with the same noise: ``in_place`` writes one noisy set of weights after the
other into the copy and takes large batches, channels last; ``vmap`` runs many sets of weights at once. On the CPU
``in_place`` was faster at every size tried (`benchmarks/bench_flatness.py`): many sets of weights at once become
grouped convolutions, which the CPU runs without channels last.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import polars as pl
import torch
from torch import Tensor, nn

from ..core.errors import NasAnalysisError, ParameterError
from ..core.frames import check
from .batchnorm import recalibrate
from .noise import Scheme, checked_scheme, checked_sigmas, noise_vectors
from .parameters import Position, noisy_names, noisy_parameters
from .untouched import untouched

__all__ = ["mean_loss", "noisy_parameters", "perturbed_frame", "perturbed_losses"]

#: ``random``: Gaussian in every weight. ``hessian``: along the leading eigenvector of the Hessian.
Direction = Literal["random", "hessian"]
How = Literal["auto", "in_place", "vmap"]

#: Bytes of the widest activation of a batch on the CPU: that much stays in the cache (`benchmarks/bench_flatness.py`).
_CACHED = 2 << 20
_BATCH = 256

#: Numbers in the noisy weights that ``vmap`` holds at once: 64 MiB in single precision.
_HELD = 1 << 24

Rows = list[tuple[float, int, float | None]]


@torch.no_grad()
def mean_loss(net: nn.Module, images: Tensor, labels: Tensor, *, batch: int = 256) -> float | None:
    """Mean cross-entropy (nats) of `net` as it stands; None where it is not finite."""
    total = torch.zeros((), dtype=torch.float64)
    for x, y in zip(images.split(batch), labels.split(batch), strict=True):
        total += nn.functional.cross_entropy(net(x), y, reduction="sum").double().cpu()
    return _finite(float(total) / len(labels))


def perturbed_losses(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    sigmas: Sequence[float],
    *,
    generator: torch.Generator,
    draws: int = 1,
    position: Position = "all",
    cell: type[nn.Module] | None = None,
    direction: Direction = "random",
    hessian_on: tuple[Tensor, Tensor] | None = None,
    scheme: Scheme = "independent",
    recalibrate_after_noise: Tensor | None = None,
    batch: int | None = None,
    how: How = "auto",
) -> pl.DataFrame:
    """Columns ``sigma, draw, loss``: mean cross-entropy (nats; null where not finite) under each draw of noise.

    Parameters
    ----------
    images, labels: (n, channels, height, width) and (n,), validation data, on the device of `net`.
    sigmas: standard deviations of the noise, strictly increasing. 0 may stand first: one row, draw 0, the
        network without noise.
    generator: the only source of randomness; it is advanced. One on the CPU gives every device the same noise.
    draws: noise draws at each sigma. Draw j of a longer measurement is draw j of a shorter one.
    position, cell: see `noisy_names`; where no parameter is there, the loss stays the same at every sigma.
    direction: ``random``, or ``hessian``: along the eigenvector of the largest eigenvalue of the Hessian of the loss,
        in the parameters at `position` (GeNAS, Table 13, cites PyHessian and gives no details: the choice here). The
        step is ``sigma z`` times the unit eigenvector, z standard Gaussian, so it raises the loss by about
        ``lambda sigma^2 z^2 / 2``. (A step as long as the random noise, longer by the root of the number of
        parameters, leaves the minimum altogether.)
    hessian_on: images and labels of that Hessian; by default `images` and `labels`.
    scheme: ``independent`` noise for each sigma, or ``cumulative``: ``N(0, s_t - s_(t-1))`` is added to the noise
        before (the public code of GeNAS), whose standard deviations are smaller than the nominal
        ones (`true_standard_deviations`). Column sigma holds the nominal ones.
    recalibrate_after_noise: training images (m, channels, height, width). Batch-norm statistics are re-estimated on
        them for every row, that of sigma 0 included.
    batch: images at once; it changes the losses by rounding only. By default 256, and on the CPU as many as keep the
        widest activation in the cache.
    how: see the module; ``auto`` is ``in_place`` (nobody has measured a GPU yet).

    Raises
    ------
    ParameterError: sigmas, draws or a choice that cannot be; ``vmap`` of a network or with a choice that it does
        not take.
    """
    levels = checked_sigmas(sigmas)
    if draws < 1:
        raise ParameterError(f"draws: expected at least 1, got {draws}")
    checked_scheme(scheme)
    if direction not in ("random", "hessian"):
        raise ParameterError(f"direction: expected 'random' or 'hessian', got {direction!r}")
    at_once = _at_once(how, recalibrate_after_noise)
    if images.dim() == 4:
        images = images.contiguous(memory_format=torch.channels_last)
    with untouched(net) as subject:
        subject.eval()
        names = noisy_names(subject, position, cell)
        batch = fitting_batch(subject, images) if batch is None else batch
        step = _step(subject, names, *(hessian_on or (images, labels)), direction, generator, position, cell, batch)
        subject.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        noises = noise_vectors([s for s in levels if s > 0], draws, scheme, step)
        rows: Rows = []
        if levels[0] == 0:
            _recalibrate(subject, recalibrate_after_noise, batch)
            rows.append((0.0, 0, mean_loss(subject, images, labels, batch=batch)))
        if at_once and names:
            rows += _vmapped(subject, names, noises, images, labels, batch)
        else:
            rows += _in_place(subject, names, noises, images, labels, batch, recalibrate_after_noise)
    schema = {"sigma": pl.Float64, "draw": pl.Int64, "loss": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("sigma", "draw")


def perturbed_frame(
    losses: pl.DataFrame,
    where: Mapping[str, object],
    *,
    position: Position = "all",
    direction: Direction = "random",
    scheme: Scheme = "independent",
) -> pl.DataFrame:
    """A PERTURBED frame of `perturbed_losses`, which was called with the same `position`, `direction`, `scheme`.

    `where`: the other keys, ``benchmark, dataset, arch, method, setting, seed``.
    """
    keys = {**where, "position": position, "direction": direction, "draws": scheme}
    return check(losses.with_columns(pl.lit(value).alias(name) for name, value in keys.items()), "PERTURBED")


@torch.no_grad()
def fitting_batch(net: nn.Module, images: Tensor) -> int:
    """How many images at once are fastest: by the widest activation of one image; `net` is in evaluation mode."""
    if images.is_cuda:
        return _BATCH
    widest = images[:1].nbytes

    def look(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal widest
        if isinstance(output, Tensor):
            widest = max(widest, output.nbytes)

    hooks = [module.register_forward_hook(look) for module in net.modules()]
    try:
        net(images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return min(max(_CACHED // widest, 16), 1024)


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None


def _at_once(how: str, recalibration: Tensor | None) -> bool:
    if how not in ("auto", "in_place", "vmap"):
        raise ParameterError(f"how: expected 'auto', 'in_place' or 'vmap', got {how!r}")
    if how == "vmap" and recalibration is not None:
        raise ParameterError(
            "how: expected 'auto' or 'in_place' with recalibrate_after_noise (every row has statistics of its own), "
            "got 'vmap'"
        )
    return how == "vmap"


def _step(
    subject: nn.Module,
    names: Sequence[str],
    images: Tensor,
    labels: Tensor,
    direction: Direction,
    generator: torch.Generator,
    position: Position,
    cell: type[nn.Module] | None,
    batch: int,
) -> Callable[[], Tensor]:
    """Gives one fresh vector after the other, of as many numbers as `names` have: the noise at sigma 1."""
    parameters = [subject.get_parameter(name) for name in names]
    size = sum(p.numel() for p in parameters)
    kind = parameters[0].dtype if parameters else None
    if direction == "random" or not names:
        return lambda: torch.randn(size, generator=generator, device=generator.device, dtype=kind)
    from .hessian import weight_hessian

    curvature = weight_hessian(
        subject, images, labels, generator=generator, trace_draws=0, position=position, cell=cell, batch=batch
    )
    along = curvature.vectors[0]
    parts = [along.get(name, torch.zeros_like(p)) for name, p in zip(names, parameters, strict=True)]
    axis = torch.cat([part.detach().flatten() for part in parts])
    axis = axis.to(device=generator.device, dtype=kind)
    return lambda: axis * torch.randn((), generator=generator, device=generator.device, dtype=kind)


def _recalibrate(subject: nn.Module, images: Tensor | None, batch: int) -> None:
    if images is not None:
        recalibrate(subject, images.split(batch))


@torch.no_grad()
def _in_place(
    subject: nn.Module,
    names: Sequence[str],
    noises: Iterable[tuple[float, int, Tensor]],
    images: Tensor,
    labels: Tensor,
    batch: int,
    recalibration: Tensor | None,
) -> Rows:
    noisy = [subject.get_parameter(name) for name in names]
    kept = [parameter.detach().clone() for parameter in noisy]
    sizes = [parameter.numel() for parameter in noisy]
    rows: Rows = []
    for sigma, draw, vector in noises:
        for parameter, value, part in zip(noisy, kept, vector.to(images.device).split(sizes), strict=True):
            torch.add(value, part.view(value.shape), out=parameter)
        _recalibrate(subject, recalibration, batch)
        rows.append((sigma, draw, mean_loss(subject, images, labels, batch=batch)))
    return rows


@torch.no_grad()
def _vmapped(
    subject: nn.Module,
    names: Sequence[str],
    noises: Iterator[tuple[float, int, Tensor]],
    images: Tensor,
    labels: Tensor,
    batch: int,
) -> Rows:
    at_rest = {name: subject.get_parameter(name).detach() for name in names}
    sizes = [value.numel() for value in at_rest.values()]

    def summed(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        logits = torch.func.functional_call(subject, weights, (x,))
        return nn.functional.cross_entropy(logits, y, reduction="sum")

    losses = torch.vmap(summed, in_dims=(0, None, None))
    rows: Rows = []
    while chunk := list(itertools.islice(noises, max(1, _HELD // sum(sizes)))):
        stacked = torch.stack([vector for _, _, vector in chunk]).to(images.device)
        weights = {
            name: value + part.view(len(chunk), *value.shape)
            for (name, value), part in zip(at_rest.items(), stacked.split(sizes, dim=1), strict=True)
        }
        # on the CPU as many images and weights at once as one set of weights has images: that stays in the cache
        width = batch if images.is_cuda else max(1, batch // len(chunk))
        total = torch.zeros(len(chunk), dtype=torch.float64, device=images.device)
        for x, y in zip(images.split(width), labels.split(width), strict=True):
            try:
                total += losses(weights, x, y)
            except RuntimeError as error:
                if "vmap" not in str(error):
                    raise
                raise NasAnalysisError(
                    f"how 'vmap': expected a network that torch.vmap takes, got {type(subject).__name__}: "
                    f"{str(error).splitlines()[0]} Use how='in_place'"
                ) from error
        means = (total / len(labels)).tolist()
        rows += [(sigma, draw, _finite(loss)) for (sigma, draw, _), loss in zip(chunk, means, strict=True)]
    return rows
