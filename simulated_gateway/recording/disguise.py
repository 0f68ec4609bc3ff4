"""What a recording must not show, taken out of each message before it is written.

Accounts, permIds, order references and people get other names (`shared.masking.Pseudonyms`) wherever they stand, also
in texts. What can say anything about a person is left out whole: advisor configurations, credentials, news bulletins.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from shared.masking import Pseudonyms
from simulated_gateway.wire.answers import ANSWER_KINDS, order_places, placed_order_places
from simulated_gateway.wire.layout import UnreadableMessage, read_record
from simulated_gateway.wire.order_layouts import COMPLETED_ORDER, OPEN_ORDER, PLACE_ORDER
from simulated_gateway.wire.requests import REQUEST_KINDS

from .lines import Side

LEFT_OUT = "(left out)"

_ACCOUNTS, _FA_CONFIGURATION, _NEWS_BULLETIN, _USER_INFO = "15", "16", "14", "107"
_OPEN_ORDER, _COMPLETED_ORDER, _ERROR = "5", "101", "4"
_PLACE_ORDER, _REPLACE_FA = "3", "19"
_CREDENTIALS = frozenset({"65", "66", "72", "73"})
#: From this field on the message says things about people that no recording needs.
_SECRET_FROM = {
    ("gateway", _FA_CONFIGURATION): 3,
    ("gateway", _NEWS_BULLETIN): 4,
    ("gateway", _USER_INFO): 2,
    ("client", _REPLACE_FA): 3,
    **{("client", number): 1 for number in _CREDENTIALS},
}
_PERSONAL = (
    "ext_operator", "clearing_account", "delta_neutral_clearing_account", "model_code", "fa_group", "fa_profile",
    "shareholder", "mifid2_decision_maker", "mifid2_execution_trader", "settling_firm",
)  # fmt: skip
#: Account values whose value is a person's or a group's name.
_PERSONAL_TAGS = frozenset({"AccountOwner", "AccountAlias", "AccountTitle", "Owner"})
_VALUE_AT = {"6": (2, 3), "63": (4, 5), "73": (5, 6)}
_ORDER_LAYOUTS = {
    ("gateway", _OPEN_ORDER): OPEN_ORDER,
    ("gateway", _COMPLETED_ORDER): COMPLETED_ORDER,
    ("client", _PLACE_ORDER): PLACE_ORDER,
}
#: Messages about orders, which can be left out. The lists' ends stay, so that a list is seen to be empty.
_ORDER_REQUESTS = frozenset({"placeOrder", "cancelOrder", "reqGlobalCancel", "exerciseOptions"})
_ORDER_ANSWERS = frozenset({"3", "5", "11", "59", "100", "101"})
_IDS_KEPT = 10_000


class Disguise:
    """Makes the messages of one recording fit to be shown."""

    def __init__(self, names: Pseudonyms, *, orders: bool = True) -> None:
        self._names = names
        self._orders = orders
        #: Order ids whose errors are left out too, by connection.
        self._order_ids: OrderedDict[tuple[int, str], None] = OrderedDict()

    @property
    def masked(self) -> dict[str, int]:
        """How many different ones were replaced, by kind."""
        return self._names.masked

    def message(self, link: int, side: Side, fields: Sequence[str], version: int) -> list[str] | None:
        """The message as it may be written, or None where it is left out."""
        if not self._orders and self._is_order(link, side, fields):
            return None
        self._learn_people(side, fields, version)
        replaced = self._replaced(side, fields, version)
        secret = _SECRET_FROM.get((side, fields[0]), len(fields))
        others = (replaced.get(at) or self._names.text(field) for at, field in enumerate(fields[1:secret], 1))
        return [fields[0], *others, *(LEFT_OUT for _ in fields[secret:])]

    def _is_order(self, link: int, side: Side, fields: Sequence[str]) -> bool:
        if side == "gateway":
            named = fields[0] == _ERROR and len(fields) > 2 and (link, fields[2]) in self._order_ids
            return named or fields[0] in _ORDER_ANSWERS
        kind = REQUEST_KINDS.get(int(fields[0]))
        if kind is None or kind.name not in _ORDER_REQUESTS:
            return False
        if kind.name in {"placeOrder", "cancelOrder"} and len(fields) > 2:
            self._order_ids[link, fields[1 if kind.name == "placeOrder" else 2]] = None
            if len(self._order_ids) > _IDS_KEPT:
                self._order_ids.popitem(last=False)
        return True

    def _replaced(self, side: Side, fields: Sequence[str], version: int) -> dict[int, str]:
        """What stands at a place of its own, by that place; it is then also known in texts."""
        names, number = self._names, fields[0]
        if side == "client":
            places = placed_order_places(version) if number == _PLACE_ORDER else None
        elif number == _ACCOUNTS:
            return {at: ",".join(map(names.account, text.split(","))) for at, text in enumerate(fields) if at > 1}
        elif number in _VALUE_AT:
            tag, value = _VALUE_AT[number]
            return {value: names.person(fields[value])} if _PERSONAL_TAGS & {*fields[tag : tag + 1]} else {}
        else:
            places = order_places(number, version)
        if places is None:
            return {}
        ways = (
            (places.perm_id, names.number),
            (places.reference, names.reference),
            (places.oca_group, names.reference),
            (len(fields) - 1 - _parent_from_end(version) if number == _COMPLETED_ORDER else 0, names.number),
        )
        return {at: replace(fields[at]) for at, replace in ways if 0 < at < len(fields)}

    def _learn_people(self, side: Side, fields: Sequence[str], version: int) -> None:
        layout = _ORDER_LAYOUTS.get((side, fields[0]))
        if layout is None:
            return
        try:
            record = read_record(layout, fields[1:], version)
        except UnreadableMessage:
            # Another gateway's layout: what stands at fixed places is replaced nevertheless.
            return
        for name in _PERSONAL:
            if len(record.text(name)) > 2 and not record.text(name).isdigit():
                self._names.person(record.text(name))


def _parent_from_end(version: int) -> int:
    """How many fields follow the parent's permId in a completed order."""
    return 7 if version >= 170 else 2


def name_of(side: Side, fields: Sequence[str]) -> str:
    """What a message is called, for people."""
    kinds = REQUEST_KINDS if side == "client" else ANSWER_KINDS
    kind = kinds.get(int(fields[0]))
    return kind.name if kind else f"unknown {fields[0]}"
