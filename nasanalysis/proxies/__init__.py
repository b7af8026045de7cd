"""Proxies: frames or weights -> SCORES."""

from .base import Proxy
from .registry import ALIASES, PROXIES, canonical, direction, get_proxy, score

__all__ = ["ALIASES", "PROXIES", "Proxy", "canonical", "direction", "get_proxy", "score"]
