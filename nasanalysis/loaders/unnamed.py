"""Tables that name no data set: whose images their parameters and FLOPs are counted for."""

from __future__ import annotations

import warnings

#: The published data set that stands in for an unnamed one.
STAND_IN = "cifar10"


class UnnamedDataSetWarning(UserWarning):
    """Parameters or FLOPs depend on a data set that nothing names."""


def images_of(dataset: str, *, stacklevel: int = 3) -> str:
    """`dataset`, or `STAND_IN` for an empty name, with an `UnnamedDataSetWarning`."""
    if dataset:
        return dataset
    warnings.warn(
        f"no data set is named: parameters and FLOPs are counted as for {STAND_IN}; name it (--dataset, datasets in a "
        "study, or a column 'dataset') if it is another",
        UnnamedDataSetWarning,
        stacklevel=stacklevel,
    )
    return STAND_IN
