"""A law's figures as images inside the page, with words for those who cannot see them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image as Raster

from lawcheck.declare.design import PartVerdict
from lawcheck.show.labels import part_label
from lawcheck.show.page.gather import Entry
from lawcheck.show.page.words import quantity, said
from lawcheck.show.style import Picture

# Plots have few colours: a palette makes them a third of the size and looks the same.
COLORS = 256


@dataclass(frozen=True, kw_only=True)
class Image:
    """uri: a data URI. width, height: CSS pixels at the size of print."""

    stem: str
    title: str
    caption: str
    alt: str
    uri: str
    width: int
    height: int


def image(entry: Entry, stem: str, picture: Picture, png: bytes, dpi: int) -> Image:
    small, width, height = reduced(png)
    return Image(
        stem=stem,
        title=picture.title,
        caption=picture.caption,
        alt=alt_text(entry, picture),
        uri="data:image/png;base64," + base64.b64encode(small).decode(),
        width=round(width * 96 / dpi),
        height=round(height * 96 / dpi),
    )


def reduced(png: bytes) -> tuple[bytes, int, int]:
    """The image on a palette, with its width and height in pixels."""
    with Raster.open(io.BytesIO(png)) as full:
        palette = full.convert("RGB").quantize(COLORS, dither=Raster.Dither.NONE)
    stream = io.BytesIO()
    palette.save(stream, format="png", optimize=True)
    return stream.getvalue(), palette.width, palette.height


def alt_text(entry: Entry, picture: Picture) -> str:
    """What the figure shows; the forest plot in full, since it is drawn from the verdict alone."""
    if picture.name == "hypotheses":
        parts = [_part(p) for p in entry.verdict.parts]
        return (
            f"Forest plot of the {len(parts)} hypotheses of {entry.law.title}: {'; '.join(parts)}."
        )
    return f"{picture.title}: {first_sentence(picture.caption)} Its numbers stand in the tables."


def _part(p: PartVerdict) -> str:
    text = f"{part_label(p.name)} {said(p)}, {quantity(p)}"
    cases = [f"{part_label(c.name)} {c.outcome}, {quantity(c, p)}" for c in p.conjuncts]
    return f"{text} (its cases: {'; '.join(cases)})" if cases else text


def first_sentence(text: str) -> str:
    return text.split(". ", 1)[0].rstrip(".") + "."
