"""The one lever of the gateway's control port that a session of a foreign client pulls."""

import json
from urllib.request import Request, urlopen


def move_price(control_port: int, con_id: int, price: str) -> None:
    """Let the market of one contract be here from now on."""
    body = json.dumps({"con_id": con_id, "price": price}).encode()
    with urlopen(Request(f"http://127.0.0.1:{control_port}/move_price", data=body)) as answer:
        answer.read()
