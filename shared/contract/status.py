"""How the bridge itself is doing."""

from __future__ import annotations

from abc import abstractmethod
from enum import StrEnum

from pydantic import Field

from shared.contract.answers import Answer, Item, Moment, Number
from shared.contract.call import Call
from shared.contract.market_data import DataKind
from shared.contract.operation import Toolset, reads


class LinkState(StrEnum):
    """The states of the link to the gateway."""

    CONNECTING = "connecting"
    SYNCHRONISING = "synchronising"
    READY = "ready"
    LINK_LOST = "link lost"
    PLANNED_OUTAGE = "planned outage"
    AWAITING_SIGN_IN = "awaiting sign-in"
    CLIENT_ID_TAKEN = "client id taken"
    WRONG_ACCOUNT = "wrong account"


class Durability(StrEnum):
    """Whether Redis keeps the records of orders when it is restarted or crashes."""

    DURABLE = "durable"
    """Every write is on its disk before it is answered."""
    LOSES_LAST = "may lose the last second"
    FORGETS = "forgets"
    """No append-only file, or records may be evicted."""
    UNKNOWN = "unknown"
    """It does not show its configuration, as managed services do not."""


class WorkerStatus(Item):
    """What the worker last said of itself. Every field is as of ``heartbeat``."""

    version: str = Field(description="The worker's release.")
    heartbeat: Moment = Field(description="When the worker last said so, UTC.")
    link: LinkState = Field(description="State of the link to the gateway.")
    link_since: Moment = Field(description="Since when, UTC.")
    link_detail: str | None = Field(description="Why, and what is being done.")
    gateway_version: int | None = Field(description="The gateway's API server version.")
    trading_mode: str = Field(description="paper or live.")
    readonly: bool = Field(description="READONLY in the worker's environment.")
    read_only_api: bool = Field(description="Whether the gateway's own read-only API is set.")
    accounts: list[str] = Field(description="Accounts of the signed-in user.")
    data_kind: DataKind | None = Field(description="Kind of market data last seen.")
    competing_session: bool = Field(description="Whether another session holds the live market data.")
    next_restart: Moment | None = Field(description="Next planned restart of the gateway, UTC.")
    redis_durability: Durability = Field(description="Whether Redis keeps the records of orders over its restart.")


class SessionStatus(Item):
    """The state of a further gateway session: another login at IBKR with a worker of its own."""

    session: str = Field(description="Name of the gateway session.")
    ready: bool = Field(description="Whether its accounts can be served now.")
    message: str = Field(description="Its state in one sentence, and what to do about it.")
    accounts: list[str] = Field(description="Accounts of its user; empty until its worker has said so.")
    trading_mode: str | None = Field(description="paper or live; null until its worker has said so.")
    readonly: bool = Field(description="Whether its orders are refused.")
    worker_running: bool = Field(description="Whether a worker of it shows a heartbeat.")
    queue_depth: int | None = Field(description="Jobs waiting for it; null while Redis is away.")


class BridgeStatus(Answer):
    """The state of every part."""

    session: str = Field(description="Name of the gateway session that worker, queue_depth and readonly are of.")
    ready: bool = Field(
        description="Whether tools that need the gateway can be served now, in every gateway session there is."
    )
    message: str = Field(description="The state in one sentence, and what to do about it.")
    readonly: bool = Field(description="Whether orders are refused: READONLY of either process.")
    readonly_frontend: bool = Field(description="READONLY in the frontend's environment.")
    worker_running: bool = Field(description="Whether a worker shows a heartbeat.")
    worker: WorkerStatus | None = Field(description="What the worker last said; null if it never did.")
    queue_depth: int | None = Field(description="Jobs waiting; null while Redis is away.")
    orders_unknown: int | None = Field(
        description="Orders you may see, in all gateway sessions, whose state is UNKNOWN; each holds back new ones for "
        "its contract in its account. Null while Redis is away."
    )
    seconds_since_heartbeat: Number | None = Field(description="Age of the worker's last word.")
    further_sessions: list[SessionStatus] = Field(description="Further logins served here; usually none.")
    frontend_version: str = Field(description="The frontend's release.")
    as_of: Moment = Field(description="When this was put together, UTC.")


class StatusTools(Toolset):
    """How the bridge itself is doing."""

    toolset = "status"

    @abstractmethod
    @reads(answered_by="frontend", time_limit=5.0)
    async def get_status(self, call: Call) -> BridgeStatus:
        """State of the gateway link, mode, READONLY, accounts, queue, versions; answers even with the worker down."""
