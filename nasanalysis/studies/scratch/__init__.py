"""Training from scratch, in several draws of architectures: ``[[scratch]]``."""
