"""Every message a client may send: its id, its name, and its layout by server version.

TWS API: the `req…` methods of `EClient`. A `version` field is the message's own, older than server versions.
"""

from dataclasses import dataclass, field

from .layout import Fields, Items, Layout, Record
from .order_layouts import CONTRACT, PLACE_ORDER


@dataclass(frozen=True, slots=True)
class RequestKind:
    """One kind of message from a client."""

    message_id: int
    name: str
    layout: Layout


@dataclass(frozen=True, slots=True)
class Request:
    """One message from a client, read."""

    kind: RequestKind
    record: Record = field(default_factory=Record)

    @property
    def req_id(self) -> int:
        """The request's own id, or -1 where its kind has none: what an error about it refers to."""
        return self.record.integer("req_id", -1)


def _is_combo(record: Record) -> bool:
    return record.text("sec_type").upper() == "BAG"


def _has_delta_neutral_contract(record: Record) -> bool:
    return record.flag("delta_neutral_contract_present")


def _plain(names: str) -> Layout:
    return (Fields(names),)


_COMBO = Items("combo_legs", "con_id ratio action exchange", when=_is_combo)
_NO_FIELDS = _plain("version")
_CANCEL = _plain("version req_id")

_KINDS = (
    RequestKind(
        1,
        "reqMktData",
        (
            Fields("version req_id"),
            Fields(CONTRACT),
            _COMBO,
            Fields("delta_neutral_contract_present"),
            Fields("under_con_id under_delta under_price", when=_has_delta_neutral_contract),
            Fields("generic_ticks snapshot regulatory_snapshot options"),
        ),
    ),
    RequestKind(2, "cancelMktData", _CANCEL),
    RequestKind(3, "placeOrder", PLACE_ORDER),
    RequestKind(4, "cancelOrder", (Fields("version order_id"), Fields("manual_cancel_time", since=169))),
    RequestKind(5, "reqOpenOrders", _NO_FIELDS),
    RequestKind(6, "reqAccountUpdates", _plain("version subscribe account")),
    RequestKind(7, "reqExecutions", _plain("version req_id client_id account time symbol sec_type exchange side")),
    RequestKind(8, "reqIds", _plain("version count")),
    RequestKind(
        9,
        "reqContractDetails",
        (
            Fields("version req_id"),
            Fields(CONTRACT),
            Fields("include_expired sec_id_type sec_id"),
            Fields("issuer_id", since=176),
        ),
    ),
    RequestKind(10, "reqMktDepth", _CANCEL),
    RequestKind(11, "cancelMktDepth", _CANCEL),
    RequestKind(12, "reqNewsBulletins", _NO_FIELDS),
    RequestKind(13, "cancelNewsBulletins", _NO_FIELDS),
    RequestKind(14, "setServerLogLevel", _plain("version level")),
    RequestKind(15, "reqAutoOpenOrders", _plain("version auto_bind")),
    RequestKind(16, "reqAllOpenOrders", _NO_FIELDS),
    RequestKind(17, "reqManagedAccts", _NO_FIELDS),
    RequestKind(18, "requestFA", _NO_FIELDS),
    RequestKind(19, "replaceFA", _NO_FIELDS),
    RequestKind(
        20,
        "reqHistoricalData",
        (
            Fields("req_id"),
            Fields(CONTRACT),
            Fields("include_expired end bar_size duration use_rth what_to_show format_date"),
            _COMBO,
            Fields("keep_up_to_date options"),
        ),
    ),
    RequestKind(21, "exerciseOptions", _CANCEL),
    RequestKind(22, "reqScannerSubscription", _plain("req_id")),
    RequestKind(23, "cancelScannerSubscription", _CANCEL),
    RequestKind(24, "reqScannerParameters", _NO_FIELDS),
    RequestKind(25, "cancelHistoricalData", _CANCEL),
    RequestKind(49, "reqCurrentTime", _NO_FIELDS),
    RequestKind(50, "reqRealTimeBars", _CANCEL),
    RequestKind(51, "cancelRealTimeBars", _CANCEL),
    RequestKind(52, "reqFundamentalData", _CANCEL),
    RequestKind(53, "cancelFundamentalData", _CANCEL),
    RequestKind(
        54,
        "calculateImpliedVolatility",
        (Fields("version req_id"), Fields(CONTRACT), Fields("option_price under_price")),
    ),
    RequestKind(
        55, "calculateOptionPrice", (Fields("version req_id"), Fields(CONTRACT), Fields("volatility under_price"))
    ),
    RequestKind(56, "cancelCalculateImpliedVolatility", _CANCEL),
    RequestKind(57, "cancelCalculateOptionPrice", _CANCEL),
    RequestKind(58, "reqGlobalCancel", _NO_FIELDS),
    RequestKind(59, "reqMarketDataType", _plain("version market_data_type")),
    RequestKind(61, "reqPositions", _NO_FIELDS),
    RequestKind(62, "reqAccountSummary", _plain("version req_id group tags")),
    RequestKind(63, "cancelAccountSummary", _CANCEL),
    RequestKind(64, "cancelPositions", _NO_FIELDS),
    RequestKind(65, "verifyRequest", _NO_FIELDS),
    RequestKind(66, "verifyMessage", _NO_FIELDS),
    RequestKind(67, "queryDisplayGroups", _CANCEL),
    RequestKind(68, "subscribeToGroupEvents", _CANCEL),
    RequestKind(69, "updateDisplayGroup", _CANCEL),
    RequestKind(70, "unsubscribeFromGroupEvents", _CANCEL),
    RequestKind(71, "startApi", (Fields("version client_id"),)),
    RequestKind(72, "verifyAndAuthRequest", _NO_FIELDS),
    RequestKind(73, "verifyAndAuthMessage", _NO_FIELDS),
    RequestKind(74, "reqPositionsMulti", _plain("version req_id account model_code")),
    RequestKind(75, "cancelPositionsMulti", _CANCEL),
    RequestKind(76, "reqAccountUpdatesMulti", _plain("version req_id account model_code ledger_and_nlv")),
    RequestKind(77, "cancelAccountUpdatesMulti", _CANCEL),
    RequestKind(78, "reqSecDefOptParams", _plain("req_id symbol fut_fop_exchange sec_type under_con_id")),
    RequestKind(79, "reqSoftDollarTiers", _plain("req_id")),
    RequestKind(80, "reqFamilyCodes", ()),
    RequestKind(81, "reqMatchingSymbols", _plain("req_id pattern")),
    RequestKind(82, "reqMktDepthExchanges", ()),
    RequestKind(83, "reqSmartComponents", _plain("req_id")),
    RequestKind(84, "reqNewsArticle", _plain("req_id")),
    RequestKind(85, "reqNewsProviders", ()),
    RequestKind(86, "reqHistoricalNews", _plain("req_id")),
    RequestKind(
        87,
        "reqHeadTimeStamp",
        (Fields("req_id"), Fields(CONTRACT), Fields("include_expired use_rth what_to_show format_date")),
    ),
    RequestKind(88, "reqHistogramData", _plain("req_id")),
    RequestKind(89, "cancelHistogramData", _plain("req_id")),
    RequestKind(90, "cancelHeadTimeStamp", _plain("req_id")),
    RequestKind(91, "reqMarketRule", _plain("rule_id")),
    RequestKind(92, "reqPnL", _plain("req_id account model_code")),
    RequestKind(93, "cancelPnL", _plain("req_id")),
    RequestKind(94, "reqPnLSingle", _plain("req_id account model_code con_id")),
    RequestKind(95, "cancelPnLSingle", _plain("req_id")),
    RequestKind(96, "reqHistoricalTicks", _plain("req_id")),
    RequestKind(97, "reqTickByTickData", _plain("req_id")),
    RequestKind(98, "cancelTickByTickData", _plain("req_id")),
    RequestKind(99, "reqCompletedOrders", _plain("api_only")),
    RequestKind(100, "reqWshMetaData", _plain("req_id")),
    RequestKind(101, "cancelWshMetaData", _plain("req_id")),
    RequestKind(102, "reqWshEventData", _plain("req_id")),
    RequestKind(103, "cancelWshEventData", _plain("req_id")),
    RequestKind(104, "reqUserInfo", _plain("req_id")),
)

#: By message id.
REQUEST_KINDS = {kind.message_id: kind for kind in _KINDS}
