"""Pages of the reference that are read off the code: proxies, statistics, frames, study files, commands, the API.

`PAGES` are those pages, `page` makes one; the build of the site (`hooks.py`) calls them. By hand::

    python docs/generate/reference.py FOLDER
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from dependencies import dependencies
from markdown_text import code, table
from pydantic import BaseModel

from nasanalysis.cli.app import app
from nasanalysis.core import schemas
from nasanalysis.core.columns import meaning
from nasanalysis.measures.names import ZERO_COST_NAMES
from nasanalysis.proxies import get_proxy
from nasanalysis.proxies.catalogue import TRAPS, ProxyLine, proxy_catalogue
from nasanalysis.stats.catalogue import statistic_catalogue
from nasanalysis.studies.items import KINDS, ItemModel
from nasanalysis.studies.study import StudyHead

REPOSITORY = Path(__file__).resolve().parents[2]
#: Modules whose public names make the page of the API. Those of torch are read as text, without loading it.
API = {
    "nasanalysis": "What most people need",
    "nasanalysis.loaders": "Benchmarks",
    "nasanalysis.spaces": "Architectures",
    "nasanalysis.proxies": "Proxies",
    "nasanalysis.stats": "Statistics",
    "nasanalysis.search": "Searches",
    "nasanalysis.plots": "Figures",
    "nasanalysis.report": "Pages and tables",
    "nasanalysis.jobs": "Long work",
}
#: Whole modules with functions that are used by their path.
MODULES = (
    *("nasanalysis.core.errors", "nasanalysis.loaders.samples", "nasanalysis.studies.items"),
    *("nasanalysis.networks.build", "nasanalysis.measures.perturb", "nasanalysis.measures.hessian"),
    *("nasanalysis.measures.zero_cost", "nasanalysis.measures.angle"),
)


# --- proxies and statistics -----------------------------------------------------------------------------

NEEDS = {
    "archs": ("Costs and graphs", "Arithmetic on the architecture: nothing is trained."),
    "curves": ("Training curves", "Computed from CURVES: losses and accuracies by completed epoch or minibatch."),
    "perturbed": ("Losses under weight noise", "Computed from PERTURBED: one measuring serves every parameter."),
    "weights": ("Networks as they are", "Read from a network by `nasanalysis supernet measure`, or recorded."),
    "supernet": ("Supernets and trained weights", "Read by `nasanalysis supernet finetune` or `measure`, or recorded."),
}


#: Proxy -> where its words stand, when that is not the docstring of its class: a file, and what it documents in it.
_ZERO_COST = "nasanalysis/measures/zero_cost.py"
WORDS = {
    **{name: (_ZERO_COST, name) for name in ZERO_COST_NAMES},
    "angle": ("nasanalysis/measures/angle.py", ""),
    "weight_hessian_ev": ("nasanalysis/measures/hessian.py", "weight_hessian"),
}
_TABLED = "graph_"  # many alike, which a table says best


def proxies() -> str:
    """The catalogue of proxies, by what they need."""
    parts = ["# Proxies", _made_of("`nasanalysis.proxies.PROXIES`", "nasanalysis proxies")]
    parts.append(
        "Scores are stored raw; *better* says which way a proxy points, and correlations turn it round. What stands "
        "after the `@` is a parameter. `nasanalysis score` and `na.score` take any of these names."
    )
    lines = proxy_catalogue()
    for needs in dict.fromkeys([*NEEDS, *(line.needs for line in lines)]):
        chosen = [line for line in lines if line.needs == needs]
        parts += _proxies_of(needs, chosen) if chosen else []
    return "\n\n".join(parts) + "\n"


def _proxies_of(needs: str, lines: Sequence[ProxyLine]) -> list[str]:
    title, words = NEEDS.get(needs, (needs, ""))
    head: tuple[str, ...] = ("typed", "formula", "better", "also called")
    rows = [(_linked(line), line.formula, line.better, ", ".join(map(code, line.aliases))) for line in lines]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    parts = [f"## {title}", words, table(head, rows)]
    return parts + [_proxy(line) for line in lines if not line.name.startswith(_TABLED)]


def _linked(line: ProxyLine) -> str:
    return code(line.example) if line.name.startswith(_TABLED) else f"[{code(line.example)}](#{line.name})"


def _proxy(line: ProxyLine) -> str:
    source = "" if line.source in ("", line.formula) else f" Source: {line.source}."
    formula = f"{line.formula[0].upper()}{line.formula[1:]}."
    parts = [f"### `{line.name}` {{#{line.name}}}", f"{formula} Better: {line.better}.{source}"]
    parts += [f'!!! warning ""\n\n    {TRAPS[line.name]}'] if line.name in TRAPS else []
    words = _words_of(line)
    parts += ['??? note "In the code"\n\n' + textwrap.indent(words, "    ")] if words else []
    return "\n\n".join(parts)


def _words_of(line: ProxyLine) -> str:
    """What the code says of a proxy beyond its formula: its function's docstring, or that of a class of its own."""
    if line.name in WORDS:
        return readable(documented(*WORDS[line.name]))
    kind = type(get_proxy(line.example))
    alone = sum(type(get_proxy(other.example)) is kind for other in proxy_catalogue()) == 1
    return readable(cleandoc(kind.__doc__ or "")) if alone else ""


