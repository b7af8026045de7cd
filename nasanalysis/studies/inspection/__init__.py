"""What weights of finished searches say, in a study: ``[[inspection]]``."""
