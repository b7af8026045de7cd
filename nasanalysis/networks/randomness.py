"""What networks draw while they run, from a generator that is passed in (torch)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..core.errors import ParameterError


class Randomness:
    """What a network draws while it runs: drop-path masks and the values of ``noise``.

    One object is shared by all parts of a network; `copy.deepcopy` of the network copies it with its state.
    It is no part of ``state_dict``: who resumes a run keeps ``generator.get_state()``.

    Parameters
    ----------
    generator: drawn from, on its own device, so that a CPU generator gives the same values everywhere; by
        default one of the network's own, seeded with 0.
    drop_path: probability of dropping a path in training, in [0, 1).
    """

    def __init__(self, generator: torch.Generator | None = None, drop_path: float = 0.0) -> None:
        self.generator = torch.Generator(device="cpu").manual_seed(0) if generator is None else generator
        self.drop_path = drop_path
        self.skip_dropout = 0.0

    @property
    def drop_path(self) -> float:
        return self._drop_path

    @drop_path.setter
    def drop_path(self, probability: float) -> None:
        if not 0 <= probability < 1:
            raise ParameterError(f"drop_path: expected a probability in [0, 1), got {probability!r}")
        self._drop_path = float(probability)

    @property
    def skip_dropout(self) -> float:
        """Probability of dropping a value on an identity skip of a mixture, in training (P-DARTS; Chen et al. 2019)."""
        return self._skip_dropout

    @skip_dropout.setter
    def skip_dropout(self, probability: float) -> None:
        if not 0 <= probability < 1:
            raise ParameterError(f"skip_dropout: expected a probability in [0, 1), got {probability!r}")
        self._skip_dropout = float(probability)

    def drop_values(self, x: Tensor) -> Tensor:
        """`x`, zero for a share `skip_dropout` of its values and scaled up for the others."""
        if not self.skip_dropout:
            return x
        keep = 1 - self.skip_dropout
        mask = torch.empty(x.shape, device=self.generator.device).bernoulli_(keep, generator=self.generator)
        return x * mask.div_(keep).to(x)

    def drop(self, x: Tensor) -> Tensor:
        """`x`, zero for a share `drop_path` of the images and scaled up for the others: the same expectation."""
        return x * self._mask(x) if self.drop_path else x

    def drop_together(self, parts: Sequence[Tensor]) -> Sequence[Tensor]:
        """Parts of one path (of its channels), dropped for the same images."""
        if not self.drop_path:
            return parts
        mask = self._mask(parts[0])
        return [part * mask for part in parts]

    def _mask(self, x: Tensor) -> Tensor:
        keep = 1 - self.drop_path
        mask = torch.empty((len(x), 1, 1, 1), device=self.generator.device).bernoulli_(keep, generator=self.generator)
        return mask.div_(keep).to(x)

    def normal_like(self, x: Tensor) -> Tensor:
        """Standard Gaussian values of the shape, type, device and memory format of `x`."""
        values = torch.randn(x.shape, generator=self.generator, device=self.generator.device)
        return torch.empty_like(x).copy_(values)
