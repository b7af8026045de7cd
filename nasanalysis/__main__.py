"""``python -m nasanalysis``: the command line."""

from .cli import main

main()
