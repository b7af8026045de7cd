"""One architecture trained alone: what the settings switch on, resumed runs, refusals, and that it learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nasanalysis.core.errors import ArchError, BuildError, ParameterError, UnknownNameError
from nasanalysis.core.frames import check, read_provenance
from nasanalysis.core.seeding import generator, torch_generator
from nasanalysis.spaces import get_space

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from nasanalysis.networks.build import ALONE, build_alone
from nasanalysis.networks.config import NetworkConfig
from nasanalysis.networks.randomness import Randomness
from nasanalysis.training.alone import Alone, AloneLearner, train_alone
from nasanalysis.training.alone_settings import PUBLISHED, AloneSettings
from nasanalysis.training.loop import Loop
from nasanalysis.training.settings import DataConfig
from nasanalysis.training.tasks import load_task

pytestmark = pytest.mark.torch

NB201 = "nb201:|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SMALL = NetworkConfig(channels=4, cells=1, layers=3, reduction="pool")
QUICK = AloneSettings(epochs=3, batch_size=8, learning_rate=0.05)
FULL = PUBLISHED["darts"].settings.changed(epochs=4, batch_size=8)


class Pictures:
    """30 noisy images of three brightnesses."""

    name, inputs, classes = "pictures", 3, 3

    def __init__(self, size: int = 32) -> None:
        g = torch.Generator().manual_seed(0)
        self.size, self.inputs_sha256 = size, {"pictures": "0"}
        self.labels = torch.arange(30) % 3
        self._images = torch.randn(30, 3, size, size, generator=g) + self.labels[:, None, None, None]
        self.valid = (self._images[:12].clone(), self.labels[:12])

    def batch(self, index: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        images = self._images[index]
        return images + 0.1 * torch.randn(images.shape, generator=generator), self.labels[index]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return Pictures()


def darts_arch(space: str = "darts") -> str:
    return str(get_space(space).sample(1, generator(0, "alone"))[0])


def learner(task: Pictures, settings: AloneSettings, **network: Any) -> AloneLearner:
    config = NetworkConfig(channels=4, layers=3, **network)
    net = build_alone(darts_arch(), config, task, torch_generator(0, "weights"))
    return AloneLearner(net, task, settings, seed=0, name="darts:x")


def frames(result: Alone) -> list[pl.DataFrame]:
    return [result.truth, result.curves.drop("seconds")]


# --- what it gives ----------------------------------------------------------------------------------------------------


def test_a_tiny_network_learns_digits(tmp_path: Path) -> None:
    task = load_task(DataConfig(data="digits"))
    network = NetworkConfig(channels=4, cells=1, reduction="pool", stem_kernel=1)
    settings = AloneSettings(epochs=5, batch_size=64)
    result = train_alone(NB201, network, task, settings, seed=0, folder=tmp_path)
    check(result.truth, "TRUTH")
    check(result.curves, "CURVES")
    assert result.truth["accuracy"].min() > 25, "chance is 10 percent"
    assert result.truth.select("split", "origin", "schedule", "seed").rows() == [
        ("valid", "trained", 5, 0),
        ("test", "trained", 5, 0),
    ]
    assert set(result.truth["benchmark"]) == set(result.curves["benchmark"]) == {"live-nb201"}
    assert result.curves["step"].to_list() == [1, 2, 3, 4, 5]
    assert result.curves["train_loss"][-1] < result.curves["train_loss"][0]
    assert result.curves["seconds"].is_sorted(), "of the training up to there"
    last = result.curves.row(-1, named=True)
    for split, accuracy in result.truth.select("split", "accuracy").rows():
        assert accuracy == pytest.approx(last[f"{split}_accuracy"]), "the last epoch is reported"
        epoch, best = result.best[split]
        assert best == result.curves[f"{split}_accuracy"].max() == result.curves[f"{split}_accuracy"][epoch - 1]
    assert read_provenance(tmp_path / "truth.parquet")["config"]["settings"]["epochs"] == 5


def test_the_last_epoch_counts_where_an_earlier_one_is_better() -> None:
    truth = pl.DataFrame({"split": ["valid"], "accuracy": [50.0]})
    curves = pl.DataFrame({"step": [1, 2, 3, 4], "valid_accuracy": [None, 70.0, 70.0, 50.0]})
    assert Alone(truth, curves, Path()).best == {"valid": (2, 70.0)}


@pytest.mark.parametrize("space", ALONE)
def test_every_space_trains(space: str, pictures: Pictures, tmp_path: Path) -> None:
    arch = darts_arch(space)
    headed = not space.startswith("nb")
    settings = (FULL if headed else QUICK).changed(epochs=1)
    network = NetworkConfig(channels=8, cells=1, layers=3, auxiliary=headed)
    result = train_alone(arch, network, pictures, settings, seed=1, folder=tmp_path)
    assert result.truth["arch"].to_list() == [arch]
    assert result.truth["seed"].to_list() == [1]
    assert result.curves["train_loss"].is_finite().all()


# --- auxiliary head and drop-path -------------------------------------------------------------------------------------


def test_the_auxiliary_loss_enters_with_its_weight(pictures: Pictures) -> None:
    """Gradients of the head alone are proportional to the weight, those of the rest are the sum of both losses'."""
    images, labels = pictures.batch(torch.arange(8), torch.Generator().manual_seed(0))
    grads = {}
    for weight in (0.0, 0.4, 0.8):
        one = learner(pictures, FULL.changed(auxiliary_weight=weight, clip=0.0), auxiliary=True)
        one.net.train()
        _, loss, total = one._losses(images, labels)
        total.backward()
        grads[weight] = {name: p.grad for name, p in one.net.named_parameters()}
        assert (total > loss) if weight else (total is loss)
    head = [name for name in grads[0.4] if name.startswith("body.auxiliary")]
    stem = "body.stem.first.0.weight"
    assert all(grads[0.0][name] is None for name in head)
    assert all(grads[0.4][name].abs().max() > 0 for name in head if name.endswith("9.weight"))
    for name in head:
        torch.testing.assert_close(2 * grads[0.4][name], grads[0.8][name], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        grads[0.8][stem] - grads[0.4][stem], grads[0.4][stem] - grads[0.0][stem], rtol=1e-2, atol=1e-5
    )


