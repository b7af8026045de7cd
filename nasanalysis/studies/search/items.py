"""Searches in a study: ``[[search]]`` items of a study file.

An item is one truth, the algorithms and the fitnesses that they ask; every algorithm searches with every fitness, and
with the truth itself::

    [[search]]
    name = "digits"
    title = "What does a search find?"
    benchmark = "digits"                # of the truth, or files of your own ("my.toml", "my_truth.csv", a list of them)
    quantity = "latency"                # which truth, where there are several; default: accuracy, or the only one
    unit = "fraction"                   # of a plain table's accuracies, and the space of its architectures ...
    space = "nb201"                     # ... where it does not say them
    scores = "my_scores.csv"            # of your own; fitnesses may name their proxies
    dataset = "digits"                  # of the truth; so are the next four keys
    split = "test"
    schedule = 12
    truth_seed = 1                      # default: the mean over seeds
    sample = "all"
    queries = 300                       # of each search
    seeds = 50                          # searches of each kind: 0, 1, ...
    at = [30, 100, 300]                 # the table's query numbers
    cost_unit = "epochs"                # of the costs below; default "seconds"
    algorithms = ["random_search", { name = "regularised_evolution", preset = "nas-bench-201" }]
    fitnesses = [
      { label = "parameters", proxy = "params" },
      { label = "SoTL, 3 epochs", proxy = "sotl", step = 3, seed = 0, cost = 3 },
      { label = "mine", proxy = "mine", direction = "lower" },                    # where its name does not tell it
      { label = "SoTL", proxy = "sotl", seed = 0, stepped = true, cost = 1 },     # for successive_halving: of each step
      { label = "validation accuracy", accuracy = "valid", dataset = "cifar10-valid", schedule = 12,
        cost = { proxy = "training_seconds", dataset = "cifar10-valid", setting = "12_epochs" } },
      { label = "sum", step = 3, terms = [{ proxy = "params", rule = "rank" }, { proxy = "sotl", rule = "rank" }] },
    ]

    [[search.figures]]                  # accuracy against queries: one algorithm and several fitnesses, or the reverse
    name = "queries"
    algorithms = ["spos_evolution"]
    fitnesses = ["parameters", "SoTL, 3 epochs", "truth"]

    [[search.figures]]                  # the same as regret: the distance from the best architecture of the table
    name = "regret"
    kind = "regret"
    algorithms = ["regularised_evolution"]
    fitnesses = ["parameters", "truth"]

    [[search.figures]]                  # what is expected of scoring at random and picking the best, against the cost
    name = "budget"
    kind = "budget"
    curves = [
      { label = "alone", fitness = "SoTL, 3 epochs" },
      { label = "parameters first", filter = "parameters", keep = 0.1, fitness = "SoTL, 3 epochs" },
    ]

Only architectures that have a truth and every fitness are searched, so that all rows of a table compare. A cost is a
number for each query (for a stepped fitness: each step), a recorded score (``times`` over, where a score is the mean
of several trainings), or ``{ epochs = 12 }``: the recorded seconds of these epochs of the training curves.

Searches over live supernets (``nasanalysis supernet search``) are read from ``traces``, TRACE files: a table of what
each part found. ``parts`` chooses and labels them. ``perturbed``, PERTURBED of the architectures found, allows a
figure of kind ``curvature``: the loss under weight noise of what each part found::

    traces = ["build/nb201/search/angle/trace.parquet", "build/nb201/search/both/trace.parquet"]
    parts = [{ label = "Angle", part = "angle" }, { label = "Angle + Flatness", part = "both" }]
    perturbed = "build/nb201/measure/found/perturbed.parquet"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ...core.errors import NasAnalysisError
from ...loaders.tables.units import AccuracyUnit
from ...plots.search import ALGORITHM_LABELS
from ...search import SearchResult
from ...search.bind import bind
from ..items import ItemModel, Many, Resampling, Section, Sources, StrictModel
from .fitness_items import TRUTH, FitnessItem

HALVING = "successive_halving"


class AlgorithmItem(StrictModel):
    """An algorithm of `nasanalysis.search.ALGORITHMS` with its settings; the label is its name by default."""

    name: str
    label: str = ""
    preset: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _exists(self) -> Self:
        try:
            self.bound()
        except NasAnalysisError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def key(self) -> str:
        """What figures of an item call it."""
        return self.label or self.name

    @property
    def shown(self) -> str:
        """What a reader sees."""
        return self.label or ALGORITHM_LABELS.get(self.name, self.name.replace("_", " "))

    def bound(self) -> Callable[..., SearchResult]:
        """The algorithm with its settings."""
        return bind(self.name, preset=self.preset, options=self.options)


class BudgetCurve(StrictModel):
    """`fitness` alone, or on the share `keep` that `filter` puts first (`draws` random samples, not exact)."""

    label: str
    fitness: str
    filter: str | None = None
    keep: float = Field(default=0.1, gt=0, le=1)
    draws: int = Field(default=300, ge=2)


class SearchFigure(StrictModel):
    """A figure (see the module).

    `low`: end of its y axis where the worst stand, in the truth's unit. `protocol` and `part` (of ``curvature``): which
    losses, where `perturbed` holds those of several supernets.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    kind: Literal["queries", "regret", "budget", "curvature"] = "queries"
    caption: str = ""
    algorithms: Many[str] = ()
    fitnesses: Many[str] = ()
    curves: Many[BudgetCurve] = ()
    low: float | None = None
    protocol: str | None = None
    part: str | None = None

    @model_validator(mode="after")
    def _drawable(self) -> Self:
        queried = self.kind in ("queries", "regret")
        if queried and (1 not in (len(self.algorithms), len(self.fitnesses)) or not self.fitnesses):
            raise ValueError(
                f"figure {self.name!r}: expected one algorithm and several fitnesses or the reverse, got "
                f"{len(self.algorithms)} algorithms and {len(self.fitnesses)} fitnesses"
            )
        if queried and not self.algorithms:
            raise ValueError(f"figure {self.name!r}: expected algorithms, got none")
        if (self.kind == "budget") != bool(self.curves):
            raise ValueError(f"figure {self.name!r}: expected curves in a figure of kind budget, and in no other")
        return self


