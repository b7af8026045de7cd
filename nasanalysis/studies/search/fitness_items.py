"""What the searches of a ``[[search]]`` item may ask, and what an answer costs: keys of a study file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ...core.terms import TermModel
from ...plots.style import proxy_label
from ...proxies import Direction, direction_of
from ...proxies.registry import is_computed
from ..items import Many, StrictModel

#: Label of the fitness that every algorithm gets beside those of the item: the true accuracy.
TRUTH = "truth"


class Cost(StrictModel):
    """Recorded cost of a query: a score such as ``training_seconds``, or the seconds of `epochs` of the curves."""

    proxy: str = ""
    epochs: int | None = Field(default=None, ge=1)
    dataset: str | None = None
    setting: str | None = None
    schedule: int | None = None
    times: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.proxy) == (self.epochs is not None):
            raise ValueError(f"cost: expected proxy or epochs, got {'both' if self.proxy else 'neither'}")
        return self


class FitnessItem(StrictModel):
    """What a search asks: a proxy, an accuracy of the benchmark (its split), or a weighted sum of proxies.

    `step`, `dataset`, `schedule`, `method`, `setting`, `seed` say which of its scores; `stepped` leaves the step to
    the algorithm (``successive_halving``). `direction`: whether a higher or a lower score is better, where the name of
    a proxy does not tell it.
    """

    label: str
    proxy: str = ""
    accuracy: str = ""
    terms: Many[TermModel] = ()
    dataset: str | None = None
    schedule: int | None = None
    step: int | None = Field(default=None, ge=1)
    method: str | None = None
    setting: str | None = None
    seed: int | None = None
    stepped: bool = False
    direction: Literal["higher", "lower"] | None = None
    cost: float | Cost = 0.0

    @field_validator("cost")
    @classmethod
    def _not_negative(cls, cost: float | Cost) -> float | Cost:
        if not isinstance(cost, Cost) and not 0 <= cost < float("inf"):
            raise ValueError(f"expected a finite number of at least 0, got {cost}")
        return cost

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [name for name in ("proxy", "accuracy", "terms") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"fitness {self.label!r}: expected one of proxy, accuracy and terms, got "
                f"{' and '.join(given) or 'none'}"
            )
        if self.label == TRUTH:
            raise ValueError(f"fitness {self.label!r}: this label belongs to the truth itself, which is always there")
        if self.stepped and (not self.proxy or self.step is not None):
            raise ValueError(f"fitness {self.label!r}: stepped: expected a proxy without a step")
        if self.direction is not None and not self.proxy:
            raise ValueError(f"fitness {self.label!r}: direction: expected a proxy that it is of")
        return self

    @property
    def pointing(self) -> Direction:
        """Which way is better in its proxy, and who says so."""
        return direction_of(self.proxy, None if self.direction is None else {self.proxy: self.direction})

    @property
    def source(self) -> str:
        """Where its values come from, in words for a note."""
        if self.terms:
            what = " + ".join(
                (f"{t.weight:g} x " if t.weight != 1 else "")
                + proxy_label(t.proxy)
                + (f" ({t.rule})" if t.rule != "raw" else "")
                for t in self.terms
            )
        elif self.proxy:
            what = proxy_label(self.proxy) + ("" if is_computed(self.proxy) else " as recorded")
            if (pointing := self.pointing).source != "ours":
                what += f", {pointing} is better"
        else:
            what = {"valid": "validation"}.get(self.accuracy, self.accuracy) + " accuracy"
        parts = [
            f"on {self.dataset}" if self.dataset else "",
            f"by {self.setting}" if self.setting else "",
            f"after {self.schedule} epochs" if self.schedule is not None and self.accuracy else "",
            f"schedule {self.schedule}" if self.schedule is not None and not self.accuracy else "",
            f"step {self.step}" if self.step is not None else "",
            f"training seed {self.seed}" if self.seed is not None else "",
        ]
        return ", ".join([what, *(part for part in parts if part)])


def assumed_directions(fitnesses: Sequence[FitnessItem], todo: str = "direction = 'lower' in its fitness") -> list[str]:
    """A sentence for each proxy of which nothing says whether a higher score is better; `todo`: how one says it."""
    notes = [
        f"direction of {f.proxy}: not known, higher is taken as better; if lower is: {todo.format(f.proxy)}"
        for f in fitnesses
        if f.proxy and f.pointing.source == "assumed"
    ]
    terms = dict.fromkeys(t.proxy for f in fitnesses for t in f.terms if direction_of(t.proxy).source == "assumed")
    notes += [f"direction of {p}: not known, higher is taken as better; if lower is: a negative weight" for p in terms]
    return list(dict.fromkeys(notes))
