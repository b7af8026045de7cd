"""Names -> objects, loaded when first asked for, so that listing names imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from .errors import UnknownNameError


def resolve(kind: str, name: str, targets: Mapping[str, Any]) -> Any:
    """The object behind `name` in a registry of ``name -> "module:object"``, or ``name -> object``."""
    if name not in targets:
        raise UnknownNameError(kind, name, targets)
    if not isinstance(targets[name], str):
        return targets[name]
    module, _, attribute = targets[name].partition(":")
    loaded = sys.modules.get(module)  # names are resolved for every architecture of a table; importing takes longer
    return getattr(import_module(module) if loaded is None else loaded, attribute)