def documented(file: str, name: str) -> str:
    """The docstring of a function or class of a file of the repository, or, without a name, of the file; not loaded."""
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    nodes = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name]
    return ast.get_docstring(nodes[0] if name else tree) or ""


def statistics() -> str:
    """The catalogue of statistics."""
    rows = [(code(s.name), s.formula, s.unit, s.better, s.interval, s.needs, s.source) for s in statistic_catalogue()]
    head = ("name", "formula", "unit", "better", "interval", "covariates", "source")
    return "\n\n".join(
        [
            "# Statistics",
            _made_of("`nasanalysis.stats.STATISTICS`", "nasanalysis statistics"),
            "Any k, any share and any covariates may stand after the `@`. An interval is a bootstrap, or, for "
            "statistics of the best few, made of random halves; see `nasanalysis.stats.bootstrap`.",
            table(head, rows),
        ]
    )


# --- frames ---------------------------------------------------------------------------------------------


def frames() -> str:
    """The schemas of the tidy frames."""
    opening = cleandoc(schemas.__doc__ or "")
    said = dict(re.findall(r"^([A-Z]+) {2,}(.+)$", opening, re.MULTILINE))
    parts = [
        "# Frames",
        _made_of("`nasanalysis.core.schemas.SCHEMAS`"),
        "What every layer hands to the next, checked by `na.check(frame, NAME)`. Undefined is null. "
        + opening.rpartition("\n\n")[2].replace("``", "`"),
    ]
    for name, schema in schemas.SCHEMAS.items():
        parts += [
            f"## {name}",
            f"{said[name]}.",
            table(("column", "meaning", "type", "", "may hold"), _columns(name, schema)),
        ]
        if schema.rules:
            parts.append("Refused: " + "; ".join(rule.what.replace("'", "`") for rule in schema.rules) + ".")
    return "\n\n".join(parts) + "\n"


def _columns(frame: str, schema: schemas.Schema) -> Iterator[tuple[str, str, str, str, str]]:
    for column, dtype in schema.columns.items():
        words = ["key"] if column in schema.keys else []
        words += ["may be null"] if column in schema.nullable else []
        words += ["may be absent"] if column in {*schema.optional, *schema.defaults} else []
        yield code(column), meaning(frame, column), str(dtype), ", ".join(words), _may_hold(schema, column)


def _may_hold(schema: schemas.Schema, column: str) -> str:
    if column in schema.choices:
        return ", ".join(map(code, sorted(schema.choices[column])))
    low, high = schema.ranges.get(column, (None, None))
    if low is None:
        return ""
    return f"{low:g} or more" if high >= 1e18 else f"{low:g} to {high:g}"


# --- study files ----------------------------------------------------------------------------------------


