"""The live client's names for what was recorded under others: request ids, order ids, references, its client id."""

from __future__ import annotations

from collections.abc import Sequence

from simulated_gateway.wire.answers import ANSWER_KINDS, id_at, order_places

from .asking import Asked
from .index import Recorded

_ERROR = 4


class Names:
    """What one live client calls things. Its orders keep their names when it connects again."""

    def __init__(self, recorded_client: int, words: dict[str, str]) -> None:
        """`words` are order references and OCA groups, by the recorded one; all clients may see each other's."""
        self._recorded_client = str(recorded_client)
        self.client_id = recorded_client
        self._orders: dict[str, str] = {}
        self._recorded_orders: dict[int, int] = {}
        self._words = words

    def knows_order(self, order_id: int) -> bool:
        """Whether the live client has placed an order under this id."""
        return order_id in self._recorded_orders

    def recorded_order(self, order_id: int) -> int:
        """The recorded id of an order that the live client names; its own where it was not placed here."""
        return self._recorded_orders.get(order_id, order_id)

    def matched(self, live: Asked, recorded: Recorded) -> None:
        """A live request asks what was recorded."""
        if live.order_id is not None and recorded.order_id is not None:
            self._orders[str(recorded.order_id)] = str(live.order_id)
            self._recorded_orders[live.order_id] = recorded.order_id
        for mine, theirs in ((live.reference, recorded.reference), (live.oca_group, recorded.oca_group)):
            if mine and theirs:
                self._words[theirs] = mine

    def translated(self, fields: Sequence[str], live_id: int | None, version: int) -> list[str]:
        """A recorded message as the live client would get it; `live_id` is its name for what is answered."""
        out = list(fields)
        kind = ANSWER_KINDS.get(int(fields[0]))
        place = id_at(kind, version) if kind else 0
        if 0 < place < len(out) and live_id is not None and not out[place].startswith("-"):
            out[place] = str(live_id)
        places = order_places(fields[0], version)
        if places is None:
            return out
        for at in (places.order_id, places.parent_id):
            if 0 < at < len(out):
                out[at] = self._orders.get(out[at], out[at])
        if 0 < places.client_id < len(out) and out[places.client_id] == self._recorded_client:
            out[places.client_id] = str(self.client_id)
        for at in (places.reference, places.oca_group):
            if 0 < at < len(out):
                out[at] = self._words.get(out[at], out[at])
        return out
