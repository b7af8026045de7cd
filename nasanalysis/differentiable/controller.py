"""ENAS's controller: a small recurrent network that writes an architecture, decision by decision (Pham et al. 2018).

Weights are trained for an epoch on architectures that it draws; then it is trained itself, by REINFORCE, on the
accuracy of the supernet on a validation batch. Sizes and rates are those of the public code of NAS-Bench-201.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..core.errors import ParameterError
from ..networks.mixture import Decision


@dataclass(frozen=True)
class Controller:
    """How a controller is built and trained.

    Attributes
    ----------
    hidden, layers: of the LSTM. temperature, tanh: logits are tanh * tanh(logits / temperature).
    steps, samples: updates after each epoch, and architectures of one.
    rate, clip: of its Adam (epsilon 1e-3), and of its gradient.
    entropy: factor of the entropy that is added to the reward; its gradient flows.
    baseline_decay: of the moving mean of rewards that is taken off.
    """

    hidden: int = 32
    layers: int = 2
    temperature: float = 5.0
    tanh: float = 2.5
    steps: int = 50
    samples: int = 20
    rate: float = 1e-3
    clip: float = 5.0
    entropy: float = 1e-4
    baseline_decay: float = 0.01

    def __post_init__(self) -> None:
        if min(self.hidden, self.layers, self.steps, self.samples) < 1:
            raise ParameterError(f"controller: expected sizes and counts of at least 1, got {self}")


class Draw(NamedTuple):
    """An architecture: a candidate of every decision, the log probability of all, and the entropy of the choices."""

    choices: list[str]
    log_probability: Tensor
    entropy: Tensor


class ControllerNet(nn.Module):
    """Writes a candidate for each decision in turn, having read those before."""

    def __init__(self, decisions: Sequence[Decision], plan: Controller, generator: torch.Generator) -> None:
        super().__init__()
        self.decisions, self.plan = tuple(decisions), plan
        vocabulary = sum(len(d.candidates) for d in decisions) + 1
        self.embedding = nn.Embedding(vocabulary, plan.hidden)
        self.lstm = nn.LSTM(plan.hidden, plan.hidden, plan.layers)
        self.heads = nn.ModuleList(nn.Linear(plan.hidden, len(d.candidates)) for d in decisions)
        with torch.no_grad():
            for weight in self.parameters():
                weight.uniform_(-0.1, 0.1, generator=generator)

    def draw(self, generator: torch.Generator | None) -> Draw:
        """One architecture; the most probable candidates without a generator."""
        read, state = torch.zeros(1, dtype=torch.int64), None
        choices, logs, entropies = [], [], []
        offset = 1
        for decision, head in zip(self.decisions, self.heads, strict=True):
            out, state = self.lstm(self.embedding(read)[None], state)
            logits = self.plan.tanh * torch.tanh(head(out[0, 0]) / self.plan.temperature)
            log_probabilities = logits.log_softmax(0)
            probabilities = log_probabilities.exp()
            chosen = (
                int(probabilities.argmax())
                if generator is None
                else int(torch.multinomial(probabilities.detach(), 1, generator=generator))
            )
            choices.append(decision.candidates[chosen])
            logs.append(log_probabilities[chosen])
            entropies.append(-(log_probabilities * probabilities).sum())
            read = torch.tensor([offset + chosen])
            offset += len(decision.candidates)
        return Draw(choices, torch.stack(logs).sum(), torch.stack(entropies).sum())


def reinforce(draw: Draw, reward: float, baseline: float, plan: Controller) -> Tensor:
    """The loss whose gradient is REINFORCE's (Williams 1992): - log p * (reward + entropy bonus - baseline).

    The bonus is part of the reward, and its own gradient flows through it, as in the public code.
    """
    return -draw.log_probability * (reward + plan.entropy * draw.entropy - baseline)


class ControllerLearner:
    """A controller with its optimiser and its baseline.

    Attributes
    ----------
    net: what draws. baseline: moving mean of rewards; None before the first epoch, in which every draw is its own.
    """

    def __init__(self, net: ControllerNet) -> None:
        self.net = net
        self.baseline: float | None = None
        self._optimiser = torch.optim.Adam(net.parameters(), lr=net.plan.rate, eps=1e-3)

    def train(self, accuracy_of: Callable[[Sequence[str]], float], generator: torch.Generator) -> None:
        """The updates after an epoch; ``accuracy_of(choices)`` is that of the supernet in percent."""
        plan = self.net.plan
        rewards: list[float] = []
        for _ in range(plan.steps):
            self._optimiser.zero_grad()
            losses = []
            for _ in range(plan.samples):
                drawn = self.net.draw(generator)
                reward = accuracy_of(drawn.choices) / 100
                rewards.append(reward)
                losses.append(reinforce(drawn, reward, reward if self.baseline is None else self.baseline, plan))
            torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), plan.clip)
            self._optimiser.step()
        mean = sum(rewards) / len(rewards)
        before = mean if self.baseline is None else self.baseline
        self.baseline = before - plan.baseline_decay * (before - mean)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"net": self.net.state_dict(), "optimiser": self._optimiser.state_dict(), "baseline": self.baseline}

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state`."""
        self.net.load_state_dict(state["net"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.baseline = state["baseline"]
