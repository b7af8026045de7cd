"""What a loader hands out: a `Benchmark`, whose frames are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import (
    DataFileError,
    MissingCapabilityError,
    MissingCurveError,
    MissingDataError,
    MissingFrameError,
    ParameterError,
    UnknownNameError,
)
from ..core.frames import SCHEMAS, complete
from ..core.provenance import InputSet
from ..core.reading import reading
from ..core.registry import resolve
from ..spaces import SPACES, Space, get_space, require
from ..spaces.base import Images
from ..spaces.capabilities import HasFlops, Isomorphic, counter
from .unnamed import images_of

#: Benchmark name -> loader ``(data: Path | None) -> Benchmark``.
BENCHMARKS: dict[str, str] = {
    "digits": "nasanalysis.loaders.digits:load",
    "digits-2": "nasanalysis.loaders.digits2:load",
    "digits-2-minibatches": "nasanalysis.loaders.digits2:load_minibatches",
    "nb201": "nasanalysis.loaders.tables.benchmark:load_nb201",
    "nb201-thesis": "nasanalysis.loaders.tables.benchmark:load_nb201_thesis",
    "nb201-syne-tune": "nasanalysis.loaders.syne_tune:load",
    "nats-tss": "nasanalysis.loaders.nats.benchmark:load_tss",
    "nats-sss": "nasanalysis.loaders.nats.benchmark:load_sss",
    "nb101": "nasanalysis.loaders.nb101.benchmark:load",
    "nb101-1": "nasanalysis.loaders.nb101.benchmark:load_space_1",
    "nb101-2": "nasanalysis.loaders.nb101.benchmark:load_space_2",
    "nb101-3": "nasanalysis.loaders.nb101.benchmark:load_space_3",
    "nb301": "nasanalysis.loaders.nb301.benchmark:load",
    "nb301-v0.9": "nasanalysis.loaders.nb301.benchmark:load_v09",
    "darts-214": "nasanalysis.loaders.darts.trained:load_214",
    "darts-1000": "nasanalysis.loaders.darts.trained:load_1000",
    "robust-darts": "nasanalysis.loaders.darts.robust_darts:load",
}


#: What a proxy may need -> the frame it is called on. Measures of live networks are read from recorded SCORES.
NEEDS = {
    **{name.lower(): name for name in SCHEMAS if name != "STATS"},
    "weights": "SCORES",
    "supernet": "SCORES",
}


@dataclass(frozen=True)
class Benchmark:
    """Ground truth over one space.

    Attributes
    ----------
    name, space: the benchmark and the space of its architectures.
    datasets: names of the datasets, as the benchmark spells them.
    inputs: the raw files behind it, for provenance.
    read: frame name (``TRUTH``, ``CURVES``, ``PERTURBED``, ``SCORES`` ...) -> function that returns a lazy frame.
    notes: what a user must know of the data (recorded in provenance).
    """

    name: str
    space: str
    datasets: tuple[str, ...]
    inputs: tuple[Path | InputSet, ...] = ()
    read: dict[str, Callable[[], pl.LazyFrame]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Three lines, and nothing is read for them."""
        files = f"{len(self.inputs)} input{'' if len(self.inputs) == 1 else 's'}"
        return (
            f"<{type(self).__name__} {self.name} over the space {self.space}\n"
            f"  datasets: {', '.join(self.datasets)}\n"
            f"  frames: {', '.join(self.read) or 'none'}; {files}>"
        )

    def archs(
        self, dataset: str | None = None, *, rule: str = "published", archs: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """ARCHS frame of the architectures that the benchmark records something of, or of those named.

        `params` (count), `flops` (multiply-accumulates of one image) and `unique_arch` under `rule`
        are computed exactly by the space.
        """
        wanted = self.datasets if dataset is None else (self._dataset(dataset),)
        if archs is None:
            return pl.concat([self._archs_of(name, rule) for name in wanted])
        return pl.concat([self._costs_of(list(dict.fromkeys(archs)), name, rule) for name in wanted])

    def truth(
        self,
        dataset: str | None = None,
        *,
        split: str | None = None,
        schedule: int | None = None,
        quantity: str | None = None,
        archs: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """TRUTH frame, filtered; empty if the benchmark records no such truth.

        `quantity` chooses where it records several: ``accuracy``, or what its files call another (``loss``).
        """
        return self._select("TRUTH", archs, dataset=dataset, split=split, schedule=schedule, quantity=quantity)

    def curves(
        self, dataset: str | None = None, *, schedule: int | None = None, archs: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """CURVES frame, filtered; empty if the benchmark records no curves."""
        return self._select("CURVES", archs, dataset=dataset, schedule=schedule)

    def curve(self, arch: str, dataset: str, quantity: str, *, schedule: int, seed: int | None = None) -> pl.DataFrame:
        """One curve, whole: columns ``step``, ``value`` and ``n_seeds`` (int64, float64, int64), in order of steps.

        Parameters
        ----------
        arch: ``space:key``, or a bare key.
        quantity: a value of the CURVES frame, such as ``train_loss`` or ``valid_accuracy``.
        schedule: epochs of the whole training: a 12-epoch training is not a prefix of one of 200.
        seed: of the training; None for the mean over the trainings that are recorded (``n_seeds`` of them).

        A curve that does not exist, or that is recorded at some steps only, is a `MissingCurveError` that says
        what exists: nothing is filled in.
        """
        self._dataset(dataset)
        if quantity not in SCHEMAS["CURVES"].values:
            raise UnknownNameError("quantity of a curve", quantity, SCHEMAS["CURVES"].values)
        arch = str(get_space(self.space).parse(arch))
        asked = f"{self.name}: {quantity} of {arch} on {dataset}, {schedule} epochs"
        rows = self._collect(self._lazy_of("CURVES", [arch]).filter(pl.col("arch").cast(pl.String) == arch))
        for column, value in (("dataset", dataset), ("schedule", schedule), ("seed", seed)):
            there = sorted(rows[column].unique().to_list(), key=lambda v: (v is None, v))
            if value is None and column == "seed":
                continue
            rows = rows.filter(pl.col(column) == value)
            if rows.is_empty():
                has = f"{column} {', '.join(map(str, there))}" if there else "no curve of this architecture"
                raise MissingCurveError(
                    f"{asked}{'' if seed is None else f', seed {seed}'}: not recorded; there is {has}"
                )
        kinds = rows.select("method", "setting", "unit").unique()
        if len(kinds) > 1:
            raise MissingCurveError(f"{asked}: one curve expected, got several kinds: {kinds.rows()}")
        if rows[quantity].null_count():
            raise MissingCurveError(f"{asked}: not recorded as a whole curve; {_recorded(rows, quantity)}")
        rows = self._with_recorded_ends(rows, arch, dataset, quantity)
        seeds = rows["seed"].n_unique()
        return (
            rows.group_by("step")
            .agg(pl.col(quantity).cast(pl.Float64).mean().alias("value"), pl.lit(seeds, pl.Int64).alias("n_seeds"))
            .sort("step")
        )

    def _with_recorded_ends(self, rows: pl.DataFrame, arch: str, dataset: str, quantity: str) -> pl.DataFrame:
        """A curve as float64, whose last accuracies are the recorded numbers (88.73), not float32's (88.730003).

        CURVES are float32 to halve them, TRUTH is not: its number is taken where the curve's is its rounding.
        """
        rows = rows.with_columns(pl.col(quantity).cast(pl.Float64))
        split, _, what = quantity.rpartition("_")
        if what != "accuracy" or "TRUTH" not in self.read:
            return rows
        schedule = int(rows["schedule"][0])
        truth = self.truth(dataset, split=split, schedule=schedule, quantity="accuracy", archs=[arch])
        ends = truth.select("seed", step=pl.lit(schedule, pl.Int64), end="accuracy").unique(["seed"])
        joined = rows.join(ends, on=["seed", "step"], how="left", nulls_equal=True, maintain_order="left")
        same = pl.col("end").cast(pl.Float32) == pl.col(quantity).cast(pl.Float32)
        return joined.with_columns(pl.when(same).then("end").otherwise(quantity).alias(quantity)).drop("end")

    def scores(
        self, dataset: str | None = None, *, proxy: str | None = None, archs: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """SCORES that the files of the benchmark record (published proxies, latencies), filtered."""
        return self._select("SCORES", archs, dataset=dataset, proxy=proxy)

    def perturbed(
        self,
        dataset: str | None = None,
        *,
        archs: Sequence[str] | None = None,
        position: str | None = None,
        direction: str | None = None,
        draws: str | None = None,
    ) -> pl.DataFrame:
        """PERTURBED frame (losses under weight noise), filtered; empty if the benchmark records none."""
        kind = {"position": position, "direction": direction, "draws": draws}
        return self._select("PERTURBED", archs, dataset=dataset, **kind)

    def frame(
        self,
        needs: str,
        dataset: str | None = None,
        *,
        schedule: int | None = None,
        archs: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """What a proxy `needs`, filtered: ``archs``, ``curves``, ``perturbed``, ``scores`` ... (see `NEEDS`).

        ARCHS are computed by the space and always there; `MissingFrameError` where another frame is not recorded.
        """
        if needs not in NEEDS:
            raise UnknownNameError("frame", needs, NEEDS)
        name = NEEDS[needs]
        if name == "ARCHS":
            return self.archs(dataset, archs=archs)
        if name not in self.read:
            there = ", ".join(self.read) or "no frame"
            raise MissingFrameError(f"benchmark {self.name!r} records no {name} frame; it records {there}")
        timed = {"schedule": schedule} if "schedule" in SCHEMAS[name].keys else {}
        return self._select(name, archs, dataset=dataset, **timed)

    def lazy(self, frame: str) -> pl.LazyFrame:
        """The whole frame called `frame`, lazily: filter it before you collect it."""
        return complete(self.read[frame](), frame) if frame in self.read else SCHEMAS[frame].empty().lazy()

    def _dataset(self, name: str) -> str:
        if name not in self.datasets:
            raise UnknownNameError(f"dataset of benchmark {self.name}", name, self.datasets)
        return name

    def _select(self, frame: str, archs: Sequence[str] | None, **equal: object) -> pl.DataFrame:
        if equal.get("dataset") is not None:
            self._dataset(str(equal["dataset"]))
        conditions = [pl.col(column).eq(value) for column, value in equal.items() if value is not None]
        if archs is not None:
            conditions.append(pl.col("arch").is_in(list(archs)))
        lazy = self._lazy_of(frame, archs)
        return self._collect(lazy.filter(*conditions) if conditions else lazy)

    def _collect(self, lazy: pl.LazyFrame) -> pl.DataFrame:
        """What `lazy` reads; a damaged file, ours in the cache too, is a `DataFileError`."""
        expected = "whole files (those in the cache, see `nasanalysis data path`, are made again once deleted)"
        with reading(f"benchmark {self.name!r}", expected):
            return lazy.collect()

    def _home(self) -> Space:
        if self.space not in SPACES:
            raise MissingCapabilityError(
                self.space,
                "say what an architecture costs",
                "entry in nasanalysis.spaces.SPACES",
                f"architectures of benchmark {self.name!r} are texts to us, so statistics and reports work, parameters "
                "and FLOPs do not: add an entry, or give them as scores",
            )
        return get_space(self.space)

    def _lazy_of(self, frame: str, archs: Sequence[str] | None) -> pl.LazyFrame:
        """`lazy`; a benchmark that can read only `archs` does so here."""
        return self.lazy(frame)

    def _archs_of(self, dataset: str, rule: str) -> pl.DataFrame:
        names_of = [
            self.lazy(frame).filter(pl.col("dataset") == dataset).select(pl.col("arch").cast(pl.String))
            for frame in ("TRUTH", "CURVES", "PERTURBED")
            if frame in self.read
        ]
        empty = pl.LazyFrame(schema={"arch": pl.String()})
        names = self._collect(pl.concat([empty, *names_of]).unique(maintain_order=True))["arch"]
        return self._costs_of(names.to_list(), dataset, rule)

    def _costs_of(self, names: list[str], dataset: str, rule: str) -> pl.DataFrame:
        images: str | Images = self.metadata.get("images", {}).get(dataset) or images_of(dataset, stacklevel=5)
        try:
            table = archs_frame(self._home(), names, images, rule=rule)
        except UnknownNameError as error:
            if error.kind != "dataset":
                raise
            raise ParameterError(
                f"benchmark {self.name!r}: parameters and FLOPs depend on classes and image size, which are not known "
                f"for the data set {dataset!r}; say them in its TOML description, for example classes = 10 and "
                f"image_size = 32 (docs/bring-your-own-table.md). {error}"
            ) from None
        return table.select(pl.lit(self.name).alias("benchmark"), pl.lit(dataset).alias("dataset"), pl.all())


def _recorded(rows: pl.DataFrame, quantity: str) -> str:
    """What these curves hold instead of a whole `quantity`, in words."""
    names = list(SCHEMAS["CURVES"].values)
    whole = [name for name in names if not rows[name].null_count()]
    steps = rows.filter(pl.col(quantity).is_not_null())["step"].unique().sort().to_list()
    at = f"it is recorded at step {', '.join(map(str, steps[:5]))}{' ...' if len(steps) > 5 else ''} only; "
    return f"{at if steps else ''}whole curves are there for {', '.join(whole) or 'nothing'}"


def archs_frame(
    space: Space,
    archs: Iterable[str],
    dataset: str | Images,
    *,
    rule: str = "published",
    channels: int | None = None,
    cells: int | None = None,
) -> pl.DataFrame:
    """Columns ``arch, unique_arch, params, flops`` of architectures, given as text ``space:key``.

    `unique_arch` is null where the space knows no isomorphisms, `flops` where it counts none.
    `MissingCapabilityError` for a space that counts no parameters, or that has one size where another is asked for.
    """
    knows_classes = isinstance(space, Isomorphic) or rule != "published"  # a rule by name must not pass unseen
    classes = require(space, Isomorphic).unique_archs(rule) if knows_classes else None
    count_params = counter(space, "params", channels=channels, cells=cells)
    count_flops = counter(space, "flops", channels=channels, cells=cells) if isinstance(space, HasFlops) else None
    rows = []
    for text in archs:
        arch = space.parse(text)
        rows.append(
            (
                str(arch),
                None if classes is None else str(classes[arch]),
                count_params(arch, dataset),
                None if count_flops is None else count_flops(arch, dataset),
            )
        )
    schema = {"arch": pl.String(), "unique_arch": pl.String(), "params": pl.Int64(), "flops": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def load_benchmark(name: str | Path | Sequence[Path | str], data: Path | str | None = None) -> Benchmark:
    """The benchmark called `name`, or one of your own files (docs/bring-your-own-table.md).

    Parameters
    ----------
    name: one of `BENCHMARKS`; ``digits`` is embedded and needs no files. Or a path: a TOML description of a table,
        several of one benchmark (a list, or their folder), or a plain CSV or Parquet table of ``arch,accuracy`` or
        ``arch,proxy,value[,step]``.
    data: folder of raw files; by default ``$NASANALYSIS_DATA``, then the user's cache.

    Raises `UnknownNameError` for a name that does not exist, `MissingDataError` where its files are
    not on this machine.
    """
    if not isinstance(name, str) or name not in BENCHMARKS:
        from .tables.load import NO_TABLE, is_own, load_own  # stands above this module: it makes benchmarks

        if is_own(name):
            return load_own(name, data)
        if Path(str(name)).suffix[1:].isalpha():
            raise DataFileError(f"{name}: {NO_TABLE}")
        raise UnknownNameError("benchmark", name, BENCHMARKS)
    return _load(name, None if data is None else Path(data).resolve())


@lru_cache(maxsize=8)
def _load(name: str, data: Path | None) -> Benchmark:
    benchmark: Benchmark = resolve("benchmark", name, BENCHMARKS)(data)
    return benchmark


def available(names: Sequence[str] = tuple(BENCHMARKS), data: Path | str | None = None) -> list[str]:
    """Those of `names` whose files are on this machine."""
    here = []
    for name in names:
        try:
            load_benchmark(name, data)
        except MissingDataError:
            continue
        here.append(name)
    return here