def test_an_update_is_the_plain_one(pictures: Pictures) -> None:
    """Loss with the head, clipping at 5, SGD without Nesterov: written out by hand."""
    ours, by_hand = (learner(pictures, FULL.changed(clip=0.5), auxiliary=True) for _ in range(2))
    reading = ours.update()
    net = by_hand.net
    optimiser = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    images, labels = pictures.batch(by_hand._stream(), by_hand._augment)
    logits, second = net.with_auxiliary(images)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    (loss + 0.4 * torch.nn.functional.cross_entropy(second, labels)).backward()
    assert torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5) > 0.5, "the limit binds"
    optimiser.step()
    assert reading.loss.item() == pytest.approx(loss.item()), "the loss that is told is that of the logits alone"
    for a, b in zip(ours.net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_drop_path_rises_by_epoch_and_is_off_in_evaluation(pictures: Pictures) -> None:
    one = learner(pictures, FULL.changed(epochs=4, drop_path=0.2, auxiliary_weight=0.0))
    probabilities = []
    for epoch in range(4):
        one.begin(epoch, 4)
        probabilities.append(one.net.randomness.drop_path)
    assert probabilities == pytest.approx([0.0, 0.05, 0.1, 0.15])
    one.net.randomness.drop_path = 0.9
    images = pictures.valid[0]
    before = one.net.randomness.generator.get_state()
    one.net.eval()
    assert torch.equal(one.net(images), one.net(images))
    assert torch.equal(one.net.randomness.generator.get_state(), before), "evaluating draws nothing"
    one.net.train()
    assert not torch.equal(one.net(images), one.net(images))


def test_dropping_paths_keeps_the_expectation() -> None:
    randomness = Randomness(torch.Generator().manual_seed(0), drop_path=0.2)
    x = torch.full((200_000, 1, 1, 1), 3.0)
    dropped = randomness.drop(x)
    assert dropped.unique().tolist() == pytest.approx([0.0, 3.75])
    assert dropped.mean().item() == pytest.approx(3.0, abs=0.02)  # 6 standard errors


# --- going on, and refusing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nb201", "darts", "s4"])
def test_broken_off_it_gives_the_same_bits(
    kind: str, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """s4 draws noise in its forward pass, also in evaluation."""
    arch = NB201 if kind == "nb201" else darts_arch(kind)
    settings = (QUICK if kind == "nb201" else FULL).changed(epochs=4)
    network = NetworkConfig(channels=4, cells=1, layers=3, auxiliary=kind != "nb201")

    def go(folder: str, task: Any = pictures) -> Alone:
        return train_alone(arch, network, task, settings, seed=0, folder=tmp_path / folder)

    whole = go("whole")
    run_epoch, stops = Loop.run_epoch, iter((False, True, False, True))

    def interrupted(self: Loop) -> Any:
        row = run_epoch(self)
        if next(stops, False):
            raise KeyboardInterrupt
        return row

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "run_epoch", interrupted)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                go("broken", Pictures())
    again = go("broken", Pictures())
    for a, b in zip(frames(whole), frames(again), strict=True):
        assert_frame_equal(a, b, check_exact=True)
    states = [torch.load(result.weights, weights_only=True)["net"] for result in (whole, again)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert_frame_equal(go("broken").curves, again.curves, check_exact=True)  # finished: read


def test_seeds_and_architectures_have_streams_of_their_own(pictures: Pictures, tmp_path: Path) -> None:
    def loss(arch: str, seed: int, name: str) -> float:
        torch.manual_seed(len(name))  # the global stream is nobody's business
        settings = QUICK.changed(epochs=1)
        result = train_alone(arch, SMALL, pictures, settings, seed=seed, folder=tmp_path / name)
        return float(result.curves["train_loss"][0])

    assert loss(NB201, 0, "a") == loss(NB201, 0, "bb")
    assert loss(NB201, 0, "a") != loss(NB201, 1, "ccc")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda given: given | {"settings": QUICK.changed(epochs=4)}, "settings"),
        (lambda given: given | {"settings": QUICK.changed(momentum=0.5)}, "settings"),
        (lambda given: given | {"seed": 1}, "seed"),
        (lambda given: given | {"arch": NB201.replace("nor_conv_3x3~0", "nor_conv_1x1~0")}, "arch, weights"),
        (lambda given: given | {"network": NetworkConfig(channels=6, cells=1, reduction="pool")}, "network, weights"),
        (lambda given: given | {"config": {"data": "other"}}, "data"),
        (lambda given: given | {"task": Pictures(16)}, "task"),
    ],
)
def test_another_training_in_the_same_folder_is_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]], named: str, pictures: Pictures, tmp_path: Path
) -> None:
    given = {"arch": NB201, "network": SMALL, "task": pictures, "settings": QUICK, "seed": 0, "folder": tmp_path}
    train_alone(**given)
    with pytest.raises(BuildError, match=rf"holds a training of other settings \({named} differ\)"):
        train_alone(**change(given))


