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
# # First light: which cheap proxy ranks architectures best?
#
# The embedded benchmark `digits` holds NAS-Bench-201 cells that were really trained on scikit-learn's handwritten
# digits, each with two seeds, with losses and accuracies of every epoch. No download, no GPU.

# %%
import polars as pl

import nasanalysis as na
from nasanalysis.loaders.samples import take_sample

digits = na.load_benchmark("digits")
digits.archs().select("params", "flops").describe()

# %% [markdown]
# ## The truth
# Final test accuracy in percent; seed `null` is the mean over training seeds. We keep the uniform sample of
# architectures whose output depends on their input: the degenerate ones would flatter every proxy.

# %%
truth = take_sample(digits.truth(split="test"), "uniform-live", benchmark=digits)
truth.filter(pl.col("seed").is_null())["accuracy"].describe()

# %% [markdown]
# ## How well does the truth repeat itself?
# Two runs of one architecture differ: no proxy can correlate with their mean better than the ceiling, in expectation.

# %%
na.reliability_table(truth.filter(pl.col("seed").is_not_null())).select(
    "fraction", "n_archs", "reliability", "ci_low", "ci_high", "ceiling"
)

# %% [markdown]
# ## Proxies, by completed epoch
# The sum of training losses (SoTL) against validation accuracy, with the parameter count as the bar to clear.

# %%
scores = na.score(digits, ["sotl", "sotl_e@1", "val_acc", "params"])
scores = take_sample(scores, "uniform-live", benchmark=digits)
stats = na.correlate(truth, scores, statistics=["spearman_rho"], n_boot=300)
axes = na.plot_correlation_by_step(stats)

# %% [markdown]
# ## Is the difference real?
# Paired on the same architectures, with a bootstrap interval over architectures.

# %%
na.difference_by_step(truth, scores, "sotl", "val_acc", n_boot=300)

# %% [markdown]
# ## One proxy, one picture

# %%
pairs = na.score_against_truth(truth, scores.filter(pl.col("proxy") == "params"))
axes = na.plot_scatter(pairs, proxy="params", target="test accuracy")
