"""Batches: against a loop over single images, and that each augmentation does what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import ParameterError
from nasanalysis.loaders.images.read import ImageSet

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from nasanalysis.training.batches import Augment, Images

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def image_set(n: int = 12, height: int = 7, width: int = 9, channels: int = 3, seed: int = 0) -> ImageSet:
    rng = np.random.default_rng(seed)
    return ImageSet(rng.integers(1, 256, (n, height, width, channels), dtype=np.uint8), rng.integers(0, 10, n))


def make(part: ImageSet, padding: int = 0) -> Images:
    channels = part.images.shape[3]
    return Images(part, MEAN[:channels], STD[:channels], padding=padding)


def slow(part: ImageSet, index: torch.Tensor, draws: torch.Tensor, augment: Augment) -> np.ndarray:
    """One image at a time, pixel by pixel where it is simplest, in float64: (B, channels, height, width)."""
    _, height, width, channels = part.images.shape
    mean, std = np.array(MEAN[:channels]), np.array(STD[:channels])
    out = []
    for i, (image, (top, left, flip)) in enumerate(zip(part.images[index.numpy()], draws[:3].T.tolist(), strict=True)):
        pad = augment.crop
        bordered = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
        window = bordered[top : top + height, left : left + width]
        if flip:
            window = window[:, ::-1]
        values = (window / 255 - mean) / std
        if augment.cutout:
            first = [int(draws[3 + axis, i]) - augment.cutout // 2 for axis in (0, 1)]
            for row in range(first[0], first[0] + augment.cutout):
                for column in range(first[1], first[1] + augment.cutout):
                    if 0 <= row < height and 0 <= column < width:
                        values[row, column] = 0
        out.append(values.transpose(2, 0, 1))
    return np.stack(out)


@given(
    st.sampled_from([1, 3]),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 12),
    st.integers(0, 2),
    st.integers(0, 1000),
)
def test_batches_equal_the_slow_loop(channels: int, crop: int, flip: bool, cutout: int, spare: int, seed: int) -> None:
    part, augment = image_set(channels=channels, seed=seed), Augment(crop, flip, cutout)
    images = make(part, crop + spare)  # more padding than the crop needs changes nothing
    index = torch.randint(len(part), (8,), generator=torch.Generator().manual_seed(seed))
    got, labels = images.batch(index, torch.Generator().manual_seed(seed), augment)
    draws = torch.zeros(5, 8, dtype=torch.int64)
    made = images._draw(8, torch.Generator().manual_seed(seed), augment)
    if augment.draws:
        draws[: len(made)] = made
    np.testing.assert_allclose(got.numpy(), slow(part, index, draws, augment), atol=2e-6)
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert got.dtype == torch.float32
    np.testing.assert_array_equal(labels.numpy(), part.labels[index.numpy()])


def test_without_augmentation_it_is_the_normalised_image() -> None:
    part = image_set()
    for padding in (0, 4):
        got, labels = make(part, padding).batch(torch.arange(len(part)))
        expected = (part.images / 255 - np.array(MEAN)) / np.array(STD)
        np.testing.assert_allclose(got.permute(0, 2, 3, 1).numpy(), expected, atol=2e-6)
        np.testing.assert_array_equal(labels.numpy(), part.labels)
    empty, none = make(part).batch(torch.empty(0, dtype=torch.int64))
    assert (tuple(empty.shape), len(none)) == ((0, 3, 7, 9), 0)


def test_flips_mirror_about_half_of_the_images() -> None:
    part = image_set(400)
    images, index = make(part), torch.arange(400)
    plain, _ = images.batch(index)
    got, _ = images.batch(index, torch.Generator().manual_seed(0), Augment(flip=True))
    mirrored = (got == plain.flip(3)).flatten(1).all(1)
    same = (got == plain).flatten(1).all(1)
    assert bool((mirrored ^ same).all()), "each is the image or its mirror image"
    assert 160 < int(mirrored.sum()) < 240


def test_crops_shift_by_every_amount_and_let_black_in() -> None:
    part = ImageSet(np.full((2000, 5, 5, 1), 255, np.uint8), np.zeros(2000, np.int64))
    images = Images(part, [0.5], [0.25], padding=2)
    got, _ = images.batch(torch.arange(2000), torch.Generator().manual_seed(1), Augment(crop=2))
    assert set(got.numpy().round(5).ravel()) == {(0 - 0.5) / 0.25, (1 - 0.5) / 0.25}, "black and white, normalised"
    white = (got[:, 0] > 0).numpy()
    assert len(np.unique(white.reshape(2000, -1), axis=0)) == 25, "all 5 x 5 shifts occur"
    assert white.sum((1, 2)).min() == 9


def test_cutout_erases_a_square_that_may_be_clipped() -> None:
    part = ImageSet(np.full((3000, 8, 6, 1), 255, np.uint8), np.zeros(3000, np.int64))
    images = Images(part, [0.5], [0.25])
    got, _ = images.batch(torch.arange(3000), torch.Generator().manual_seed(1), Augment(cutout=4))
    erased = got[:, 0] == 0.0
    assert set(got.numpy().round(5).ravel()) == {0.0, 2.0}
    counts = erased.sum((1, 2))
    assert int(counts.max()) == 16
    assert int(counts.min()) == 4, "centred in the first pixel: 2 x 2 are left of the square"
    assert bool(erased.any(0).all()), "every pixel can be erased"
    # a centre anywhere: the mean erased area is that of all 8 x 6 centres
    rows = sum(min(c + 2, 8) - max(c - 2, 0) for c in range(8)) / 8
    columns = sum(min(c + 2, 6) - max(c - 2, 0) for c in range(6)) / 6
    assert float(counts.double().mean()) == pytest.approx(rows * columns, rel=0.03)
    whole, _ = images.batch(torch.arange(5), torch.Generator().manual_seed(1), Augment(cutout=99))
    assert not whole.any()


def test_the_generator_decides_and_the_global_one_is_left_alone() -> None:
    images, index, augment = make(image_set(), 2), torch.arange(12), Augment(2, True, 3)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, _ = images.batch(index, torch.Generator().manual_seed(7), augment)
    torch.manual_seed(99)
    again, _ = images.batch(index, torch.Generator().manual_seed(7), augment)
    other, _ = images.batch(index, torch.Generator().manual_seed(8), augment)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)
    generator = torch.Generator().manual_seed(7)
    before = generator.get_state()
    images.batch(index, generator)
    assert torch.equal(generator.get_state(), before), "nothing to draw draws nothing"


def test_the_images_are_not_changed() -> None:
    part = image_set()
    images = make(part, 2)
    kept = images._padded.clone()
    images.batch(torch.arange(12), torch.Generator().manual_seed(0), Augment(2, True, 3))
    assert torch.equal(images._padded, kept)
    assert len(images) == 12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i: i.batch(torch.tensor([0, 12])), "expected indices 0 to 11, got 0 to 12"),
        (lambda i: i.batch(torch.tensor([-1])), "expected indices 0 to 11, got -1 to -1"),
        (lambda i: i.batch(torch.tensor([[0]])), r"expected whole numbers \(B,\), got \(1, 1\)"),
        (lambda i: i.batch(torch.tensor([0.0])), "of torch.float32"),
        (lambda i: i.batch(torch.tensor([0]), torch.Generator(), Augment(crop=3)), "crop of at most 2, .* got 3"),
        (lambda i: i.batch(torch.tensor([0]), None, Augment(flip=True)), "expected a generator of the CPU.*got none"),
        (lambda i: Augment(crop=-1), "crop as a number of pixels, 0 or more, got -1"),
        (lambda i: Augment(cutout=2.5), "cutout as a number of pixels, 0 or more, got 2.5"),
        (lambda i: Images(image_set(), MEAN[:1], STD[:1]), "expected mean and std of 3 channels"),
        (lambda i: Images(image_set(), MEAN, (0.0, 1.0, 1.0)), "each std above 0"),
        (lambda i: Images(image_set(), MEAN, STD, padding=-1), "padding as a number of pixels"),
    ],
)
def test_what_cannot_be_done_is_refused(call: object, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        call(make(image_set(), 2))  # type: ignore[operator]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_cuda_device_sees_the_same_batches() -> None:
    part, augment, index = image_set(64, 32, 32), Augment(4, True, 16), torch.arange(64)
    results = []
    for device in ("cpu", "cuda"):
        images = Images(part, MEAN, STD, device=device, padding=4)
        x, y = images.batch(index, torch.Generator().manual_seed(3), augment)
        assert x.device.type == device
        assert x.is_contiguous(memory_format=torch.channels_last)
        results.append((x.cpu(), y.cpu()))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=0, atol=1e-6)
    assert torch.equal(results[0][1], results[1][1])
