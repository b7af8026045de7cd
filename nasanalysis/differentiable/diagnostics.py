"""What a search says of itself after an epoch, where it is asked to (`SearchSettings.diagnose_every`,
`eigenvalue_every`).

======================================= =======================================================================
``selected_skips``                      skip connections of the architecture that would be selected
``selected_parameter_free``             its operations without weights: skips and poolings (``none`` is no operation)
``selected_depth``, ``selected_width``  operations on its longest path, and that run side by side (of the cells with
                                        names of their own, such as ``selected_depth@normal``, each)
``discrete_valid_accuracy``             percent, of the supernet with this architecture alone, weights as they are
``discretisation_drop``                 accuracy of the mixture less that: percentage points
``arch_hessian_ev``                     most positive eigenvalue of the architecture Hessian, on alpha's images
``arch_hessian_ev_magnitude``           the eigenvalue of largest magnitude, with its sign
``train_arch_hessian_ev``, ...          both on images that the weights learn from
``arch_hessian_spectrum``               with `eigenvalue_spectrum` every eigenvalue, on alpha's images, a row for each
                                        (column ``part``: its number, from the most negative)
======================================= =======================================================================

Depth and width are those of `nasanalysis.proxies.graph`. Nothing moves: neither weights, batch-norm statistics and
gradients, nor a stream of random numbers. What cannot be read in an epoch is left out, and ``eigenvalue_missing`` (a
text) says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import NasAnalysisError, ParameterError
from ..networks.mixture import one_hot
from ..proxies.graph import graph_features
from ..spaces import get_space
from ..spaces.base import Arch
from ..spaces.capabilities import HasCellGraphs

if TYPE_CHECKING:
    from .learner import SearchLearner
    from .method import Method
    from .settings import SearchSettings

#: Feature of a cell's graph -> quantity.
_GRAPH = {"graph_depth": "selected_depth", "graph_width": "selected_width"}
#: Images -> what stands before the quantity.
_PREFIX = {"alpha": "", "weights": "train_"}


class Diagnosed(NamedTuple):
    """Quantity -> number, name -> why something is missing, and all eigenvalues where they are asked for."""

    numbers: dict[str, float]
    notes: dict[str, str]
    spectrum: list[float]


def require_defined(method: Method, settings: SearchSettings) -> None:
    """`ParameterError` where a diagnostic is asked for that `method` does not define, before anything is searched."""
    if not settings.eigenvalue_every:
        return
    if method.controller is not None:
        raise ParameterError(
            f"{method.name}: expected architecture parameters for eigenvalue_every, got a controller, which has none; "
            "say search = { eigenvalue_every = 0 } for it"
        )
    if method.relaxation.hard and not settings.eigenvalue_relaxed:
        raise ParameterError(
            f"{method.name}: expected weights that move with alpha for eigenvalue_every, got a sampler, whose loss is "
            "piecewise constant in it; say search = { eigenvalue_every = 0 } for it, or eigenvalue_relaxed = true for "
            "the Hessian of its softmax"
        )


def diagnosed(learner: SearchLearner, epoch: int, genotype: Arch | None, accuracy: float) -> Diagnosed:
    """What is due after `epoch`; `genotype`: what would be selected; `accuracy` of the mixture, in percent."""
    settings = learner.settings
    numbers: dict[str, float] = {}
    notes: dict[str, str] = {}
    spectrum: list[float] = []
    if settings.diagnose_every and epoch % settings.diagnose_every == 0 and genotype is not None:
        numbers |= architecture_numbers(genotype)
        discrete = discrete_accuracy(learner, genotype)
        numbers |= {"discrete_valid_accuracy": discrete, "discretisation_drop": accuracy - discrete}
    if settings.eigenvalue_every and epoch % settings.eigenvalue_every == 0:
        if settings.eigenvalue_spectrum:
            try:
                spectrum = _whole_spectrum(learner)
            except NasAnalysisError as reason:
                notes["spectrum_missing"] = str(reason)
        try:
            numbers |= _eigenvalues(learner, spectrum)
        except NasAnalysisError as reason:
            notes["eigenvalue_missing"] = str(reason)
    return Diagnosed(numbers, notes, spectrum)


def architecture_numbers(arch: Arch) -> dict[str, float]:
    """Skips, operations without weights, depth and width of an architecture; skips only where the space has any."""
    definition: HasCellGraphs = get_space(arch.space, HasCellGraphs)
    features = {k: v for k, v in graph_features([arch]).row(0, named=True).items() if k != "arch"}
    counts: dict[str, float] = {}
    for name, value in features.items():
        feature, _, what = name.partition("@")
        if feature == "graph_count":
            operation = what.rpartition("/")[2]
            counts[operation] = counts.get(operation, 0.0) + value
    free = [op for op in counts if definition.operation_kinds[op] not in ("none", "conv")]
    numbers = {"selected_parameter_free": sum(counts[op] for op in free)}
    if "skip_connect" in counts:
        numbers["selected_skips"] = counts["skip_connect"]
    for name, value in features.items():
        feature, _, cell = name.partition("@")
        if feature in _GRAPH:
            numbers[_GRAPH[feature] + (f"@{cell}" if cell else "")] = value
    return numbers


def discrete_accuracy(learner: SearchLearner, arch: Arch, data: str = "valid") -> float:
    """Percent of images that the supernet has right as this architecture alone, its weights as they are."""
    net = learner.net
    mixture = one_hot(net, net.chosen(net.choice(arch)))  # type: ignore[arg-type, operator]
    return learner.accuracy_under(mixture, data=data)


def _whole_spectrum(learner: SearchLearner) -> list[float]:
    from .hessian import spectrum

    return [float(value) for value in spectrum(learner, relaxed=learner.settings.eigenvalue_relaxed)]


def _eigenvalues(learner: SearchLearner, whole: list[float]) -> dict[str, float]:
    """Both ends, on the images that are asked for; `whole`: the spectrum on alpha's where it is there already."""
    from .hessian import Extremes, extremes

    settings = learner.settings
    asked = ("alpha", "weights") if settings.eigenvalue_data == "both" else (settings.eigenvalue_data,)
    numbers = {}
    for data in asked:
        if whole and data == "alpha":
            ends = Extremes(whole[-1], max(whole, key=abs))
        else:
            ends = extremes(learner, relaxed=settings.eigenvalue_relaxed, data=data)
        numbers[f"{_PREFIX[data]}arch_hessian_ev"] = ends.most_positive
        numbers[f"{_PREFIX[data]}arch_hessian_ev_magnitude"] = ends.largest
    return numbers
