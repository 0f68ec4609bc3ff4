"""What a client sees of everything that can go wrong."""

from __future__ import annotations

import re

import pytest

from mcp_frontend.callers import Caller
from mcp_frontend.errors import TRANSLATED, line, seen_by_client
from shared.errors import BY_CODE, Internal, from_wire
from tests.frontend.conftest import Served, legacy_call, serve, text_of
from tests.frontend.standin import StandInWorker

SHAPE = re.compile(r"[A-Z_]+: .+\. Do: .+\. Retry: .+\.", re.DOTALL)


@pytest.mark.parametrize("code", BY_CODE)
@pytest.mark.parametrize("fact", ["the fact", "the fact.", "x" * 5_000, "two\nlines\tand \ud800 half a character"])
def test_every_error_is_one_line_of_the_agreed_shape(code: str, fact: str) -> None:
    shown = line(seen_by_client(BY_CODE[code](fact), "id"))
    assert SHAPE.fullmatch(shown)
    assert shown.startswith(f"{code}: ")
    assert len(shown) < 500
    assert "\n" not in shown
    shown.encode()


@pytest.mark.parametrize("error", [cls("from below") for cls in TRANSLATED])
def test_known_failures_below_us_are_told_in_our_words(error: Exception) -> None:
    seen = seen_by_client(error, "id")
    assert not isinstance(seen, Internal)
    assert "from below" not in line(seen)


def test_anything_else_is_internal_and_tells_the_request_id_alone() -> None:
    shown = line(seen_by_client(KeyError("password=hunter2"), "0123abcd"))
    assert "0123abcd" in shown
    assert "hunter2" not in shown
    assert shown.startswith("INTERNAL: ")


async def test_a_workers_error_reaches_the_client_as_it_is(served: Served, worker: StandInWorker) -> None:
    code = ""

    async def refuse(*_: object) -> str:
        raise from_wire({"code": code, "fact": "so it is", "action": "do this", "retry": "after 7 s"})

    worker.answer = refuse
    async with served.client() as client:
        for code in BY_CODE:
            result = await client.call_tool("get_positions", raise_on_error=False)
            assert result.is_error
            assert text_of(result) == f"{code}: so it is. Do: do this. Retry: after 7 s."


async def test_a_defect_of_ours_leaks_nothing_and_is_logged_with_its_traceback(
    valkey: str, caplog: pytest.LogCaptureFixture
) -> None:
    def defective() -> Caller:
        raise RuntimeError("secret of the house")

    async with serve(valkey, identify=defective) as served:
        result = await served.call("get_positions")
        raw = await served.post(legacy_call("get_positions", {}))
    assert result.is_error
    assert text_of(result).startswith("INTERNAL: this server failed at request ")
    assert "secret" not in text_of(result) + raw.text
    request_id = text_of(result).split("request ")[1].split(".")[0]
    (record,) = [
        record for record in caplog.records if getattr(record, "request_id", "") == request_id and record.exc_info
    ]
    assert "secret of the house" in str(record.exc_info)


async def test_an_answer_nobody_can_read_is_internal(served: Served, worker: StandInWorker) -> None:
    async def garbled(*_: object) -> str:
        return '{"result":{"half'

    worker.answer = garbled
    result = await served.call("get_positions")
    assert text_of(result).startswith("INTERNAL: ")


async def test_each_call_is_one_log_line_with_its_outcome(
    served: Served, worker: StandInWorker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mcp_frontend")
    await served.call("get_positions", {"account": "DU1234567"})
    await served.call("get_positions", {"account": "?"})
    lines = [record for record in caplog.records if record.name == "mcp_frontend.calls"]
    assert [(vars(record)["tool"], vars(record)["outcome"], vars(record)["caller"]) for record in lines] == [
        ("get_positions", "OK", "local"),
        ("get_positions", "INVALID_ARGUMENT", "local"),
    ]
    assert vars(lines[0])["request_id"] == worker.envelopes[0].request_id
    assert all(vars(record)["duration_ms"] >= 0 for record in lines)
