"""Errors that a user can act on: each says what was expected, what came, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class NasAnalysisError(Exception):
    """Base of every error this package raises on purpose (the CLI prints it without a traceback)."""


class UnknownNameError(NasAnalysisError, KeyError):
    """A name that is not registered: a benchmark, dataset, proxy, space, operation ..."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        known = list(known)
        close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        if known and len(known) <= 30:
            hint += f" Known: {', '.join(known)}."
        self.message = f"unknown {kind} {name!r}.{hint}"
        super().__init__(self.message)
        self.kind = kind
        self._parts = (kind, name, known)

    def __str__(self) -> str:  # KeyError would print the repr
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:  # errors of worker processes travel as pickles
        return type(self), self._parts


class ParameterError(NasAnalysisError, ValueError):
    """A parameter outside what it may be: ``sotl_e@0``, a step that was not recorded, ``--workers -3``."""


class ArchError(NasAnalysisError, ValueError):
    """A text that is no architecture of its space, or an index outside the space."""


class MissingCapabilityError(NasAnalysisError, TypeError):
    """A space that was asked for what it does not offer (`nasanalysis.spaces.capabilities`)."""

    def __init__(self, space: str, can: str, lacks: str, instead: str = "") -> None:
        what = instead or f"add what is missing to the object behind SPACES[{space!r}], or use another space"
        super().__init__(f"space {space!r} cannot {can}: it has no {lacks}; {what}")
        self._parts = (space, can, lacks, instead)

    def __reduce__(self) -> tuple[Any, ...]:  # errors of worker processes travel as pickles
        return type(self), self._parts


class FrameError(NasAnalysisError, ValueError):
    """A table that breaks its schema: missing column, wrong type, duplicate key, impossible value."""


class DataFileError(NasAnalysisError):
    """A benchmark file that is missing, truncated, foreign or unsafe."""


class UnsafePickleError(DataFileError):
    """A pickle that asks for a class or function outside the allow-list."""


class MissingDataError(DataFileError, FileNotFoundError):
    """A benchmark whose raw files are not on this machine.

    data_set: name in the data registry, where it is one of ours. short: one line, what is needed and how to get it.
    """

    def __init__(self, message: str = "", *, data_set: str | None = None, short: str | None = None) -> None:
        super().__init__(message)
        self.data_set, self.short = data_set, short or message.partition("\n")[0]

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class MissingCurveError(NasAnalysisError, LookupError):
    """A curve that the benchmark does not record: the message says what it records."""


class MissingFrameError(NasAnalysisError, LookupError):
    """A frame that the benchmark does not record: the message says which ones it does."""


class DownloadError(DataFileError):
    """A file that no mirror gave: the message says what each answered."""


class StudyError(NasAnalysisError, ValueError):
    """A study file that cannot be run as written."""


class SearchError(NasAnalysisError, ValueError):
    """A search that cannot go on: nothing defined to rank, nothing that meets a limit, scores that are not one list."""


class OutputError(NasAnalysisError, OSError):
    """A place that results cannot be written to."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class BuildError(NasAnalysisError):
    """A build (training run) that cannot start or go on; what is finished stays on disk."""


class MissingExtraError(NasAnalysisError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, module: str, extra: str, why: str) -> None:
        super().__init__(
            f"{why} needs {module!r}, which is not installed. "
            f"Install it with: pip install -c constraints.txt 'nasanalysis[{extra}]'"
        )
        self._parts = (module, extra, why)

    def __reduce__(self) -> tuple[Any, ...]:  # errors of worker processes travel as pickles
        return type(self), self._parts
