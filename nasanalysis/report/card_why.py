"""Why a proxy ranks as it does, on its card: what the cell explains of it, what drives it, where it errs."""

from __future__ import annotations

import polars as pl

from .. import stats
from ..core.errors import MissingExtraError, StudyError
from ..proxies.graph import graph_features
from ..spaces import offers
from ..spaces.capabilities import HasCellGraphs
from .card_page import BASELINE, Page
from .explanation import explanation_figure, explanation_tables, sentences
from .model import Figure, Table

#: Functional classes, permutations and resamples of a card, which is to be made in seconds: fewer than a study takes.
CLASSES, PERMUTATIONS, RESAMPLES = 800, 5, 100


def why(page: Page) -> tuple[list[Table], list[Figure], list[str]]:
    """Tables, a figure, and what must be said: one line where scikit-learn or enough architectures are missing.

    Nothing where the space of these architectures has no cells.
    """
    if not _cells(page):
        return [], [], []
    archs = page.pairs()["arch"].to_list()
    features: list[pl.DataFrame] = [graph_features(archs)]
    if page.params is not None and page.proxy != BASELINE:
        features.append(page.params)
    try:
        explained = stats.explain_proxy(
            page.truth,
            page.scores,
            features,
            directions=page.directions,
            repeats=PERMUTATIONS,
            n_boot=min(page.n_boot, RESAMPLES),
            seed=page.seed,
            most=CLASSES,
        )
    except MissingExtraError as error:
        return [], [], [f"Why it ranks so is left out. {error}"]
    except StudyError as error:
        return [], [], [f"Why it ranks so is left out: {error}"]
    named = {page.proxy: explained}
    [sentence] = sentences(named)
    note = f"{sentence} Importances on at most {CLASSES:,} functional classes; {RESAMPLES} resamples."
    return list(explanation_tables("why", named, note)), [explanation_figure("why", named)], []


def _cells(page: Page) -> bool:
    spaces = {arch.partition(":")[0] for arch in page.pairs()["arch"].to_list()}
    return len(spaces) == 1 and offers(spaces.pop(), HasCellGraphs)
