"""README's tables and .env.example: ``python -m docs.tables --write`` brings them up to date."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from broker_worker.settings import WorkerSettings
from docs.compose_variables import COMPOSE_VARIABLES, compose_table
from mcp_frontend.settings import FrontendSettings
from shared.contract import OPERATIONS, Effect, Operation
from shared.contract.arguments import ArgumentGroup, ContractQuery, OrderTerms, UnderlyingQuery
from shared.settings import BridgeSettings, table

ROOT = Path(__file__).resolve().parent.parent

GROUPS: dict[type[ArgumentGroup], str] = {
    ContractQuery: "CONTRACT",
    UnderlyingQuery: "UNDERLYING",
    OrderTerms: "TERMS",
}
"""Arguments that many tools share, and what the table calls them."""

BY_DEPLOYMENT = ("redis_url", "server_host", "ibkr_host", "state_dir", "shutdown_notice_seconds")
"""Left empty in .env.example: where a process finds the others, and what stands before it, is not the same on this
machine and in containers."""

EXAMPLE_VALUES = {"readonly": "true", "ibkr_auto_restart_time": "11:45 PM", **dict.fromkeys(BY_DEPLOYMENT, "")}
"""Where .env.example says more than the defaults: more careful, a restart instead of a daily sign-in, or left open."""

_HEAD = """\
# Copy to .env; docker compose and scripts/run read it, and what is set in the environment wins. An empty value means
# the default. A value with spaces, $ or # stands in single quotes.
# Every setting is here with its default, but for three: READONLY, to be set to false once you want orders placed,
# IBKR_AUTO_RESTART_TIME, which keeps IB Gateway signed in for a week at a time (leave it empty where your own gateway
# does not restart), and COMPOSE_PROFILES, by which docker compose runs IB Gateway too.
"""


def tools_table() -> str:
    """The tools as rows of a Markdown table, and what the shared arguments are."""
    lines = ["| tool | arguments | what it does |", "|---|---|---|"]
    lines += [
        f"| `{operation.name}` | {_arguments(operation)} | {_mark(operation)}{_first_paragraph(operation)} |"
        for operation in OPERATIONS.values()
    ]
    lines += ["", "  \n".join(_legend(name, group) for group, name in GROUPS.items())]
    return "\n".join(lines)


def _arguments(operation: Operation) -> str:
    shared = {argument: GROUPS[group] for group in operation.groups.values() for argument in group.model_fields}
    required = set(operation.input_schema.get("required", ()))
    shown = (
        shared.get(name) or (f"`{name}`" if name in required else _optional(name, schema.get("default")))
        for name, schema in operation.input_schema["properties"].items()
    )
    return ", ".join(dict.fromkeys(shown))


def _optional(name: str, default: object) -> str:
    return f"`{name}={_text(default)}`" if _text(default) else f"`{name}?`"


def _mark(operation: Operation) -> str:
    return "**Trades.** " if operation.marker.effect is Effect.TRADES else ""


def _first_paragraph(operation: Operation) -> str:
    return " ".join(operation.description.split("\n\n")[0].split())


def _legend(name: str, group: type[ArgumentGroup]) -> str:
    fields = ", ".join(_optional(field, info.default) for field, info in group.model_fields.items())
    return f"{name} stands for {fields}."


def configuration_table() -> str:
    """The settings as rows of a Markdown table."""
    return table(FrontendSettings, WorkerSettings)


def env_example() -> str:
    """Every setting with its meaning and default, in a file that shells and compose read."""
    shared = set(BridgeSettings.model_fields)
    lines = [_HEAD, "# --- frontend and worker", *_settings(BridgeSettings, set())]
    for title, cls in (("frontend", FrontendSettings), ("worker", WorkerSettings)):
        lines += [f"# --- {title}", *_settings(cls, shared)]
    lines += ["# --- docker compose", *_compose_variables()]
    return "\n".join(lines).rstrip() + "\n"


def _settings(cls: type[BridgeSettings], without: set[str]) -> list[str]:
    lines: list[str] = []
    for name, field in cls.model_fields.items():
        if name not in without:
            default = _text(field.get_default())
            apart = f" By default {default}; docker compose brings its own." if name in BY_DEPLOYMENT else ""
            lines += [f"# {field.description}{apart}", _assigned(name.upper(), EXAMPLE_VALUES.get(name, default)), ""]
    return lines


def _compose_variables() -> list[str]:
    lines: list[str] = []
    for variable in COMPOSE_VARIABLES:
        value = variable.default if variable.example is None else variable.example
        lines += [f"# {variable.meaning}", _assigned(variable.name, value), ""]
    return lines


def _assigned(name: str, value: str) -> str:
    return f"{name}={shlex.quote(value) if value else ''}"


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or value == () else str(value)


def between(text: str, name: str, content: str) -> str:
    """The text with what stands between a part's two markers replaced; raises ``ValueError`` where there are none."""
    begin, end = f"<!-- {name}: begin, by docs/tables.py -->", f"<!-- {name}: end -->"
    found = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", text, re.DOTALL)
    if found is None:
        raise ValueError(f"there is no part marked {name}")
    return text[: found.start()] + f"{begin}\n{content}\n{end}" + text[found.end() :]


def current() -> Mapping[Path, str]:
    """Each derived file as it should be."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = between(readme, "tools", tools_table())
    readme = between(readme, "configuration", configuration_table())
    page = ROOT / "docs" / "deployment.md"
    deployment = between(page.read_text(encoding="utf-8"), "compose variables", compose_table())
    return {ROOT / "README.md": readme, page: deployment, ROOT / ".env.example": env_example()}


def stale() -> list[str]:
    """Names of the files that do not say what the code says."""
    return [
        path.name for path, text in current().items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Write or compare; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.tables", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what is out of date")
    if parser.parse_args().write:
        for path, text in current().items():
            path.write_text(text, encoding="utf-8")
        return 0
    if names := stale():
        print(f"Out of date: {', '.join(names)}. Run: .venv/bin/python -m docs.tables --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
