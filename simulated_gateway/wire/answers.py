"""Every message the gateway may send, as far as a recording must understand it: what it answers, and where its ids are.

TWS API: the decoder's field order for server versions 157 to 178.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .contract_messages import SIZE_RULES
from .layout import Fields, Layout
from .order_layouts import COMPLETED_ORDER, OPEN_ORDER, PLACE_ORDER

OPEN_ORDER_REQUESTS = ("reqOpenOrders", "reqAllOpenOrders", "reqAutoOpenOrders")


@dataclass(frozen=True, slots=True)
class AnswerKind:
    """One kind of message from the gateway."""

    message_id: int
    name: str
    #: Which field is the id of the request it answers; 0 where there is none.
    id_at: int = 0
    #: The requests it answers where it carries no id; the first that waits is meant.
    answers: tuple[str, ...] = ()
    #: Whether it is the last word to such a request.
    ends: bool = False


_KINDS = (
    AnswerKind(1, "tickPrice", 2),
    AnswerKind(2, "tickSize", 2),
    AnswerKind(3, "orderStatus"),
    AnswerKind(4, "error", 2),
    AnswerKind(5, "openOrder"),
    AnswerKind(6, "accountValue", answers=("reqAccountUpdates",)),
    AnswerKind(7, "portfolioValue", answers=("reqAccountUpdates",)),
    AnswerKind(8, "accountTime", answers=("reqAccountUpdates",)),
    AnswerKind(9, "nextValidId", answers=("reqIds",), ends=True),
    AnswerKind(10, "contractDetails", 1),
    AnswerKind(11, "execDetails", 1),
    AnswerKind(12, "marketDepth", 2),
    AnswerKind(13, "marketDepthL2", 2),
    AnswerKind(14, "newsBulletin", answers=("reqNewsBulletins",)),
    AnswerKind(15, "managedAccounts", answers=("reqManagedAccts",), ends=True),
    AnswerKind(16, "receiveFA", answers=("requestFA",), ends=True),
    AnswerKind(17, "historicalData", 1),
    AnswerKind(18, "bondContractDetails", 1),
    AnswerKind(19, "scannerParameters", answers=("reqScannerParameters",), ends=True),
    AnswerKind(20, "scannerData", 2),
    AnswerKind(21, "tickOptionComputation", 1),
    AnswerKind(45, "tickGeneric", 2),
    AnswerKind(46, "tickString", 2),
    AnswerKind(47, "tickEFP", 2),
    AnswerKind(49, "currentTime", answers=("reqCurrentTime",), ends=True),
    AnswerKind(50, "realTimeBar", 2),
    AnswerKind(51, "fundamentalData", 2),
    AnswerKind(52, "contractDetailsEnd", 2),
    AnswerKind(53, "openOrderEnd", answers=OPEN_ORDER_REQUESTS, ends=True),
    AnswerKind(54, "accountDownloadEnd", answers=("reqAccountUpdates",), ends=True),
    AnswerKind(55, "execDetailsEnd", 2),
    AnswerKind(56, "deltaNeutralValidation", 2),
    AnswerKind(57, "tickSnapshotEnd", 2),
    AnswerKind(58, "marketDataType", 2),
    AnswerKind(59, "commissionReport"),
    AnswerKind(61, "position", answers=("reqPositions",)),
    AnswerKind(62, "positionEnd", answers=("reqPositions",), ends=True),
    AnswerKind(63, "accountSummary", 2),
    AnswerKind(64, "accountSummaryEnd", 2),
    AnswerKind(67, "displayGroupList", 2),
    AnswerKind(68, "displayGroupUpdated", 2),
    AnswerKind(71, "positionMulti", 2),
    AnswerKind(72, "positionMultiEnd", 2),
    AnswerKind(73, "accountUpdateMulti", 2),
    AnswerKind(74, "accountUpdateMultiEnd", 2),
    AnswerKind(75, "optionParameters", 1),
    AnswerKind(76, "optionParametersEnd", 1),
    AnswerKind(77, "softDollarTiers", 1),
    AnswerKind(78, "familyCodes", answers=("reqFamilyCodes",), ends=True),
    AnswerKind(79, "symbolSamples", 1),
    AnswerKind(80, "depthExchanges", answers=("reqMktDepthExchanges",), ends=True),
    AnswerKind(81, "tickReqParams", 1),
    AnswerKind(82, "smartComponents", 1),
    AnswerKind(83, "newsArticle", 1),
    AnswerKind(84, "tickNews", 1),
    AnswerKind(85, "newsProviders", answers=("reqNewsProviders",), ends=True),
    AnswerKind(86, "historicalNews", 1),
    AnswerKind(87, "historicalNewsEnd", 1),
    AnswerKind(88, "headTimestamp", 1),
    AnswerKind(89, "histogramData", 1),
    AnswerKind(90, "historicalDataUpdate", 1),
    AnswerKind(91, "rerouteMarketData", 1),
    AnswerKind(92, "rerouteMarketDepth", 1),
    AnswerKind(93, "marketRule", answers=("reqMarketRule",), ends=True),
    AnswerKind(94, "pnl", 1),
    AnswerKind(95, "pnlSingle", 1),
    AnswerKind(96, "historicalTicks", 1),
    AnswerKind(97, "historicalTicksBidAsk", 1),
    AnswerKind(98, "historicalTicksLast", 1),
    AnswerKind(99, "tickByTick", 1),
    AnswerKind(100, "orderBound"),
    AnswerKind(101, "completedOrder", answers=("reqCompletedOrders",)),
    AnswerKind(102, "completedOrdersEnd", answers=("reqCompletedOrders",), ends=True),
    AnswerKind(103, "replaceFAEnd", 1),
    AnswerKind(104, "wshMetaData", 1),
    AnswerKind(105, "wshEventData", 1),
    AnswerKind(106, "historicalSchedule", 1),
    AnswerKind(107, "userInfo", 1),
)

#: By message id.
ANSWER_KINDS = {kind.message_id: kind for kind in _KINDS}
_DETAILS = frozenset({10, 18})


def id_at(kind: AnswerKind, version: int) -> int:
    """Which field is the id of the request that is answered, at a server version; 0 where there is none."""
    return 2 if kind.message_id in _DETAILS and version < SIZE_RULES else kind.id_at


@dataclass(frozen=True, slots=True)
class OrderPlaces:
    """Which fields of a message about an order are its names; 0 where it has no such field."""

    order_id: int = 0
    parent_id: int = 0
    client_id: int = 0
    perm_id: int = 0
    reference: int = 0
    oca_group: int = 0


def _at(layout: Layout, name: str, version: int) -> int:
    """A field's place in a message, 0 where it has none that is fixed."""
    place = 1
    for block in layout:
        if not isinstance(block, Fields) or block.when is not None:
            return 0
        if block.since <= version < block.before:
            names = block.names.split()
            if name in names:
                return place + names.index(name)
            place += len(names)
    return 0


def _by_layout(layout: Layout, version: int) -> OrderPlaces:
    def at(name: str) -> int:
        return _at(layout, name, version)

    return OrderPlaces(
        at("order_id"), at("parent_id"), at("client_id"), at("perm_id"), at("order_ref"), at("oca_group")
    )


_STATUS = OrderPlaces(order_id=1, parent_id=7, client_id=9, perm_id=6)
_EXECUTION = OrderPlaces(order_id=2, client_id=22, perm_id=21, reference=26)
_BOUND = OrderPlaces(order_id=3, client_id=2, perm_id=1)


@cache
def order_places(message_id: str, version: int) -> OrderPlaces | None:
    """Where a message of the gateway names an order; None where it is about no order."""
    match message_id:
        case "3":
            return _STATUS
        case "5":
            return _by_layout(OPEN_ORDER, version)
        case "11":
            return _EXECUTION
        case "100":
            return _BOUND
        case "101":
            return _by_layout(COMPLETED_ORDER, version)
        case _:
            return None


@cache
def placed_order_places(version: int) -> OrderPlaces:
    """Where a client's placeOrder names its order."""
    return _by_layout(PLACE_ORDER, version)
