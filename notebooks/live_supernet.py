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
# # A live supernet: what do its weights say about architectures?
#
# A one-shot supernet of NAS-Bench-201 cells is trained on scikit-learn's handwritten digits, on the CPU, in about
# a minute; 50 architectures are finetuned from it and measured in it, and judged by the embedded benchmark
# `digits`, which trained each of them from scratch. Four minutes in all; what is finished stays in `build`, so
# a second run only reads it.

# %%
from pathlib import Path

import polars as pl

import nasanalysis as na
from nasanalysis import plots, proxies, search
from nasanalysis.live.config import SupernetConfig
from nasanalysis.live.finetune import finetune_all
from nasanalysis.live.measure import measure_all
from nasanalysis.live.run import Run
from nasanalysis.live.train import train_all

config = SupernetConfig.model_validate(
    {
        "space": "nb201",
        "network": {"channels": 4, "cells": 1, "reduction": "pool", "stem_kernel": 1},  # as the benchmark's networks
        "data": {"data": "digits"},
        "train": {"protocols": ["spos"], "seeds": [0], "epochs": 240},
        "finetune": [
            {"name": "rate-0.01", "archs": "digits:random-50@0", "minibatches": 50, "learning_rate": 0.01},
        ],
        "measure": [
            {
                "name": "weights",
                "archs": "digits:random-50@0",
                "measures": ["val_acc", "angle", "weight_hessian_ev", "synflow"],
                "sigmas": [0.002, 0.01, 0.02, 0.05],
                "draws": 4,
            },
        ],
    }
)
run = Run(config, Path("build/live_supernet"), device="cpu")
train_all(run)

# %% [markdown]
# The same configuration as a TOML file is what `nasanalysis supernet train|finetune|measure` reads.
#
# ## Fifty minibatches each
# One pass of finetuning gives the sum of training losses (SoTL), validation accuracy, and the sums of gradients, at
# every minibatch.

# %%
[finetuned] = finetune_all(run, workers=2)
stats = na.compare("digits", str(finetuned / "scores.parquet"), statistics=("spearman_rho",), n_boot=300)
shown = stats.filter(pl.col("proxy").is_in(["sotl", "val_acc_mini", "sog"]))
axes = na.plot_correlation_by_step(shown)

# %%
stats.filter(pl.col("step").is_in([0, 1, 50])).select("proxy", "step", "estimate", "ci_low", "ci_high", "n_archs")

# %% [markdown]
# ## The weights as they stand
# No training at all: inherited accuracy, angle to the initial weights (RLNAS), largest eigenvalue of the Hessian, a
# zero-cost measure, and the validation loss under weight noise, from which flatness (GeNAS) is computed with whatever
# sigmas and alpha one likes.

# %%
[measured] = measure_all(run, workers=2)
noise = na.read_frame(measured / "perturbed.parquet", "PERTURBED")
flat = [proxies.get_proxy(f"flatness@sigmas=0.002/0.01/0.02,alpha={alpha}")(noise) for alpha in (0, 1)]
scores = pl.concat([na.read_frame(measured / "scores.parquet", "SCORES"), *flat])
scores = scores.with_columns(benchmark=pl.lit("digits"), dataset=pl.lit("digits"))
digits = na.load_benchmark("digits")
truth = digits.truth(split="test")
params = na.score(digits, "params", archs=scores["arch"].unique().to_list())
both = pl.concat([scores, params], how="diagonal")
na.correlate(truth, both, statistics=["kendall_tau"], n_boot=300).select(
    "proxy", "estimate", "ci_low", "ci_high", "n_archs"
).sort("estimate", descending=True)

# %% [markdown]
# Loss curvature, from the best of ten architectures to the worst:

# %%
accuracy = truth.filter(pl.col("seed").is_null(), pl.col("arch").is_in(noise["arch"].unique().to_list()))
ten = accuracy.sort("accuracy")["arch"].gather_every(5).to_list()
renamed = noise.with_columns(benchmark=pl.lit("digits"), dataset=pl.lit("digits"))
axes = plots.plot_loss_curvature(plots.loss_curvature(renamed.filter(pl.col("arch").is_in(ten)), truth))

# %% [markdown]
# ## Searching with what was measured
# Score so many architectures, drawn at random, and take the best: the true accuracy to be expected of the pick, in
# percent, without training anything.

# %%
judge = search.TableFitness.from_truth(accuracy)
sizes = [1, 5, 10, 25, 47]  # three of the fifty have no path from input to output, so no angle and no synflow
expected = {"architectures scored": sizes}
for proxy in ("params", "synflow", "angle", "val_acc"):
    fitness = search.TableFitness.from_scores(both, proxy)
    expected[proxy] = search.budget_curve(fitness, judge, n_scored=sizes)["expected_accuracy"].to_list()
expected["the truth"] = search.budget_curve(judge, judge, n_scored=sizes)["expected_accuracy"].to_list()
pl.DataFrame(expected)

# %% [markdown]
# ## Your own network
# Every measure takes any `torch.nn.Module`, and leaves it byte for byte as it was.

# %%
import torch

from nasanalysis.measures.hessian import weight_hessian
from nasanalysis.measures.perturb import perturbed_losses
from nasanalysis.measures.zero_cost import zero_cost

net = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(10))
images, labels = (tensor[:64] for tensor in run.task.valid)
net(images)
draw = torch.Generator().manual_seed(0)
zero_cost(net, images, labels, proxies=["grad_norm", "snip", "synflow", "nwot"], generator=draw)

# %%
perturbed_losses(net, images, labels, [0.0, 0.01, 0.02], draws=4, generator=draw).group_by("sigma").agg(
    pl.col("loss").mean()
).sort("sigma")

# %%
weight_hessian(net, images, labels, generator=draw)
