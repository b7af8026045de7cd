"""Settings: what a library call takes and what a configuration says, in one model with one set of defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import SerializerFunctionWrapHandler, ValidationError, model_serializer

from .errors import ParameterError
from .toml import StrictModel, explained


class Settings(StrictModel):
    """Frozen, checked, hashable. In Python a wrong value is a `ParameterError`; in a file it is told with its key.

    A configuration inherits from the settings it holds and adds keys of its own; `of` gives the settings alone.

    Attributes
    ----------
    later: keys that came after the first results were kept. They are written where they say something new alone, so
        that the fingerprint of a run of before stays what it was.
    """

    later: ClassVar[frozenset[str]] = frozenset()

    if not TYPE_CHECKING:  # type checkers read the fields instead

        def __init__(self, /, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as failure:
                raise ParameterError(explained(failure, type(self), values)) from None

        # inside another model pydantic then validates the fields itself and knows the place of an error
        __init__.__pydantic_base_init__ = True

    def unwritten(self) -> frozenset[str]:
        """Those of `later`, of this class and those it inherits from, that have their default."""
        names = {key for cls in type(self).__mro__ for key in getattr(cls, "later", ())}
        return frozenset(name for name in names if getattr(self, name) == type(self).model_fields[name].default)

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        for name in self.unwritten():
            written.pop(name, None)
        return written

    @classmethod
    def of(cls, wider: Settings, **changes: Any) -> Self:
        """The settings alone, of a configuration that adds keys to them; `changes` come in place of its values."""
        return cls(**{name: getattr(wider, name) for name in cls.model_fields} | changes)

    def changed(self, **values: Any) -> Self:
        """A copy with other values, checked as the first."""
        return type(self)(**{**dict(self), **values})
