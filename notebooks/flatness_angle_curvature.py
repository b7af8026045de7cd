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
# # Flatness, angle and the curvature of the loss: three ways to look at weights
#
# GeNAS asks how flat the loss is around the weights, RLNAS how far they have turned since the start, PyHessian how
# strongly the loss curves. The embedded benchmark `digits-2` records all three for networks that were really trained,
# twice each, on handwritten digits. No download, no torch.

# %%
import matplotlib.pyplot as plt
import polars as pl

import nasanalysis as na
from nasanalysis import plots

digits = na.load_benchmark("digits-2")
digits

# %% [markdown]
# ## The truth of one training, the scores of the other
# A network's flatness and its accuracy would share the luck of one run: scores are read from seed 0, the truth from
# seed 1.

# %%
truth = digits.truth(split="test").filter(pl.col("seed") == 1)
FLAT = "flatness@sigmas=0.002/0.01/0.02"  # the sizes of noise that GeNAS publishes for this space
names = [
    FLAT,
    "flatness@alpha=0,sigmas=0.002/0.01/0.02",
    "angle",
    "angle_cells",
    "weight_hessian_ev",
    "val_acc",
    "params",
]
scores = na.score(digits, names, step=12).filter(pl.col("seed").is_null() | (pl.col("seed") == 0))
scores.group_by("proxy").len()

# %% [markdown]
# ## What noise does to the loss
# Each line is a network: validation loss against the size of the noise on its weights, shaded by the accuracy that the
# other run reached. Flatness is one number read off such a line.

# %%
noise = digits.perturbed().filter(pl.col("seed") == 0, pl.col("step") == 12)
shown = noise["arch"].unique().sort().sample(60, seed=0).to_list()
curvature = plots.loss_curvature(noise.filter(pl.col("arch").is_in(shown)), truth)
axes = plots.plot_loss_curvature(curvature)

# %% [markdown]
# ## Do the three say the same?

# %%
axes = plots.plot_proxy_matrix(plots.proxy_matrix(scores))

# %% [markdown]
# ## Which ranks networks, and by how much more than the parameter count?
# The line and its band are the parameter count. With `alpha = 0` flatness asks for the shape alone, and what has learnt
# nothing may be flat, too.

# %%
stats = na.correlate(truth, scores, statistics=["spearman_rho", "partial_spearman@params"], n_boot=300)
stats.filter(statistic="partial_spearman@params").select("proxy", "estimate", "ci_low", "ci_high")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(14, 4.2), width_ratios=[1, 1.3])
pairs = na.score_against_truth(truth, scores.filter(proxy=FLAT))
plots.plot_scatter(pairs, proxy=FLAT, ax=left, title="Flatness, and the other run")
axes = plots.plot_forest(stats, "spearman_rho", ax=right, title="What ranks trained networks")
figure.tight_layout()
