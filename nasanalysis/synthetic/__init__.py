"""Experiments whose answer is known: SoTL as a bound of the evidence, and its gradients (SoTL thesis, 3.1, 4.1)."""
