"""Old pickled boosters (XGBoost 1.0 to 1.5, LightGBM) -> models in the libraries' own formats, running no pickle.

A pickle holds a booster as one buffer. It is taken out through the allow-list of
`nasanalysis.loaders.safe_pickle` and read here, because XGBoost 3.1 and later no longer reads it:

XGBoost    ``CONFIG-offset:``, a length, the binary model (fixed-size records), settings as JSON
           (tried: 1.0.2, 1.2.1); or all of it as JSON (1.5.2). Either way every tree is
           checked (children in range, no node reached twice), nodes that pruning removed are left out,
           and the model is written anew as UBJSON, floats bit by bit
LightGBM   the model as text, which every later version reads; cut at the best iteration, where
           LightGBM's own ``predict`` stops
"""

from __future__ import annotations

import json
import re
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...core.errors import DataFileError
from ...core.guarded import survives
from ...core.shown import shown
from .. import safe_pickle

Array = npt.NDArray[Any]

_HEADER = b"CONFIG-offset:"
_NODE = np.dtype([("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("split", "<u4"), ("value", "<f4")])
_STAT = np.dtype([("gain", "<f4"), ("hessian", "<f4"), ("weight", "<f4"), ("leaves", "<i4")])
_DEFAULT_LEFT = np.uint32(1 << 31)
_NO_PARENT = 2**31 - 1


@dataclass(frozen=True)
class RawBooster:
    """A booster as its pickle holds it.

    Attributes
    ----------
    library: which one wrote it.
    buffer: the model (XGBoost: the serialised buffer; LightGBM: its text, in UTF-8).
    best_iteration: of LightGBM's early stopping; 0 where there was none.
    """

    library: Literal["xgboost", "lightgbm"]
    buffer: bytes
    best_iteration: int
    path: Path


@dataclass(frozen=True)
class _Tree:
    """One regression tree; node 0 is the root, a leaf has left = right = -1 and its value in `value`."""

    left: Array
    right: Array
    feature: Array
    default_left: Array
    value: Array
    gain: Array
    hessian: Array
    weight: Array


def read_pickle(path: Path) -> RawBooster:
    """The booster in a pickle file; `UnsafePickleError` or `DataFileError` where it is anything else."""
    record = safe_pickle.load(path, safe_pickle.BOOSTERS)
    name = getattr(record, "record_name", None)
    state = getattr(record, "record_state", None)
    handle = state.get("handle") if isinstance(state, dict) else None
    if name == "xgboost.core.Booster":
        buffer = _bytes(handle)
        if buffer:
            return RawBooster("xgboost", buffer, 0, path)
    elif name == "lightgbm.basic.Booster" and isinstance(handle, str) and isinstance(state, dict):
        best = state.get("best_iteration", 0)
        return RawBooster("lightgbm", handle.encode(), best if isinstance(best, int) and best > 0 else 0, path)
    raise DataFileError(
        f"{path}: expected a pickled Booster of XGBoost or LightGBM with a model in it, got {shown.repr(record)}"
    )


def _bytes(handle: object) -> bytes:
    """The content of a bytearray, which older pickle protocols spell as a call."""
    if isinstance(handle, bytes | bytearray):
        return bytes(handle)
    arguments = getattr(handle, "record_args", ())
    if arguments and isinstance(arguments[0], bytes):
        return arguments[0]
    if arguments and isinstance(arguments[0], str):
        try:
            return arguments[0].encode("latin1")
        except UnicodeEncodeError:
            return b""
    return b""


def lightgbm_text(raw: RawBooster) -> str:
    """The model text, its trees checked; without the training parameters, which LightGBM would only comment on."""
    text = re.sub(r"\nparameters:\s*\n.*?\nend of parameters\n", "\n", raw.buffer.decode(), count=1, flags=re.DOTALL)
    index = re.search(r"^max_feature_idx=(\d{1,9})$", text, re.MULTILINE)
    if not text.startswith("tree\n") or index is None:
        raise DataFileError(f"{raw.path}: expected the text of a LightGBM model, got {text[:40]!r}")
    features, blocks = (
        int(index[1]) + 1,
        re.split(r"^Tree=\d+$", text.split("\nend of trees", 1)[0], flags=re.MULTILINE)[1:],
    )
    if not blocks:
        raise DataFileError(f"{raw.path}: expected a LightGBM model with trees, got none")
    for number, block in enumerate(blocks):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        try:
            _check_lightgbm_tree(fields, features)
        except (KeyError, ValueError) as error:
            raise DataFileError(
                f"{raw.path}: tree {number} of the LightGBM model is damaged ({error}); download it again"
            ) from None
    return text


def load_lightgbm_text(path: str) -> None:
    """Load a LightGBM model from its text, for a process that may die of it (`core.guarded`)."""
    import lightgbm

    lightgbm.Booster(model_str=Path(path).read_text(encoding="utf-8"))


def check_lightgbm(text: str, path: Path) -> str:
    """`text` where LightGBM can load it: on a damaged line it aborts the process, which nothing could catch here."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.txt"
        copy.write_text(text, encoding="utf-8")
        problem = survives("nasanalysis.loaders.nb301.boosters:load_lightgbm_text", str(copy))
    if problem:
        raise DataFileError(f"{path}: the LightGBM model in it is damaged ({problem}); download it again")
    return text


def _check_lightgbm_tree(fields: dict[str, str], features: int) -> None:
    leaves = int(fields["num_leaves"])
    values = [float(x) for x in fields["leaf_value"].split()]
    if leaves < 1 or len(values) != leaves:
        raise ValueError(f"expected {leaves} leaves, got {len(values)}")
    if int(fields.get("num_cat", "0")):
        raise ValueError("splits by category are not read")
    if leaves == 1:
        return
    ints = {
        k: [int(x) for x in fields[k].split()] for k in ("split_feature", "left_child", "right_child", "decision_type")
    }
    if any(len(v) != leaves - 1 for v in ints.values()) or len(fields["threshold"].split()) != leaves - 1:
        raise ValueError(f"expected {leaves - 1} splits")
    if not all(0 <= f < features for f in ints["split_feature"]):
        raise ValueError(f"a split on a feature beyond {features}")
    children = sorted(ints["left_child"] + ints["right_child"])
    if children != [*range(-leaves, 0), *range(1, leaves - 1)]:
        raise ValueError("its nodes form no tree")


def xgboost_ubjson(raw: RawBooster) -> bytes:
    """The model in XGBoost's own UBJSON format, the same in every prediction."""
    try:
        if raw.buffer.startswith(_HEADER):
            size = struct.unpack_from("<q", raw.buffer, len(_HEADER))[0]
            start = len(_HEADER) + 8
            if not 0 < size <= len(raw.buffer) - start:
                raise ValueError(f"expected a model of {size} bytes, got {len(raw.buffer) - start}")
            return _write(*_read_binary(raw.buffer[start : start + size]))
        if raw.buffer[:2] == b'{"':
            return _write(*_read_json(json.loads(raw.buffer)["Model"]))
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise DataFileError(
            f"{raw.path}: the XGBoost model in it cannot be read ({error}); is the download complete?"
        ) from error
    raise DataFileError(
        f"{raw.path}: expected the buffer of XGBoost 1.0 to 1.5, got bytes that start {raw.buffer[:12]!r}; "
        "write the booster with save_model() of the version that made it"
    )


def _read_binary(model: bytes) -> tuple[float, int, list[_Tree]]:
    """Base score, number of features and trees of XGBoost's binary format (little-endian, fixed-size records)."""
    at = 4 if model.startswith(b"binf") else 0
    base_score, features, classes = struct.unpack_from("<fIi", model, at)
    objective, at = _text(model, at + 136)
    booster, at = _text(model, at)
    _expect(objective, booster, classes)
    (count,) = struct.unpack_from("<i", model, at)
    (leaf_vector,) = struct.unpack_from("<i", model, at + 28)
    if leaf_vector not in (0, 1) or not 0 < count <= len(model) // 148:
        raise ValueError(f"{count} trees with leaf vectors of {leaf_vector}")
    at += 160
    trees = []
    for _ in range(count):
        nodes = struct.unpack_from("<i", model, at + 4)[0]
        at += 148
        if not 0 < nodes <= (len(model) - at) // 36:
            raise ValueError(f"a tree of {nodes} nodes in {len(model) - at} bytes")
        node = np.frombuffer(model, _NODE, nodes, at)
        stat = np.frombuffer(model, _STAT, nodes, at + 20 * nodes)
        at += 36 * nodes
        trees.append(
            _Tree(
                left=node["left"],
                right=node["right"],
                feature=node["split"] & ~_DEFAULT_LEFT,
                default_left=(node["split"] & _DEFAULT_LEFT) != 0,
                value=node["value"],
                gain=stat["gain"],
                hessian=stat["hessian"],
                weight=stat["weight"],
            )
        )
    return base_score, features, trees


def _text(model: bytes, at: int) -> tuple[str, int]:
    size = struct.unpack_from("<Q", model, at)[0]
    if size > 1000:
        raise ValueError(f"a name of {size} bytes")
    return model[at + 8 : at + 8 + size].decode("ascii"), at + 8 + size


def _read_json(model: dict[str, Any]) -> tuple[float, int, list[_Tree]]:
    learner = model["learner"]
    param, booster = learner["learner_model_param"], learner["gradient_booster"]
    _expect(learner["objective"]["name"], booster["name"], int(param["num_class"]))
    trees = []
    for tree in booster["model"]["trees"]:
        if any(tree.get("split_type", ())):
            raise ValueError("splits by category are not read")
        trees.append(
            _Tree(
                left=np.array(tree["left_children"], "i8"),
                right=np.array(tree["right_children"], "i8"),
                feature=np.array(tree["split_indices"], "i8"),
                default_left=np.array(tree["default_left"], bool),
                value=np.array(tree["split_conditions"], "f4"),
                gain=np.array(tree["loss_changes"], "f4"),
                hessian=np.array(tree["sum_hessian"], "f4"),
                weight=np.array(tree["base_weights"], "f4"),
            )
        )
    return float(param["base_score"]), int(param["num_feature"]), trees


def _expect(objective: str, booster: str, classes: int) -> None:
    if objective not in ("reg:squarederror", "reg:linear") or booster != "gbtree" or classes > 1:
        got = ", ".join(map(shown.repr, (objective, booster, classes)))
        raise ValueError(f"expected regression trees (reg:squarederror, gbtree), got {got} classes")


def _live_nodes(tree: _Tree, features: int) -> Array:
    """Nodes from the root on, breadth first; the tree is checked on the way."""
    count = len(tree.left)
    if not count or any(len(column) != count for column in vars(tree).values()):
        raise ValueError("a tree whose columns differ in length")
    order = [np.zeros(1, "i8")]
    total = 1
    while len(order[-1]):
        level = order[-1]
        inner = level[tree.left[level] != -1]
        if (tree.right[level[tree.left[level] == -1]] != -1).any():
            raise ValueError("a node with one child")
        children = np.stack([tree.left[inner], tree.right[inner]], axis=1).ravel().astype("i8")
        total += len(children)
        if ((children < 1) | (children >= count)).any() or total > count:
            raise ValueError("its nodes form no tree")
        if ((tree.feature[inner] < 0) | (tree.feature[inner] >= features)).any():
            raise ValueError(f"a split on a feature beyond {features}")
        order.append(children)
    live = np.concatenate(order)
    if len(np.unique(live)) != len(live):
        raise ValueError("its nodes form no tree")
    return live


def _write(base_score: float, features: int, trees: list[_Tree]) -> bytes:
    if not trees:
        raise ValueError("a model without trees")
    written = [_tree_object(i, tree, features) for i, tree in enumerate(trees)]
    return _ubjson(
        {
            "learner": {
                "attributes": {},
                "feature_names": [],
                "feature_types": [],
                "gradient_booster": {
                    "model": {
                        "gbtree_model_param": {
                            "num_parallel_tree": "1",
                            "num_trees": str(len(trees)),
                            "size_leaf_vector": "0",
                        },
                        "tree_info": [0] * len(trees),
                        "trees": written,
                    },
                    "name": "gbtree",
                },
                "learner_model_param": {
                    "base_score": str(np.float32(base_score)),
                    "num_class": "0",
                    "num_feature": str(features),
                    "num_target": "1",
                },
                "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
            },
            "version": [1, 6, 0],
        }
    )


def _tree_object(number: int, tree: _Tree, features: int) -> dict[str, Any]:
    live = _live_nodes(tree, features)
    renumbered = np.full(len(tree.left) + 1, -1, "i4")  # the last entry answers for the child -1 of a leaf
    renumbered[live] = np.arange(len(live))
    left, right = renumbered[tree.left[live].astype("i8")], renumbered[tree.right[live].astype("i8")]
    inner = left != -1
    parents = np.full(len(live), _NO_PARENT, "i4")
    parents[left[inner]] = parents[right[inner]] = np.flatnonzero(inner)
    empty = {
        "categories": np.empty(0, "i4"),
        "categories_nodes": np.empty(0, "i4"),
        "categories_segments": np.empty(0, "i8"),
        "categories_sizes": np.empty(0, "i8"),
    }
    return {
        "base_weights": tree.weight[live].astype("f4"),
        **empty,
        "default_left": tree.default_left[live].astype("u1"),
        "id": number,
        "left_children": left,
        "loss_changes": tree.gain[live].astype("f4"),
        "parents": parents,
        "right_children": right,
        "split_conditions": tree.value[live].astype("f4"),
        "split_indices": np.where(inner, tree.feature[live], 0).astype("i4"),
        "split_type": np.zeros(len(live), "u1"),
        "sum_hessian": tree.hessian[live].astype("f4"),
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(features),
            "num_nodes": str(len(live)),
            "size_leaf_vector": "1",
        },
    }


_CODES = {"f4": b"d", "i4": b"l", "i8": b"L", "u1": b"U"}


def _ubjson(value: Any) -> bytes:
    """Universal Binary JSON, draft 12, as XGBoost writes it: 64-bit lengths, typed arrays, big-endian."""
    if isinstance(value, dict):
        return b"{" + b"".join(_sized(key.encode()) + _ubjson(item) for key, item in value.items()) + b"}"
    if isinstance(value, str):
        return b"S" + _sized(value.encode())
    if isinstance(value, int):
        return b"L" + struct.pack(">q", value)
    if isinstance(value, np.ndarray):
        code = _CODES[f"{value.dtype.kind}{value.dtype.itemsize}"]
        data = value.astype(value.dtype.newbyteorder(">")).tobytes()
        return b"[$" + code + b"#L" + struct.pack(">q", len(value)) + data
    return b"[" + b"".join(_ubjson(item) for item in value) + b"]"


def _sized(data: bytes) -> bytes:
    return b"L" + struct.pack(">q", len(data)) + data
