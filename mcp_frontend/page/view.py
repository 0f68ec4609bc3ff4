"""The page, from the facts. Account numbers are masked as in the logs: a page is looked at over shoulders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from mcp_frontend.page.charts import Series, bars, lines, link_strip, look_of
from mcp_frontend.page.facts import Facts, ShownOrder
from mcp_frontend.page.markup import Child, Markup, h
from shared.contract.orders import OrderState
from shared.contract.status import BridgeStatus, Durability, LinkState, WorkerStatus
from shared.history import Minute, this_minute
from shared.masking import mask_accounts

STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
RELOAD_SECONDS = 10

_SHOWN_CHANGES = 8


def page(facts: Facts, *, session: str, caller: str, sessions: Sequence[str] = ()) -> str:
    """The whole document; ``sessions`` are all that have such a page."""
    status = facts.status
    body = h(
        "body",
        _band(status, session),
        _others(session, sessions) if len(sessions) > 1 else None,
        h(
            "main",
            _verdict(status),
            _alarm(facts.unknown),
            h("section", h("h2", "Orders ", h("small", "last 24 hours")), _orders(facts), class_="wide"),
            h("section", h("h2", "Last hour"), h("div", _plots(facts.minutes), class_="plots"), class_="wide"),
            h("section", h("h2", "Link to the gateway"), _link(facts)),
            h("section", h("h2", "Processes"), _processes(facts)),
        ),
        h(
            "footer",
            f"{status.as_of:%Y-%m-%d %H:%M:%S}, all times UTC. Shown to {caller}, renewed every {RELOAD_SECONDS} s.",
        ),
    )
    return "<!doctype html>" + h("html", _head(status), body, lang="en")


def _head(status: BridgeStatus) -> Markup:
    mode = status.worker.trading_mode.upper() if status.worker else "IBKR"
    return h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", http_equiv="refresh", content=RELOAD_SECONDS),
        h("meta", name="color-scheme", content="light dark"),
        h("link", rel="icon", href="data:,"),
        h("title", f"{mode} · {'ready' if status.ready else 'not ready'}"),
        h("style", Markup(STYLE)),
    )


def _band(status: BridgeStatus, session: str) -> Markup:
    """The mode, in a colour that nobody misses."""
    worker = status.worker
    mode = worker.trading_mode if worker and worker.trading_mode in {"live", "paper"} else "no-mode"
    words = {"live": "LIVE", "paper": "PAPER", "no-mode": "MODE UNKNOWN"}
    meaning = {"live": "real money", "paper": "no real money", "no-mode": "no worker has said"}
    lock = h("span", "READONLY", h("small", " orders are refused"), class_="lock") if status.readonly else None
    return h(
        "header",
        h("strong", words[mode]),
        h("span", meaning[mode], None if status.worker_running or not worker else ", when the worker last spoke"),
        lock,
        h("span", f"gateway session {session}", class_="session"),
        class_=f"{mode} readonly" if status.readonly else mode,
    )


def _others(shown: str, sessions: Sequence[str]) -> Markup:
    """The way to the other gateway sessions' pages."""
    links = [
        h("b", name, aria_current="page") if name == shown else h("a", name, href=f"/?session={name}")
        for name in sessions
    ]
    return h("nav", "Gateway sessions: ", [[link, " "] for link in links], aria_label="Gateway sessions")


def _verdict(status: BridgeStatus) -> Markup:
    word = "Ready" if status.ready else "Not ready"
    said = status.message.removeprefix("Ready: ")
    return h(
        "p",
        h("b", word),
        " ",
        mask_accounts(said),
        class_="verdict good" if status.ready else "verdict bad",
        role="status",
    )


def _alarm(unknown: list[ShownOrder]) -> Markup | None:
    if not unknown:
        return None
    many = "1 order is UNKNOWN" if len(unknown) == 1 else f"{len(unknown)} orders are UNKNOWN"
    return h(
        "div",
        h("b", many),
        ": it may be at the broker or not, and it is never sent again. " if len(unknown) == 1
        else ": each may be at the broker or not, and none is sent again. ",
        "It ends by itself where the gateway tells. Otherwise compare with TWS or the statement and run ",
        h("code", "python -m broker_worker resolve"),
        ".",
        class_="alarm",
        role="alert",
    )  # fmt: skip


# --- orders


def _orders(facts: Facts) -> Child:
    if not facts.orders:
        return h("p", _why_no_orders(facts), class_="quiet")
    names = ("State", "Order", "Filled", "Name", "Account", "Heard", "Remark")
    rows = [_order(order) for order in facts.orders]
    more = f"and {facts.orders_left_out} more, which get_order still tells of" if facts.orders_left_out else None
    table = h("table", h("thead", h("tr", [h("th", name) for name in names])), h("tbody", rows))
    return [table, h("p", more, class_="quiet") if more else None]


def _why_no_orders(facts: Facts) -> str:
    if facts.withheld:
        return "Orders of a live account are shown only to whoever comes with a key."
    return "None." if facts.read else "Not known while Redis cannot be reached."


