"""Rank statistics: TRUTH x SCORES -> STATS. Frames and arrays only.

Arrays, one set of architectures
    `spearman_rho`, `kendall_tau`, `pearson_r`, `sparse_kendall_tau`, `weighted_tau`, `partial_spearman`,
    `partial_kendall`, `topk_mean`, `best_rank_at_k`, `precision_at_k`, `regret_at_k`, `ndcg`; `get_statistic` for
    them by name.
Arrays, uncertainty
    `Resampling` (what is drawn, how often: architectures, functional classes, seeds), `class_labels`, `Resamples` (many
    resamples at once), `simultaneous_band`, `bootstrap`, `random_halves`, `bootstrap_over_seeds`, `permutation_test`,
    `holm`, `disattenuate`, `variance_components`, `interquartile_mean`, `performance_profile`.
Frames
    `correlate` (how well a score ranks), `correlate_seeds`, `seeds_against_baseline`, `repeated_samples` (seeds and
    samples apart),
    `compare_proxies`, `difference_by_step` (is one better?), `multiverse`, `summarise_multiverse` (one claim in every
    defensible setting), `rank_sets` (which ranks are certain),
    `leaderboard` (all proxies on one table), `friedman` (over many data sets), `verdict`, `in_words`,
    `tiers`, `beside_best`, `seeds_beside_best`, `emphasis_from_pairs` (what may be said of a comparison),
    `reliability_table`, `disattenuated` (how well truth repeats), `aggregate`, `profile` (many datasets),
    `first_step_reaching`, `crossover`, `compute_matched` (over
    steps), `proxy_matrix`, `cluster_proxies`, `redundancy` (proxy against proxy), `neighbour_concordance`,
    `isomorph_spread` (what one operation changes), `combine`, `aggregate_ranks`, `held_out_weight`, `held_out_sum`,
    `best_sums`, `ablation` (combinations), `plan` (how many architectures and seeds).
    `predictor_curve`, `learned_bar` (what k trained architectures and a regressor give), `explain_proxy` (why it ranks
    so).
Frames that a figure draws, or a search obeys
    `score_against_truth`, `rank_pairs`, `losses_by_group`, `topk_by_k`, `with_front` (Pareto), `square_matrix` (proxy
    against proxy in clustered order), `eigenvalue_trajectories`, `early_stopping` (`StoppingRule` of RobustDARTS).
"""

from __future__ import annotations

from .ablation import ablation
from .aggregate import aggregate, interquartile_mean, performance_profile, profile, stratified_interval
from .alignment import MismatchWarning
from .averages import MixedSeedsWarning, mean_scores, mean_truth
from .best_sums import best_sums
from .between import Clusters, cluster_proxies, proxy_matrix, redundancy
from .bootstrap import Interval, bootstrap, random_halves
from .by_step import compute_matched, cost_by_step, crossover, first_step_reaching
from .classes import class_labels
from .combine import Term, aggregate_ranks, combine, held_out_weight, normalise, term_shares
from .components import Component, disattenuate, disattenuated, variance_components
from .correlate import correlate
from .direction_notes import direction_notes
from .emphasis import beside_best, seeds_beside_best
from .explain import Explanation, explain_proxy
from .friedman import friedman
from .front import with_front
from .groups import losses_by_group
from .held_out_sum import held_out_sum
from .leaderboard import TOP_RESAMPLES, leaderboard
from .learned_bar import learned_bar
from .matrix import square_matrix
from .multiverse import multiverse
from .multiverse_words import MultiverseSummary, summarise_multiverse
from .ndcg import ndcg
from .neighbours import isomorph_spread, neighbour_concordance
from .paired import difference_by_step
from .pairs import rank_pairs, score_against_truth
from .partial import partial_kendall, partial_spearman
from .permutation import large_sample_test, permutation_test
from .planner import plan
from .predictor import FEWEST as FEWEST_TO_RANK
from .predictor import predictor_curve
from .rank import kendall_tau, pearson_r, spearman_rho
from .rank_sets import rank_sets
from .registry import STATISTICS, Statistic, get_statistic
from .reliability import ceiling, reliability, reliability_table, spearman_brown
from .resamples import Resamples, kendall_tau_counts, pearson_r_counts, spearman_rho_counts
from .resampling import NOUNS, Resampling
from .seeds import bootstrap_over_seeds, correlate_seeds, repeated_samples, seeds_against_baseline
from .simultaneous import Band, simultaneous_band
from .stopping import StoppingRule, early_stopping, eigenvalue_trajectories
from .tau import sparse_kendall_tau, weighted_tau
from .topk import TopKMean, best_rank_at_k, precision_at_k, regret_at_k, topk_mean
from .topk_curve import topk_by_k
from .verdicts import Verdict, emphasis_from_pairs, in_words, tiers, verdict
from .versus import compare_proxies, holm, permutations_for

__all__ = [
    "FEWEST_TO_RANK",
    "NOUNS",
    "STATISTICS",
    "TOP_RESAMPLES",
    "Band",
    "Clusters",
    "Component",
    "Explanation",
    "Interval",
    "MismatchWarning",
    "MixedSeedsWarning",
    "MultiverseSummary",
    "Resamples",
    "Resampling",
    "Statistic",
    "StoppingRule",
    "Term",
    "TopKMean",
    "Verdict",
    "ablation",
    "aggregate",
    "aggregate_ranks",
    "beside_best",
    "best_rank_at_k",
    "best_sums",
    "bootstrap",
    "bootstrap_over_seeds",
    "ceiling",
    "class_labels",
    "cluster_proxies",
    "combine",
    "compare_proxies",
    "compute_matched",
    "correlate",
    "correlate_seeds",
    "cost_by_step",
    "crossover",
    "difference_by_step",
    "direction_notes",
    "disattenuate",
    "disattenuated",
    "early_stopping",
    "eigenvalue_trajectories",
    "emphasis_from_pairs",
    "explain_proxy",
    "first_step_reaching",
    "friedman",
    "get_statistic",
    "held_out_sum",
    "held_out_weight",
    "holm",
    "in_words",
    "interquartile_mean",
    "isomorph_spread",
    "kendall_tau",
    "kendall_tau_counts",
    "large_sample_test",
    "leaderboard",
    "learned_bar",
    "losses_by_group",
    "mean_scores",
    "mean_truth",
    "multiverse",
    "ndcg",
    "neighbour_concordance",
    "normalise",
    "partial_kendall",
    "partial_spearman",
    "pearson_r",
    "pearson_r_counts",
    "performance_profile",
    "permutation_test",
    "permutations_for",
    "plan",
    "precision_at_k",
    "predictor_curve",
    "profile",
    "proxy_matrix",
    "random_halves",
    "rank_pairs",
    "rank_sets",
    "redundancy",
    "regret_at_k",
    "reliability",
    "reliability_table",
    "repeated_samples",
    "score_against_truth",
    "seeds_against_baseline",
    "seeds_beside_best",
    "simultaneous_band",
    "sparse_kendall_tau",
    "spearman_brown",
    "spearman_rho",
    "spearman_rho_counts",
    "square_matrix",
    "stratified_interval",
    "summarise_multiverse",
    "term_shares",
    "tiers",
    "topk_by_k",
    "topk_mean",
    "variance_components",
    "verdict",
    "weighted_tau",
    "with_front",
]
