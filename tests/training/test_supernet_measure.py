"""``nasanalysis supernet measure`` and ``search``: what is read, what stays as it is, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nasanalysis.cli import app as cli
from nasanalysis.core.errors import BuildError, NasAnalysisError, ParameterError, StudyError
from nasanalysis.core.frames import read_frame, read_provenance
from nasanalysis.loaders.samples import space_archs
from nasanalysis.proxies import get_proxy
from nasanalysis.spaces import get_space
from nasanalysis.spaces.skeletons import Skeleton

torch = pytest.importorskip("torch")

from nasanalysis.live import measure as measure_run
from nasanalysis.live.config import NetworkConfig, SupernetConfig
from nasanalysis.live.measure import measure_all
from nasanalysis.live.run import Run
from nasanalysis.live.search import LiveFitness, search_all
from nasanalysis.live.train import train_all
from nasanalysis.measures.angle import angle
from nasanalysis.networks.base import initialised
from nasanalysis.networks.batchnorm import recalibrate
from nasanalysis.networks.costs import network_costs
from nasanalysis.networks.nb201_supernet import NB201Supernet
from nasanalysis.training.measure import draw_probes

pytestmark = pytest.mark.torch

CONFIG = """
space = "nb201"
[network]
channels = 2
cells = 1
reduction = "pool"
stem_kernel = 1
[data]
data = "digits"
[train]
protocols = ["spos", "reptile"]
seeds = [0]
epochs = 1
batch_size = 64
[[finetune]]
name = "few"
archs = "random-3@0"
minibatches = 4
recalibration = 64
val_acc_every = 0
[[measure]]
name = "noise"
archs = "random-3@0"
recalibration = 64
images = 40
hessian_images = {hessian_images}
{measure}
[[search]]
name = "found"
recalibration = 64
images = 40
{search}
"""

ALL = 'measures = ["val_acc", "val_loss", "angle", "angle_flat", "weight_hessian_ev", "nwot"]\nsigmas = [0.01, 0.02]'
ANGLE = 'terms = [{ proxy = "angle", rule = "angle/pi" }]\noptions = { population = 4, iterations = 2, top_k = 2, '
ANGLE += "mutation = 2, crossover = 2 }"


def load(folder: Path, measure: str = ALL, search: str = ANGLE, hessian_images: int = 16) -> SupernetConfig:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(measure=measure, search=search, hessian_images=hessian_images), encoding="utf-8")
    return SupernetConfig.load(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    train_all(Run(load(out), out, "cpu"))
    return out


@pytest.fixture
def run_of(trained: Path, tmp_path: Path) -> Callable[..., Run]:
    """A run with results of its own around the trained supernets."""
    (tmp_path / "supernets").symlink_to(trained / "supernets")
    return lambda **how: Run(load(tmp_path, **how), tmp_path, "cpu")


def weights(run: Run) -> bytes:
    net = run.supernet(("spos", 0))
    return b"".join(value.numpy().tobytes() for value in net.state_dict().values())


def test_what_is_measured_and_that_the_supernet_stays(run_of: Callable[..., Run]) -> None:
    run = run_of()
    before = weights(run)
    (folder,) = measure_all(run)
    assert weights(run) == before
    scores, noise = (read_frame(folder / f"{name}.parquet", name.upper()) for name in ("scores", "perturbed"))
    archs = space_archs("random-3@0", "nb201")
    assert len(scores) == 3 * 2 * 6
    assert len(noise) == 3 * 2 * (1 + 2 * 4)
    assert noise.filter(sigma=0)["draw"].to_list() == [0] * 6
    arch = archs[0]
    net, initial = (held.subnet(arch) for held in (run.supernet(("spos", 0)), run.initial_supernet(("spos", 0))))
    part = run.config.measure[0]
    probes = draw_probes(run.task, part.settings, seed=0)
    recalibrate(net, probes.recalibration)
    net.eval()
    images, labels = run.task.valid
    with torch.no_grad():
        logits = net(images)
    own = {row["proxy"]: row["value"] for row in scores.filter(arch=arch, method="spos").to_dicts()}
    assert own["val_acc"] == pytest.approx(100 * float((logits.argmax(1) == labels).float().mean()))
    assert own["val_loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)), rel=1e-5)
    assert own["angle_flat"] == pytest.approx(angle(initial, net, vector="flat"))
    assert own["angle"] == pytest.approx(angle(initial, net, vector="paths"))
    assert 0 < own["angle_flat"] < 3.2
    with torch.no_grad():
        loss = float(torch.nn.functional.cross_entropy(net(probes.noise[0]), probes.noise[1]))
    assert noise.filter(arch=arch, method="spos", sigma=0)["loss"].item() == pytest.approx(loss, rel=1e-5)
    flat = get_proxy("flatness")(noise)
    assert len(flat) == 6
    assert (flat["value"] > 0).all()
    times = read_frame(folder / "seconds.parquet")
    assert set(times["read"]) >= {"noise", "angle", "recalibration"}
    assert (times["seconds"] > 0).all()
    assert read_provenance(folder / "scores.parquet")["seeds"]["noise"] == 0


def test_the_same_numbers_whatever_was_there_before(run_of: Callable[..., Run], trained: Path, tmp_path: Path) -> None:
    (folder,) = measure_all(run_of())
    first = [read_frame(folder / f"{name}.parquet") for name in ("scores", "perturbed")]
    units = sorted((folder / "units").glob("*.parquet"))
    units[1].unlink()
    measure_all(run_of())
    again = [read_frame(folder / f"{name}.parquet") for name in ("scores", "perturbed")]
    for one, other in zip(first, again, strict=True):
        assert_frame_equal(one, other, check_exact=True)
    with pytest.raises(BuildError, match=r"holds finished units of other settings \(measure differ\)"):
        measure_all(run_of(measure='measures = ["angle"]\nsigmas = []'))


def test_the_command_writes_the_flatness_too(
    run_of: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of()  # writes the configuration
    common = ["nasanalysis", "supernet"], ["--config", f"{tmp_path}/config.toml", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", [*common[0], "measure", *common[1], "--workers", "1"])
    cli.app(standalone_mode=False)
    folder = tmp_path / "measure" / "noise"
    flat = read_frame(folder / "flatness.parquet", "SCORES")
    assert_frame_equal(flat, get_proxy("flatness")(read_frame(folder / "perturbed.parquet")))
    monkeypatch.setattr("sys.argv", [*common[0], "search", *common[1], "--workers", "1", "--json"])
    cli.app(standalone_mode=False)
    said = json.loads(capsys.readouterr().out.partition("seconds.parquet\n")[2])
    [found] = said["found"]
    assert found["search"] == "found"
    assert found["queries"] == 8
    assert found["arch"].startswith("nb201:")


def test_one_that_fails_is_recorded_and_the_rest_go_on(
    run_of: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real = run_of(measure='measures = ["angle"]\nsigmas = []'), measure_run.measure_arch
    bad = space_archs("random-3@0", "nb201")[1]

    def failing(run: Run, part: Any, job: Any, arch: str) -> Any:
        if (arch, job) == (bad, ("reptile", 0)):
            raise StudyError("this one cannot be measured")
        return real(run, part, job, arch)

    monkeypatch.setattr(measure_run, "measure_arch", failing)
    (folder,) = measure_all(run)
    failed = read_frame(folder / "failed.parquet")
    assert failed.rows() == [("reptile", 0, bad, "this one cannot be measured")]
    assert len(read_frame(folder / "scores.parquet", "SCORES")) == 5
    assert read_frame(folder / "perturbed.parquet", "PERTURBED").is_empty()


def test_no_initial_weights_for_an_angle(run_of: Callable[..., Run], trained: Path, tmp_path: Path) -> None:
    (tmp_path / "supernets").unlink()
    for path in trained.glob("supernets/*/weights.pt"):
        home = tmp_path / "supernets" / path.parent.name
        home.mkdir(parents=True)
        (home / "weights.pt").symlink_to(path)
    with pytest.raises(
        BuildError, match=r"initial.pt: expected the weights from before the training.*train this superne"
    ):
        measure_all(run_of())
    with pytest.raises(BuildError, match=r"initial.pt: expected the weights from before the training"):
        search_all(run_of())
    (folder,) = measure_all(run_of(measure='measures = ["val_acc"]\nsigmas = []'))
    assert len(read_frame(folder / "scores.parquet", "SCORES")) == 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"measure": "sigmas = [0.02, 0.01]"},
            "expected sigmas above 0, each larger than the one before, got [0.02, 0.01]",
        ),
        ({"measure": "sigmas = [0.01, 0.01]"}, "each larger than the one before"),
        ({"measure": "sigmas = [-0.01]"}, "expected sigmas above 0"),
        ({"measure": "sigmas = [0.0]"}, "expected sigmas above 0"),
        ({"measure": 'measures = ["angel"]'}, "unknown measure 'angel'. Did you mean 'angle'"),
        ({"measure": "measures = []\nsigmas = []"}, "expected measures or sigmas, got neither"),
        ({"measure": 'position = "cell"'}, "measure.0.position: Input should be 'all' or 'cells' (got 'cell')"),
        (
            {"measure": 'scheme = "summed"'},
            "measure.0.scheme: Input should be 'independent' or 'cumulative'",
        ),
        ({"measure": "draws = 0"}, "expected draws >= 1"),
        ({"measure": "sigma = [0.1]"}, "unknown key 'measure.0.sigma'. Did you mean 'sigmas'?"),
        ({"search": ANGLE + "\ncurvature = [0.2, 0.1]"}, "each larger than the one before, got [0.2, 0.1]"),
        ({"search": "terms = []"}, "search.0.terms"),
        ({"search": 'terms = [{ proxy = "angle", rule = "pi" }]'}, "search.0.terms.0.rule"),
        ({"search": ANGLE + "\nsearch_seeds = []"}, "search_seeds: expected whole numbers from 0, each once, got []"),
        ({"search": ANGLE + "\nsearch_seeds = [0, 0]"}, "search_seeds: expected whole numbers from 0, each once"),
        ({"search": ANGLE + '\nmeasures = ["angle"]'}, "measures: expected none in a search"),
        ({"search": 'terms = [{ proxy = "angle" }, { proxy = "angle" }]'}, "terms: expected each proxy once"),
        ({"search": 'terms = [{ proxy = "angle", rule = "rank" }]'}, "look at a set of architectures, which a search"),
        (
            {"search": 'terms = [{ proxy = "flatness", rule = "1/sigma_1" }]'},
            "expected sigma_1 with the rule 1/sigma_1",
        ),
        ({"search": ANGLE + "\nseeds = [4]"}, "search 'found': seeds not trained here: [4]"),
    ],
)
def test_a_wrong_configuration_is_told(given: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        load(tmp_path, **given)
    assert message in str(caught.value)


def test_a_space_without_paths_has_the_flat_angle_only(tmp_path: Path) -> None:
    config = load(tmp_path).model_copy(update={"space": "nb101-1"})
    out = tmp_path / "out"
    train_all(Run(config, out, "cpu"))
    with pytest.raises(ParameterError, match="expected a space whose paths are defined .* got nb101-1; use angle_flat"):
        measure_all(Run(config, out, "cpu"))
    part = config.measure[0].model_copy(update={"measures": ("angle_flat", "val_acc"), "limit": 1})
    (folder,) = measure_all(Run(config.model_copy(update={"measure": (part,)}), out, "cpu"))
    scores = read_frame(folder / "scores.parquet", "SCORES")
    assert scores["value"].is_finite().all()
    assert len(scores) == 4


def test_more_images_than_there_are(run_of: Callable[..., Run]) -> None:
    with pytest.raises(ParameterError, match=r"hessian_images: expected at most the \d+ images there are, got 100000"):
        measure_all(run_of(measure='measures = ["weight_hessian_ev"]', hessian_images=100_000))


# --- searching --------------------------------------------------------------------------------------------------------


def trace_of(folder: Path, quantity: str) -> pl.DataFrame:
    return read_frame(folder / "trace.parquet", "TRACE").filter(quantity=quantity).sort("search_seed", "epoch")


def test_a_search_finds_what_it_measured(run_of: Callable[..., Run]) -> None:
    run = run_of(search=ANGLE + "\nsearch_seeds = [0, 1]\ncurvature = [0.01, 0.1]")
    (folder,) = search_all(run)
    fitness, asked = trace_of(folder, "fitness"), trace_of(folder, "arch")
    assert len(fitness) == 2 * 8
    assert asked.filter(search_seed=0)["text"].n_unique() == 8
    net, initial = run.supernet(("spos", 0)), run.initial_supernet(("spos", 0))
    for arch, value in zip(asked["text"], fitness["value"], strict=True):
        radians = angle(initial.subnet(arch), net.subnet(arch), vector="paths")
        assert (value is None and radians != radians) or value == pytest.approx(radians / 3.141592653589793, rel=1e-5)
    best = trace_of(folder, "best_fitness").filter(search_seed=1)["value"]
    assert best[-1] == fitness.filter(search_seed=1)["value"].max()
    around = read_frame(folder / "perturbed.parquet", "PERTURBED")
    assert set(around["arch"]) == set(trace_of(folder, "best_arch").filter(epoch=8)["text"])
    assert sorted(around["sigma"].unique()) == [0.0, 0.01, 0.1]
    before = read_frame(folder / "trace.parquet").filter(pl.col("quantity") != "seconds")
    search_all(run)
    assert_frame_equal(read_frame(folder / "trace.parquet").filter(pl.col("quantity") != "seconds"), before)


def test_successive_halving_on_sotl(run_of: Callable[..., Run]) -> None:
    halving = 'terms = [{ proxy = "sotl" }]\nfinetune = "few"\nalgorithm = "successive_halving"\n'
    (folder,) = search_all(run_of(search=halving + "options = { start = 4, eta = 2, steps = [1, 3] }"))
    steps = trace_of(folder, "step")["value"].to_list()
    assert steps == [1, 1, 1, 1, 3, 3]
    values = trace_of(folder, "fitness")["value"].to_list()
    asked = trace_of(folder, "arch")["text"].to_list()
    assert all(value < 0 for value in values), "lower is better, so it is turned round"
    kept = sorted(asked[:4], key=lambda arch: -values[asked.index(arch)])[:2]
    assert sorted(asked[4:]) == sorted(kept)


def test_flatness_as_fitness_within_limits(run_of: Callable[..., Run]) -> None:
    part = (
        'terms = [{ proxy = "flatness", rule = "1/sigma_1", sigma_1 = 0.01 }, { proxy = "angle", rule = "angle/pi" }]\n'
    )
    part += 'sigmas = [0.01, 0.02]\ndraws = 2\nalgorithm = "random_search"\nqueries = 3\nparams_min = 500\n'
    (folder,) = search_all(run_of(search=part))
    assert len(trace_of(folder, "fitness")) == 3
    assert trace_of(folder, "fitness")["value"].is_not_null().any()
    net = run_of(search=part).supernet(("spos", 0))
    for arch in trace_of(folder, "arch")["text"]:
        assert sum(p.numel() for p in net.subnet(arch).parameters()) >= 500


def test_any_terms_together(run_of: Callable[..., Run]) -> None:
    """A cost, what a finetuning reads and what is measured; each as it is by itself."""
    budget = 'algorithm = "random_search"\nqueries = 3\n'
    angle_of = 'terms = [{ proxy = "angle" }]\n'
    sotl_of = 'terms = [{ proxy = "sotl" }]\nfinetune = "few"\n'
    both = 'terms = [{ proxy = "angle", weight = 2 }, { proxy = "sotl" }, { proxy = "params", weight = 0.001 }]\n'
    found = []
    for name, terms in (("angle", angle_of), ("sotl", sotl_of), ("both", both + 'finetune = "few"\n')):
        run = run_of(search=budget + terms)
        part = run.config.search[0].model_copy(update={"name": name})
        (folder,) = search_all(Run(run.config.model_copy(update={"search": (part,)}), run.out, "cpu"))
        asked = trace_of(folder, "arch")["text"].to_list()
        found.append(dict(zip(asked, trace_of(folder, "fitness")["value"], strict=True)))
    net = run_of().supernet(("spos", 0))
    archs = space_archs("random-3@0", "nb201")
    config = run_of(search=budget + both + 'finetune = "few"\n').config
    fitness = LiveFitness(run_of(search=budget + both + 'finetune = "few"\n'), config.search[0], run_of().out / "own")
    alone = [
        LiveFitness(
            run_of(search=budget + terms), run_of(search=budget + terms).config.search[0], run_of().out / str(i)
        )
        for i, terms in enumerate((angle_of, sotl_of))
    ]
    together, angles, losses = fitness(archs), *(each(archs) for each in alone)
    counts = [sum(p.numel() for p in net.subnet(arch).parameters()) for arch in archs]
    expected = 2 * angles.values + losses.values + 0.001 * np.array(counts)
    np.testing.assert_allclose(together.values, expected, rtol=1e-6)
    np.testing.assert_array_less(0, together.seconds)
    assert all(len(each) == 3 for each in found)


def test_other_settings_do_not_answer(run_of: Callable[..., Run]) -> None:
    """Units of another noise, or of another finetuning, are refused, not read."""
    budget = 'algorithm = "random_search"\nqueries = 2\n'
    search_all(run_of(search=budget + 'terms = [{ proxy = "val_acc" }]'))
    with pytest.raises(BuildError, match="holds finished units of other settings"):
        search_all(run_of(search=budget + 'terms = [{ proxy = "val_acc" }, { proxy = "flatness" }]'))
    tuned = budget + 'terms = [{ proxy = "sotl" }]\nfinetune = "few"\n'
    search_all(run_of(search=tuned))
    run = run_of(search=tuned)
    other = run.config.finetune[0].model_copy(update={"data_seed": 7})
    with pytest.raises(BuildError, match="holds finished units of other settings"):
        search_all(Run(run.config.model_copy(update={"finetune": (other,)}), run.out, "cpu"))


def test_costs_are_those_of_the_live_network() -> None:
    """At the published size they are the benchmark's own: parameters, and multiply-accumulates."""
    space = get_space("nb201")
    net = initialised(NB201Supernet(Skeleton(32, 10, 16, 5)), torch.Generator().manual_seed(0))
    for arch in space_archs("random-6@3", "nb201"):
        costs = network_costs(net, arch, inputs=3, size=32)
        assert costs["params"] == space.params(arch)
        if "none" not in arch:  # the benchmark also counts operations that nothing reads
            assert costs["flops"] == pytest.approx(space.flops(arch), rel=1e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ANGLE + '\nalgorithm = "spos"', "unknown search algorithm 'spos'"),
        (ANGLE.replace("population", "populaton"), "Did you mean 'population'"),
        (ANGLE + '\npreset = "genas"', "unknown preset of spos_evolution 'genas'"),
        ('terms = [{ proxy = "angel" }]', "unknown"),
        ('terms = [{ proxy = "sotl" }]', "sotl"),
        ('terms = [{ proxy = "sotl" }]\nfinetune = "fw"', "unknown finetune of search 'found' 'fw'"),
        ('terms = [{ proxy = "angle" }]\nalgorithm = "random_search"', "expected a budget: queries=, seconds= or both"),
        ('terms = [{ proxy = "angle" }]\nalgorithm = "successive_halving"', "needs a fitness that grows with training"),
        ('terms = [{ proxy = "flatness" }]\nsigmas = [0.1]', "flatness: expected at least two sigmas"),
    ],
)
def test_a_search_that_cannot_be_is_refused(given: str, message: str, run_of: Callable[..., Run]) -> None:
    with pytest.raises(NasAnalysisError) as caught:
        search_all(run_of(search=given))
    assert message in str(caught.value)


def test_the_darts_space(tmp_path: Path) -> None:
    """Angle by paths, noise in the cells and along the Hessian, zero-cost measures: on its networks too."""
    measured = (
        'measures = ["val_acc", "angle", "angle_flat", "snip", "nwot"]\nsigmas = [0.01, 0.02]\ndraws = 1\nlimit = 1\n'
    )
    config = load(tmp_path, measure=measured + 'position = "cells"\ndirection = "hessian"')
    config = config.model_copy(update={"space": "darts", "network": NetworkConfig(channels=2, layers=3)})
    run = Run(config, tmp_path, "cpu")
    train_all(run)
    (folder,) = measure_all(run)
    assert read_frame(folder / "failed.parquet").is_empty()
    scores = read_frame(folder / "scores.parquet", "SCORES")
    assert scores["value"].is_finite().all()
    assert len(scores) == 2 * 5
    noise = read_frame(folder / "perturbed.parquet", "PERTURBED")
    assert noise["loss"].is_finite().all()
    assert noise.select("position", "direction").unique().rows() == [("cells", "hessian")]
