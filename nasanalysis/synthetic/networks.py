"""The two networks of the learning-rate experiment, as the author's code has them (torch)."""

from __future__ import annotations

from torch import nn

#: Widths of VGG-16 (Simonyan and Zisserman 2015, configuration D); ``M`` is max pooling.
_VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


def mlp(pixels: int, classes: int, width: int = 1000, hidden: int = 2) -> nn.Module:
    """A perceptron with ReLU: the thesis prints "one hidden layer" and 1.8M parameters, which are two of 1,000."""
    layers: list[nn.Module] = [nn.Flatten()]
    for i in range(hidden):
        layers += [nn.Linear(width if i else pixels, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width if hidden else pixels, classes))


def vgg16(channels: int, classes: int, head: int = 512) -> nn.Module:
    """VGG-16 with batch-norm and a small head, for images of 32 pixels: 15.0M parameters, not the 138M printed.

    Batch-norm keeps no running statistics: an unroll would count its steps twice. `recalibrate` makes them.
    """
    layers: list[nn.Module] = []
    inputs = channels
    for width in _VGG16:
        if width == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        norm = nn.BatchNorm2d(int(width), track_running_stats=False)
        layers += [nn.Conv2d(inputs, int(width), 3, padding=1), norm, nn.ReLU()]
        inputs = int(width)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs, head), nn.ReLU(), nn.Linear(head, classes))
