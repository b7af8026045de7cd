"""Image data sets, without torchvision."""
