"""One network and one batch as zero-cost measures see them: what several measures read is computed once.

Everything is done on copies (`untouched`), in training mode: batch-norm uses the statistics of the batch. Dropout
modules are switched off.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..core.errors import NasAnalysisError, ParameterError
from .untouched import untouched

T = TypeVar("T")

#: Every way in which torch spells a rectifier, as a function and behind a module.
RECTIFIERS = frozenset(
    {
        *(F.relu, F.relu6, F.leaky_relu, F.rrelu, F.relu_, F.leaky_relu_, F.rrelu_, F.prelu),
        *(torch.relu, torch.relu_, torch.rrelu, torch.rrelu_, torch.prelu),
        *(Tensor.relu, Tensor.relu_, Tensor.prelu),
    }
)


class UndefinedMeasureError(ArithmeticError):
    """The measure has no value on this network and batch (never leaves this package: the value is None)."""


class Rectifiers(TorchFunctionMode):
    """While active, shows the input of every rectifier to `see`: modules, however often used, and functions alike."""

    def __init__(self, see: Callable[[Tensor], None]) -> None:
        super().__init__()
        self._see = see

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in RECTIFIERS:
            self._see(args[0].detach())  # before the call: it may be in place
        return func(*args, **(kwargs or {}))


def weight_layers(net: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The layers whose weights count, each weight once: 2-d convolutions and linear layers, as in the reference."""
    layers = {id(m.weight): m for m in reversed(list(net.modules())) if isinstance(m, (nn.Conv2d, nn.Linear))}
    if not layers:
        raise NasAnalysisError(
            f"zero-cost measures: expected a network with Conv2d or Linear layers, got {type(net).__name__} without"
        )
    return list(layers.values())[::-1]


def training_mode(net: nn.Module) -> None:
    """Training mode, but no dropout."""
    net.train()
    for module in net.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()


@contextlib.contextmanager
def isolated(device: torch.device) -> Iterator[None]:
    """Gradients on, whatever the caller's mode; draws from torch's global generators leave no trace.

    A measure draws from no global generator. A network may (dropout written as a function): its draws are then the
    same every time, from seed 0, and the caller's generators are put back.
    """
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.inference_mode(False), torch.enable_grad():
        torch.default_generator.manual_seed(0)
        for used in cuda:
            with torch.cuda.device(used):
                torch.cuda.manual_seed(0)
        yield


def check_batch(images: Tensor, labels: Tensor) -> None:
    """`ParameterError` unless these are at least two images and one whole number, 0 or more, for each."""
    if images.ndim < 2 or not images.is_floating_point():
        raise ParameterError(
            f"images: expected numbers (n, channels, height, width), got {tuple(images.shape)} of {images.dtype}"
        )
    if len(images) < 2:
        raise ParameterError(f"images: expected at least 2 (batch-norm and correlations need two), got {len(images)}")
    if labels.shape != images.shape[:1] or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ParameterError(
            f"labels: expected {len(images)} whole numbers (n,), got {tuple(labels.shape)} of {labels.dtype}"
        )
    if int(labels.min()) < 0:
        raise ParameterError(f"labels: expected classes 0 and up, got {int(labels.min())}")


class Subject:
    """A network and a batch, checked.

    Parameters
    ----------
    net: (n, ...) -> logits (n, classes); never touched.
    images, labels: (n, channels, height, width) and (n,), n >= 2.
    generator: of the measures that draw (zen); it is advanced.
    kernel, activations, curvature, patterns: what the one forward pass is to keep: nwot, fisher, grasp, swap.
    """

    def __init__(
        self,
        net: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        generator: torch.Generator | None = None,
        kernel: bool = False,
        activations: bool = False,
        curvature: bool = False,
        patterns: bool = False,
    ) -> None:
        check_batch(images, labels)
        self.net, self.generator = net, generator
        self.images, self.labels = images.detach(), labels.detach().long().clone()
        self._keeps = {"kernel": kernel, "activations": activations, "curvature": curvature, "patterns": patterns}
        self._start = None if generator is None else generator.get_state().clone()
        self._streamed = False
        self._shared: dict[str, Any] = {}

    def stream(self, name: str) -> torch.Generator:
        """Draws of one named use, from where the generator stood at first: what else is measured changes them not."""
        if self.generator is None or self._start is None:
            raise ParameterError(f"{name}: expected a torch.Generator, which draws its weights and inputs, got None")
        self._streamed = True
        digest = sha256(self._start.numpy().tobytes() + name.encode()).digest()
        return torch.Generator(self.generator.device).manual_seed(int.from_bytes(digest[:7], "little"))

    def advance(self) -> None:
        """Move the generator on where only `stream` drew: the same generator then gives other draws next time."""
        if self.generator is None or self._start is None or not self._streamed:
            return
        if torch.equal(self.generator.get_state(), self._start):
            torch.rand((), generator=self.generator, device=self.generator.device)

    def shared(self, name: str, compute: Callable[[Subject], T]) -> T:
        """What several measures read, computed once; where it is undefined, so it is for all of them."""
        if name not in self._shared:
            try:
                self._shared[name] = compute(self)
            except UndefinedMeasureError as error:
                self._shared[name] = str(error)
        if isinstance(self._shared[name], str):
            raise UndefinedMeasureError(self._shared[name])
        value: T = self._shared[name]
        return value

    @property
    def train_pass(self) -> TrainPass:
        """The forward pass on the batch, run once; `UndefinedMeasureError` where its logits are not finite."""
        if isinstance(self._outcome, str):
            raise UndefinedMeasureError(self._outcome)
        return self._outcome

    @cached_property
    def _outcome(self) -> TrainPass | str:
        with untouched(self.net) as twin:
            try:
                return TrainPass(twin, self.images, self.labels, **self._keeps)
            except UndefinedMeasureError as error:
                return str(error)


