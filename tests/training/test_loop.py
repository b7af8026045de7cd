"""The training loop on a learner of a few lines: schedule, rows, checkpoints, and going on to the same bits."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nasanalysis.core.errors import BuildError
from nasanalysis.core.seeding import torch_generator

torch = pytest.importorskip("torch")

from nasanalysis.training import checkpoints
from nasanalysis.training.loop import Learner, Loop, Reading, run
from nasanalysis.training.optimisers import optimiser
from nasanalysis.training.schedules import Schedule
from nasanalysis.training.stream import Stream

pytestmark = pytest.mark.torch

COUNT, BATCH, EPOCHS = 10, 4, 4


class Line(Learner):
    """Fits y = 2 x with a weight of its own: what someone outside the package writes."""

    name = "line"

    def __init__(self, *, breaks_at: int = -1, keep_last: bool = True) -> None:
        self.net = torch.nn.Linear(1, 1)
        with torch.no_grad():
            self.net.weight.fill_(0.0)
            self.net.bias.fill_(0.0)
        self.optimiser = optimiser("sgd", self.net.parameters(), learning_rate=1.0)
        self._stream = Stream(COUNT, BATCH, torch_generator(0, "order"), keep_last=keep_last)
        self._noise = torch_generator(0, "noise")
        self.updates = EPOCHS * self._stream.batches
        self.rates: list[float] = []
        self.begun: list[tuple[int, int, bool]] = []
        self._breaks_at = breaks_at

    def begin(self, epoch: int, epochs: int) -> None:
        self.begun.append((epoch, epochs, self.net.training))

    def update(self) -> Reading:
        self.rates.append(self.optimiser.param_groups[0]["lr"])
        x = self._stream().float()[:, None] / COUNT
        loss = (self.net(x) - 2 * x - 0.01 * torch.randn(x.shape, generator=self._noise)).square().mean()
        if len(self.rates) - 1 == self._breaks_at:
            loss = loss * math.inf
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return Reading(loss.detach(), torch.tensor(len(x) / BATCH), len(x))

    def read(self, done: int) -> dict[str, float]:
        self.net.eval()
        return {"updates": float(done)}

    def state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "stream": self._stream.state(),
            "noise": self._noise.get_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self._stream.restore(state["stream"])
        self._noise.set_state(state["noise"])


def loop(learner: Line) -> Loop:
    return Loop(learner, Schedule(0.1, 0.01), epochs=EPOCHS)


def trained(learner: Line, folder: Path, mark: Mapping[str, Any] = {"seed": 0}, **how: Any) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    run(loop(learner), folder, mark, finish=lambda done: rows.extend(done.rows), **how)
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_rows_rates_and_hooks(tmp_path: Path) -> None:
    line, shown = Line(), []
    rows = trained(line, tmp_path, on_epoch=lambda done, of: shown.append((done, of)))
    assert shown == [(i, EPOCHS) for i in range(EPOCHS + 1)]
    assert line.begun[0] == (0, EPOCHS, True)
    assert [epoch for epoch, *_ in line.begun] == [0, 1, 2, 3]
    assert [row["updates"] for row in rows] == [3, 6, 9, 12]
    np_rates = [0.01 + 0.09 * 0.5 * (1 + math.cos(math.pi * i / 12)) for i in range(13)]
    assert line.rates == pytest.approx(np_rates[:12])
    assert [row["learning_rate"] for row in rows] == pytest.approx(np_rates[3::3])
    # 4, 4 and 2 images: shares 1, 1 and 1/2 weigh by the images
    assert [row["train_accuracy"] for row in rows] == pytest.approx([100 * (4 + 4 + 1) / 10] * EPOCHS)
    assert list(rows[0]) == ["epoch", "train_loss", "train_accuracy", "updates", "learning_rate"]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "initial.pt", "weights.pt"]


@pytest.mark.parametrize("killed_after", [(1,), (2, 1), (1, 1, 1)])
def test_broken_off_anywhere_the_same_bits(
    killed_after: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(Line(), tmp_path / "whole")
    run_epoch = Loop.run_epoch
    for epochs in killed_after:
        left = iter([False] * epochs + [True])

        def interrupted(self: Loop, left: Any = left) -> Any:
            row = run_epoch(self)
            if next(left):
                raise KeyboardInterrupt  # computed and not yet saved
            return row

        monkeypatch.setattr(Loop, "run_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(Line(), tmp_path / "broken")
    monkeypatch.setattr(Loop, "run_epoch", run_epoch)
    assert trained(Line(), tmp_path / "broken") == whole
    weights = [torch.load(tmp_path / name / "weights.pt", weights_only=True)["net"] for name in ("whole", "broken")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not (tmp_path / "broken" / "checkpoint.pt").exists()


def test_what_is_finished_is_read_not_trained_again(tmp_path: Path) -> None:
    first, again, shown = Line(), Line(), []
    trained(first, tmp_path)
    before = (tmp_path / "weights.pt").read_bytes()
    assert trained(again, tmp_path, on_epoch=lambda *at: shown.append(at)) == []
    assert shown == [(EPOCHS, EPOCHS)]
    assert not again.rates
    assert torch.equal(again.net.weight, first.net.weight)
    assert (tmp_path / "weights.pt").read_bytes() == before


@pytest.mark.parametrize("finished", [True, False])
def test_another_run_is_refused_and_nothing_is_changed(finished: bool, tmp_path: Path) -> None:
    if finished:
        trained(Line(), tmp_path, {"seed": 0, "rate": 1})
    else:
        with pytest.raises(BuildError):
            trained(Line(breaks_at=7), tmp_path, {"seed": 0, "rate": 1})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BuildError, match=r"holds a training of other settings \(rate, size differ\); choose another"):
        trained(Line(), tmp_path, {"seed": 0, "rate": 2, "size": 3})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_training_of_other_versions_goes_on_only_where_it_is_asked_to(tmp_path: Path) -> None:
    with pytest.raises(BuildError):
        trained(Line(breaks_at=7), tmp_path, {"seed": 0, "packages": {"torch": "2.11"}})
    with pytest.raises(BuildError, match=r"\(packages differ\).*; --other-versions goes on with it"):
        trained(Line(), tmp_path, {"seed": 0, "packages": {"torch": "2.13"}})
    with pytest.raises(BuildError, match=r"\(packages, seed differ\); .* start over$"):
        trained(Line(), tmp_path, {"seed": 1, "packages": {"torch": "2.13"}}, other_versions=True)
    rows = trained(Line(), tmp_path, {"seed": 0, "packages": {"torch": "2.13"}}, other_versions=True)
    assert len(rows) == EPOCHS
    mark = {"seed": 0, "packages": {"torch": "2.13"}, "begun_under": [{"torch": "2.11"}]}
    assert json.loads(checkpoints.load(tmp_path / "weights.pt", "weights")["fingerprint"]) == mark
    before = (tmp_path / "weights.pt").read_bytes()
    trained(Line(), tmp_path, {"seed": 0, "packages": {"torch": "2.13"}})
    assert (tmp_path / "weights.pt").read_bytes() == before, "finished under the versions at hand: it is that training"


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"^line: the .* not finite in epoch 3 .*; the checkpoint of epoch 2 is kept"):
        trained(Line(breaks_at=7), tmp_path)
    kept = checkpoints.load(tmp_path / "checkpoint.pt", "training")
    assert kept["epoch"] == 2
    assert all(value.isfinite().all() for value in kept["net"].values())
    assert len(trained(Line(), tmp_path)) == EPOCHS, "it can be gone on with"


def test_weights_that_the_last_update_of_an_epoch_breaks_are_not_kept(tmp_path: Path) -> None:
    """Every loss of the epoch was finite when it was read; its checkpoint would have been void."""

    class Breaking(Line):
        def update(self) -> Reading:
            reading = super().update()
            if len(self.rates) == 6:
                with torch.no_grad():
                    self.net.bias.fill_(math.nan)
            return reading

    with pytest.raises(BuildError, match=r"line: the weights are not finite in epoch 2"):
        trained(Breaking(), tmp_path)
    assert checkpoints.load(tmp_path / "checkpoint.pt", "training")["epoch"] == 1


def test_broken_in_the_first_epoch_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="in epoch 1 .*initial.pt, from before it, is kept"):
        trained(Line(breaks_at=0), tmp_path)
    assert (tmp_path / "initial.pt").exists()


@pytest.mark.parametrize(("count", "keep", "sizes"), [(10, True, [4, 4, 2]), (10, False, [4, 4]), (9, True, [4, 4])])
def test_every_image_once_before_any_comes_again(count: int, keep: bool, sizes: list[int]) -> None:
    stream = Stream(count, 4, torch_generator(0), keep_last=keep)
    assert stream.batches == len(sizes)
    for _ in range(3):
        epoch = [stream() for _ in sizes]
        assert [len(batch) for batch in epoch] == sizes, "a last batch of one image has no batch statistics"
        seen = torch.cat(epoch)
        assert len(seen.unique()) == len(seen)
