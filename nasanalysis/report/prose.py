"""Text of a page: code in backticks, what a heading has said already, addresses of headings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from markupsafe import Markup, escape

_CODE = re.compile(r"`([^`]+)`")
_NAMED = re.compile(r"\[([^\[\]]+)\]\(((?:[\w.-]+/)*[\w.-]*(?:#[\w-]+)?)\)")
_LINK = re.compile(r"https?://[^\s<>()\"']+[^\s<>()\"'.,;:]")


def prose(text: str) -> Markup:
    """Plain text as HTML: ``code`` where backticks were, links where addresses stand or are named as Markdown does.

    Named ones lead to pages beside this one and to places on them, and nowhere else.

    >>> prose("run `a < b` now")
    Markup('run <code>a &lt; b</code> now')
    >>> prose("see [Table 5](genas/index.html#table-5)")
    Markup('see <a href="genas/index.html#table-5">Table 5</a>')
    """
    parts = _CODE.split(str(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else _linked(part) for i, part in enumerate(parts)
    )


def _linked(text: str) -> Markup:
    linked = _LINK.sub(lambda m: f'<a href="{m[0]}">{m[0]}</a>', str(escape(text)))
    return Markup(_NAMED.sub(lambda m: f'<a href="{m[2]}">{m[1]}</a>' if m[2] else m[0], linked))


def beyond(text: str, heading: str, told: str = "") -> str:
    """`text` without the heading, or the sentences of `told`, that it begins with: a page says nothing twice.

    >>> beyond("How sure? Bars are intervals.", "How sure?")
    'Bars are intervals.'
    >>> beyond("How sure?: digits, 800 architectures.", "How sure?")
    'Digits, 800 architectures.'
    >>> beyond("It holds. Bars are intervals.", "How sure?", "All epochs. It holds.")
    'Bars are intervals.'
    """
    if heading and text.startswith(heading):
        rest = text.removeprefix(heading).lstrip(" :.,;–—-")
        text = rest[:1].upper() + rest[1:]
    ends = [end.end() for end in re.finditer(r"[.?!] ", text)]
    repeated = max((end for end in ends if text[:end].strip() in told), default=0)
    return text[repeated:]


def addresses(titles: Iterable[str], under: str) -> Iterator[str]:
    """An id for each heading, each once: ``digits--which-proxy``.

    >>> list(addresses(["Which proxy?", "Which proxy?"], "digits"))
    ['digits--which-proxy', 'digits--which-proxy-2']
    """
    seen: dict[str, int] = {}
    for title in titles:
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        seen[slug] = seen.get(slug, 0) + 1
        yield f"{under}--{slug}" + (f"-{seen[slug]}" if seen[slug] > 1 else "")