def test_a_network_of_ones_own_is_trained_from_the_weights_it_has(pictures: Pictures, tmp_path: Path) -> None:
    def own(scale: float) -> torch.nn.Module:
        layer = torch.nn.Linear(3, 3)
        with torch.no_grad():
            layer.weight.fill_(scale)
            layer.bias.zero_()
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), layer)

    net = own(0.5)
    result = train_alone("mine:a", net, pictures, QUICK, seed=0, folder=tmp_path)
    assert result.truth["benchmark"].to_list() == ["live-mine"]
    assert result.truth["accuracy"][0] > 60
    assert (net[2].weight != 0.5).any()
    train_alone("mine:a", own(0.5), pictures, QUICK, seed=0, folder=tmp_path)
    with pytest.raises(BuildError, match=r"\(start differ\)"):
        train_alone("mine:a", own(0.6), pictures, QUICK, seed=0, folder=tmp_path)


def test_what_a_network_does_not_have_is_refused_before_anything_is_written(pictures: Pictures, tmp_path: Path) -> None:
    def go(arch: str, **given: Any) -> None:
        train_alone(arch, SMALL, pictures, QUICK.changed(**given), seed=0, folder=tmp_path / "out")

    with pytest.raises(ParameterError, match="auxiliary_weight: expected a network with an auxiliary head, got Cell"):
        go(NB201, auxiliary_weight=0.4)
    with pytest.raises(ParameterError, match="auxiliary_weight: .* DartsNetwork without one; build it with auxiliary"):
        go(darts_arch(), auxiliary_weight=0.4)
    with pytest.raises(ParameterError, match="drop_path: expected a network that drops paths, got CellNetwork"):
        go(NB201, drop_path=0.2)
    with pytest.raises(UnknownNameError, match="unknown space with networks 'nb2001'. Did you mean 'nb201'"):
        go(NB201.replace("nb201", "nb2001"))
    with pytest.raises(ArchError):
        go("nb201:|none~0|")
    with pytest.raises(ParameterError, match="batch_size: expected at most the 30 training images, got 31"):
        go(NB201, batch_size=31)
    assert not (tmp_path / "out").exists()


def test_a_training_that_diverges_keeps_its_last_checkpoint(pictures: Pictures, tmp_path: Path) -> None:
    settings = QUICK.changed(learning_rate=1e30, schedule="constant")
    with pytest.raises(BuildError, match=r"^nb201:\S+, seed 0: .* not finite in epoch 1 .*Use a smaller"):
        train_alone(NB201, SMALL, pictures, settings, seed=0, folder=tmp_path)
    assert not (tmp_path / "weights.pt").exists()
    assert not (tmp_path / "truth.parquet").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0}, "at least 1 epoch"),
        ({"batch_size": 1}, "batches of at least 2 images"),
        ({"drop_path": 1.0}, "0 <= drop_path < 1"),
        ({"auxiliary_weight": -0.1}, "auxiliary_weight >= 0"),
        ({"clip": float("nan")}, "clip >= 0"),
        ({"learning_rate_min": 0.2}, "0 <= learning_rate_min <= learning_rate"),
        ({"schedule": "cosne"}, "unknown schedule 'cosne'. Did you mean 'cosine'"),
    ],
)
def test_settings_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises((ParameterError, UnknownNameError)) as caught:
        AloneSettings(**given)
    assert message in str(caught.value)
