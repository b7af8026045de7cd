"""Architectures and searches of the DARTS space."""
