"""The proxies of curves under their names: for each name what takes the text after ``@`` (None without one)."""

from __future__ import annotations

from collections.abc import Callable

from ..core.errors import ParameterError
from .base import Proxy, takes_no_argument
from .curves import ExponentialSum, LastValue, WindowSum

Factory = Callable[[str | None], Proxy]

_SOTL = "SoTL thesis 3.1; Ru et al. 2021, Eq. 2 (TSE)"
_SOVL = "Ru et al. 2021 (SoVL)"
_ERROR = "stand-in for SoTL where losses are not recorded; sum of 100 - training accuracy"


def _windows(base: str, column: str, reference: str, *, error: bool = False) -> tuple[Factory, Factory, Factory]:
    """`base` over all steps, over the last steps (``_e@5``), over the first (``_first@5``)."""

    def plain(argument: str | None) -> Proxy:
        takes_no_argument(base, argument)
        return WindowSum(base, column, reference, error=error)

    def last(argument: str | None) -> Proxy:
        size = 1 if argument is None else _whole(f"{base}_e", argument)
        return WindowSum(base, column, reference, "last", size, error)

    def first(argument: str | None) -> Proxy:
        return WindowSum(base, column, reference, "first", _whole(f"{base}_first", argument), error)

    return plain, last, first


def _whole(name: str, argument: str | None) -> int:
    if argument is None or not argument.isdecimal() or int(argument) < 1:
        raise ParameterError(f"proxy {name!r}: expected a number of steps such as {name}@5, got {argument!r}")
    return int(argument)


def sotl_ema(argument: str | None) -> Proxy:
    """``sotl_ema@0.99``: the decay; 0.999 without one."""
    if argument is None:
        return ExponentialSum()
    try:
        decay = float(argument)
    except ValueError:
        raise ParameterError(f"sotl_ema: expected a decay such as sotl_ema@0.999, got {argument!r}") from None
    return ExponentialSum(decay)


sotl, sotl_e, sotl_first = _windows("sotl", "train_loss", _SOTL)
sovl, sovl_e, sovl_first = _windows("sovl", "valid_loss", _SOVL)
sum_train_error, sum_train_error_e, sum_train_error_first = _windows(
    "sum_train_error", "train_accuracy", _ERROR, error=True
)

train_loss = LastValue("train_loss", "train_loss", -1, "SoTL thesis 3.2.2 (TLMini where the unit is a minibatch)")
train_accuracy = LastValue("train_accuracy", "train_accuracy", 1, "training accuracy of the last step")
val_acc = LastValue("val_acc", "valid_accuracy", 1, "SoTL thesis (ValAcc)")
val_loss = LastValue("val_loss", "valid_loss", -1, "validation loss after the step")
