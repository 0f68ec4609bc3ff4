"""What the demo says when it is ready."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.contract.status import BridgeStatus


def state(status: BridgeStatus, price: Mapping[str, Any] | None) -> str:
    """The state in one sentence: mode, accounts, orders, data."""
    worker = status.worker
    mode = worker.trading_mode if worker else "paper"
    accounts = ", ".join(worker.accounts) if worker else "unknown"
    orders = "READONLY, orders are refused" if status.readonly else "orders are accepted"
    data = f"; {price['data_kind']} data, AAPL {price['last']} {price['currency']}" if price else ""
    return f"{mode} trading at the simulated gateway, account {accounts}; {orders}{data}"


def client_lines(url: str) -> list[tuple[str, str]]:
    """For each common client what to paste, and where that is not the shell."""
    cursor = json.dumps({"mcpServers": {"ibkr": {"url": url}}})
    code = json.dumps({"name": "ibkr", "type": "http", "url": url})
    return [
        ("Claude Code", f"claude mcp add --transport http ibkr {url}"),
        ("Codex CLI", f"codex mcp add ibkr --url {url}"),
        ("Gemini CLI", f"gemini mcp add --transport http ibkr {url}"),
        ("VS Code", f"code --add-mcp '{code}'"),
        ("Cursor", f"{cursor}   in ~/.cursor/mcp.json"),
    ]


def ready(
    urls: Sequence[str], status: BridgeStatus, price: Mapping[str, Any] | None, control: str, logs: Path, seconds: float
) -> str:
    """Everything a newcomer needs next."""
    lines = [f"READY after {seconds:.0f} s", "", *(f"  MCP endpoint   {url}" for url in urls)]
    lines += [f"  status page    {urls[0].removesuffix('mcp')}", f"  state          {state(status, price)}"]
    lines += ["  money, prices and fills are invented; nothing reaches a broker, and orders fill at any hour"]
    lines += ["", "Point a client at it:"]
    lines += [f"  {name:<12} {text}" for name, text in client_lines(urls[0])]
    lines += ["", f"The gateway's levers  {control}   (curl -X POST {control}/drop_links cuts the link)"]
    lines += [f"Logs                  {logs}", "Ctrl-C stops everything."]
    return "\n".join(lines)
