"""Settings from the environment: read once at start, checked, and explained by variable name where wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared import redis_address
from shared.contract.explain import argument_errors

SESSION_NAME = r"^[a-z0-9-]{1,32}$"
TRUE_WORDS = frozenset({"true", "1", "yes", "on"})
FALSE_WORDS = frozenset({"false", "0", "no", "off"})


def _switch(value: Any) -> bool:
    """Only known words: a switch that guards money is never guessed."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError("must be true, 1, yes, on or false, 0, no, off")


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Switch = Annotated[bool, BeforeValidator(_switch)]
Port = Annotated[int, Field(ge=1, le=65535)]


class BridgeSettings(BaseSettings):
    """What both processes read."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True)

    redis_url: Annotated[str, AfterValidator(redis_address.checked)] = Field(
        default="redis://127.0.0.1:6379/0",
        description="Redis or Valkey, shared by all processes; sentinel://… asks Sentinels for the primary.",
    )
    gateway_session: str = Field(
        default="main",
        pattern=SESSION_NAME,
        description="Name of the gateway session; queue and keys carry it, so that a second gateway is a second name.",
    )
    job_signing_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret both processes share to sign jobs, 16 characters or more. Without one only paper trades.",
    )
    readonly: Switch = Field(
        default=False, description="Refuse every order. Each process decides by its own; the stricter wins."
    )
    ibkr_trading_mode: Annotated[Literal["paper", "live"], BeforeValidator(_lower)] = Field(
        default="paper",
        description="paper or live. The worker chooses the port by it, and the accounts must fit; "
        "live without authentication starts neither process.",
    )
    traces: Switch = Field(
        default=False,
        description="Send OpenTelemetry traces, as the OTEL_* variables say; needs requirements-traces.lock.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="What is logged.")


SettingsT = TypeVar("SettingsT", bound=BridgeSettings)


def load(cls: type[SettingsT]) -> SettingsT:
    """The settings from the environment, or an exit with one line for each variable that is wrong.

    What the environment leaves out or empty may stand in the folder ``SECRETS_DIR``, in a file of the setting's name
    in lower case: that is how containers are given secrets.
    """
    folder = os.environ.get("SECRETS_DIR", "")
    if folder and not Path(folder).is_dir():
        sys.exit(f"The environment is not usable:\n  SECRETS_DIR must be a folder, and {folder} is none")
    try:
        settings: SettingsT = cast("Any", cls)(_secrets_dir=folder or None)
    except ValidationError as error:
        sys.exit("\n  ".join(["The environment is not usable:", *_by_variable(error)]))
    secret = settings.job_signing_secret.get_secret_value()
    if secret and len(secret) < 16:
        sys.exit("The environment is not usable:\n  JOB_SIGNING_SECRET must have at least 16 characters")
    return settings


def _by_variable(error: ValidationError) -> list[str]:
    clauses = argument_errors(error)
    return [clause.replace(name := clause.split(" ", 1)[0], name.upper(), 1) for clause in clauses]


def table(*classes: type[BridgeSettings]) -> str:
    """The settings as rows of a Markdown table: variable, default, who reads it, meaning."""
    rows: dict[str, tuple[str, list[str], str]] = {}
    for cls in classes:
        reader = cls.__name__.removesuffix("Settings").lower()
        for name, field in cls.model_fields.items():
            default = field.get_default()
            shown = default.get_secret_value() if isinstance(default, SecretStr) else default
            shown = ",".join(cast("tuple[str, ...]", shown)) if isinstance(shown, tuple) else shown
            text = str(shown).lower() if isinstance(shown, bool) else str(shown if shown is not None else "")
            rows.setdefault(name.upper(), (text, [], field.description or ""))[1].append(reader)
    lines = ["| variable | default | read by | meaning |", "|---|---|---|---|"]
    for name, (default, readers, meaning) in rows.items():
        lines.append(f"| `{name}` | {f'`{default}`' if default else ''} | {', '.join(readers)} | {meaning} |")
    return "\n".join(lines)
