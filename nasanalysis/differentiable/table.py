"""The table of methods and parts, from the code: what ``nasanalysis diffsearch methods`` prints, and
docs/methods.md.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from ..core.errors import ParameterError
from .method import Method
from .methods import method
from .names import METHODS
from .stages import Stage


def methods_table(space: str, epochs: int = 50) -> list[dict[str, str]]:
    """A row for every method: its name, reference, parts in words; ``parts`` says why where `space` does not define
    it.
    """
    rows = []
    for name in METHODS:
        try:
            row = method(name, space, epochs)
        except ParameterError as error:
            rows.append({"method": name, "reference": "", "parts": f"not defined on {space}: {error}"})
            continue
        words = parts_of(row)
        joined = "; ".join(f"{part}: {text}" for part, text in words.items() if text)
        rows.append({"method": name, "reference": row.reference, "parts": joined, **words})
    return rows


#: Columns of `methods_markdown`, and those of them that are parts.
_COLUMNS = ("method", "relaxation", "gradient", "weight step", "alpha", "stages", "selection", "stopping", "settings")


def methods_markdown(space: str, epochs: int = 50) -> str:
    """`methods_table` as Markdown: a row of parts for every method that `space` defines, with its reference."""
    lines = [f"| {' | '.join(_COLUMNS)} | reference |", f"|{' --- |' * (len(_COLUMNS) + 1)}"]
    for row in methods_table(space, epochs):
        if row["reference"]:
            cells = [f"`{row['method']}`", *(row[name].replace("|", "then") or "–" for name in _COLUMNS[1:])]
            lines.append(f"| {' | '.join(cells)} | {row['reference']} |")
    return "\n".join(lines)


def parts_of(row: Method) -> dict[str, str]:
    """Part -> what it is in this method, empty where there is none; options that are not the default are named."""
    selection = row.selection
    chosen = {
        "weights": "largest weights",
        "best_of": f"best of {selection.samples} by the supernet",
        "largest": "most parameters",
        "random": "uniform",
    }[selection.by]
    rests = [_words(row.freezing)] if row.freezing else []
    noise = [f"drop-path to {row.drop_path:g}"] if row.drop_path else []
    noise += [f"cutout to {row.cutout_probability:g}"] if row.cutout_probability else []
    return {
        "relaxation": _words(row.controller or row.relaxation) + (", inputs weighed" if row.edge_weights else ""),
        "gradient": _words(row.gradient),
        "weight step": ", ".join([*([_words(row.perturbation)] if row.perturbation else []), *rests, *noise]),
        "alpha": "" if row.gradient is None else _words(row.alpha),
        "stages": " | ".join(_stage(stage) for stage in row.stages),
        "selection": chosen + (f", at most {selection.skips} skips" if selection.skips is not None else ""),
        "stopping": _words(row.stopping),
        "settings": ", ".join(f"{k}={v}" for k, v in {**row.network, **row.settings}.items()),
    }


def _stage(stage: Stage) -> str:
    words = [f"{stage.epochs} epochs"]
    words += [f"alpha rests {stage.frozen}"] if stage.frozen else []
    words += [f"{k}={v}" for k, v in stage.network.items()]
    words += [f"keeps {stage.keep}"] if stage.keep else []
    words += ["weights widened"] if stage.widen else []
    words += ["alphas anew"] if stage.fresh else []
    words += [f"skips dropped {stage.skip_dropout:g}"] if stage.skip_dropout else []
    words += ["alpha at rest"] if not stage.alpha else []
    words += [_words(stage.decider)] if stage.decider else []
    return ", ".join(words)


def _words(part: Any) -> str:
    """The class of a part, and what is not its default."""
    if part is None:
        return ""
    if not is_dataclass(part):
        return type(part).__name__
    default: Any = type(part)()  # type: ignore[misc]
    said = [
        f"{f.name}={_value(getattr(part, f.name))}"
        for f in fields(part)
        if getattr(part, f.name) != getattr(default, f.name) and f.name != "rule"
    ]
    return type(part).__name__ + (f"({', '.join(said)})" if said else "")


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
