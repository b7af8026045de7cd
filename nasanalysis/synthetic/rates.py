"""The learning rate by gradient: weights and rate trained together (SoTL thesis, 4.1.1, Figure 4.1; torch).

An outer step takes T batches: the weights descend T steps while the slope of the sum of their losses in the rate goes
along (`unroll`); the rate steps against it; the weights go back and descend the T batches again, at the new rate
(Algorithm 1 with the rate in the place of alpha). A rate that would fall to 0 or below is halved in place of the step.

In the author's code every step of that second descent starts from the weights at which the unroll ended, so T batches
move the weights by one step: a fault, which is not repeated here. His figure can be compared in direction only.
"""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor
from torch.func import functional_call

from ..core.seeding import torch_generator
from ..measures.batchnorm import recalibrate
from ..training.checkpoints import load, save
from ..training.devices import settle
from .config import RateConfig
from .images import Parts, accuracy, load_parts
from .networks import mlp, vgg16
from .unroll import Loss, Weights, descend, unroll

_KIND = "synthetic learning rate"
#: Training batches from which statistics of batch-norm are made before a network is judged.
RECALIBRATED = 50


def network(config: RateConfig, parts: Parts, seed: int) -> torch.nn.Module:
    """The network at its first weights, which are torch's default ones drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_generator(seed, "learning rate", "weights").initial_seed())
        if config.network == "vgg16":
            return vgg16(parts.channels, parts.classes)
        return mlp(parts.pixels, parts.classes, config.width, config.hidden)


def next_rate(rate: float, slope: float, config: RateConfig) -> tuple[float, bool]:
    """(the rate after its step, whether it was halved): clipped, and halved where it would not stay above 0.

    A slope that is not a number (the unroll diverged) halves it too: the thesis has no rule for that.
    """
    clipped = max(-config.clip, min(config.clip, slope))
    ahead = rate - config.hyper_rate * clipped
    return (ahead, False) if ahead > 0 else (rate / 2, True)


def train(config: RateConfig, T: int, seed: int, data: Path | None, device: str, checkpoint: Path) -> pl.DataFrame:
    """One training: a row for every epoch, the first (0) before any step.

    Columns: data, network, T, seed, parameters, epoch, rate (at the end of the epoch), largest_rate (that weights
    descended with in it), outer_steps (of the epoch), clipped and halved (of them), train_loss (mean of its batches,
    nats), valid_accuracy, test_accuracy (percent), n_test, seconds (of training). Goes on from
    `checkpoint` where there is one.
    """
    settle(config.threads)
    parts = load_parts(config, data, device)
    net = network(config, parts, seed).to(device)
    weights = {k: w.detach() for k, w in net.named_parameters()}
    rate, rows, begun = config.rate, [], 0
    if checkpoint.exists():
        saved = load(checkpoint, _KIND, device=device)
        weights, rate, rows, begun = saved["weights"], saved["rate"], saved["rows"], saved["epoch"]
    head = {"data": config.data, "network": config.network, "T": T, "seed": seed}
    size = sum(w.numel() for w in weights.values())
    if not rows:
        counts = {"outer_steps": 0, "clipped": 0, "halved": 0}
        rows = [{"epoch": 0, "rate": rate, "largest_rate": rate, **counts, "train_loss": None, "seconds": 0.0}]
        rows[0] |= judged(config, net, weights, parts, seed)
    for epoch in range(begun, config.epochs):
        started = time.perf_counter()
        weights, rate, row = one_epoch(config, loss_of(net), weights, rate, T, parts, seed, epoch)
        row |= {"epoch": epoch + 1, "seconds": time.perf_counter() - started}
        rows.append(row | judged(config, net, weights, parts, seed))
        save(checkpoint, _KIND, {"weights": weights, "rate": rate, "rows": rows, "epoch": epoch + 1})
    frame = pl.DataFrame(rows, infer_schema_length=None)
    names = [*head, "parameters", "epoch", "rate", "largest_rate", "outer_steps", "clipped", "halved", "train_loss"]
    names += ["valid_accuracy", "test_accuracy", "n_test", "seconds"]
    lits = {k: pl.lit(v) for k, v in {**head, "parameters": size, "n_test": len(parts.judged)}.items()}
    return frame.with_columns(pl.col("train_loss").cast(pl.Float64), **lits).select(names)


def one_epoch(
    config: RateConfig, loss: Loss, weights: Weights, rate: float, T: int, parts: Parts, seed: int, epoch: int
) -> tuple[Weights, float, dict[str, Any]]:
    """Weights and rate after one pass over the images, and what is told of it."""
    losses: list[float] = []
    steps, clipped, halved, largest = 0, 0, 0, 0.0
    device = next(iter(weights.values())).device
    for few in parts.epoch(config, seed, epoch).by(T or 1):
        eta = torch.tensor(rate, device=device)
        if T:
            slope = float(unroll(loss, weights, eta, few).slope)
            rate, was_halved = next_rate(rate, slope, config)
            steps, clipped, halved = steps + 1, clipped + (abs(slope) > config.clip), halved + was_halved
            eta = torch.full_like(eta, rate)
        after = descend(loss, weights, eta, few, eta)
        weights = after.weights
        losses += after.losses.tolist()
        largest = max(largest, rate)
    counts = {"outer_steps": steps, "clipped": clipped, "halved": halved}
    return weights, rate, {"rate": rate, "largest_rate": largest, **counts, "train_loss": _mean(losses)}


def judged(config: RateConfig, net: torch.nn.Module, weights: Weights, parts: Parts, seed: int) -> dict[str, Any]:
    """Accuracies in percent; batch-norm first gets statistics from training images, on a copy of the network."""
    read = _evaluated(config, net, weights, parts, seed)
    return {"valid_accuracy": accuracy(read, parts.valid)[0], "test_accuracy": accuracy(read, parts.judged)[0]}


def _evaluated(config: RateConfig, net: torch.nn.Module, weights: Weights, parts: Parts, seed: int) -> torch.nn.Module:
    copied = copy.deepcopy(net)
    copied.load_state_dict(weights)
    norms = [m for m in copied.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.track_running_stats = True
        for name in ("running_mean", "running_var"):
            setattr(norm, name, torch.zeros(norm.num_features, device=norm.weight.device))
        norm.num_batches_tracked = torch.zeros((), dtype=torch.int64, device=norm.weight.device)
    if norms:
        recalibrate(copied, [images for images, _ in parts.epoch(config, seed, 0)[:RECALIBRATED]])
    return copied.eval()


def loss_of(net: torch.nn.Module) -> Loss:
    """Mean cross-entropy of a batch of (images, labels); no hyperparameter stands in it."""

    def loss(weights: Weights, _: Tensor, batch: Any) -> Tensor:
        images, labels = batch
        return torch.nn.functional.cross_entropy(functional_call(net, weights, (images,)), labels)

    return loss


def _mean(losses: list[float]) -> float | None:
    """The mean, null where training diverged."""
    mean = sum(losses) / len(losses)
    return mean if math.isfinite(mean) else None
