"""``python -m nasanalysis``: the command line."""

from .cli.app import main

main()
