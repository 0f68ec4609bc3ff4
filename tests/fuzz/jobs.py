"""Jobs as nobody should send them: every one is answered, none ends in a defect, none trades what it does not say."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.contract import OPERATIONS, Effect
from shared.errors import Internal
from simulated_gateway import GatewayConfig

from .lone_worker import BEGAN, SESSION, LoneWorker, signed

_AT_ONCE = 2_000
"""Jobs of one property: it remembers all that it has tried, and takes ever longer to think of another."""

DEADLINE_MS = int(BEGAN.timestamp() * 1000) + 10**9
WORKERS_OWN = [name for name, operation in OPERATIONS.items() if operation.marker.answered_by == "worker"]

odd_texts = st.sampled_from(
    [
        "",
        " ",
        "\0",
        "NaN",
        "Infinity",
        "-1",
        "1e400",
        "AAPL",
        "BRK.B",
        "../..",
        "'; DROP",
        "\u202e",
        "x" * 3000,
        "U1234567",
    ]
)
numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.decimals().map(str), st.sampled_from([0, -0.0, 1e-300, 1e300, 1])
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, odd_texts, st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
sensible = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.sampled_from(["AAPL", "MSFT", "NOSUCH", "BRK B", ""]) | values,
        "action": st.sampled_from(["BUY", "SELL", "buy"]) | values,
        "quantity": st.sampled_from([1, "2", 0, -5, 0.5]) | numbers,
        "limit_price": st.sampled_from([100, "99.5", 0]) | numbers,
        "stop_price": numbers,
        "account": st.sampled_from(["DU1234567", "U1", ""]) | values,
        "client_order_id": st.text(max_size=70) | values,
        "order_id": st.sampled_from(["perm:1", "id:1", 5]) | values,
        "duration": odd_texts,
        "bar_size": odd_texts,
        "pattern": st.text(max_size=30) | values,
        "cursor": odd_texts | values,
        "con_id": numbers,
        "tif": odd_texts,
    },
)
arguments = st.one_of(sensible, st.dictionaries(st.text(max_size=12), values, max_size=5))


def mostly(good: Any, *odd: Any) -> st.SearchStrategy[Any]:
    """What gets past the first look, so that what lies behind it is reached too."""
    return st.sampled_from([*[good] * 20, *odd])


envelopes = st.fixed_dictionaries(
    {
        "v": mostly(1, 2, 0, "1", None),
        "session": mostly(SESSION, "other"),
        "operation": st.sampled_from(WORKERS_OWN * 3 + ["", "get_status", "nothing"]),
        "arguments": arguments,
        "caller": mostly("local", "", "x" * 3000, "\u202e", None),
        "scopes": mostly(["read", "trade"], ["read"], [], ["all"], "trade"),
        "deadline_ms": mostly(DEADLINE_MS, 1, 2**41, -5, "soon"),
        "request_id": mostly("r-1", "", "\0", "x" * 65),
        "reply_to": mostly("nobody", "", "a b"),
    },
)
texts = envelopes.map(lambda envelope: json.dumps(envelope, default=str))
bodies = st.one_of(
    texts,
    texts,
    texts,
    texts,
    st.text(max_size=200) | st.none() | st.integers() | st.binary(max_size=50),
    values.map(lambda value: json.dumps(value, default=str)),
    st.sampled_from(['{"v":1,' + '"a":[' * 3000, '{"v":1,"arguments":"' + "x" * 70_000 + '"}']),
)


class Fuzzed:
    """What came of the jobs so far."""

    def __init__(self, lone: LoneWorker) -> None:
        self._lone = lone
        self.jobs = 0
        self.answers: Counter[str] = Counter()

    def put(self, body: Any, *, right_signature: bool, trades: bool) -> None:
        """Put one job, and hold the worker to what it must do whatever the job is."""
        self.jobs += 1
        before = len(self._lone.placed())
        signature = signed(body) if isinstance(body, str) and right_signature else "0" * 64
        answer = self._lone.run(self._lone.put(body, signature, trades=trades))
        code = answer["error"]["code"] if "error" in answer else "result"
        self.answers[code] += 1
        assert code != Internal.code, (answer, body)
        assert self._lone.lives
        assert not self._lone.crashes, self._lone.crashes
        placed = len(self._lone.placed()) - before
        assert placed <= int(right_signature and trades and _may_trade(body)), (answer, body)


def _may_trade(body: Any) -> bool:
    """Whether a job says in so many words that something is to be traded."""
    try:
        envelope = json.loads(body)
        operation = OPERATIONS.get(envelope["operation"])
        return operation is not None and operation.marker.effect is Effect.TRADES and "trade" in envelope["scopes"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def fuzz(count: int, *, derandomize: bool) -> Counter[str]:
    """Put so many jobs; how many got which answer. Raises what a job brings out, made as small as can be."""
    with LoneWorker(GatewayConfig(market_moves=False, precaution_value=None)) as lone:
        lone.run(lone.ready())
        fuzzed = Fuzzed(lone)
        while fuzzed.jobs < count:
            _some(fuzzed, min(count - fuzzed.jobs, _AT_ONCE), derandomize=derandomize)
        assert "result" in lone.run(lone.ask("get_positions"))
        return fuzzed.answers


def _some(fuzzed: Fuzzed, count: int, *, derandomize: bool) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=derandomize,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(body=bodies, right_signature=mostly(True, False), trades=st.booleans())
    def one_job(body: Any, right_signature: bool, trades: bool) -> None:
        fuzzed.put(body, right_signature=right_signature, trades=trades)

    one_job()
