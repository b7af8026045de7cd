"""Loaders: raw benchmark files -> tidy frames."""

from .benchmark import BENCHMARKS, Benchmark, archs_frame, available, load_benchmark

__all__ = ["BENCHMARKS", "Benchmark", "archs_frame", "available", "load_benchmark"]
