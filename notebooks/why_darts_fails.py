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
# # Why DARTS fails, and what of it shows on digits
#
# Differentiable search trains one network that holds every candidate, moves a weight for each operation, and takes the
# largest. On handwritten digits it was run with three seeds and looked at in every epoch (`nasanalysis diffsearch run
# --config digits_diagnosed`); what it selects was trained alone, twice. The traces are in the package: no torch is
# needed to look at them.

# %%
import matplotlib.pyplot as plt
import polars as pl

import nasanalysis as na
from nasanalysis import plots
from nasanalysis.core.resources import shipped
from nasanalysis.plots.diagnosed import plot_strengths
from nasanalysis.plots.selected import plot_selected
from nasanalysis.search.diagnosed import strength_agreement
from nasanalysis.search.selected import selected_by_epoch, summarise_selected

kept = shipped("reports/results")
trace = na.read_frame(kept / "digits_diagnosed_trace.parquet", "TRACE")
strengths = na.read_frame(kept / "digits_diagnosed_strengths.parquet", "STRENGTHS")
searches = na.read_frame(kept / "digits_diffsearch_trace.parquet", "TRACE")
truth = na.read_frame(kept / "digits_diffsearch_truth.parquet", "TRUTH").filter(pl.col("split") == "test")
trace["quantity"].unique().sort().to_list()

# %% [markdown]
# ## What is selected, and what it is worth
# Two rows do not search at all: `most_parameters` takes the largest cell, `random_architecture` any.

# %%
selected = selected_by_epoch(searches, truth)
summarise_selected(selected).select("method", "setting", "mean", "sd", "ci_low", "ci_high", "standing")

# %% [markdown]
# ## The cell itself
# Every candidate as wide as its weight, after a hundred epochs of DARTS.

# %%
alphas = na.read_frame(kept / "digits_diffsearch_alphas.parquet", "ALPHAS")
axes = plots.plot_relaxed_cell(alphas.filter(method="darts", setting=""))

# %% [markdown]
# ## Does the weight of an operation say what the operation is worth?
# Masking an operation in the finished supernet costs accuracy: its strength. `rho` is the rank correlation of weight
# and strength within an edge, `same` the share of edges on which both have the same best operation.

# %%
strength_agreement(strengths).select("method", "seed", "epoch", "rho", "same", "edges")


# %% [markdown]
# ## Are skip connections to blame?
# On larger tasks they take over the cell as the search goes on (Zela et al. 2020). Here is how many of the six edges
# would hold one, by epoch, lowest and highest of the seeds.

# %%
darts = trace.filter(pl.col("method") == "darts")
skips = darts.filter(pl.col("quantity") == "selected_skips", pl.col("epoch").is_in([1, 5, 10, 50, 100]))
skips.group_by("epoch").agg(low=pl.col("value").min(), high=pl.col("value").max()).sort("epoch")

# %% [markdown]
# ## The whole story in one picture
# 1. What would be selected, trained alone, beside two rules that do not search.
# 2. The supernet, and the same supernet once each edge holds its largest operation alone: the weights belong to the
#    mixture, not to the cell that is taken from it.
# 3. The curvature of the validation loss in the weights of the operations, and under more weight decay (R-DARTS, L2).
# 4. Each operation of each edge: `none` may weigh much, and masking it costs nothing.


# %%
def by_epoch(quantity, name=None):
    rows = trace.filter(pl.col("quantity") == quantity).select("method", "setting", "seed", "epoch", "value")
    return rows if name is None else rows.filter(method="darts").with_columns(method=pl.lit(name))


figure, panels = plt.subplots(2, 2, figsize=(13, 8))
ends = {
    label: selected.filter(pl.col("last"), method=method)["accuracy"].mean()
    for method, label in (("most_parameters", "largest cell"), ("random_architecture", "any cell"))
}
plot_selected(selected.filter(method="darts", setting=""), lines=ends, ax=panels[0, 0])
both = [by_epoch("supernet_valid_accuracy", "supernet"), by_epoch("discrete_valid_accuracy", "made_discrete")]
plot_selected(pl.concat(both), value="value", ylabel="validation accuracy (%)", ax=panels[0, 1])
plot_selected(by_epoch("arch_hessian_ev"), value="value", ylabel="largest eigenvalue, Hessian in α", ax=panels[1, 0])
axes = plot_strengths(strengths.filter(method="darts", epoch=100), ax=panels[1, 1])
titles = ("1. What it selects", "2. What the supernet loses", "3. Curvature", "4. Weight and worth")
for panel, title in zip(panels.flat, titles, strict=True):
    panel.set_title(title)
figure.tight_layout()