def _order(order: ShownOrder) -> Markup:
    detail = order.detail
    state = detail.state or OrderState.UNKNOWN
    price = detail.limit_price if detail.limit_price is not None else detail.stop_price
    at = f" at {_number(price)} {detail.currency or ''}" if price is not None else ""
    asked = f"{detail.action or '?'} {_number(detail.quantity)} {detail.symbol or '?'} {detail.order_type or ''}{at}"
    average = f" at {_number(detail.avg_fill_price)}" if detail.filled and detail.avg_fill_price is not None else ""
    name = f"{order.caller}: {detail.client_order_id}" if order.caller else "not placed here"
    return h(
        "tr",
        h("td", h("span", state.value.replace("_", " "), class_=f"state {state.value.lower()}"), data_label="State"),
        h("td", asked, class_="asked", data_label="Order"),
        h("td", f"{_number(detail.filled)}{average}", data_label="Filled"),
        h("td", name, h("small", f" perm:{detail.perm_id}") if detail.perm_id else None, data_label="Name"),
        h("td", mask_accounts(detail.account or "–"), data_label="Account"),
        h("td", _moment(detail.as_of), data_label="Heard"),
        h("td", mask_accounts(detail.message or ""), data_label="Remark", class_="remark"),
        class_="unknown" if state is OrderState.UNKNOWN else None,
    )


# --- plots


def _plots(minutes: list[Minute]) -> list[Markup]:
    now = this_minute()
    newest = minutes[-1] if minutes else None
    p50 = Series(name="p50", look="first", values={m.minute: m.p50_ms for m in minutes if m.p50_ms is not None})
    p95 = Series(name="p95", look="second", values={m.minute: m.p95_ms for m in minutes if m.p95_ms is not None})
    depth = Series(name="", look="first", values={m.minute: m.queue_depth for m in minutes})
    calls = Series(name="", look="first", values={m.minute: m.calls for m in minutes})
    messages = Series(name="", look="first", values={m.minute: m.messages for m in minutes})
    open_lines = Series(name="", look="first", values={m.minute: m.lines for m in minutes})
    return [
        bars("Jobs waiting", now, depth),
        lines("Time for a job", now, [p50, p95], unit=" ms"),
        bars("Jobs a minute", now, calls),
        bars("Gateway messages a minute", now, messages, limit=newest.messages_limit if newest else None),
        bars("Market data lines", now, open_lines, limit=newest.lines_limit if newest else None),
    ]


# --- link and processes


def _link(facts: Facts) -> list[Child]:
    status, worker = facts.status, facts.status.worker
    until = worker.heartbeat if worker and not status.worker_running else None
    rows = [
        h(
            "tr",
            h("td", _moment(change.at)),
            h("td", h("span", change.link.value, class_=f"dot {look_of(change.link)}")),
            h("td", mask_accounts(change.detail or ""), class_="remark"),
        )
        for change in reversed(facts.changes[-_SHOWN_CHANGES:])
    ]
    return [
        _link_now(worker, running=status.worker_running),
        link_strip(facts.changes, until, status.as_of),
        h("table", h("tbody", rows), class_="plain") if rows else h("p", "No history yet.", class_="quiet"),
    ]


def _link_now(worker: WorkerStatus | None, *, running: bool) -> Markup:
    if worker is None:
        return h("p", "Nothing is known of it.", class_="quiet")
    if not running:
        return h("p", f"Not watched: the worker last spoke at {_moment(worker.heartbeat)}.", class_="dot nothing")
    detail = f": {mask_accounts(worker.link_detail)}" if worker.link_detail else ""
    return h(
        "p", f"{worker.link.value} since {_moment(worker.link_since)}{detail}", class_=f"dot {look_of(worker.link)}"
    )


def _processes(facts: Facts) -> list[Child]:
    status, worker = facts.status, facts.status.worker
    rows: list[Child] = [
        h(
            "tr",
            h("td", h("span", "worker", class_="dot good" if status.worker_running else "dot bad")),
            h("td", worker.version if worker else "–"),
            h("td", _worker_words(status), class_="remark"),
        ),
        [
            h(
                "tr",
                h("td", h("span", f"frontend {word.name}", class_="dot good")),
                h("td", word.version),
                h("td", f"since {_moment(word.since)}, {word.transport}", ", READONLY" if word.readonly else None),
            )
            for word in facts.frontends
        ],
    ]
    return [h("table", h("tbody", rows), class_="plain"), _details(worker) if worker else None]


def _worker_words(status: BridgeStatus) -> str:
    if status.worker is None:
        return "nothing is known of it"
    ago = "" if status.seconds_since_heartbeat is None else f"{status.seconds_since_heartbeat:.0f} s ago"
    readonly = ", READONLY" if status.worker.readonly else ""
    return f"{'spoke' if status.worker_running else 'IS DOWN, last spoke'} {ago}{readonly}"


def _details(worker: WorkerStatus) -> Markup:
    """What is worth a line of its own; what is wrong stands out."""
    accounts = mask_accounts(", ".join(worker.accounts)) or "none yet"
    facts: list[tuple[str, str, bool]] = [
        ("Records in Redis", worker.redis_durability.value, worker.redis_durability is Durability.FORGETS),
        ("Competing session", "yes: another login holds the market data", True) if worker.competing_session
        else ("Competing session", "no", False),
        ("Gateway's own read-only API", "on: it refuses orders" if worker.read_only_api else "off", False),
        ("Accounts", accounts, worker.link is LinkState.READY and not worker.accounts),
        ("Market data last seen", worker.data_kind.value if worker.data_kind else "none yet", False),
        ("Gateway's API version", str(worker.gateway_version or "none yet"), False),
        ("Next restart", f"{worker.next_restart:%Y-%m-%d %H:%M}" if worker.next_restart else "none set", False),
    ]  # fmt: skip
    return h("dl", [[h("dt", name), h("dd", said, class_="bad" if wrong else None)] for name, said, wrong in facts])


def _number(value: Decimal | None) -> str:
    return "–" if value is None else f"{value:,f}"


def _moment(moment: datetime) -> str:
    """The time, with the date where it is another day's."""
    utc = moment.astimezone(UTC)
    return f"{utc:%H:%M:%S}" if utc.date() == datetime.now(UTC).date() else f"{utc:%Y-%m-%d %H:%M}"
