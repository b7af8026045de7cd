"""Every proxy in a line: how it is written, its formula in words, which way is better, what it needs, its source."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import NasAnalysisError
from .registry import ALIASES, PROXIES, get_proxy

#: Name -> formula in words; another proxy says its `formula`, or is described by its docstring.
FORMULAS = {
    "params": "number of trainable parameters",
    "flops": "multiply-accumulates of one image",
    "sotl": "sum of the training losses of all completed steps",
    "sotl_e": "sum of the training losses of the last E completed steps",
    "sotl_first": "sum of the training losses of the first T steps",
    "sotl_ema": "sum over steps t up to T of decay^(T - t) times the training loss",
    "sovl": "sum of the validation losses of all completed steps",
    "sovl_e": "sum of the validation losses of the last E completed steps",
    "sovl_first": "sum of the validation losses of the first T steps",
    "sum_train_error": "sum of 100 - training accuracy (percent) over all completed steps",
    "sum_train_error_e": "sum of 100 - training accuracy (percent) over the last E completed steps",
    "sum_train_error_first": "sum of 100 - training accuracy (percent) over the first T steps",
    "train_loss": "training loss of the last completed step",
    "train_accuracy": "training accuracy of the last completed step",
    "val_acc": "accuracy on the validation images after the step",
    "val_loss": "loss on the validation images after the step",
    "flatness": "1 / (sum of slopes of the loss between sizes of weight noise, plus alpha times loss / smallest size)",
    "sharpness": "minus the flatness",
    "grad_norm": "sum over layers of the length of the loss's gradient in the weights",
    "snip": "sum over weights of |weight times gradient|",
    "plain": "sum over weights of weight times gradient, with its sign",
    "grasp": "sum over weights of -weight times (Hessian times gradient)",
    "fisher": "sum over channels of half the mean square of (activation times its gradient, summed over positions)",
    "synflow": "log of the sum over weights of |weight x gradient of the outputs' sum|, weights positive, input ones",
    "jacov": "how little the images' gradients correlate: -sum(log v + 1 / v) over eigenvalues v of their correlations",
    "nwot": "log determinant of K, K[i, j] the rectifiers on whose sign images i and j agree",
    "epe_nas": "sum over classes of |sum of log |correlation|| over pairs of the images' gradients",
    "zen": "log change of the features under a small change of the input, plus logs of batch-norm deviations",
    "l2_norm": "sum over layers of the length of the weights",
    "angle": "angle between initial and trained weights, as vectors, path by path from input to output",
    "angle_flat": "angle between initial and trained weights, as vectors, each weight once",
    "weight_hessian_ev": "largest eigenvalue of the validation loss's Hessian in the weights",
    "weight_hessian_trace": "trace of the validation loss's Hessian in the weights, estimated",
    "val_acc_mini": "accuracy on one validation minibatch",
    "sog": "1-norm of the sum of the gradients of the steps",
    "sog_sum": "sum of the entries of the summed gradients, signs kept",
    "sog_l2": "2-norm of the sum of the gradients of the steps",
    "sogn": "sum over steps of the 1-norm of the gradient",
    "sogn_l2_per_tensor": "sum over steps of the 2-norms of the gradient, tensor by tensor",
}

_ITS_OWN_RUN = (
    "Read from the run whose accuracy is the truth, it shares that run's luck: take the truth of another seed."
)
_ITS_BATCH = "Of one batch of images: values of different batches or batch sizes are not compared."

#: Name -> what is easily misread about a proxy; those without a line are what their formula says.
TRAPS = {
    "params": "The bar that others must clear: `partial_spearman@params` is what is left of a proxy beside it.",
    "flops": "Multiply-accumulates: some count two operations for each.",
    "sotl": _ITS_OWN_RUN,
    "sotl_e": f"Null before step E. {_ITS_OWN_RUN}",
    "sotl_first": "Null before step T, and constant from there on.",
    "sum_train_error": "A stand-in where no losses were recorded: its ranking is not SoTL's.",
    "val_acc": _ITS_OWN_RUN,
    "val_loss": "It may rise while the accuracy does: a few confident mistakes weigh most.",
    "flatness": "Depends on the sizes of the noise: state them. With alpha = 0 what has learnt nothing may be flat.",
    "sharpness": "The ranking of `flatness` turned round, nothing else.",
    "grad_norm": _ITS_BATCH,
    "snip": _ITS_BATCH,
    "plain": f"Higher is its published direction, and on NAS-Bench-201 it falls with accuracy. {_ITS_BATCH}",
    "grasp": _ITS_BATCH,
    "fisher": _ITS_BATCH,
    "jacov": _ITS_BATCH,
    "nwot": f"{_ITS_BATCH} It grows with the number of rectifiers.",
    "epe_nas": _ITS_BATCH,
    "zico": _ITS_BATCH,
    "swap": f"At most 2 to the number of images, where it saturates. {_ITS_BATCH}",
    "synflow": "Reads no image, and the logarithm is taken: others print the sum itself.",
    "angle": "Stem and classifier count: on small networks they drown the cells (`angle_cells`).",
    "angle_flat": "Stem and classifier count: on small networks they drown the cells (`angle_flat_cells`).",
    "val_acc_mini": "Of one minibatch: few different values, so many ties.",
    "sog": "Gradients of opposite sign cancel between steps; `sogn` adds their norms.",
}

#: Names that take a parameter -> an example of one.
_EXAMPLES = {
    "sotl_e": "5",
    "sotl_first": "3",
    "sotl_ema": "0.99",
    "sovl_e": "5",
    "sovl_first": "3",
    "sum_train_error_e": "5",
    "sum_train_error_first": "3",
    "flatness": "alpha=0",
    "sharpness": "alpha=0",
    "graph_length": "2",
}
_TRIES = (None, "nor_conv_3x3", "2")  # parameters without which a proxy from elsewhere may not be made


@dataclass(frozen=True)
class ProxyLine:
    """One line of the catalogue.

    Attributes
    ----------
    name: as it stands in the registry. example: as it may be typed. aliases: other names of the field.
    better: ``higher`` or ``lower``. needs: the frame it is computed from, or ``weights``, ``supernet``.
    """

    name: str
    example: str
    aliases: tuple[str, ...]
    formula: str
    better: str
    needs: str
    source: str


def proxy_catalogue() -> list[ProxyLine]:
    """A line for every proxy of the registry, in its order."""
    return [_line(name) for name in PROXIES]


def _line(name: str) -> ProxyLine:
    argument = _EXAMPLES.get(name)
    example = name if argument is None else f"{name}@{argument}"
    for text in (example, *(name if one is None else f"{name}@{one}" for one in _TRIES)):
        try:
            proxy = get_proxy(text)
        except NasAnalysisError:
            continue
        aliases = tuple(alias for alias, ours in ALIASES.items() if ours == name)
        words = FORMULAS.get(name) or getattr(proxy, "formula", None) or _first_line(proxy)
        better = "higher" if proxy.direction > 0 else "lower"
        return ProxyLine(name, text, aliases, words, better, proxy.needs, proxy.reference)
    return ProxyLine(name, name, (), "takes a parameter: see its own documentation", "", "", "")


def _first_line(proxy: object) -> str:
    return (type(proxy).__doc__ or "").strip().partition("\n")[0]
