"""What a search decides over: architecture parameters of every open decision, and what is settled already (torch).

One state for all methods. Its numbers lie in one matrix, a row for each decision and a column for each candidate, so
that one optimiser and one Hessian see them; they are asked for by name: cell, edge and candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core.errors import ParameterError
from ..networks.mixture import Decision, Mixture, Place

#: Standard deviation of fresh architecture parameters (every public code; Liu et al. 2019).
SPREAD = 1e-3


class Entry(NamedTuple):
    """One number of a state: where it stands, and of what."""

    place: Place
    candidate: str
    row: int
    column: int


class Alphas:
    """Architecture parameters and masks.

    Parameters
    ----------
    decisions: what a network leaves open; every place once.
    generator: draws the first values, of standard deviation `spread`; a generator of the CPU. None: zeros.

    Attributes
    ----------
    values: (decisions, most candidates of any), the numbers that an optimiser moves; 0 where a decision has fewer.
    active: of the same shape, which candidates are still there.
    decided: place -> the candidate that it is settled on. removed: places that contribute nothing any more.
    """

    def __init__(
        self, decisions: Sequence[Decision], generator: torch.Generator | None = None, *, spread: float = SPREAD
    ) -> None:
        self.decisions = tuple(decisions)
        self._rows = {d.place: i for i, d in enumerate(self.decisions)}
        if not self.decisions or len(self._rows) < len(self.decisions):
            raise ParameterError(f"alphas: expected decisions, each place once, got {len(self.decisions)} of them")
        width = max(len(d.candidates) for d in self.decisions)
        self.active = torch.tensor([[j < len(d.candidates) for j in range(width)] for d in self.decisions])
        values = torch.zeros(self.active.shape)
        if generator is not None:
            count = int(self.active.sum())
            values[self.active] = spread * torch.randn(count, generator=generator)
        self.values = values.requires_grad_()
        self.decided: dict[Place, str] = {}
        self.removed: set[Place] = set()

    def __len__(self) -> int:
        """How many numbers there are."""
        return sum(len(d.candidates) for d in self.decisions)

    @property
    def entries(self) -> Iterator[Entry]:
        """Every number, row by row."""
        for i, decision in enumerate(self.decisions):
            for j, candidate in enumerate(decision.candidates):
                yield Entry(decision.place, candidate, i, j)

    def decision(self, place: Place) -> Decision:
        """The decision at `place`; `ParameterError` where there is none."""
        return self.decisions[self.row(place)]

    def row(self, place: Place) -> int:
        """The row of a place; `ParameterError` where there is none."""
        if place not in self._rows:
            raise ParameterError(
                f"alphas: expected one of {', '.join(f'{p.cell}/{p.edge}' for p in self._rows)}, got "
                f"{place.cell}/{place.edge}"
            )
        return self._rows[place]

    def column(self, place: Place, candidate: str) -> int:
        """The column of a candidate; `ParameterError` where the place has no such candidate."""
        candidates = self.decision(place).candidates
        if candidate not in candidates:
            raise ParameterError(
                f"alphas, {place.cell}/{place.edge}: expected one of {', '.join(candidates)}, got {candidate!r}"
            )
        return candidates.index(candidate)

    def candidates(self, place: Place) -> list[str]:
        """Those that are still there, in order."""
        row = self.row(place)
        return [c for j, c in enumerate(self.decisions[row].candidates) if self.active[row, j]]

    def open(self) -> list[Place]:
        """Places where something is left to decide."""
        return [d.place for d in self.decisions if d.place not in self.decided and d.place not in self.removed]

    def drop(self, place: Place, candidate: str) -> None:
        """Take a candidate away for good; `ParameterError` for the last one."""
        row, column = self.row(place), self.column(place, candidate)
        if int(self.active[row].sum()) <= int(self.active[row, column]):
            raise ParameterError(f"alphas, {place.cell}/{place.edge}: {candidate} is the last candidate; decide it")
        self.active[row, column] = False

    def decide(self, place: Place, candidate: str) -> None:
        """Settle a place on one candidate: its weight is 1 from now on."""
        self.column(place, candidate)
        self.decided[place] = candidate

    def remove(self, place: Place) -> None:
        """Take a whole place out of the network."""
        self.row(place)
        self.removed.add(place)

    @property
    def trained(self) -> Tensor:
        """Which numbers an optimiser may move: candidates that are there, of places that are open."""
        settled = [d.place in self.decided or d.place in self.removed for d in self.decisions]
        return self.active & ~torch.tensor(settled)[:, None]

    def logits(self) -> Tensor:
        """`values`, with minus infinity where there is no candidate."""
        return self.values.masked_fill(~self.active, -torch.inf)

    def settle(self, weights: Tensor) -> Tensor:
        """`weights` (as `values`), with 1 and 0 where something is decided, 0 where a place is removed."""
        if not self.decided and not self.removed:
            return weights
        fixed = torch.zeros_like(self.active)
        ones = torch.zeros_like(weights)
        for place, candidate in self.decided.items():
            row = self.row(place)
            fixed[row] = True
            ones[row, self.column(place, candidate)] = 1
        for place in self.removed:
            row = self.row(place)
            fixed[row], ones[row] = True, 0
        return torch.where(fixed, ones, weights)

    def mixture(self, weights: Tensor, run: Tensor | None = None, *, constants: bool = False) -> Mixture:
        """Settled weights as a network takes them.

        Parameters
        ----------
        weights: as `values`, see `settle`.
        run: which candidates are computed; by default those that are there (of a decided place the decided one).
        constants: add the weights of those that are not computed to the output of their edge (see `Mixture`).
        """
        chosen = (self.active if run is None else run & self.active).tolist()
        scalars = weights.flatten().unbind()
        width = weights.shape[1]
        rows: dict[Place, dict[str, Tensor]] = {}
        added: dict[Place, Tensor] = {}
        for i, decision in enumerate(self.decisions):
            place = decision.place
            if place in self.removed:
                continue
            only = self.decided.get(place)
            rows[place] = {
                candidate: scalars[i * width + j]
                for j, candidate in enumerate(decision.candidates)
                if (chosen[i][j] if only is None else candidate == only)
            }
            if constants and only is None:
                others = self.active[i] & ~run[i] if run is not None else torch.zeros_like(self.active[i])
                added[place] = weights[i][others].sum()
        return Mixture(rows, added)

    def by_name(self, weights: Tensor) -> dict[Place, dict[str, float]]:
        """Numbers as `values`, by place and candidate; candidates that are gone are left out."""
        table = weights.detach().tolist()
        there = self.active.tolist()
        result: dict[Place, dict[str, float]] = {d.place: {} for d in self.decisions}
        for entry in self.entries:
            if there[entry.row][entry.column]:
                result[entry.place][entry.candidate] = table[entry.row][entry.column]
        return result

    def follow(self, other: Alphas, *, values: bool) -> None:
        """Drop, decide and remove what `other` has, by name; with `values` its numbers too, where both have them."""
        for entry in other.entries:
            if entry.place not in self._rows or entry.candidate not in self.decision(entry.place).candidates:
                continue
            row, column = self.row(entry.place), self.column(entry.place, entry.candidate)
            self.active[row, column] = bool(other.active[entry.row, entry.column])
            if values:
                with torch.no_grad():
                    self.values[row, column] = other.values[entry.row, entry.column]
        self.decided = {p: c for p, c in other.decided.items() if p in self._rows}
        self.removed = {p for p in other.removed if p in self._rows}

    def state(self) -> dict[str, Any]:
        """All of it, by name, for a checkpoint."""
        return {
            "values": self.values.detach().clone(),
            "active": self.active.clone(),
            "names": [[*d.place, *d.candidates] for d in self.decisions],
            "decided": [[*place, candidate] for place, candidate in self.decided.items()],
            "removed": [list(place) for place in sorted(self.removed)],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state`; `ParameterError` where it is of other decisions."""
        names = [[*d.place, *d.candidates] for d in self.decisions]
        if [list(each) for each in state["names"]] != names:
            raise ParameterError("alphas: expected the state of the same decisions, got one of others")
        with torch.no_grad():
            self.values.copy_(state["values"])
        self.active = state["active"].clone()
        self.decided = {Place(cell, edge): candidate for cell, edge, candidate in state["decided"]}
        self.removed = {Place(*each) for each in state["removed"]}
