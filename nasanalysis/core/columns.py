"""What the columns of the tidy frames mean: for descriptions that travel with data, and for the reference."""

from __future__ import annotations

from collections.abc import Mapping

#: Column -> meaning, with its unit, in every frame that has it and is not named in `OF_FRAME`.
MEANINGS: Mapping[str, str] = {
    "benchmark": "benchmark that recorded it",
    "dataset": "data set that networks were trained on, as the benchmark spells it",
    "arch": "architecture, as text space:key",
    "unique_arch": "representative of the architectures that are the same network",
    "params": "trainable parameters (count)",
    "flops": "multiply-accumulates of one image",
    "split": "images of the accuracy: valid, test, or valtest (both)",
    "schedule": "epochs of the whole training; a training of 12 is no prefix of one of 200",
    "seed": "of the training; null: the mean over the trainings",
    "quantity": "what the number is of: accuracy, or another",
    "accuracy": "percent of images classified rightly",
    "value": "the number of a quantity that is not accuracy",
    "quantity_unit": "unit of the quantity",
    "quantity_direction": "1 where more is better, -1 where less is",
    "origin": "trained by us, tabulated by others, or predicted by a surrogate",
    "method": "how networks were trained: scratch, or the protocol of a supernet",
    "setting": "settings of that method, in a word",
    "unit": "of step: epoch or minibatch",
    "step": "completed epochs or minibatches; 0 is before the first",
    "train_loss": "mean training loss (nats)",
    "train_accuracy": "training accuracy (percent)",
    "valid_loss": "loss on the validation images (nats)",
    "valid_accuracy": "accuracy on the validation images (percent)",
    "test_loss": "loss on the test images (nats)",
    "test_accuracy": "accuracy on the test images (percent)",
    "valtest_loss": "loss on validation and test images together (nats)",
    "valtest_accuracy": "accuracy on validation and test images together (percent)",
    "seconds": "of training, in this step",
    "position": "which weights are moved: all, or those of the search cells",
    "direction": "1 where a higher score is better, -1 where a lower one is",
    "draws": "noise of each size drawn anew (independent), or added to the smaller one's (cumulative)",
    "sigma": "standard deviation of the weight noise; 0 is none",
    "draw": "number of the draw of noise",
    "loss": "validation loss (nats) under the noise",
    "proxy": "name of the proxy, with its parameters",
    "truth_split": "images of the truth's accuracy",
    "truth_schedule": "epochs of the truth's training",
    "truth_seeds": "seeds of the truth: mean, or which",
    "sample": "sample of architectures",
    "statistic": "name of the statistic, with its parameters",
    "direction_source": "who says the direction: ours, given, by name, or assumed",
    "resampled": "what the interval draws anew: classes, architectures, seeds",
    "estimate": "the statistic",
    "ci_low": "lower end of the interval",
    "ci_high": "upper end of the interval",
    "interval": "kind of the interval",
    "n_archs": "architectures that it is over",
    "n_missing": "architectures left out for want of a finite score or truth",
    "part": "part of the search or training that the number is of",
    "search_seed": "seed of the search that selected the architecture",
    "epoch": "completed epochs",
    "text": "what is no number: an architecture, a word",
    "cell": "normal or reduce, or the only one",
    "edge": "edge of the cell",
    "operation": "operation on the edge",
    "weight": "weight of the operation in the relaxed cell",
    "alpha": "parameter that the weight is made of",
    "strength": "accuracy lost (percentage points) where the operation is masked",
    "strength_loss": "loss gained (nats) where the operation is masked",
    "discrete_accuracy": "accuracy (percent) where the edge holds this operation alone",
    "converged_accuracy": "that accuracy once the supernet was trained on",
    "tuned_epochs": "epochs of that training",
    "mask": "whether the operation is still a candidate",
}
#: Where one column means another thing in one frame.
OF_FRAME: Mapping[tuple[str, str], str] = {
    ("SCORES", "value"): "the score, raw: never sign-flipped",
    ("TRACE", "value"): "the number",
    ("TRACE", "quantity"): "what the number or text is of",
    ("PERTURBED", "direction"): "noise in random directions, or along eigenvectors of the Hessian",
}


def meaning(frame: str, column: str) -> str:
    """What `column` of `frame` holds."""
    return OF_FRAME.get((frame, column)) or MEANINGS[column]
