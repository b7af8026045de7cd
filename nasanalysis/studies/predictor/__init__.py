"""``[[predictor]]`` items: the bar that k trained architectures and a regressor set."""