class TrainPass:
    """One forward pass of `net` in training mode, and the derivatives of it that are asked for.

    Attributes
    ----------
    layers: convolutions and linear layers; weights: theirs.
    logits: (n, classes), finite (`UndefinedMeasureError` otherwise).
    kernel: (n, n) float64: rectifier units on whose sign two images agree; None if there was no rectifier.
    patterns: of each rectifier's run, its units' different patterns over the images (bits, packed along the images).
    """

    def __init__(
        self,
        net: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        kernel: bool,
        activations: bool,
        curvature: bool,
        patterns: bool,
    ) -> None:
        training_mode(net)
        self.layers = weight_layers(net)
        self.weights = [layer.weight for layer in self.layers]
        self.labels = labels
        self.kernel: Tensor | None = None
        self.patterns: list[np.ndarray] = []
        self._keeps_kernel, self._keeps_patterns = kernel, patterns
        self._outputs: list[tuple[nn.Module, Tensor]] = []
        self._curvature = curvature
        self._input = images.clone().requires_grad_()
        hooks = [layer.register_forward_hook(self._keep) for layer in self.layers] if activations else []
        with Rectifiers(self._count) if kernel or patterns else contextlib.nullcontext():
            self.logits = net(self._input.clone())  # the clone may be changed in place
        for hook in hooks:
            hook.remove()  # they would keep this pass, and all it holds, alive in a cycle
        check_logits(self.logits, labels)

    def _keep(self, layer: nn.Module, _: object, output: Tensor) -> Tensor:
        self._outputs.append((layer, output))
        return output.clone()  # what follows may work in place

    def _count(self, x: Tensor) -> None:
        if len(x) != len(self.labels):
            return
        active = x.flatten(1) > 0
        if self._keeps_patterns:
            self.patterns.append(np.unique(np.packbits(active.T.cpu().numpy(), axis=1), axis=0))
        if not self._keeps_kernel:
            return
        signs = active.float().mul_(2).sub_(1)
        agree = ((signs @ signs.T).double() + signs.shape[1]) / 2
        self.kernel = agree if self.kernel is None else self.kernel + agree

    @cached_property
    def _derivatives(self) -> tuple[list[Tensor], list[Tensor]]:
        loss = F.cross_entropy(self.logits, self.labels)
        sources = [*self.weights, *(output for _, output in self._outputs)]
        gradients = gradients_in(loss, sources, create_graph=self._curvature)
        return gradients[: len(self.weights)], gradients[len(self.weights) :]

    @property
    def gradients(self) -> list[Tensor]:
        """Of the mean cross-entropy in each of `weights`; zeros where the network does not use one."""
        return self._derivatives[0]

    @property
    def activations(self) -> list[tuple[nn.Module, Tensor, Tensor]]:
        """(layer, output, gradient of the mean cross-entropy in it), for each time a layer ran."""
        return [(m, a.detach(), g.detach()) for (m, a), g in zip(self._outputs, self._derivatives[1], strict=True)]

    @cached_property
    def hessian_gradient(self) -> list[Tensor]:
        """H g in each of `weights`: the Hessian of the mean cross-entropy in all of them, times the gradient."""
        product = sum((g * g.detach()).sum() for g in self.gradients)
        if not isinstance(product, Tensor) or not product.requires_grad:
            return [torch.zeros_like(w) for w in self.weights]
        return gradients_in(product, self.weights)

    @cached_property
    def jacobian(self) -> Tensor:
        """(n, inputs): the gradient of the sum of all logits in each image."""
        return gradients_in(self.logits.sum(), [self._input])[0].flatten(1)


def gradients_in(value: Tensor, sources: list[Tensor], *, create_graph: bool = False) -> list[Tensor]:
    """The gradient of a number in each of `sources`; zeros where it does not depend on one."""
    if not value.requires_grad:
        return [torch.zeros_like(source) for source in sources]
    gradients = torch.autograd.grad(value, sources, retain_graph=True, create_graph=create_graph, allow_unused=True)
    return [torch.zeros_like(s) if g is None else g for s, g in zip(sources, gradients, strict=True)]


def check_logits(logits: object, labels: Tensor) -> None:
    """`NasAnalysisError` unless these are logits for these labels; `UndefinedMeasureError` if not finite."""
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(labels):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise NasAnalysisError(f"network: expected logits (n, classes) of {len(labels)} images, got {got}")
    if (highest := int(labels.max())) >= logits.shape[1]:
        raise ParameterError(
            f"labels: expected classes 0 to {logits.shape[1] - 1}, those of the network, got class {highest}"
        )
    if not bool(torch.isfinite(logits).all()):
        raise UndefinedMeasureError("logits that are not finite")


def total(values: Iterator[Tensor]) -> float:
    """The sum over all elements of all tensors, in double precision."""
    return math.fsum(float(value.detach().sum(dtype=torch.float64)) for value in values)
