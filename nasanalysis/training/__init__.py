"""Training live networks (torch): tasks, batches, protocols, and the loops over them."""
