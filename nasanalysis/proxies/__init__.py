"""Proxies: frames or weights -> SCORES."""

from .base import Proxy
from .flatness import Flatness, Sharpness, flatness, flatness_table
from .registry import (
    ALIASES,
    OF_NOISE,
    PROXIES,
    canonical,
    direction,
    flatness_of_each_kind,
    get_proxy,
    is_proxy,
    needs_noise,
    noise_proxy,
    score,
)
from .supernet import SUPERNET_MEASURES, WEIGHT_MEASURES

__all__ = [
    "ALIASES",
    "OF_NOISE",
    "PROXIES",
    "SUPERNET_MEASURES",
    "WEIGHT_MEASURES",
    "Flatness",
    "Proxy",
    "Sharpness",
    "canonical",
    "direction",
    "flatness",
    "flatness_of_each_kind",
    "flatness_table",
    "get_proxy",
    "is_proxy",
    "needs_noise",
    "noise_proxy",
    "score",
]
