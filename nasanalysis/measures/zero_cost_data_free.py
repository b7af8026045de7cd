"""Zero-cost measures that look at no image and no label, only at the shape of one image (zen: of the batch)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..core.errors import NasAnalysisError, ParameterError
from .untouched import untouched
from .zero_cost_gradients import Variant, check_variant
from .zero_cost_subject import Subject, UndefinedMeasureError, total, training_mode, weight_layers

#: Size of zen's perturbation of its Gaussian input (Lin et al. 2021, alpha).
ALPHA = 0.01


def l2_norm_of(subject: Subject) -> float:
    """Sum over layers of the Euclidean norm of the weights."""
    return math.fsum(float(torch.linalg.vector_norm(m.weight.detach().double())) for m in weight_layers(subject.net))


def synflow_of(subject: Subject, variant: Variant = "reference") -> float:
    """``R = sum of |w dR/dw|`` where R sums the logits of the network of absolute values for an input of ones."""
    check_variant(variant)
    with untouched(subject.net) as net:
        training_mode(net)
        net.double()
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.forward = _same  # type: ignore[method-assign]
        with torch.no_grad():
            for tensor in (*net.parameters(), *net.buffers()):
                if tensor.is_floating_point():
                    tensor.abs_()
        weights = [layer.weight for layer in weight_layers(net)]
        flow = net(torch.ones_like(subject.images[:1], dtype=torch.float64)).sum()
        if not flow.requires_grad:
            raise UndefinedMeasureError("no weight reaches the output")
        gradients = torch.autograd.grad(flow, weights, allow_unused=True)
        value = total((w * g).abs() for w, g in zip(weights, gradients, strict=True) if g is not None)
    if variant == "paper":
        return value
    if value == 0:
        raise UndefinedMeasureError("no flow")
    return math.log(value)


def _same(input: Tensor) -> Tensor:
    return input


def zen_of(subject: Subject, variant: Variant = "reference") -> float:
    """Log of the change of the features under noise on a Gaussian input, plus what batch-norms divided away."""
    check_variant(variant)
    generator = subject.generator
    if generator is None:
        raise ParameterError("zen: expected a torch.Generator, which draws its weights and inputs, got None")
    with untouched(subject.net) as net, torch.no_grad():
        training_mode(net)
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        _gaussian_weights(net, generator)
        for norm in norms:
            if norm.running_var is None:
                norm.running_var = torch.ones(norm.num_features, device=subject.images.device)
                norm.running_mean = torch.zeros(norm.num_features, device=subject.images.device)
                norm.num_batches_tracked = torch.zeros((), dtype=torch.int64, device=subject.images.device)
                norm.track_running_stats = True
                norm.momentum = 0.1
            else:
                norm.reset_running_stats()
            if variant == "paper":
                norm.momentum = 1.0  # the variance in the last batch instead of a running one
        x, noise = (gaussian(subject.images, generator) for _ in range(2))
        inputs = (x, x + ALPHA * noise)
        before, after = (_features(net, i) for i in (inputs if variant == "reference" else inputs[::-1]))
        change = (after - before).flatten(1).double()
        size = change.abs().sum(1).mean() if variant == "reference" else torch.linalg.vector_norm(change, dim=1).mean()
        scales = [norm.running_var.double().mean() for norm in norms if norm.running_var is not None]
        logs = torch.stack([size.log(), *(scale.log() / 2 for scale in scales)])
    return float(logs.sum())


def gaussian(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard Gaussian values, drawn where the generator is."""
    return torch.randn(like.shape, generator=generator, device=generator.device).to(like)


def _gaussian_weights(net: nn.Module, generator: torch.Generator) -> None:
    """N(0, 1) weights and zero biases; batch-norms and group-norms at one and zero."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.copy_(gaussian(module.weight, generator))
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            if module.weight is not None:
                module.weight.fill_(1)
        else:
            continue
        if module.bias is not None:
            module.bias.zero_()


class _FeatureMaps(TorchFunctionMode):
    """While active, keeps what global average pooling reads (`found`), however it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._pooled: Tensor | None = None
        self._map: Tensor | None = None
        self._vector: Tensor | None = None

    @property
    def found(self) -> Tensor | None:
        known = [t for t in (self._pooled, self._map, self._vector) if t is not None]
        return known[0] if known else None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is F.adaptive_avg_pool2d:
            self._pooled = args[0]
        elif func is F.linear:
            self._vector = args[0]
        elif isinstance(result, Tensor) and result.ndim == 4 and result.shape[2:].numel() > 1:
            self._map = result
        return result


def _features(net: nn.Module, x: Tensor) -> Tensor:
    """What global average pooling reads: the input of the last ``adaptive_avg_pool2d``, a module or a function.

    Where pooling is written otherwise, the last feature map (n, channels, height, width) of more than one pixel; in a
    network without any, the input of the last linear layer.
    """
    with _FeatureMaps() as maps:
        net(x)
    codes: Tensor | None = maps.found
    if codes is None:
        raise NasAnalysisError(f"zen: expected a network with feature maps or linear layers, got {type(net).__name__}")
    return codes