def studies() -> str:
    """The keys of a study file: the head, and the items of every kind."""
    parts = [
        "# Keys of a study file",
        _made_of("`nasanalysis.studies.items.KINDS`"),
        "What a study is, with an example of each kind that runs, stands in [Studies](../studies.md). A key without a "
        "default must be given; a key that is not here is refused.",
        "## The head",
        table(("key", "type", "default", "meaning"), _keys(StudyHead, {})),
        "Every item has these too: " + ", ".join(code(name) for name in ItemModel.model_fields) + ".",
    ]
    for kind, target in KINDS.items():
        module, _, name = target.partition(":")
        model, doc = getattr(import_module(module), name), import_module(module).__doc__ or ""
        parts += [f"## `[[{kind}]]`", readable(cleandoc(doc)), *_tables_of(model, comments(doc))]
    return "\n\n".join(parts) + "\n"


def _tables_of(model: type[BaseModel], said: dict[str, str]) -> Iterator[str]:
    """A table of the model's keys, and one for each table that lies inside it."""
    yield table(("key", "type", "default", "meaning"), _keys(model, said, skip=ItemModel.model_fields))
    for inner in dict.fromkeys(_inner_models(model)):
        yield f"**{inner.__name__}**"
        yield table(("key", "type", "default", "meaning"), _keys(inner, said))


