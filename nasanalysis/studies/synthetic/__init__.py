"""Synthetic experiments in a study: ``[[synthetic]]``."""
