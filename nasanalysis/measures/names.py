"""The measures of weights by name: which way they point and where they come from. Imports no torch."""

from __future__ import annotations

from typing import NamedTuple


class Named(NamedTuple):
    """direction: +1 where a higher value promises higher accuracy, -1 where a lower one does."""

    direction: int
    reference: str


_SUITE = "as in NAS-Bench-Suite-Zero (Krishnakumar et al. 2022)"

_AZ = "Lee and Ham 2024 (AZ-NAS)"

#: Measures at initialisation, or on any weights; `nasanalysis.measures.zero_cost` computes them.
ZERO_COST_NAMES = {
    "grad_norm": Named(1, f"Abdelfattah et al. 2021, 3.2, {_SUITE}"),
    "snip": Named(1, f"Lee et al. 2019 (SNIP), {_SUITE}"),
    "plain": Named(1, f"Mozer and Smolensky 1988, {_SUITE}"),
    "grasp": Named(1, f"Wang et al. 2020 (GraSP), Eq. 8, {_SUITE}"),
    "fisher": Named(1, f"Theis et al. 2018; Turner et al. 2020, {_SUITE}"),
    "synflow": Named(1, f"Tanaka et al. 2020, Algorithm 1, {_SUITE}"),
    "jacov": Named(1, f"Mellor et al. 2020, {_SUITE}"),
    "nwot": Named(1, f"Mellor et al. 2021 (NASWOT), {_SUITE}"),
    "epe_nas": Named(1, f"Lopes et al. 2021, {_SUITE}"),
    "zen": Named(1, f"Lin et al. 2021 (Zen-NAS), {_SUITE}"),
    "zico": Named(1, "Li et al. 2023 (ZiCo), as in their code"),
    "swap": Named(1, "Peng et al. 2024 (SWAP-NAS), the SWAP-Score without regularisation"),
    "az_expressivity": Named(1, f"{_AZ}: expressivity"),
    "az_progressivity": Named(1, f"{_AZ}: progressivity"),
    "az_trainability": Named(1, f"{_AZ}: trainability"),
    "az_complexity": Named(1, f"{_AZ}: complexity, the multiply-accumulates of one image"),
    "l2_norm": Named(1, f"sum of the layers' weight norms, {_SUITE}"),
}

#: Measures of a trained network; see `nasanalysis.training.measure`.
WEIGHT_NAMES = {
    "angle": Named(1, "GeNAS, Eq. 8; path by path as RLNAS (Zhang et al. 2021)"),
    "angle_flat": Named(1, "GeNAS, Eq. 8, each weight once"),
    "angle_cells": Named(1, "GeNAS, Eq. 8, path by path, search cells alone"),
    "angle_flat_cells": Named(1, "GeNAS, Eq. 8, each weight once, search cells alone"),
    "weight_hessian_ev": Named(-1, "largest eigenvalue of the Hessian in the weights (Yao et al. 2020, PyHessian)"),
    "weight_hessian_trace": Named(-1, "trace of the Hessian in the weights (Yao et al. 2020, PyHessian)"),
}


def reads(measure: str) -> str:
    """What a measure of a network reads: ``one batch`` (zero-cost), ``weights``, ``gradients``, or ``training``."""
    if measure in ZERO_COST_NAMES:
        return "one batch"
    if measure in WEIGHT_NAMES:
        return "weights"
    return "gradients" if measure.startswith("sog") else "training"
