"""Items about live supernets: scores of several supernets against the truth."""
