# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A benchmark and a proxy of your own, from nothing
#
# Twenty-seven small perceptrons are trained on scikit-learn's handwritten digits, two seeds each, in seconds.
# They become a benchmark: a space, the truth, and the learning curves. Then a proxy is written and judged
# on it. Needs scikit-learn (`pip install 'nasanalysis[predict]'`), no torch, no files.

# %%
import itertools
from dataclasses import dataclass

import polars as pl
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import nasanalysis as na
from nasanalysis.proxies import PROXIES, as_scores
from nasanalysis.spaces import SPACES, Arch

# %% [markdown]
# ## The space
# An architecture is text: `mlp:8-4-16` has hidden layers of 8, 4 and 16 units. Parameters are counted, so that the
# parameter count is there as the bar to clear.


# %%
class Mlp:
    """Three hidden layers, as `mlp:8-4-16`."""

    name = "mlp"

    def parse(self, text):
        arch = Arch.from_text(str(text), self.name)
        return Arch(self.name, "-".join(str(int(width)) for width in arch.key.split("-")))

    def params(self, arch, dataset):
        widths = [64, *map(int, self.parse(str(arch)).key.split("-")), 10]
        return sum((before + 1) * after for before, after in itertools.pairwise(widths))


SPACES["mlp"] = Mlp()
archs = ["mlp:" + "-".join(map(str, widths)) for widths in itertools.product([2, 4, 16], repeat=3)]
archs[:3]

# %% [markdown]
# ## The trainings
# Each is trained for 12 epochs; after every one the mean training loss and the validation accuracy are written down.

# %%
EPOCHS = 12
images, labels = load_digits(return_X_y=True)
train_x, rest_x, train_y, rest_y = train_test_split(images / 16, labels, train_size=800, random_state=0)
valid_x, test_x, valid_y, test_y = train_test_split(rest_x, rest_y, train_size=400, random_state=0)

curves, truth = [], []
for arch, seed in itertools.product(archs, range(2)):
    widths = tuple(map(int, arch.removeprefix("mlp:").split("-")))
    net = MLPClassifier(widths, learning_rate_init=0.01, random_state=seed)
    for epoch in range(1, EPOCHS + 1):
        net.partial_fit(train_x, train_y, classes=range(10))
        row = {"arch": arch, "seed": seed, "step": epoch, "train_loss": net.loss_}
        curves.append({**row, "valid_accuracy": 100 * net.score(valid_x, valid_y)})
    truth.append({"arch": arch, "seed": seed, "accuracy": 100 * net.score(test_x, test_y)})

# %% [markdown]
# ## The benchmark
# Frames say what a number is of; `na.check` says what is missing.

# %%
where = {"benchmark": "mlps", "dataset": "digits", "schedule": EPOCHS}
how = {"method": "scratch", "setting": "", "unit": "epoch"}
TRUTH = na.check(pl.DataFrame([{**where, "split": "test", "origin": "trained", **row} for row in truth]), "TRUTH")
CURVES = na.check(pl.DataFrame([{**where, **how, **row} for row in curves]), "CURVES")
mine = na.Benchmark("mlps", "mlp", ("digits",), read={"TRUTH": TRUTH.lazy, "CURVES": CURVES.lazy})
mine

# %% [markdown]
# How well does the truth repeat itself? No proxy can be expected above the ceiling.

# %%
na.reliability_table(TRUTH).select("fraction", "n_archs", "reliability", "ceiling")

# %% [markdown]
# ## The proxy
# How far has the training loss fallen since the first epoch? The last line makes it known by name.


# %%
@dataclass(frozen=True)
class LossDrop:
    """Training loss of the first epoch minus that of this one, in nats."""

    name: str = "loss_drop"
    direction: int = 1
    needs: str = "curves"
    reference: str = "this notebook"

    def __call__(self, curves):
        first = pl.col("train_loss").sort_by("step").first().over("arch", "seed")
        return as_scores(curves.with_columns(drop=first - pl.col("train_loss")), self.name, "drop")


PROXIES["loss_drop"] = LossDrop()

# %% [markdown]
# ## The judgement
# Scores of one training (seed 0), the truth of the other: nothing is judged by its own luck.

# %%
scores = na.score(mine, ["loss_drop", "sotl", "val_acc", "params"])
scores = scores.filter(pl.col("seed").is_null() | (pl.col("seed") == 0))
other = TRUTH.filter(pl.col("seed") == 1)
stats = na.correlate(other, scores, statistics=["spearman_rho"], n_boot=300)
stats.filter(pl.col("step").is_in([2, 5, 12]) | pl.col("step").is_null()).select("proxy", "step", "estimate", "ci_low")

# %% [markdown]
# ## From which epoch on is it worth its cost?

# %%
axes = na.plot_correlation_by_step(stats, title="27 perceptrons on digits: scores of one seed, truth of the other")
