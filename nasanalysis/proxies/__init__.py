"""Proxies: frames or weights -> SCORES."""

from .base import Proxy
from .registry import ALIASES, PROXIES, direction, get_proxy, score

__all__ = ["ALIASES", "PROXIES", "Proxy", "direction", "get_proxy", "score"]
