"""What the gateway has counted since it started."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Messages and errors by kind."""

    #: Messages from clients, by the request's name.
    received: Counter[str] = field(default_factory=Counter[str])
    #: The same by client id.
    received_from: dict[int, Counter[str]] = field(default_factory=dict[int, Counter[str]])
    #: Errors, warnings and notices sent, by code.
    errors: Counter[int] = field(default_factory=Counter[int])
    #: Limits that clients have broken, by the code of their error.
    violations: Counter[int] = field(default_factory=Counter[int])
    #: The most market data lines at once.
    most_lines: int = 0
    #: The most messages of one client within a second.
    most_messages_per_second: int = 0

    def receive(self, client_id: int, name: str) -> None:
        """Count one message from a client."""
        self.received[name] += 1
        self.received_from.setdefault(client_id, Counter[str]())[name] += 1
