"""Measures of live supernets that no curve holds: read from the SCORES that a finetuning or a measuring wrote.

``sotl``, ``tl_mini`` (training loss of the last minibatch), ``sovl``, ``val_acc`` and ``val_loss`` are proxies of
`nasanalysis.proxies.curves` too and keep their entries there. How each is measured stands in
`nasanalysis.training.finetune`.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ..core.errors import UnknownNameError
from ..core.frames import any_frame, check
from ..measures.names import WEIGHT_NAMES, ZERO_COST_NAMES


@dataclass(frozen=True)
class Recorded:
    """A measure that ``nasanalysis supernet finetune`` or ``measure`` reads; it picks its own rows of their SCORES."""

    name: str
    direction: int
    reference: str

    needs = "supernet"

    def __call__(self, scores: pl.DataFrame) -> pl.DataFrame:
        """SCORES -> SCORES of this measure; `UnknownNameError` where the frame does not hold it."""
        return _pick(scores, self.name)


@any_frame
def _pick(scores: pl.DataFrame, name: str) -> pl.DataFrame:
    table = check(scores, "SCORES")
    if name not in table["proxy"]:
        raise UnknownNameError("proxy in these scores", name, table["proxy"].unique().sort().to_list())
    return table.filter(pl.col("proxy") == name)


_SOG = "SoTL thesis 4.2.4 (SoG)"
_SOGN = "SoTL thesis 4.2.4 (SoGN)"

#: What ``nasanalysis supernet measure`` reads.
WEIGHT_MEASURES = {name: Recorded(name, *named) for name, named in {**WEIGHT_NAMES, **ZERO_COST_NAMES}.items()}

#: What a finetuning reads; those with a curve are in `nasanalysis.proxies.PROXIES`.
SUPERNET_MEASURES: dict[str, Recorded] = {
    m.name: m
    for m in (
        Recorded("val_acc_mini", 1, "SoTL thesis 3.2.2 (ValAccMini): accuracy on one validation minibatch"),
        Recorded("sog", 1, f"{_SOG}: 1-norm of the sum of gradients"),
        Recorded("sog_sum", 1, f"{_SOG}: sum of the entries, signs kept"),
        Recorded("sog_l2", 1, f"{_SOG}, with the 2-norm"),
        Recorded("sogn", 1, f"{_SOGN}: sum of the 1-norms of gradients"),
        Recorded("sogn_l2_per_tensor", 1, f"{_SOGN}, with every tensor's 2-norm"),
    )
}
