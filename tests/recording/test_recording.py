"""What passes between a client and a gateway is written down, changes nothing, and shows nobody's name."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import stat
import struct
import sys
from pathlib import Path

import pytest

from simulated_gateway import SimulatedGateway
from simulated_gateway.recording.lines import UnreadableRecording, lines_of, read_head
from simulated_gateway.recording.tape import Tape
from tests.simulated_gateway.clients import AAPL, RawClient, connected, raw

from .conftest import at, recorded, text_of
from .story import story


async def test_every_byte_passes_as_it_came_in_both_directions(tape_file: Path) -> None:
    heard = bytearray()
    answer = b"\0\0\0\x0f178\0" + bytes(range(256)) * 300 + b"\xff\xff\xff\xff no frame at all"

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        while chunk := await reader.read(1000):
            heard.extend(chunk)
        writer.close()

    server = await asyncio.start_server(gateway, "127.0.0.1", 0)
    async with server, recorded(server.sockets[0].getsockname()[1], tape_file) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        said = b"API\0\0\0\0\x09v157..178" + struct.pack(">I", 70_000) + b"\x07\0" * 35_000 + b"cut sho"
        writer.write(said)
        assert await asyncio.wait_for(reader.readexactly(len(answer)), 5) == answer
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
    assert bytes(heard) == said


async def test_accounts_permids_names_and_references_stand_nowhere_in_the_file(
    gateway: SimulatedGateway, tape_file: Path
) -> None:
    async with recorded(gateway.port, tape_file, words=("APPLE INC",)) as proxy:
        async with connected(gateway, 7) as other:
            told_there = await story(other)
        proxied = at(proxy.port)
        async with connected(proxied, 1) as ib:
            told = await story(ib)
        masked = proxy.masked
    text = text_of(tape_file)
    secrets = {"alice-1", "alice-2", "APPLE INC", *told["accounts"], *map(str, told["permIds"] + told_there["permIds"])}
    assert [secret for secret in secrets if secret in text] == []
    assert masked == {"account numbers": 2, "permIds": 4, "order references": 2, "names": 1}
    accounts = set(re.findall(r"DU\d+", text))
    assert len(accounts) == 2
    assert all(len(account) == len("DU1234567") for account in accounts)
    # The same order is recognised in all four messages that name it.
    placed = [line.fields for line in lines_of(tape_file) if line.side == "client" and line.fields[:1] == ("3",)]
    reference = next(field for field in placed[-1] if field.startswith("ref-"))
    kinds = {line.fields[0] for line in lines_of(tape_file) if reference in line.fields}
    assert kinds == {"3", "5", "11", "101"}


async def test_a_name_in_a_free_text_is_replaced_too(gateway: SimulatedGateway, tape_file: Path) -> None:
    async with recorded(gateway.port, tape_file, words=("jane.doe",)) as proxy, raw(gateway) as watcher:
        client = await RawClient.started(proxy.port, client_id=3)
        gateway.control.send_notice(2100, "API client of jane.doe (DU1234567, jane@example.com) has been unsubscribed")
        assert "jane.doe (DU1234567" in (await client.message(4))[4]
        assert "jane.doe (DU1234567" in (await watcher.message(4))[4]
        await client.close()
    text = text_of(tape_file)
    assert not re.search("jane|DU1234567|example", text)
    assert re.search(r"API client of person-\w{8} \(DU\d{7}, person-\w{8}\) has been unsubscribed", text)


async def test_order_traffic_can_be_left_out_and_the_lists_then_end_empty(
    gateway: SimulatedGateway, tape_file: Path
) -> None:
    async with recorded(gateway.port, tape_file, orders=False) as proxy, connected(at(proxy.port), 1) as ib:
        await story(ib)
    assert read_head(tape_file).orders is False
    lines = list(lines_of(tape_file))
    from_gateway = [line.fields[0] for line in lines if line.side == "gateway" and line.fields]
    assert {"3", "5", "11", "59", "101"} & set(from_gateway) == set()
    assert {"53", "55", "102", "61", "17", "10"} <= set(from_gateway)
    assert {"3", "4"} & {line.fields[0] for line in lines if line.side == "client" and line.fields} == set()
    assert [line.fields for line in lines if line.fields[:1] == ("4",) and line.fields[3] == "202"] == []


async def test_messages_that_came_in_one_piece_have_one_time(gateway: SimulatedGateway, tape_file: Path) -> None:
    async with recorded(gateway.port, tape_file) as proxy:
        client = await RawClient.started(proxy.port)
        await client.close()
    times = [line.at for line in lines_of(tape_file) if line.fields[:1] in {("15",), ("9",), ("4",)}]
    assert len(times) == 6
    assert times == sorted(times)
    assert len(set(times)) < 6


async def test_a_gateway_that_hangs_up_hangs_up_on_the_client(gateway: SimulatedGateway, tape_file: Path) -> None:
    async with recorded(gateway.port, tape_file) as proxy:
        client = await RawClient.started(proxy.port)
        gateway.control.drop_links()
        assert await client.at_end()
        await client.close()
    assert [line.closed for line in lines_of(tape_file) if line.closed] == ["gateway"]


async def test_a_client_that_breaks_off_is_gone_for_the_gateway(gateway: SimulatedGateway, tape_file: Path) -> None:
    async with recorded(gateway.port, tape_file) as proxy:
        client = await RawClient.started(proxy.port)
        assert len(gateway.control.connections()) == 1
        await client.close()
        async with asyncio.timeout(5):
            while gateway.control.connections():  # noqa: ASYNC110 - the gateway tells nobody
                await asyncio.sleep(0.005)
    assert [line.closed for line in lines_of(tape_file) if line.closed] == ["client"]


async def test_without_a_gateway_the_client_is_refused_and_may_come_again(tape_file: Path) -> None:
    async with recorded(1, tape_file) as proxy:
        for _ in range(2):
            client = await RawClient.connect(proxy.port)
            assert await client.at_end()
            await client.close()
    assert [line.closed for line in lines_of(tape_file) if line.closed] == ["gateway", "gateway"]


async def test_the_file_is_its_owners_alone_and_nothing_is_overwritten(tape_file: Path) -> None:
    tape = Tape(tape_file)
    await tape.close()
    assert stat.S_IMODE(os.stat(tape_file).st_mode) == 0o600  # noqa: PTH116
    with pytest.raises(FileExistsError):
        Tape(tape_file)


async def test_a_full_disk_ends_the_recording_and_not_the_conversation(
    gateway: SimulatedGateway, tape_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))"
    program = f"{limited}\nimport sys; from simulated_gateway.__main__ import main; sys.exit(main())"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, "record", "--listen", "0", "--out", str(tape_file)),
        *("--upstream", f"127.0.0.1:{gateway.port}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    async with asyncio.timeout(30):
        line = await process.stdout.readline()
        async with connected(at(int(line.rsplit(b":")[-1])), 1) as ib:
            await story(ib)
        process.send_signal(signal.SIGTERM)
        _, complaint = await process.communicate()
    assert b"cannot be written any more, the conversation goes on" in complaint
    assert process.returncode == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_command_with_all_it_heard_in_the_file(
    gateway: SimulatedGateway, tape_file: Path, how: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulated_gateway", "record", "--listen", "0", "--out", str(tape_file)),
        *("--upstream", f"127.0.0.1:{gateway.port}", "--mask", "jane.doe"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    async with asyncio.timeout(30):
        line = await process.stdout.readline()
        client = await RawClient.started(int(line.rsplit(b":")[-1]))
        client.send(9, 8, 5, AAPL, "", "", "", "0.0", "", "", "", "", "", "", "", 0, "", "", "")
        await client.message(52)
        process.send_signal(how)
        said, complaint = await process.communicate()
        assert await client.at_end()
        await client.close()
    assert process.returncode == 0
    assert b"Traceback" not in complaint
    assert b"masked: 2 account numbers, 0 permIds, 0 order references, 1 names" in said
    *_, ending, last = text_of(tape_file).splitlines()
    assert json.loads(ending)["is"] == "contractDetailsEnd"
    assert json.loads(last)["closed"] == "recorder"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"recording":2,"began":"2026-01-01T00:00:00+00:00"}', "\0\0"])
def test_a_file_that_is_no_recording_of_this_format_is_refused(tape_file: Path, text: str) -> None:
    tape_file.write_text(text + "\n")
    with pytest.raises(UnreadableRecording):
        read_head(tape_file)
