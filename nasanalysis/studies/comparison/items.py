"""Comparisons of a study: ``[[compare]]`` items of a study file.

An item is one truth, one sample of architectures and several proxies::

    [[compare]]
    name = "digits"                     # file stem of its tables and figures
    title = "Which proxy ranks best?"
    benchmark = "digits"                # or files of your own: "my.toml", "my_truth.csv", ["c10.toml", "c100.toml"]
    unit = "fraction"                   # of a plain table's accuracies, and the space of its architectures ...
    space = "nb201"                     # ... where it does not say them (paths begin at the study file)
    scores = "my_scores.csv"            # of your own (arch,proxy,value[,step]); their proxies may be named below
    datasets = ["digits"]               # default: all of the benchmark
    split = "test"                      # of the truth
    schedule = 12                       # total epochs of the truth
    quantity = "latency"                # which truth, where there are several; default: accuracy
    sample = "uniform-live"             # see `nasanalysis.loaders.samples.SAMPLES`; default "all"
    proxies = ["params", "sotl", "val_acc"]   # default: all of `scores`
    statistics = ["spearman_rho", "kendall_tau", "topk_mean@10"]
    by_step = true                      # a figure of the first statistic against epochs
    scatter = ["params"]                # figures of score against truth
    directions = { mine = "lower" }     # which way is better, where a name misleads
    setting = "a"                       # of scores that stand under several; so is method
    infinite = "worst"                  # infinite scores of your files: ranked last; default: missing
    rival = ["sotl", "val_acc"]         # two proxies whose difference is followed step by step
    reliability = true                  # how well the truth repeats itself, and the ceiling that follows
    scores_dataset = "cifar10-valid"    # where curves were recorded on another dataset than the truth
    scores_seed = 0                     # scores of one training run
    truth_seed = 1                      # the truth of another
    published = [                       # rows are (dataset, proxy), columns statistics
      { row = ["digits", "params"], column = "spearman_rho", value = "0.79", where = "a paper, Table 1" },
    ]
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from ...loaders.tables.units import AccuracyUnit
from ...proxies import canonical
from ...report.published import Published
from ...stats.infinite import Infinite
from ..items import ItemModel, Many, Resampling, Section, Sources


def as_many(value: Any) -> Any:
    """One file, or a list of them."""
    return (value,) if isinstance(value, str) else value


def as_pairs(given: object) -> object:
    """A table of the file as pairs, so that an item can be hashed."""
    return tuple(given.items()) if isinstance(given, dict) else given


class Comparison(ItemModel):
    """One ``[[compare]]`` of a study (keys: see the module)."""

    benchmark: str | Many[str] = ""
    unit: AccuracyUnit | None = None
    space: str | None = None
    table: str | None = None
    scores: Annotated[Many[str], BeforeValidator(as_many)] = ()
    datasets: Many[str] | None = None
    scores_dataset: str | None = None
    scores_seed: int | None = None
    truth_seed: int | None = None
    split: str = "test"
    schedule: int | None = None
    quantity: str | None = None
    sample: str = "all"
    proxies: Many[str] = ()
    statistics: Many[str] = Field(default=("spearman_rho", "kendall_tau"), min_length=1)
    by_step: bool = False
    rival: Annotated[tuple[str, str], Field(strict=False)] | None = None
    scatter: Many[str] = ()
    reliability: bool = False
    directions: Annotated[
        tuple[Annotated[tuple[str, Literal["higher", "lower"]], Field(strict=False)], ...],
        BeforeValidator(as_pairs),
        Field(strict=False),
    ] = ()
    method: str | None = None
    setting: str | None = None
    infinite: Infinite = "missing"
    published: Many[Published] = ()

    @field_validator("proxies", "rival", "scatter")
    @classmethod
    def _one_name_each(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if names is None else tuple(canonical(name) for name in names)

    @field_validator("directions")
    @classmethod
    def _one_name_each_way(cls, directions: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((canonical(name), word) for name, word in directions)

    @field_validator("published")
    @classmethod
    def _of_a_proxy(cls, figures: tuple[Published, ...], info: ValidationInfo) -> tuple[Published, ...]:
        return figures if info.data.get("table") else tuple(_named(figure) for figure in figures)

    @model_validator(mode="after")
    def _ranks_what_is_last(self) -> Self:
        if self.infinite == "worst" and "pearson_r" in self.statistics:
            raise ValueError("infinite: pearson_r measures distances, and last has none; leave one of them out")
        return self

    @model_validator(mode="after")
    def _draws_what_it_scores(self) -> Self:
        printed = [] if self.table else [figure.row[1] for figure in self.published]
        if self.scores and not self.proxies:  # then they are those of the files, known when these are read
            return self
        asked = (("rival", self.rival or ()), ("scatter", self.scatter), ("published", printed))
        for key, names in (*asked, ("directions", tuple(dict(self.directions)))):
            if lost := [name for name in names if name not in self.proxies]:
                raise ValueError(f"{key}: {lost[0]!r} is not among the proxies ({', '.join(self.proxies)})")
        columns = [] if self.table else [figure.column for figure in self.published]
        if lost := [name for name in columns if name not in self.statistics]:
            raise ValueError(f"published: {lost[0]!r} is not among the statistics ({', '.join(self.statistics)})")
        return self

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Tables of statistics and figures of them."""
        if self.table is not None:  # as study files wrote it before tables were items of their own
            from ..tables.items import TableItem

            item = TableItem(
                name=self.name, title=self.title, text=self.text, table=self.table, published=self.published
            )
            return item.section(sources, resampling)
        from .section import comparison_section

        return comparison_section(self, sources, resampling)


def _named(figure: Published) -> Published:
    """The figure under the one name that its proxy has here."""
    if len(figure.row) != 2:
        raise ValueError(f"published: expected row = [dataset, proxy], got {list(figure.row)}")
    dataset, proxy = figure.row
    return figure.model_copy(update={"row": (dataset, canonical(proxy))})
