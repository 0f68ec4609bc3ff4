"""The status page tells a person, at a glance and on a phone, what matters; it is looked at in a real Chromium."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_frontend.keys import KeyRing
from shared.contract import Scope
from shared.contract.orders import OrderState
from shared.contract.status import LinkState
from shared.redis_store import Store
from tests.conftest import free_port
from tests.frontend.conftest import Served, legacy_call, serve
from tests.frontend.standin import SECRET

from .browser import DESKTOP, PHONE, Tab, tab
from .scenes import KEYS, Scene

SHOTS = Path(os.environ["PAGE_SHOTS"]) if os.environ.get("PAGE_SHOTS") else None
"""Where pictures of every scene are kept for a person to look at; by default nowhere."""

RED, BLUE = "rgb(176, 0, 32)", "rgb(29, 95, 168)"


@pytest.fixture
async def scene(valkey: str) -> AsyncIterator[Scene]:
    store = Store.at(valkey)
    yield Scene(store)
    await store.close()


async def look(opened: Tab, served: Served, name: str) -> None:
    """Open the page on the desktop and on a phone, light and dark; nothing is cut off and nothing blocked."""
    for size, word in ((PHONE, "phone"), (DESKTOP, "desktop")):
        for scheme in ("dark", "light"):
            await opened.open(served.url + "/", size, scheme)
            assert await opened.ask("document.documentElement.scrollWidth <= innerWidth"), f"{word} scrolls sideways"
            if SHOTS is not None:
                await opened.picture(SHOTS / f"{name}-{word}-{scheme}.png")
    assert opened.complaints == []


@asynccontextmanager
async def looked_at(valkey: str, folder: Path, name: str, **settings: Any) -> AsyncIterator[Tab]:
    async with tab(folder) as opened, serve(valkey, **settings) as served:
        await look(opened, served, name)
        yield opened


async def test_paper_and_ready_is_calm_and_complete(valkey: str, scene: Scene, tmp_path: Path) -> None:
    await scene.worker()
    await scene.an_hour()
    await scene.link_story()
    await scene.orders()
    async with looked_at(valkey, tmp_path, "paper-ready") as page:
        assert await page.colour("header") == BLUE
        assert (await page.texts("header strong")) == ["PAPER"]
        assert (await page.texts(".verdict b")) == ["Ready"]
        assert await page.texts(".alarm") == []
        assert len(await page.texts("figure svg")) == 6
        assert await page.ask("document.querySelectorAll('.plot rect').length") > 150
        states = await page.texts("span.state")
        assert set(states[:2]) == {"WORKING", "PARTIALLY FILLED"}
        assert set(states[2:]) == {"FILLED", "REJECTED", "CANCELLED"}
        assert "link lost" in " ".join(await page.texts("section"))
        assert "DU1234567" not in await page.ask("document.documentElement.outerHTML")


async def test_live_is_red(valkey: str, scene: Scene, tmp_path: Path) -> None:
    await scene.worker(trading_mode="live", accounts=["U1234567"])
    await scene.an_hour()
    async with looked_at(valkey, tmp_path, "live") as page:
        assert await page.colour("header") == RED
        assert await page.texts("header strong") == ["LIVE"]
        assert await page.texts(".lock") == []


@pytest.mark.parametrize(("mode", "colour"), [("live", RED), ("paper", BLUE)])
async def test_readonly_of_either_process_is_marked(
    valkey: str, scene: Scene, tmp_path: Path, mode: str, colour: str
) -> None:
    await scene.worker(trading_mode=mode, readonly=mode == "live")
    async with looked_at(valkey, tmp_path, f"readonly-{mode}", readonly=mode == "paper") as page:
        assert await page.colour("header") == colour
        assert (await page.texts(".lock"))[0].startswith("READONLY")


async def test_an_unknown_order_stands_on_top_and_says_what_to_do(valkey: str, scene: Scene, tmp_path: Path) -> None:
    await scene.worker()
    await scene.an_hour()
    await scene.link_story()
    await scene.order("lost-one", OrderState.UNKNOWN, message="the gateway did not answer in time")
    await scene.orders()
    async with looked_at(valkey, tmp_path, "unknown-order") as page:
        assert (await page.texts("span.state"))[0] == "UNKNOWN"
        assert await page.colour(".alarm") == RED
        assert "python -m broker_worker resolve" in (await page.texts(".alarm"))[0]


async def test_a_dead_worker_is_no_ready_one(valkey: str, scene: Scene, tmp_path: Path) -> None:
    await scene.link_story()
    await scene.worker(running=False, link=LinkState.READY)
    await scene.orders()
    async with looked_at(valkey, tmp_path, "worker-down") as page:
        assert await page.texts(".verdict b") == ["Not ready"]
        assert "No worker is running" in (await page.texts(".verdict"))[0]
        assert "IS DOWN" in " ".join(await page.texts("section"))


async def test_nothing_at_all_is_said_to_be_unknown(tmp_path: Path) -> None:
    async with looked_at(f"redis://127.0.0.1:{free_port()}/0", tmp_path, "redis-away") as page:
        assert await page.texts("header strong") == ["MODE UNKNOWN"]
        assert "Redis cannot be reached" in (await page.texts(".verdict"))[0]
        assert "Not known" in (await page.texts("section"))[0]


# --- without a browser


async def test_what_agents_write_is_text(valkey: str, scene: Scene) -> None:
    await scene.worker()
    await scene.order("<script>alert(1)</script>", OrderState.WORKING, message='"><img src=x onerror=alert(2)>')
    async with serve(valkey) as served:
        text = (await served.get("/")).text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script" not in text
    assert "<img" not in text


async def test_the_page_loads_runs_and_frames_nothing(valkey: str, scene: Scene) -> None:
    await scene.worker()
    async with serve(valkey) as served:
        answer = await served.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert re.findall(r"(?:src|href)=\"([^\"]*)\"", answer.text) == ["data:,"]
    assert len(answer.content) < 40_000


async def test_every_frontend_that_runs_is_listed_and_none_that_ended(valkey: str, scene: Scene) -> None:
    await scene.worker()
    async with serve(valkey) as served:
        async with serve(valkey, readonly=True):
            await served.get("/")
            assert (await served.get("/")).text.count(">frontend ") == 2
        assert (await served.get("/")).text.count(">frontend ") == 1


def basic(key: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"anybody:{key}".encode()).decode()}


@pytest.fixture
async def ring(scene: Scene) -> KeyRing:
    return KeyRing(scene.store, KEYS, SECRET.encode())


async def test_where_keys_are_wanted_the_page_wants_one_too(valkey: str, scene: Scene, ring: KeyRing) -> None:
    await scene.worker()
    await scene.orders()
    key = await ring.add("viewer", scopes=frozenset({Scope.READ}))
    blind = await ring.add("blind", scopes=frozenset({Scope.TRADE}))
    assert key is not None
    assert blind is not None
    async with serve(valkey, authentication="keys") as served:
        nobody = await served.get("/")
        assert nobody.status_code == 401
        assert nobody.headers["www-authenticate"].startswith("Basic ")
        assert "PAPER" not in nobody.text
        assert (await served.get("/", **basic(key + "x"))).status_code == 401
        assert (await served.get("/", authorization="Basic !")).status_code == 401
        assert (await served.get("/", **basic(blind))).status_code == 403
        for way in (basic(key), {"authorization": f"Bearer {key}"}):
            seen = await served.get("/", **way)
            assert seen.status_code == 200
            assert "Shown to viewer" in seen.text
            assert "hedge-7" in seen.text
        # What a browser sends by itself opens the page and nothing else.
        assert (await served.post(legacy_call("get_status", {}), **basic(key))).status_code == 401


async def test_a_key_of_one_account_sees_no_other(valkey: str, scene: Scene, ring: KeyRing) -> None:
    await scene.worker(accounts=["DU1234567", "DU7654321"])
    await scene.order("ours", OrderState.WORKING)
    await scene.order("theirs", OrderState.WORKING, account="DU7654321")
    key = await ring.add("narrow", scopes=frozenset({Scope.READ}), accounts=frozenset({"DU1234567"}))
    assert key is not None
    async with serve(valkey, authentication="keys") as served:
        text = (await served.get("/", **basic(key))).text
    assert "desk: ours" in text
    assert "theirs" not in text
    assert "DU****321" not in text


async def test_a_live_account_is_shown_to_nobody_without_a_key(valkey: str, scene: Scene) -> None:
    await scene.worker(trading_mode="live", accounts=["U1234567"])
    await scene.order("real", OrderState.WORKING, account="U1234567")
    async with serve(valkey) as served:
        text = (await served.get("/")).text
    assert ">LIVE<" in text
    assert "desk: real" not in text
    assert "U****567" not in text


async def test_a_foreign_host_sees_nothing(valkey: str) -> None:
    async with serve(valkey) as served:
        assert (await served.get("/", host="evil.example")).status_code == 421
