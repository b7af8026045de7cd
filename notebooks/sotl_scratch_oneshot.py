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
# # The sum of training losses, from scratch and in a supernet
#
# SoTL ranks architectures by the losses that they go through while they are trained. Trained alone, that costs a
# training each; in a one-shot supernet, whose weights all architectures share, a few minibatches of finetuning. Both on
# scikit-learn's handwritten digits: the first is in the package, the second is done here, on the CPU, in a few minutes
# (needs the extra `supernet`). What is finished stays in `build`, so a second run only reads it.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl

import nasanalysis as na
from nasanalysis.live.config import SupernetConfig
from nasanalysis.live.finetune import finetune_all
from nasanalysis.live.run import Run
from nasanalysis.live.train import train_all

digits = na.load_benchmark("digits")
SAMPLE = "digits:random-50@0"  # fifty architectures, drawn with seed 0

# %% [markdown]
# ## One supernet, fifty short finetunings
# Fifty minibatches for each architecture, from the weights that the supernet gives it.

# %%
config = SupernetConfig.model_validate(
    {
        "space": "nb201",
        "network": {"channels": 4, "cells": 1, "reduction": "pool", "stem_kernel": 1},  # as the benchmark's networks
        "data": {"data": "digits"},
        "train": {"protocols": ["spos"], "seeds": [0], "epochs": 240},
        "finetune": [{"name": "rate-0.01", "archs": SAMPLE, "minibatches": 50, "learning_rate": 0.01}],
    }
)
run = Run(config, Path("build/sotl"), device="cpu")
train_all(run)

# %%
[finetuned] = finetune_all(run, workers=2)
one_shot = na.read_frame(finetuned / "scores.parquet", "SCORES")
one_shot["proxy"].unique().sort().to_list()

# %% [markdown]
# ## The same architectures, trained alone
# Scores of one training (seed 0), the truth of the other. The supernet shares no training with the truth: below it is
# judged by the mean of both.

# %%
archs = one_shot["arch"].unique().sort().to_list()
truth = digits.truth(split="test", archs=archs).filter(pl.col("seed") == 1)
alone = na.score(digits, ["sotl", "val_acc", "params"], archs=archs)
alone = alone.filter(pl.col("seed").is_null() | (pl.col("seed") == 0))
scratch = na.correlate(truth, alone, statistics=["spearman_rho"], n_boot=300)
scratch.filter(pl.col("step").is_in([1, 4, 12]) | pl.col("step").is_null()).select(
    "proxy", "step", "estimate", "n_archs"
)

# %%
shared = na.compare("digits", str(finetuned / "scores.parquet"), statistics=("spearman_rho",), n_boot=300)
shared = shared.filter(pl.col("proxy").is_in(["sotl", "val_acc_mini"]))
shared.filter(pl.col("step").is_in([1, 10, 50])).select("proxy", "step", "estimate", "ci_low", "ci_high")

# %% [markdown]
# ## Side by side
# On the left an epoch is a pass through a training of its own; on the right a minibatch is a small fraction of one, and
# the weights are everybody's. With fifty architectures the bands are wide: read them before the lines.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.6), sharey=True)
na.plot_correlation_by_step(scratch, ax=left, title="Trained from scratch")
axes = na.plot_correlation_by_step(shared, ax=right, title="Finetuned from one supernet")
figure.tight_layout()
