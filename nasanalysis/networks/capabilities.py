"""What a network can do beyond computing logits, as small protocols: the code asks for the ability, never for a class.

A network of one's own gains what it implements: with `HasAuxiliaryHead` its second classifier is trained, with
`HasDropPath` its paths are dropped by schedule, with `HasStructure` several of it are finetuned at once. What measures
ask of a network stands with them, in `nasanalysis.measures.capabilities`: its search cells, the parameters it uses, its
paths of weights.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class InputShape(Protocol):
    """What a network must know of its images: channels and pixels of one, and the number of classes."""

    @property
    def inputs(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def classes(self) -> int: ...


@runtime_checkable
class HasAuxiliaryHead(Protocol):
    """A second classifier on a layer in the middle, which training may add to the loss and nothing else reads.

    Attributes
    ----------
    has_auxiliary: whether this network was built with one: the class may leave it out.
    """

    @property
    def has_auxiliary(self) -> bool: ...

    def with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and those of the auxiliary head, both (batch, classes)."""
        ...


class PathDropper(Protocol):
    """What a network draws from while it runs, such as `nasanalysis.networks.randomness.Randomness`.

    Attributes
    ----------
    generator: no part of ``state_dict``: who resumes a training keeps its state.
    """

    generator: torch.Generator

    @property
    def drop_path(self) -> float:
        """Probability of dropping a path, in training alone; what is left keeps the expectation."""
        ...

    @drop_path.setter
    def drop_path(self, probability: float) -> None: ...


@runtime_checkable
class HasDropPath(Protocol):
    """A network that drops paths in training (Larsson et al. 2017), and may draw other noise from the same stream."""

    randomness: PathDropper


@runtime_checkable
class HasStructure(Protocol):
    """A network that stacks with others (see `nasanalysis.networks.stacked`).

    Attributes
    ----------
    structure: equal for networks that compute the same but for their weights.
    """

    structure: Hashable


@runtime_checkable
class SeesCopies(Protocol):
    """A module that must know how many networks stand side by side in its channels."""

    copies: int
