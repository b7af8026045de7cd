"""The gradient of a sum of training losses in one hyperparameter, in forward mode (torch).

SGD goes from weights w_t to w_{t+1} = w_t - rate g_t, with g_t the gradient of the loss on batch t. The derivative of
the weights in the hyperparameter, v_t = dw_t / dh, goes along with them::

    v_{t+1} = v_t - rate (H_t v_t + d g_t / dh) - g_t d rate / dh

and the slope of the sum is that of its terms, g_t v_t + dL_t / dh. Nothing of step t is kept for step t + 1 but w and
v, so an unroll of any length takes the memory of one step (Baydin et al. 2018, arXiv:1703.04782, for the rate with T =
2; SoTL thesis, Eqs 4.1, 4.2 and 3.20).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.func import grad_and_value, jvp

Weights = dict[str, Tensor]
Batch = tuple[Tensor, Tensor]
#: (weights, hyperparameter, batch) -> loss, a scalar.
Loss = Callable[[Weights, Tensor, Any], Tensor]


class Unrolled(NamedTuple):
    """Attributes
    ----------
    weights: after the last step. losses: (T,) at the weights before each step. slope: of what was asked for, in the
        hyperparameter; a scalar.
    """

    weights: Weights
    losses: Tensor
    slope: Tensor


def unroll(
    loss: Loss,
    weights: Weights,
    hyper: Tensor,
    batches: Sequence[Any],
    *,
    rate: Tensor | None = None,
    objective: Literal["sotl", "validation"] = "sotl",
    valid: Any = None,
    valid_loss: Loss | None = None,
) -> Unrolled:
    """T steps of SGD and the slope of SoTL, or of a validation loss, in the hyperparameter.

    Parameters
    ----------
    loss: of the weights, the hyperparameter and a batch.
    hyper: scalar. batches: T of them.
    rate: of SGD, a scalar; None: the hyperparameter is the rate itself, and the loss must not depend on it.
    objective: ``sotl``: the T losses, at the weights before each of the T steps (the first does not depend on a rate,
        so T = 2 is hypergradient descent of one step). ``validation``: the loss on `valid` at the weights before the
        last of the T steps: as many weights count as for SoTL of the same T.
    valid_loss: of `valid`, where it is not `loss` (a penalty, say, that is left out).
    """
    is_rate = rate is None
    eta = hyper if rate is None else rate
    value_and_slope = grad_and_value(loss)
    moved: Weights | None = None if is_rate else {k: torch.zeros_like(w) for k, w in weights.items()}
    one, losses = torch.ones_like(hyper), []
    slope = torch.zeros_like(hyper)
    for number, batch in enumerate(batches, start=1):
        last = number == len(batches)
        if last and objective == "validation":
            slope = _slope(valid_loss or loss, weights, hyper, valid, moved, is_rate)
        if moved is None or (last and is_rate):  # nothing of the past counts yet, or nothing will read it
            gradient, value = value_and_slope(weights, hyper, batch)
            if moved is not None and objective == "sotl":
                slope = slope + _dot(gradient, moved)
            turned: Weights | None = None
        else:
            (gradient, value), (turned, along) = jvp(  # type: ignore[misc]  # two values without `has_aux`
                lambda w, h, batch=batch: value_and_slope(w, h, batch),
                (weights, hyper),
                (moved, torch.zeros_like(one) if is_rate else one),
            )
            slope = slope + along if objective == "sotl" else slope
        losses.append(value)
        if not last:
            moved = _moved(moved, turned, gradient if is_rate else None, eta)
        weights = {k: w - eta * gradient[k] for k, w in weights.items()}
    return Unrolled(weights, torch.stack(losses), slope)


def descend(loss: Loss, weights: Weights, hyper: Tensor, batches: Sequence[Any], rate: Tensor) -> Unrolled:
    """T steps of SGD alone; the slope is 0."""
    value_and_slope, losses = grad_and_value(loss), []
    for batch in batches:
        gradient, value = value_and_slope(weights, hyper, batch)
        losses.append(value)
        weights = {k: w - rate * gradient[k] for k, w in weights.items()}
    return Unrolled(weights, torch.stack(losses), torch.zeros_like(hyper))


def _moved(moved: Weights | None, turned: Weights | None, direct: Weights | None, eta: Tensor) -> Weights:
    """v_{t+1} of v_t, of H v_t (with what the gradient itself owes to the hyperparameter), and of g_t for a rate."""
    if moved is None or turned is None:
        assert direct is not None  # the first step of a rate
        return {k: -g for k, g in direct.items()}
    ahead = {k: v - eta * turned[k] for k, v in moved.items()}
    return ahead if direct is None else {k: v - direct[k] for k, v in ahead.items()}


def _slope(loss: Loss, weights: Weights, hyper: Tensor, batch: Any, moved: Weights | None, is_rate: bool) -> Tensor:
    """d loss / d hyper at these weights, whose own derivative is `moved`."""
    if moved is None:
        return torch.zeros_like(hyper)
    along = torch.zeros_like(hyper) if is_rate else torch.ones_like(hyper)
    slope: Tensor = jvp(lambda w, h: loss(w, h, batch), (weights, hyper), (moved, along))[1]
    return slope


def _dot(one: Weights, other: Weights) -> Tensor:
    return torch.stack([(one[k] * other[k]).sum() for k in one]).sum()
