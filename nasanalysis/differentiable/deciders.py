"""What settles edges while a search goes on: greedily by entropy (SGAS), or by what masking an operation costs
(DARTS-PT).

A decider acts between epochs and on the state alone (`Alphas`), so whatever relaxation a method has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..networks.mixture import Place
from ..spaces.darts_genotype import CELLS
from .selection import best

if TYPE_CHECKING:
    from .learner import SearchLearner
    from .state import Alphas


@dataclass(frozen=True)
class Greedy:
    """SGAS (Li et al. 2020, Section 3.2): every few epochs the edge of the best criterion is settled on its operation.

    Attributes
    ----------
    first, every: epochs of the stage after which it decides: first, first + every, ...
    criterion: 1: importance times certainty of the edge; 2: times the stability of its weights over `history` epochs.
    grow: images that a batch gains with every decision (public code: 8).
    strength: settle on the operation whose masking costs most accuracy (SGAS-PT) in place of the largest weight.

    Importance is 1 minus the weight of ``none``, certainty 1 minus the entropy of the others divided by that of equal
    ones; each is brought to [0, 1] by its smallest and largest value over the open edges of a cell, and to 0 where
    these are equal (then the first edge wins). A node with as many decided edges as an architecture gives it loses its
    others.
    """

    first: int = 9
    every: int = 5
    criterion: Literal[1, 2] = 1
    history: int = 4
    grow: int = 8
    strength: bool = False

    def before_epoch(self, learner: SearchLearner, epoch: int) -> None:
        if epoch < self.first or (epoch - self.first) % self.every:
            return
        alphas = learner.alphas
        decided = False
        for cell in dict.fromkeys(d.place.cell for d in alphas.decisions):
            places = [p for p in alphas.open() if p.cell == cell and alphas.decision(p).kind == "operation"]
            if places:
                self._decide(learner, places)
                decided = True
        if decided:
            learner.batch_size += self.grow

    def _decide(self, learner: SearchLearner, places: Sequence[Place]) -> None:
        alphas = learner.alphas
        weights = learner.table()
        scores = dict.fromkeys(places, 1.0)
        criteria = [
            {p: 1 - weights[p].get("none", 0.0) for p in places},
            {p: 1 - _relative_entropy(weights[p]) for p in places},
        ]
        if self.criterion == 2:
            criteria.append({p: learner.stability(p, self.history) for p in places})
        for each in criteria:
            scaled = _scaled(each)
            scores = {p: scores[p] * scaled[p] for p in places}
        place = max(places, key=lambda p: scores[p])
        chosen = strongest(learner, place) if self.strength else best(weights[place], ("none",))
        alphas.decide(place, chosen)
        remove_the_others(alphas, place)


def _relative_entropy(row: Mapping[str, float]) -> float:
    """Entropy of the weights without ``none``, divided by that of equal ones; 0 of a single one."""
    values = [w for op, w in row.items() if op != "none"]
    total = sum(values)
    if len(values) < 2 or total <= 0:
        return 0.0
    return -sum(v / total * math.log(v / total) for v in values if v > 0) / math.log(len(values))


def _scaled(values: Mapping[Place, float]) -> dict[Place, float]:
    low, high = min(values.values()), max(values.values())
    return {p: (v - low) / (high - low) if high > low else 0.0 for p, v in values.items()}


def remove_the_others(alphas: Alphas, place: Place) -> None:
    """Where a node of the DARTS spaces has its two inputs decided, take its other edges out."""
    if place.cell not in CELLS:
        return
    node = place.edge.partition("-")[2]
    of_node = [d.place for d in alphas.decisions if d.place.cell == place.cell and _target(d.place) == node]
    if sum(p in alphas.decided for p in of_node) == 2:
        for other in of_node:
            if other not in alphas.decided:
                alphas.remove(other)


def _target(place: Place) -> str:
    source, _, target = place.edge.partition("-")
    return target if source.isdigit() else ""


@dataclass(frozen=True)
class Perturb:
    """DARTS-PT (Wang et al. 2021, Algorithm 1): every few epochs an edge, drawn at random, is settled by masking.

    The operation is kept whose weight, set to 0 with the others left as they are, costs most: accuracy of the relaxed
    network on the images that alpha is trained on, with batch statistics (public code), or its loss. After the
    operations, in the DARTS spaces every node with more inputs than two loses some (`topology`).

    Attributes
    ----------
    every: epochs between decisions, in which the network is tuned.
    criterion: ``accuracy`` or ``loss`` under the mask; ``alpha``: the largest weight (DARTS-PT-Mag).
    topology: ``single``: edges of a node are ranked by what removing each alone costs, the two dearest stay (the
        public code, where a discarded edge comes back); ``greedy``: what is removed stays so for the next.
    images: on which a mask is judged; 0: all that alpha is trained on.
    """

    every: int = 5
    criterion: Literal["accuracy", "loss", "alpha"] = "accuracy"
    topology: Literal["single", "greedy"] = "single"
    images: int = 0

    def before_epoch(self, learner: SearchLearner, epoch: int) -> None:
        if epoch % self.every and epoch != learner.stage.epochs - 1:  # the last epoch decides too (public code)
            return
        alphas = learner.alphas
        per_cell = [p.cell for p in alphas.open() if alphas.decision(p).kind == "operation"]
        for cell in dict.fromkeys(per_cell):  # normal and reduce decide one edge each at the same time
            places = [p for p in alphas.open() if p.cell == cell and alphas.decision(p).kind == "operation"]
            place = places[int(learner.rng.integers(len(places)))]
            alphas.decide(place, self._chosen(learner, place))
        if not per_cell:
            self._drop_inputs(learner)

    def _chosen(self, learner: SearchLearner, place: Place) -> str:
        if self.criterion == "alpha":
            return best(learner.table()[place], _never(learner, place))
        return strongest(learner, place, loss=self.criterion == "loss", images=self.images)

    def _drop_inputs(self, learner: SearchLearner) -> None:
        """The inputs of one node of each cell, drawn at random among those that have too many."""
        alphas = learner.alphas
        for cell in CELLS:
            nodes: dict[str, list[Place]] = {}
            for decision in alphas.decisions:
                place = decision.place
                if place.cell == cell and place in alphas.decided and place not in alphas.removed:
                    nodes.setdefault(_target(place), []).append(place)
            crowded = [places for places in nodes.values() if len(places) > 2]
            if crowded:
                places = crowded[int(learner.rng.integers(len(crowded)))]
                for place in cheapest(learner, places, 2, greedy=self.topology == "greedy", images=self.images):
                    alphas.remove(place)


def _never(learner: SearchLearner, place: Place) -> tuple[str, ...]:
    """What no search of the DARTS spaces selects."""
    return ("none",) if place.cell in CELLS else ()


def strength(learner: SearchLearner, place: Place, *, loss: bool = False, images: int = 0) -> dict[str, float]:
    """Candidate -> what masking it costs: accuracy in percentage points, or loss in nats ([P], Section 4.2)."""
    alphas = learner.alphas
    clean = learner.reading(images=images)
    costs = {}
    for candidate in alphas.candidates(place):
        masked = learner.reading(images=images, mask=(place, candidate))
        costs[candidate] = masked.loss - clean.loss if loss else clean.accuracy - masked.accuracy
    return costs


def strongest(learner: SearchLearner, place: Place, *, loss: bool = False, images: int = 0) -> str:
    """The candidate whose masking costs most, the first of equals."""
    costs = strength(learner, place, loss=loss, images=images)
    return best(costs, _never(learner, place))


def cheapest(
    learner: SearchLearner, places: Sequence[Place], keep: int, *, greedy: bool, images: int = 0
) -> list[Place]:
    """Places whose removal costs least, all but `keep` of them ([P], A.3)."""
    gone: list[Place] = []
    remaining = list(places)

    def cost(place: Place, without: Sequence[Place]) -> float:
        return -learner.reading(images=images, removed=(*without, place)).accuracy

    costs = {place: cost(place, ()) for place in remaining}
    while len(remaining) > keep:
        if greedy and gone:
            costs = {place: cost(place, gone) for place in remaining}
        least = min(remaining, key=lambda p: costs[p])
        remaining.remove(least)
        gone.append(least)
    return gone
