"""Weights that are widened: copies of old channels, what is as wide as before as it was, and a search that does it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import few_digits, learner, small_network
from torch import nn

from nasanalysis.core.errors import ParameterError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.differentiable.methods import method
from nasanalysis.differentiable.search import SearchLoop
from nasanalysis.differentiable.widening import widen
from nasanalysis.networks.build import build_relaxed

pytestmark = pytest.mark.torch


def network(space: str, partial: int, seed: int = 0) -> nn.Module:
    config = small_network(space).changed(channels=8, partial=partial)
    net = build_relaxed(space, config, few_digits(), torch_generator(seed, "x"), device="cpu")
    for number, module in enumerate(m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        generator = torch_generator(number, "statistics")
        module.running_mean.normal_(generator=generator)  # type: ignore[union-attr]
    return net


@pytest.mark.parametrize("space", ["nb201", "s2", "darts"])
def test_new_channels_are_copies_of_old_ones_and_the_rest_is_as_it_was(space: str) -> None:
    narrow, wide = network(space, 4), network(space, 2, seed=1)
    widen(wide, narrow, torch_generator(3, "widening"))
    old = narrow.state_dict()
    wider = 0
    for name, value in wide.state_dict().items():
        before = old[name]
        if value.shape == before.shape:
            assert torch.equal(value, before), name
            continue
        wider += 1
        assert value.shape[0] == 2 * before.shape[0]
        head = value[tuple(slice(n) for n in before.shape)]
        assert torch.equal(head, before), f"{name}: the old channels come first"
        if value.dim() == 4:
            rows = value[:, : before.shape[1]]
            assert all(any(torch.equal(row, b) for b in before) for row in rows), name
            columns = value[: before.shape[0]].transpose(0, 1)
            assert all(any(torch.equal(c, b) for b in before.transpose(0, 1)) for c in columns), name
        else:
            assert set(value.tolist()) == set(before.tolist()), name
    assert wider > 10


def test_batch_norm_follows_its_convolution() -> None:
    def block(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(width, width, 3, bias=False), nn.BatchNorm2d(width, affine=False))

    narrow, wide = block(4), block(16)
    narrow[1].running_mean.copy_(torch.arange(4.0))  # type: ignore[union-attr, operator]
    widen(wide, narrow, torch_generator(0, "x"))
    for row, mean in zip(wide[0].weight, wide[1].running_mean, strict=True):  # type: ignore[arg-type]
        assert torch.equal(row[:4], narrow[0].weight[int(mean)])  # type: ignore[index]
    assert len(set(wide[1].running_mean[4:].tolist())) > 1, "drawn, not one for all"  # type: ignore[index, operator]


def test_what_cannot_be_widened() -> None:
    with pytest.raises(ParameterError, match="at least the .* channels of before"):
        widen(network("nb201", 4), network("nb201", 2), torch_generator(0, "x"))
    with pytest.raises(ParameterError, match="the same weights by name"):
        widen(network("nb201", 2), network("s2", 2), torch_generator(0, "x"))
    with pytest.raises(ParameterError, match="of one of the same kernel"):
        widen(nn.Conv2d(2, 2, 3, bias=False), nn.Conv2d(2, 2, 1, bias=False), torch_generator(0, "x"))
    same = network("nb201", 2)
    other = network("nb201", 2, seed=1)
    widen(other, same, torch_generator(0, "x"))
    for name, value in other.state_dict().items():
        assert torch.equal(value, same.state_dict()[name]), name


@pytest.mark.parametrize("widened", [True, False])
def test_progressive_drnas_takes_its_weights_along_or_not(widened: bool) -> None:
    parts = method("drnas", "nb201", 2, progressive=True, shares=(4, 2), widened=widened)
    search = learner(parts, epochs=2)
    loop = SearchLoop(search)
    loop.run_epoch()
    first = {k: v.clone() for k, v in search.net.state_dict().items()}
    search.begin(1, 2)
    second = search.net.state_dict()
    assert torch.equal(second["classifier.weight"], first["classifier.weight"]) == widened
    assert all(len(search.alphas.candidates(d.place)) == 3 for d in search.alphas.decisions)
    name = next(k for k in first if k.endswith("nor_conv_3x3.1.weight"))
    assert second[name].shape[0] == 2 * first[name].shape[0]
    assert ("widened" in parts.described()) == widened
