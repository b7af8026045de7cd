"""When a search ends, or goes back: what follows from the dominant eigenvalue of the architecture Hessian.

The rule itself is that of the published logs (`nasanalysis.stats.stopping`); here is what a running search makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ParameterError
from ..stats.stopping import ROBUST_DARTS, StoppingRule


@dataclass(frozen=True)
class EarlyStopping:
    """DARTS-ES (Zela et al. 2020): the search ends where the rule fires, with the architecture of an earlier epoch."""

    rule: StoppingRule = ROBUST_DARTS


@dataclass(frozen=True)
class AdaptiveDecay:
    """DARTS-ADA (Zela et al. 2020): where the rule fires, all goes back to the earlier epoch, with more weight decay.

    Attributes
    ----------
    factor, most: what the weight decay is multiplied by, and its largest value (3 and 0.0243; launch script of the
        public code: 10, 0.03). With the decay at `most` nothing goes back any more.
    """

    rule: StoppingRule = ROBUST_DARTS
    factor: float = 3.0
    most: float = 0.0243

    def __post_init__(self) -> None:
        if not (self.factor > 1 and self.most > 0):
            raise ParameterError(f"adaptive decay: expected factor > 1 and most > 0, got {self.factor}, {self.most}")
