"""A real headless Chromium, spoken to over the DevTools protocol's pipe: no driver, no port."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 40

DESKTOP, PHONE = (1280, 900), (390, 844)


def program() -> str:
    """Where Chromium is; skips the test where there is none."""
    given = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else NAMES
    found = next((path for name in given if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"NO CHROMIUM ({', '.join(given)}): the status page was NOT looked at in a browser")
    return found


@dataclass
class Tab:
    """One tab."""

    _send: Any
    complaints: list[str] = field(default_factory=list)
    """What the browser logged: blocked styles and scripts, failed loads."""

    async def open(self, url: str, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
        """Load a page at this size, in light or dark."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self._send("Emulation.setDeviceMetricsOverride", metrics)
        feature = [{"name": "prefers-color-scheme", "value": scheme}]
        await self._send("Emulation.setEmulatedMedia", {"features": feature})
        await self._send("Page.navigate", {"url": url})
        async with asyncio.timeout(SECONDS):
            while not await self.ask("document.readyState === 'complete' && location.href !== 'about:blank'"):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)

    async def ask(self, expression: str) -> Any:
        """What a JavaScript expression gives."""
        answer = await self._send("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def texts(self, selector: str) -> list[str]:
        """The visible text of each element that matches."""
        found: list[str] = await self.ask(
            f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)"
        )
        return found

    async def colour(self, selector: str) -> str:
        """The background of the first element that matches, as the browser painted it."""
        return str(await self.ask(f"getComputedStyle(document.querySelector({json.dumps(selector)})).backgroundColor"))

    async def picture(self, file: Path) -> None:
        """The whole page as a PNG."""
        shot = await self._send("Page.captureScreenshot", {"captureBeyondViewport": True})
        await asyncio.to_thread(file.write_bytes, b64decode(shot["data"]))


@asynccontextmanager
async def tab(folder: Path) -> AsyncIterator[Tab]:
    """A tab of a fresh browser, closed with it."""
    to_browser, our_end = os.pipe()
    our_ear, from_browser = os.pipe()
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-extensions"]
    # The protocol's two pipes are file descriptors 3 and 4 by its own convention.
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}',
        program(), *flags, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}", "about:blank",
        pass_fds=(to_browser, from_browser), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_browser)
    os.close(from_browser)
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(our_ear, "rb"))
    waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
    opened = Tab(None)
    session: dict[str, str] = {}

    async def send(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        number = len(waiting) + 1
        waiting[number] = loop.create_future()
        message = {"id": number, "method": method, "params": params or {}, **session}
        await asyncio.to_thread(os.write, our_end, json.dumps(message).encode() + b"\0")
        async with asyncio.timeout(SECONDS):
            return await waiting[number]

    async def listen() -> None:
        while True:
            message = json.loads((await reader.readuntil(b"\0"))[:-1])
            if (number := message.get("id")) is not None and not waiting[number].done():
                assert "error" not in message, message
                waiting[number].set_result(message["result"])
            elif message.get("method") == "Log.entryAdded":
                opened.complaints.append(message["params"]["entry"]["text"])

    listening = asyncio.create_task(listen())
    try:
        target = await send("Target.createTarget", {"url": "about:blank"})
        attached = await send("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        session["sessionId"] = attached["sessionId"]
        for domain in ("Page", "Log"):
            await send(f"{domain}.enable")
        opened._send = send
        yield opened
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        transport.close()
        os.close(our_end)
        if process.returncode is None:
            process.kill()
            await process.wait()
