"""HTML of one self-contained page. Whatever comes from outside passes through `escape`.

The page's content security policy allows only its own style sheet and script (by their hash) and
pictures inside the page: nothing is loaded, and a script smuggled in through a file name or a
model's text could not run even if it were not escaped.
"""

import base64
import hashlib
import html
import math
import os
from collections.abc import Sequence
from importlib.resources import files
from typing import Any
from urllib.parse import quote


def escape(text: object) -> str:
    """The text, safe inside elements and quoted attributes; control characters become marks.

    >>> escape('<img src=x onerror="alert(1)">')
    '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'
    """
    shown = str(text)
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in shown)
    return html.escape(shown, quote=True)


def element(tag: str, content: str = "", **attributes: str | int | bool) -> str:
    """One element; attribute values are escaped, content is markup already.

    >>> element("a", escape("a<b"), href="x y", class_="file")
    '<a href="x y" class="file">a&lt;b</a>'
    """
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for name, value in attributes.items()
        if value is not False
    )
    return f"<{tag}{written}>{content}</{tag}>"


def link(relative: str, text: str) -> str:
    """A link to a file beside the page.

    >>> link("a b/javascript:x.gds", "gds")
    '<a href="./a%20b/javascript%3Ax.gds">gds</a>'
    """
    path = os.fsencode(relative.removeprefix("./"))  # names of files need not be UTF-8
    return element("a", escape(text), href="./" + quote(path))


def number(value: Any) -> str:
    """A value as the page shows it: four significant digits, no exponent for everyday sizes.

    >>> [number(v) for v in (0.98765, 12.3456, 1234567.0, 0.00001, 7, None, float("nan"), "mid")]
    ['0.9877', '12.35', '1234567', '1e-05', '7', '', 'nan', 'mid']
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() if math.isfinite(value) and 1000 <= abs(value) < 1e9:
            return f"{value:.0f}"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)


def is_number(value: Any) -> bool:
    """Whether a cell is a number to compute with (True and None are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def section(title: str, content: str, identifier: str, note: str = "") -> str:
    """A section with a head and a sentence about it; nothing when there is no content."""
    if not content:
        return ""
    head = element("h2", escape(title)) + (element("p", escape(note), class_="note") * bool(note))
    return element("section", head + content, id=identifier)


def tiles(items: Sequence[tuple[str, str, str]]) -> str:
    """A row of figures: (label, value, tone), tone one of "", "good", "warn", "bad"."""
    return element(
        "dl",
        "".join(
            element("div", element("dt", escape(label)) + element("dd", escape(value)), class_=tone)
            for label, value, tone in items
        ),
        class_="tiles",
    )


def page(title: str, subtitle: str, sections: Sequence[tuple[str, str]], footer: str) -> str:
    """The whole document; sections are (name in the contents, markup)."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{_digest(style)}'; "
        f"script-src 'sha256-{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    present = [(name, markup) for name, markup in sections if markup]
    contents = "".join(
        element("a", escape(name), href="#" + _identifier(markup)) for name, markup in present
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{subtitle}<nav>{contents}</nav></header>"
        f"<main>{''.join(markup for _, markup in present)}</main>"
        f"<footer>{footer}</footer><script>{script}</script></body></html>\n"
    )


def _identifier(markup: str) -> str:
    """The id of a section's own opening tag (its first attribute)."""
    return markup.partition('id="')[2].partition('"')[0]


def _asset(name: str) -> str:
    return files("fabsight.report").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
