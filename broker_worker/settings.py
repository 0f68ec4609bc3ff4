"""The worker's settings."""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, SecretStr, model_validator

from shared.settings import BridgeSettings, Port, Switch


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a time zone such as America/New_York or Europe/Zurich")
    return name


def _clock_time(text: str) -> str:
    if text and not re.fullmatch(r"(0?[1-9]|1[0-2]):[0-5]\d ?(AM|PM)|([01]?\d|2[0-3]):[0-5]\d", text.upper()):
        raise ValueError("must be a time such as 11:45 PM or 23:45")
    return text


class WorkerSettings(BridgeSettings):
    """What the worker reads beside the shared settings."""

    ibkr_host: str = Field(default="127.0.0.1", min_length=1, description="Where IB Gateway listens.")
    ibkr_gateway_live_port: Port = Field(default=4003, description="Its port in live mode.")
    ibkr_gateway_paper_port: Port = Field(default=4004, description="Its port in paper mode.")
    ibkr_client_id: int = Field(default=1, ge=0, le=2**31 - 1, description="API client id; one worker, one id.")
    ibkr_read_only_api: Switch = Field(
        default=False,
        description="Set where the gateway's own read-only API is on; it then refuses some order queries.",
    )
    ibkr_time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="America/New_York", description="Time zone the gateway runs in."
    )
    ibkr_auto_restart_time: Annotated[str, AfterValidator(_clock_time)] = Field(
        default="", description="The gateway's daily restart in its time zone, such as 11:45 PM; empty if none."
    )
    state_dir: Path = Field(
        default=Path(".state"),
        description="Folder of the worker's local files: which orders may have been sent, and market data it keeps.",
    )
    duplicate_window_seconds: float = Field(
        default=600, ge=0, le=86_400, description="How long an order with the same content is held back as a duplicate."
    )
    require_durable_redis: Switch = Field(
        default=True,
        description="Place no live order while Redis is known to forget (no append-only file, or eviction); "
        "false only warns.",
    )
    max_messages_per_second: int = Field(
        default=45, ge=10, le=50, description="Messages to the gateway; it closes the connection above 50."
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Port of the worker's Prometheus metrics, at /metrics; 0: none."
    )
    metrics_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address of that port; it asks for no key."
    )
    max_market_data_lines: int = Field(default=90, ge=1, le=1000, description="Streaming market data lines at most.")
    transcript_file: Path | None = Field(
        default=None, description="A new file for every job and its answer, masked; needs RECORDING_SALT."
    )
    recording_salt: SecretStr = Field(
        default=SecretStr(""),
        description="Any 8 characters or more; recorder and transcript with the same salt mask the same.",
    )

    @model_validator(mode="after")
    def _transcript_is_salted(self) -> Self:
        if self.transcript_file is not None and len(self.recording_salt.get_secret_value()) < 8:
            raise ValueError("transcript_file needs RECORDING_SALT of at least 8 characters")
        return self

    @property
    def unsafe(self) -> str | None:
        """Why a worker may not serve with these settings; None where it may."""
        if self.ibkr_trading_mode == "live" and not self.job_signing_secret.get_secret_value():
            return "JOB_SIGNING_SECRET is needed for live trading: without it anybody at Redis could trade"
        return None

    @property
    def gateway_port(self) -> int:
        """The port of the configured mode."""
        return self.ibkr_gateway_live_port if self.ibkr_trading_mode == "live" else self.ibkr_gateway_paper_port

    @property
    def zone(self) -> ZoneInfo:
        """The gateway's time zone."""
        return ZoneInfo(self.ibkr_time_zone)

    @property
    def restart_time(self) -> time | None:
        """The gateway's daily restart, in its zone."""
        match = re.fullmatch(r"(\d{1,2}):(\d\d) ?(AM|PM)?", self.ibkr_auto_restart_time.upper())
        if match is None:
            return None
        hour, half = int(match[1]), match[3]
        return time(hour % 12 + (12 if half == "PM" else 0) if half else hour, int(match[2]))
