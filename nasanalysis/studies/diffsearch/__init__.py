"""Differentiable searches in a study: ``[[diffsearch]]``."""
