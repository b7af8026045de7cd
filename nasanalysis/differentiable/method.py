"""A method is a row of parts (Section 10 of the facts that this layer was built from): what it says of each.

================ ===========================================================================
`relaxation`     from alpha to weights of a mixture (`relaxations`)
`gradient`       what alpha is moved by (`gradients`); None: nothing
`perturbation`   noise in the weight step (`perturbations`)
`freezing`       operations whose weights stop learning (`freezing`)
`alpha`          how alpha is stepped (`updates`)
`stages`         the course of the search (`stages`), with its deciders
`selection`      how the architecture is read off at the end
`stopping`       when it ends early or goes back (`stopping`)
================ ===========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..core.errors import ParameterError
from .controller import Controller
from .freezing import OperationStopping
from .gradients import FirstOrder, Gradient
from .perturbations import Perturbation
from .relaxations import Relaxation, Softmax
from .stages import Stage
from .stopping import AdaptiveDecay, EarlyStopping
from .updates import AlphaUpdate


@dataclass(frozen=True)
class Selection:
    """How an architecture is read off.

    Attributes
    ----------
    by: ``weights``: see `nasanalysis.differentiable.selection`; ``best_of``: the best of `samples` architectures by the
        accuracy of the supernet; ``largest``: the most parameters of the space, ``random``: one drawn uniformly
        (controls without a search).
    samples: of ``best_of``. skips: most skip connections in the normal cell, by ``weights``; None: any number.
    """

    by: Literal["weights", "best_of", "largest", "random"] = "weights"
    samples: int = 100
    skips: int | None = None


@dataclass(frozen=True)
class Method:
    """A row of parts.

    Attributes
    ----------
    name: of the method. reference: where it comes from.
    settings: keys of `SearchSettings` that the method sets (PC-DARTS: batches of 256 images).
    network: keys of `NetworkConfig` that it sets. edge_weights: whether inputs of nodes are weighed too.
    zero_alphas: whether alphas begin at 0 in place of small random numbers.
    drop_path: its largest probability, which grows with the epochs; cutout_probability: likewise of cutout (R-DARTS
        ties them).
    controller: draws architectures in place of a relaxation's weights (ENAS).
    """

    name: str
    reference: str
    stages: tuple[Stage, ...]
    relaxation: Relaxation = field(default_factory=Softmax)
    gradient: Gradient | None = None
    perturbation: Perturbation | None = None
    freezing: OperationStopping | None = None
    alpha: AlphaUpdate = field(default_factory=AlphaUpdate)
    selection: Selection = field(default_factory=Selection)
    stopping: EarlyStopping | AdaptiveDecay | None = None
    controller: Controller | None = None
    edge_weights: bool = False
    zero_alphas: bool = False
    drop_path: float = 0.0
    cutout_probability: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        watched = isinstance(self.gradient, FirstOrder) and self.gradient.data == "valid"
        if self.freezing is not None and not watched:
            raise ParameterError(
                f"{self.name}: expected the first order on validation batches, whose gradients operations are stopped "
                f"by, got {type(self.gradient).__name__}"
            )

    @property
    def period(self) -> int:
        """Weight steps for one step of alpha."""
        return 1 if self.gradient is None else self.gradient.period

    def described(self) -> dict[str, str]:
        """Part -> its words, for fingerprints and the table of methods."""
        parts: dict[str, Any] = {
            "relaxation": self.relaxation,
            "gradient": self.gradient,
            "perturbation": self.perturbation,
            "alpha": self.alpha,
            "stages": self.stages,
            "selection": self.selection,
            "stopping": self.stopping,
            "controller": self.controller,
        }
        if self.freezing is not None:  # a part that came later: searches of before keep their fingerprints
            parts["freezing"] = self.freezing
        if any(stage.widen for stage in self.stages):  # likewise
            parts["widened"] = [number for number, stage in enumerate(self.stages) if stage.widen]
        words = {name: repr(part) for name, part in parts.items()}
        words["network"] = f"edge_weights={self.edge_weights}, zero_alphas={self.zero_alphas}, {dict(self.network)}"
        words["noise"] = f"drop_path={self.drop_path}, cutout_probability={self.cutout_probability}"
        return words
