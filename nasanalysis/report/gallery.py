"""The gallery: every plot on real data, as one Markdown page with its images.

What is embedded (digits, its loss landscapes) is always shown; entries that need other benchmarks use them
where they are on this machine and are named as left out where they are not.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.atomic import write_atomically, write_text
from ..core.errors import MissingDataError
from ..plots.style import look, root_figure
from .gallery_entries import ENTRIES
from .gallery_sources import Sources

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_gallery(
    out: Path, *, data: Path | None = None, n_boot: int = 300, say: Callable[[str], None] = lambda _: None
) -> tuple[Path, list[str], list[str]]:
    """Write ``out/gallery.md`` and ``out/images/gallery/*.png``.

    Returns the page, the names of the entries drawn, and a line for each that could not be drawn here.
    """
    sources = Sources(data, n_boot)
    drawn, skipped, parts = [], [], [_HEAD]
    for pair in ENTRIES:
        for entry in pair:
            if entry is None:
                continue
            say(f"gallery: {entry.name}")
            try:
                ax = entry.draw(sources)
            except MissingDataError as error:
                skipped.append(f"{entry.title}: not drawn here. {error.short}")
                continue
            image = small_png(ax)
            path = out / "images" / "gallery" / f"{entry.name}.png"
            write_atomically(path, lambda temp, image=image: temp.write_bytes(image))  # type: ignore[misc]
            drawn.append(entry.name)
            parts.append(
                f"## {entry.title}\n\n![{entry.title}](images/gallery/{entry.name}.png)\n\n{entry.text}\n\n"
                f"```python\n{entry.code}\n```\n"
            )
    parts += [f"*{line}*\n" for line in skipped]
    return write_text(out / "gallery.md", "\n".join(parts)), drawn, skipped


_HEAD = """# Gallery

Every plot on real data, made by `make gallery DATA=FOLDER` (`nasanalysis gallery`): nothing here is drawn by hand.
One function computes a frame, another draws it and returns matplotlib Axes; save with
`axes.figure.savefig("figure.pdf")` (PNG, SVG, PDF). They stand on seaborn: a theme, palette or context that you set
(`seaborn.set_theme`, `with seaborn.color_palette("deep"): ...`) changes them.

Frames: `truth` is TRUTH, `scores` SCORES, `curves` CURVES, `stats` what `na.correlate`
answers; `import nasanalysis as na` and `from nasanalysis import plots`.
"""


def small_png(ax: Axes, *, dpi: int = 84) -> bytes:
    """The figure as a small PNG: for pages, not for print."""
    from PIL import Image

    buffer = io.BytesIO()
    with look():
        root_figure(ax).savefig(buffer, format="png", dpi=dpi)
    whole = Image.open(buffer).convert("RGB")
    # 256 colours of its own: a third of the bytes, and nothing that an eye sees of a plot
    image = whole.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small = io.BytesIO()
    image.save(small, format="png", optimize=True)
    return small.getvalue()
