"""The last hour as small plots: one column a minute, the present one at the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mcp_frontend.page.markup import Markup, h
from shared.contract.status import LinkState
from shared.history import MINUTES, LinkChange

_WIDTH, _HEIGHT = 360, 80
_COLUMN = _WIDTH / MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A value for each minute in which there was one."""

    name: str
    look: str
    """Its class in the style sheet."""
    values: Mapping[int, int]


def bars(title: str, now: int, series: Series, *, unit: str = "", limit: int | None = None) -> Markup:
    """A column for each minute, under the limit's line where it is near."""
    top = _top(max(series.values.values(), default=0), limit)
    columns = [
        h(
            "rect",
            h("title", f"{_clock(minute)}: {value:,}{unit}"),
            x=round(_left(minute, now) + 0.5, 2),
            y=round(_HEIGHT - value / top * _HEIGHT, 2),
            width=round(_COLUMN - 1, 2),
            height=round(value / top * _HEIGHT, 2),
            class_=series.look,
        )
        for minute, value in series.values.items()
        if value and minute > now - MINUTES
    ]
    return _figure(title, [series], columns, now, top, unit, limit)


def lines(title: str, now: int, several: Sequence[Series], *, unit: str = "") -> Markup:
    """A line through the minutes of each series, broken where there are none."""
    top = _top(max((value for series in several for value in series.values.values()), default=0), None)
    drawn = [
        h("path", d=_path(series.values, now, top), class_=f"line {series.look}", vector_effect="non-scaling-stroke")
        for series in several
    ]
    return _figure(title, several, drawn, now, top, unit, None)


def link_strip(changes: Sequence[LinkChange], until: datetime | None, now: datetime) -> Markup:
    """The link's states over the last hour; after ``until`` nobody looked."""
    begin = now - timedelta(minutes=MINUTES)
    pieces: list[Markup] = []
    ends = [*(change.at for change in changes[1:]), until or now]
    for change, end in zip(changes, ends, strict=False):  # without any change there is still an end
        left, right = _share(change.at, begin, now), _share(end, begin, now)
        if right > left:
            said = f"{change.link.value} from {_time(change.at)}"
            look = f"link {_LOOK[change.link]}"
            width = round(right - left, 2)
            pieces.append(h("rect", h("title", said), x=round(left, 2), y=0, width=width, height=12, class_=look))
    picture = h(
        "svg",
        h("rect", x=0, y=0, width=_WIDTH, height=12, class_="link nothing"),
        pieces,
        viewBox=f"0 0 {_WIDTH} 12",
        preserveAspectRatio="none",
        role="img",
        aria_label="States of the link in the last hour",
        class_="strip",
    )
    return h("figure", picture, _axis())


_LOOK = dict.fromkeys(LinkState, "waiting") | {
    LinkState.READY: "good",
    LinkState.LINK_LOST: "bad",
    LinkState.WRONG_ACCOUNT: "bad",
    LinkState.PLANNED_OUTAGE: "planned",
}


def look_of(link: LinkState) -> str:
    """The class in the style sheet for a state of the link."""
    return _LOOK[link]


def _figure(
    title: str, several: Sequence[Series], drawn: Sequence[Markup], now: int, top: int, unit: str, limit: int | None
) -> Markup:
    newest = [series.values.get(now, series.values.get(now - 1)) for series in several]
    values = [
        h(
            "b",
            series.name + " " if series.name else None,
            "–" if value is None else f"{value:,}{unit}",
            class_=series.look,
        )
        for series, value in zip(several, newest, strict=True)
    ]
    of = h("span", f"of {limit:,}", class_="quiet") if limit else None
    height = round(_HEIGHT - limit / top * _HEIGHT, 2) if limit and limit <= top else None
    ceiling = h("line", x1=0, x2=_WIDTH, y1=height, y2=height, class_="limit", vector_effect="non-scaling-stroke")
    picture = h(
        "svg",
        drawn,
        ceiling if height is not None else None,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title} in the last hour, at most {top:,}{unit}",
    )
    heading = h("figcaption", h("span", title), h("span", values, of, class_="now"))
    return h("figure", heading, h("div", h("span", f"{top:,}{unit}", class_="top"), picture, class_="plot"), _axis())


def _axis() -> Markup:
    return h("div", h("span", "60 min ago"), h("span", "30"), h("span", "now"), class_="axis")


def _top(highest: int, limit: int | None) -> int:
    """A round number over everything; the limit itself once it is near."""
    if limit and highest > limit / 2:
        return max(limit, highest)
    tens = 1
    while tens * 10 < highest:
        tens *= 10
    return next(tens * step for step in (1, 2, 5, 10) if tens * step >= max(highest, 4) or step == 10)


def _left(minute: int, now: int) -> float:
    return (minute - now + MINUTES - 1) * _COLUMN


def _path(values: Mapping[int, int], now: int, top: int) -> str:
    steps: list[str] = []
    for minute, value in sorted(values.items()):
        if minute <= now - MINUTES:
            continue
        pen = "L" if minute - 1 in values and steps else "M"
        x, y = _left(minute, now) + _COLUMN / 2, _HEIGHT - value / top * _HEIGHT
        steps.append(f"{pen}{x:.1f} {y:.1f}" + ("h0.1" if pen == "M" else ""))
    return "".join(steps)


def _share(moment: datetime, begin: datetime, now: datetime) -> float:
    share = (moment - begin) / (now - begin)
    return min(max(share, 0.0), 1.0) * _WIDTH


def _clock(minute: int) -> str:
    return _time(datetime.fromtimestamp(minute * 60, UTC))[:5]


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S}"
