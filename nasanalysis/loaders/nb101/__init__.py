"""NAS-Bench-101: its records, its NAS-Bench-1shot1 spaces, one-shot results."""
