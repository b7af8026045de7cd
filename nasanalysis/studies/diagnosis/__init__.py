"""Diagnostics of differentiable searches in a study: ``[[diagnosis]]``."""
