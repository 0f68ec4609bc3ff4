"""ib_async's decoder, which tells of messages that it could not read; its own only logs them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from ib_async.decoder import Decoder

from broker_worker.gateway.requests import Wanted

if TYPE_CHECKING:
    from broker_worker.gateway.callbacks import Callbacks

log = logging.getLogger(__name__)

_PARTS = {
    "10": Wanted.CONTRACTS,
    "18": Wanted.CONTRACTS,
    "75": Wanted.OPTION_CLASSES,
    "63": Wanted.ACCOUNT_VALUES,
    "61": Wanted.POSITIONS,
    "5": Wanted.OPEN_ORDERS,
    "101": Wanted.COMPLETED_ORDERS,
    "11": Wanted.EXECUTIONS,
}
"""Messages that are one part of an answer. Source: TWS API, message ids of ``EDecoder``."""
_LAST = {
    "52": Wanted.CONTRACTS,
    "76": Wanted.OPTION_CLASSES,
    "64": Wanted.ACCOUNT_VALUES,
    "55": Wanted.EXECUTIONS,
    "17": Wanted.BARS,
    "79": Wanted.SYMBOLS,
    "49": Wanted.TIME,
}
"""Messages that end an answer, or are all of it."""

_READERS: dict[type, Callable[[str], Any]] = {
    str: str,
    int: lambda text: int(text or 0),
    float: lambda text: float(text or 0),
    bool: lambda text: bool(int(text or 0)),
}


class TellingDecoder(Decoder):
    """Hands each message to the callbacks; one that cannot be read, or that they refuse, to their ``missed``."""

    def __init__(self, callbacks: Callbacks) -> None:
        super().__init__(cast("Any", callbacks), 0)
        self._callbacks = callbacks

    def wrap(
        self,
        methodName: str,  # noqa: N803 - the library's name
        types: Sequence[type],
        skip: int = 2,
    ) -> Callable[..., None]:
        """A reader of a message of plain fields; unlike the library's it lets its errors out."""
        method: Callable[..., None] | None = getattr(self.wrapper, methodName, None)

        def read(fields: list[str]) -> None:
            if method is not None:
                values = [_READERS[kind](text) for kind, text in zip(types, fields[skip:], strict=False)]
                method(*values)

        return read

    def historicalData(self, fields: list[str]) -> None:  # noqa: N802 - the library's name
        """Bars: as many as are announced, where the library takes what there is."""
        _exactly(fields, 5 + 8 * int(fields[4]))
        cast("Any", super()).historicalData(fields)

    def securityDefinitionOptionParameter(self, fields: list[str]) -> None:  # noqa: N802 - the library's name
        """Expirations and strikes: as many as are announced."""
        expirations = int(fields[6])
        _exactly(fields, 8 + expirations + int(fields[7 + expirations]))
        cast("Any", super()).securityDefinitionOptionParameter(fields)

    def interpret(self, fields: list[str]) -> None:
        """Read one message and hand it on."""
        number = fields[0] if fields else ""
        try:
            handler = cast("Any", self.handlers)[int(number)]
            handler(fields[:])
        except Exception as error:
            log.error("a message was dropped (%s: %s): %.500s", type(error).__name__, error, ",".join(fields))  # noqa: TRY400
            if not number.isdigit():
                self._callbacks.missed(None)
            elif wanted := _PARTS.get(number) or _LAST.get(number):
                self._callbacks.missed(wanted, last=number in _LAST)


def _exactly(fields: Sequence[str], count: int) -> None:
    if len(fields) != count:
        raise ValueError(f"{len(fields)} fields, announced are {count}")
