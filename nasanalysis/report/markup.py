"""A table -> Markdown, LaTeX, HTML."""

from __future__ import annotations

import jinja2
from markupsafe import Markup, escape

from .model import Mark, Table


def to_markdown(table: Table) -> str:
    """GitHub Markdown: title, table, note; second best by ``<ins>``, for Markdown has no underline."""
    body = [
        [_marked(_bar(cell), mark, "**{}**", "<ins>{}</ins>", "†") for cell, mark in r] for r in table.marked_rows()
    ]
    cells = [[_bar(c) for c in table.header], *body]
    rule = ["---:" if right else ":---" for right in table.numeric]
    lines = ["| " + " | ".join(line) + " |" for line in [cells[0], rule, *cells[1:]]]
    return "\n".join([f"**{table.title}**", "", *lines, *(["", table.note] if table.note else []), ""])


def _bar(text: str) -> str:
    return text.replace("|", "\\|")


def _marked(text: str, mark: Mark, best: str, second: str, tie: str) -> str:
    """The estimate of a cell emphasised; an interval in brackets after it stays plain."""
    head, bracket, interval = text.partition(" [")
    if Mark.BEST in mark:
        head = best.format(head)
    if Mark.SECOND in mark:
        head = second.format(head)
    return head + (tie if Mark.TIE in mark else "") + bracket + interval


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "ρ": r"$\rho$",
    "τ": r"$\tau$",
    "±": r"$\pm$",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "σ": r"$\sigma$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "†": r"$^{\dagger}$",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
}


def latex_text(text: str) -> str:
    """Text safe to put into LaTeX."""
    return "".join(_LATEX.get(character, character) for character in text)


def to_latex(table: Table) -> str:
    """A LaTeX table with booktabs rules."""
    columns = "".join("r" if right else "l" for right in table.numeric)
    best, second, tie = r"\textbf{{{}}}", r"\underline{{{}}}", r"$^{\dagger}$"
    body = [[_marked(latex_text(c), mark, best, second, tie) for c, mark in line] for line in table.marked_rows()]
    lines = [" & ".join(line) + r" \\" for line in [[latex_text(c) for c in table.header], *body]]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(table.title)}. {latex_text(table.note)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def to_html(table: Table) -> str:
    """An HTML ``<table>`` with its caption, for any page; text is escaped."""
    return str(environment().get_template("table.html").render(table=table))


def environment() -> jinja2.Environment:
    """The templates of this package; cells are shown by the filter ``emphasised``."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("nasanalysis.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters |= {"emphasised": _html_cell}
    return templates


def _html_cell(cell: tuple[str, Mark]) -> Markup:
    text = _marked(str(escape(cell[0])), cell[1], "<strong>{}</strong>", "<u>{}</u>", "<sup>†</sup>")
    return Markup(text)  # escaped above