class LivePart(StrictModel):
    """A part ``[[search]]`` of a configuration of supernets, under our label."""

    label: str
    part: str


class SearchItem(ItemModel):
    """One ``[[search]]`` of a study (keys: see the module)."""

    benchmark: str | Many[str]
    unit: AccuracyUnit | None = None
    space: str | None = None
    scores: Many[str] = ()
    quantity: str | None = None
    dataset: str = "cifar10"
    split: str = "test"
    schedule: int | None = None
    truth_seed: int | None = None
    sample: str = "all"
    queries: int = Field(default=300, ge=1)
    seeds: int = Field(default=20, ge=1)
    at: Many[int] = Field(default=(30, 100, 300), min_length=1)
    cost_unit: str = "seconds"
    algorithms: Many[AlgorithmItem] = ()
    fitnesses: Many[FitnessItem] = ()
    figures: Many[SearchFigure] = ()
    traces: Many[str] = ()
    parts: Many[LivePart] = ()
    perturbed: Many[str] = ()

    @field_validator("algorithms", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return [{"name": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value

    @field_validator("traces", "perturbed", "scores", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.algorithms) != bool(self.fitnesses):
            got = "algorithms" if self.algorithms else "fitnesses"
            raise ValueError(f"expected algorithms and fitnesses, got {got} only")
        if not self.algorithms and not self.traces:
            raise ValueError("expected algorithms and fitnesses, or traces of live searches, got neither")
        algorithms, fitnesses = [a.key for a in self.algorithms], [f.label for f in self.fitnesses]
        parts = [p.label for p in self.parts]
        for what, labels in (("algorithms", algorithms), ("fitnesses", fitnesses), ("parts", parts)):
            if len(set(labels)) < len(labels):
                raise ValueError(f"{what}: two share a label; got {', '.join(labels)}")
        if wrong := [n for n in self.at if not 1 <= n <= self.queries]:
            raise ValueError(f"at: expected query numbers from 1 to {self.queries}, got {wrong[0]}")
        self._check_steps()
        for figure in self.figures:
            self._check_figure(figure, algorithms, [*fitnesses, TRUTH])
        return self

    def _check_steps(self) -> None:
        """Only successive halving asks by step, and it does nothing else."""
        halving = any(a.name == HALVING for a in self.algorithms)
        stepped = [f.label for f in self.fitnesses if f.stepped]
        if halving and not stepped:
            raise ValueError(f"{HALVING}: expected a fitness with stepped = true, got none")
        if stepped and not halving:
            raise ValueError(f"fitness {stepped[0]!r}: stepped, and {HALVING} is not among the algorithms")
        if len(stepped) == len(self.fitnesses) and any(a.name != HALVING for a in self.algorithms):
            raise ValueError(f"fitnesses: expected one that is not stepped, for the algorithms other than {HALVING}")

    def _check_figure(self, figure: SearchFigure, algorithms: Sequence[str], fitnesses: Sequence[str]) -> None:
        if figure.kind == "curvature":
            if not self.perturbed or not self.traces:
                raise ValueError(f"figure {figure.name!r}: expected traces, and perturbed of what they found")
            return
        whole = [f.label for f in self.fitnesses if not f.stepped]
        asked = [*(c.fitness for c in figure.curves), *(c.filter for c in figure.curves if c.filter is not None)]
        for what, names, known in (
            ("algorithms", figure.algorithms, algorithms),
            ("fitnesses", figure.fitnesses, fitnesses),
            ("curves", asked, whole),
        ):
            if lost := [name for name in names if name not in known]:
                raise ValueError(
                    f"figure {figure.name!r}: {what}: expected some of {'; '.join(known)}, got {lost[0]!r}"
                )
        for algorithm in (a for a in self.algorithms if a.key in figure.algorithms):
            if not set(figure.fitnesses) & set(self.asked_by(algorithm)):
                raise ValueError(f"figure {figure.name!r}: {algorithm.key} searches with none of its fitnesses")

    def asked_by(self, algorithm: AlgorithmItem) -> tuple[str, ...]:
        """Labels of the fitnesses that `algorithm` searches with."""
        if algorithm.name == HALVING:
            return tuple(f.label for f in self.fitnesses if f.stepped)
        return (*(f.label for f in self.fitnesses if not f.stepped), TRUTH)

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Tables and figures of the searches."""
        from .section import search_section

        return search_section(self, sources, resampling)
