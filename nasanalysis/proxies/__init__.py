"""Proxies: frames or weights -> SCORES."""

from .base import Proxy
from .registry import ALIASES, PROXIES, canonical, direction, get_proxy, score
from .supernet import SUPERNET_MEASURES

__all__ = ["ALIASES", "PROXIES", "SUPERNET_MEASURES", "Proxy", "canonical", "direction", "get_proxy", "score"]
