"""Whose answer a recorded message is: which request of the same connection it belongs to.

By its request id where it has one; by the order it is about; else by the oldest request of its kind that still waits
for its last answer, or the newest, whose news it is. What belongs to nobody is news of the session, asked by startApi.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from simulated_gateway.wire.answers import ANSWER_KINDS, OPEN_ORDER_REQUESTS, AnswerKind, id_at, order_places

from .asking import Asked

_OPEN_ORDERS = frozenset(OPEN_ORDER_REQUESTS)
_ERROR, _STATUS, _OPEN_ORDER, _EXECUTION, _COMMISSION = 4, 3, 5, 11, 59
_REMEMBERED = 50_000

KeyT = TypeVar("KeyT")


class _Memory(OrderedDict[KeyT, int], Generic[KeyT]):
    """The newest entries of a table, so that the longest recording needs no more memory."""

    def remember(self, key: KeyT, value: int) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > _REMEMBERED:
            self.popitem(last=False)


class Attribution:
    """The requests of one recorded connection, as far as messages may still belong to them."""

    def __init__(self) -> None:
        self._session = 0
        self._requests: _Memory[int] = _Memory()
        self._orders: _Memory[int] = _Memory()
        self._executions: _Memory[str] = _Memory()
        self._waiting: dict[str, deque[int]] = {}
        self._newest: dict[str, int] = {}

    def ask(self, number: int, request: Asked) -> None:
        """A request was sent; `number` names it."""
        if request.kind == "startApi":
            self._session = number
        if request.order_id is not None:
            self._orders.remember(request.order_id, number)
        elif request.req_id is not None:
            self._requests.remember(request.req_id, number)
        else:
            family = _family(request.kind)
            self._waiting.setdefault(family, deque(maxlen=_REMEMBERED)).append(number)
            self._newest[family] = number

    def knows_order(self, order_id: int) -> bool:
        """Whether the client has named this order before."""
        return order_id in self._orders

    def owner(self, fields: Sequence[str], version: int) -> int:
        """The number of the request a message of the gateway belongs to; 0 before there is any."""
        kind = ANSWER_KINDS.get(int(fields[0]))
        if kind is None:
            return self._session
        place = id_at(kind, version)
        if place and (named := self._requests.get(_number(fields, place))) is not None and kind.message_id != _ERROR:
            owner = named
        elif kind.message_id == _ERROR:
            number = _number(fields, place)
            owner = max(self._requests.get(number, 0), self._orders.get(number, 0)) if number > 0 else 0
        elif kind.answers:
            owner = self._in_turn(kind)
        elif kind.message_id == _COMMISSION:
            owner = self._executions.get(fields[2] if len(fields) > 2 else "", 0)
        else:
            owner = self._of_order(kind, fields, version)
        if kind.message_id == _EXECUTION and len(fields) > 14:
            self._executions.remember(fields[14], owner)
        return owner or self._session

    def _in_turn(self, kind: AnswerKind) -> int:
        family = _family(kind.answers[0])
        waiting = self._waiting.get(family)
        if not waiting:
            return self._session if kind.ends else self._newest.get(family, 0)
        return waiting.popleft() if kind.ends else waiting[0]

    def _of_order(self, kind: AnswerKind, fields: Sequence[str], version: int) -> int:
        places = order_places(fields[0], version)
        order = self._orders.get(_number(fields, places.order_id), 0) if places else 0
        if kind.message_id in {_STATUS, _OPEN_ORDER} and (waiting := self._waiting.get(_family("reqOpenOrders"))):
            # Part of the list, unless the client spoke of this order after it had asked for the list.
            return max(order, waiting[0])
        return order


def _family(kind: str) -> str:
    return "open orders" if kind in _OPEN_ORDERS else kind


def _number(fields: Sequence[str], place: int) -> int:
    text = fields[place] if 0 < place < len(fields) else ""
    return int(text) if text.removeprefix("-").isdigit() else 0
