"""Proxies: frames or weights -> SCORES."""

from .base import OfNoise, Proxy, as_scores
from .directions import Direction
from .flatness import Flatness, Sharpness, flatness, flatness_table
from .graph import GraphFeature, graph_features
from .registry import (
    ALIASES,
    PROXIES,
    canonical,
    direction,
    direction_of,
    flatness_of_each_kind,
    get_proxy,
    is_computed,
    is_proxy,
    needs_of,
    score_noise,
)
from .scoring import score
from .supernet import SUPERNET_MEASURES, WEIGHT_MEASURES

__all__ = [
    "ALIASES",
    "PROXIES",
    "SUPERNET_MEASURES",
    "WEIGHT_MEASURES",
    "Direction",
    "Flatness",
    "GraphFeature",
    "OfNoise",
    "Proxy",
    "Sharpness",
    "as_scores",
    "canonical",
    "direction",
    "direction_of",
    "flatness",
    "flatness_of_each_kind",
    "flatness_table",
    "get_proxy",
    "graph_features",
    "is_computed",
    "is_proxy",
    "needs_of",
    "score",
    "score_noise",
]
