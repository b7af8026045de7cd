"""Which parameters of a network a measure looks at: those in the cells, those that the architecture uses."""

from __future__ import annotations

from typing import Literal

from torch import nn

from ..core.errors import ParameterError
from .capabilities import HasSearchCells, HasUsedParameters

#: ``all``: every parameter. ``cells``: those of the searched cells (GeNAS, Table 13).
Position = Literal["all", "cells"]


def noisy_names(net: nn.Module, position: Position, cell: type[nn.Module] | None = None) -> list[str]:
    """Names of the parameters of `net` at `position`, in the order of ``named_parameters``, each once.

    ``cells`` are the modules of class `cell` if it is given, else those that ``net.search_cells()`` returns.

    Raises
    ------
    ParameterError: an unknown position; or no `cell` for a network that does not say which are its cells.
    """
    if position == "all":
        return [name for name, _ in net.named_parameters()]
    if position != "cells":
        raise ParameterError(f"position: expected 'all' or 'cells', got {position!r}")
    inside = {id(p) for module in _cells(net, cell) for p in module.parameters()}
    return [name for name, p in net.named_parameters() if id(p) in inside]


def noisy_parameters(net: nn.Module, position: Position, cell: type[nn.Module] | None = None) -> list[nn.Parameter]:
    """The parameters that `noisy_names` names."""
    by_name = dict(net.named_parameters())
    return [by_name[name] for name in noisy_names(net, position, cell)]


def used_names(net: nn.Module) -> list[str]:
    """Names of the parameters that the output of `net` depends on.

    A network that holds more says so by ``used_parameters()``, as ours do; of any other it is every parameter.
    """
    if isinstance(net, HasUsedParameters):
        return list(net.used_parameters())
    return [name for name, _ in net.named_parameters()]


def _cells(net: nn.Module, cell: type[nn.Module] | None) -> list[nn.Module]:
    if cell is not None:
        return [module for module in net.modules() if isinstance(module, cell)]
    if not isinstance(net, HasSearchCells):
        raise ParameterError(
            f"position 'cells': expected a network with a method search_cells(), got {type(net).__name__}; "
            "name the class of its cells with cell=..., or measure position 'all'"
        )
    return list(net.search_cells())
