"""Differentiable search: one loop with exchangeable parts; a method is a row of parts (docs/methods.md)."""
