"""The cell as a graph, in numbers: counts, paths, depth, width, degrees. What a proxy must beat to say anything new."""

from .features import graph_features
from .proxy import GraphFeature

__all__ = ["GraphFeature", "graph_features"]
