"""HTML and SVG made of calls. What is not made here is text, and escaped: agents and the gateway write some of it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

_VOID: Final = frozenset({"meta", "link", "br"})


class Markup(str):
    """What may stand in the page as it is."""

    __slots__ = ()


Child = Markup | str | int | None | Iterable["Child"]


def h(tag: str, *children: Child, **attributes: str | int | float | None) -> Markup:
    """An element. ``class_`` means ``class``, ``data_x`` means ``data-x``; an attribute that is None is left out."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Markup(f"<{tag}{given}>")
    return Markup(f"<{tag}{given}>{''.join(_written(children))}</{tag}>")


def _written(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, str | int):
            yield escape(str(child))
        elif child is not None:
            yield from _written(child)
