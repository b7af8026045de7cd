"""What a search does to images beyond its task's augmentation (torch)."""

from __future__ import annotations

import torch
from torch import Tensor


def cut_out(images: Tensor, probability: float, generator: torch.Generator, *, share: float = 0.5) -> Tensor:
    """`images` with a square set to 0 in a share `probability` of them (RobustDARTS ties it to drop-path).

    Parameters
    ----------
    images: (B, channels, height, width). share: side of the square, of the image's (16 of 32 pixels as published); its
        centre is any pixel, so it may be clipped at the border.
    """
    count, _, height, width = images.shape
    side = max(1, round(share * height))
    draws = torch.rand(3, count, generator=generator)
    rows, columns = (draws[1] * height).long(), (draws[2] * width).long()
    there_y = torch.arange(height)[None] - rows[:, None]
    there_x = torch.arange(width)[None] - columns[:, None]
    inside = _within(there_y, side)[:, :, None] & _within(there_x, side)[:, None, :]
    cut = inside & (draws[0] < probability)[:, None, None]
    return images * (~cut)[:, None].to(images)


def _within(distance: Tensor, side: int) -> Tensor:
    return (distance >= -(side // 2)) & (distance < side - side // 2)
