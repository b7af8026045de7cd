"""NAS-Bench-301: surrogate models over the DARTS space."""