def _inner_models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in model.model_fields.values():
        for inner in _models(one.annotation):
            yield inner
            yield from _inner_models(inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _keys(model: type[BaseModel], said: dict[str, str], skip: Iterable[str] = ()) -> Iterator[tuple[str, ...]]:
    said = {**said, **attributes(model)}
    for name, one in model.model_fields.items():
        if name not in skip:
            default = "" if one.is_required() else _value(one.get_default(call_default_factory=True))
            yield code(name), type_words(one.annotation), default, said.get(name, "")


def _value(default: object) -> str:
    if default is None or default in ((), "", {}):
        return "none"
    return code(
        list(default) if isinstance(default, tuple) else str(default).lower() if default in (True, False) else default
    )


def type_words(annotation: Any) -> str:
    """An annotation as one who writes TOML would say it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(inner[0])
    if origin is Literal:
        return " or ".join(code(f'"{one}"') for one in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_words(one) for one in inner if one is not type(None)))
    if origin in (tuple, list):
        return "list of " + " and ".join(dict.fromkeys(type_words(one) for one in inner if one is not Ellipsis))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"table {annotation.__name__}"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(
        annotation, _named(annotation)
    )


def _named(annotation: Any) -> str:
    return "table" if get_origin(annotation) is dict else getattr(annotation, "__name__", str(annotation))


def comments(doc: str) -> dict[str, str]:
    """Key -> what the comment beside it says, in the TOML that a module's docstring shows; the first counts."""
    said: dict[str, str] = {}
    for line in doc.splitlines():
        if found := re.match(r"\s+(\w+) = .*?\s{2,}# (.+)$", line):
            said.setdefault(found[1], found[2])
    return said


def attributes(model: type) -> dict[str, str]:
    """Attribute -> what the section of the class's docstring says of it."""
    section = cleandoc(model.__doc__ or "").partition("Attributes\n----------\n")[2].partition("\n\n")[0]
    names = [name for base in model.__mro__ for name in getattr(base, "__annotations__", {})]
    return {name: text.replace("``", "`") for name, text in split_items(section, names)}


# --- commands -------------------------------------------------------------------------------------------


def commands() -> str:
    """Every command with its options, as ``--help`` says it."""
    parts = ["# Commands", _made_of("the command line itself", "nasanalysis COMMAND --help")]
    for path, command in _leaves(typer.main.get_command(app), ["nasanalysis"]):
        words = readable(cleandoc(command.help or ""))
        rows = [(_spelt(p), _plain(p.help), _standing(p)) for p in command.params if not p.hidden]
        parts += [
            f"## `{' '.join(path)}`",
            words,
            table(("argument or option", "meaning", "default"), rows) if rows else "",
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _leaves(command: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from _leaves(child, [*path, name])


def _spelt(parameter: Any) -> str:
    return ", ".join(map(code, [*parameter.opts, *parameter.secondary_opts]))


def _standing(parameter: Any) -> str:
    """What an option is where it is not given."""
    if parameter.required:
        return "must be given"
    default = parameter.default
    return "" if default is None or callable(default) or default in ((), [], False) else code(default)


def _plain(text: str | None) -> str:
    return re.sub(r"\[/?[a-z]+\]", "", text or "").replace("``", "`").replace("<", "&lt;")


# --- the API --------------------------------------------------------------------------------------------


def api() -> str:
    """Public functions and classes, for mkdocstrings to fill in."""
    seen: set[str] = set()
    parts = ["# Functions and classes", _made_of("docstrings and annotations")]
    for module, title in API.items():
        parts += [f"## {title}", f"`import {module}`"]
        parts += [f"::: {path}" for path in _defined(module) if not (path in seen or seen.add(path))]  # type: ignore[func-returns-value]
    parts += ["## By their path"]
    parts += [f"::: {module}\n    options:\n      show_root_full_path: true\n      members: true" for module in MODULES]
    return "\n\n".join(parts) + "\n"


def _defined(module: str) -> Iterator[str]:
    """Where each public class and function of a module is defined."""
    loaded = import_module(module)
    for name in loaded.__all__:
        one = getattr(loaded, name)
        if isinstance(one, type | types.FunctionType) and one.__module__.startswith("nasanalysis."):
            yield f"{one.__module__}.{one.__qualname__}"


# --- docstrings -----------------------------------------------------------------------------------------

_SECTION = re.compile(r"(Parameters|Attributes|Returns|Raises)\n-{4,}\n(.*?)(?=\n\n|\Z)", re.DOTALL)


def readable(doc: str, names: Sequence[str] = ()) -> str:
    """A docstring as Markdown: sections as lists, blocks after ``::`` fenced by their indentation, code in one tick."""
    doc = _SECTION.sub(lambda found: _listed(found[1], found[2], names), doc)
    doc = re.sub(r"^(>>> .*?)(?=\n\n|\Z)", r"```pycon\n\1\n```", doc, flags=re.MULTILINE | re.DOTALL)
    doc = re.sub(r"^={3}[= ]*\n", "", doc, flags=re.MULTILINE)
    doc = re.sub(r"(^|\n)::\n", r"\1\n", doc)
    doc = re.sub(r"::$", ":", doc, flags=re.MULTILINE)
    return re.sub(r"``(.+?)``", r"`\1`", doc).strip()


def _listed(title: str, block: str, names: Sequence[str]) -> str:
    items = split_items(block, names)
    return f"**{title}**\n\n" + "\n".join(f"- `{name}`: {' '.join(text.split())}" for name, text in items)


def split_items(block: str, names: Sequence[str] = ()) -> list[tuple[str, str]]:
    """``(name, words)`` of the lines of a section. Several stand on a line, ``seed: of it. bootstrap: resamples.``,
    where their names are among `names`; two that share their words, ``first, second: ...``, stay together."""
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True)) or r"(?!)"
    starts = rf"(?:^(?=\S)|(?<=[.;] )(?=(?:{known})(?:, \w+)*: )|(?<=[.;]\n    )(?=(?:{known})(?:, \w+)*: ))"
    pieces = [piece for piece in re.split(starts, block, flags=re.MULTILINE) if piece.strip()]
    items: list[tuple[str, str]] = []
    for piece in pieces:
        name, colon, words = piece.partition(": ")
        if colon and re.fullmatch(r"[\w*, `()/]+", name):
            items.append((name.strip("` "), words.strip()))
        elif items:  # words that go on, without a name of their own
            items[-1] = (items[-1][0], f"{items[-1][1]} {piece.strip()}")
    return items


def _made_of(what: str, command: str = "") -> str:
    by = f"; `{command}` prints it" if command else ""
    return f"*Made from {what} when these pages are built{by}.*"


PAGES: dict[str, Callable[[], str]] = {
    "reference/proxies.md": proxies,
    "reference/statistics.md": statistics,
    "reference/frames.md": frames,
    "reference/study-keys.md": studies,
    "reference/commands.md": commands,
    "reference/api.md": api,
    "reference/dependencies.md": dependencies,
}

if __name__ == "__main__":
    for path, make in PAGES.items():
        target = Path(sys.argv[1]) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(make(), encoding="utf-8")
        print(target)
