"""Benchmarks of our own making."""
