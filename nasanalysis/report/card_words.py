"""What a card says of its score and its truth in words: which step, which runs, which way is better."""

from __future__ import annotations

import polars as pl

from ..plots.style import UNIT_LABELS, proxy_label
from ..proxies import Direction
from ..stats.infinite import RANKED_LAST


def step_text(scores: pl.DataFrame) -> str:
    """``after 6 completed epochs``, or nothing for a score without steps."""
    step, unit = scores["step"][0], scores["unit"][0]
    if step is None:
        return ""
    if step == 0:
        return "before the first step"
    words = UNIT_LABELS.get(unit, "steps")
    return f"after {step:,} {words.removesuffix('s') if step == 1 else words}"


def runs_text(frame: pl.DataFrame) -> str:
    """``mean over seeds 0 and 1``, ``seed 0``, or nothing where no seed is recorded."""
    seeds = frame["seed"].drop_nulls().unique().sort().to_list()
    if len(seeds) > 4:
        return f"mean over {len(seeds)} seeds"
    if len(seeds) > 1:
        return f"mean over seeds {', '.join(map(str, seeds[:-1]))} and {seeds[-1]}"
    return f"seed {seeds[0]}" if seeds else ""


def of_the_same_runs(truth: pl.DataFrame, scores: pl.DataFrame) -> bool | None:
    """Whether the scores were read from the training runs whose accuracy is the truth; None where nothing says so.

    They were where they come from curves of the truth's own schedule and the seeds meet, or either is a mean over runs.
    """
    if scores["step"][0] is None:
        return False
    schedule = truth["schedule"][0]
    settings = [part for part in str(scores["setting"][0]).split(";") if part.startswith("schedule=")]
    if schedule is None or not settings:
        return None
    if settings != [f"schedule={schedule}"] or scores["method"][0] != "scratch" or "scored on" in scores["setting"][0]:
        return False
    ours, theirs = (set(frame["seed"].drop_nulls()) for frame in (scores, truth))
    return not ours or not theirs or bool(ours & theirs)


def subject(proxy: str, scores: pl.DataFrame, direction: Direction, same_runs: bool | None) -> str:
    """What the verdict is about: the score, its step, and whatever makes the verdict doubtful."""
    parts = [step_text(scores)]
    if same_runs:
        parts.append("read from the very training runs whose accuracy is the truth")
    if direction.source in ("assumed", "given"):
        parts.append(f"with {direction.word} taken as better ({direction.source})")
    if RANKED_LAST in scores["setting"][0]:
        parts.append(RANKED_LAST)
    return "".join([proxy_label(proxy), *(f", {part}" for part in parts if part)])


def about(proxy: str, truth: pl.DataFrame, scores: pl.DataFrame, direction: Direction, target: str) -> str:
    """One line: what the score is, which way is better, and what the truth is."""
    score = [proxy_label(proxy), f"{direction.word} is better ({direction.source})", step_text(scores)]
    sides = ("Score", [*score, runs_text(scores)]), ("Truth", [f"{target} on {truth['dataset'][0]}", runs_text(truth)])
    return " ".join(f"{side}: {'; '.join(part for part in parts if part)}." for side, parts in sides)
