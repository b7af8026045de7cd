"""Reports: results of studies -> tables, figures and one page."""

from .model import Board, Figure, Mark, Result, Section, Table
from .writer import make_folders, write_report

__all__ = ["Board", "Figure", "Mark", "Result", "Section", "Table", "make_folders", "write_report"]
