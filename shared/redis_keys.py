"""Every name this project uses in Redis.

All but arq's own keys begin with ``ibkr:{session}:``, so that a second gateway is a second prefix. arq's prefixes are
fixed in its constants; the job ids beneath them carry the session's name instead.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """The names that belong to one gateway session."""

    session: str

    def _name(self, *parts: str) -> str:
        return ":".join(("ibkr", self.session, *parts))

    @property
    def queue(self) -> str:
        """The set in which arq sorts its job ids."""
        return self._name("queue")

    @property
    def wake(self) -> str:
        """List the worker blocks on: an entry means there is something in the queue, and may show a lone query."""
        return self._name("wake")

    @property
    def lease(self) -> str:
        """``worker:epoch`` of the one worker that may claim jobs; expires when it stops renewing."""
        return self._name("lease")

    @property
    def epoch(self) -> str:
        """Counter of lease holders; each holder's number fences out the earlier ones."""
        return self._name("epoch")

    @property
    def heartbeat(self) -> str:
        """Exists while a worker serves; expires soon after it stops."""
        return self._name("heartbeat")

    @property
    def status(self) -> str:
        """What the worker last said of itself, as JSON; does not expire."""
        return self._name("status")

    @property
    def minutes(self) -> str:
        """Hash of the last hour's minutes, for the status page."""
        return self._name("minutes")

    @property
    def link_changes(self) -> str:
        """List of the link's last changes, oldest first."""
        return self._name("link-changes")

    @property
    def frontends(self) -> str:
        """Sorted set of the frontends' words about themselves, by when each was last said."""
        return self._name("frontends")

    def replies(self, frontend: str) -> str:
        """Pub/sub channel on which one frontend process hears answers and progress."""
        return self._name("replies", frontend)

    @property
    def leavers(self) -> str:
        """Pub/sub channel on which the worker hears the ids of queries whose callers have left."""
        return self._name("leavers")

    def order(self, key: str) -> str:
        """Hash with the record of one order, by its order key."""
        return self._name("order", key)

    def order_history(self, key: str) -> str:
        """List of what happened to one order, oldest first."""
        return self._name("order-history", key)

    def order_named(self, name: str) -> str:
        """Set of the keys of the orders that one name means, such as ``perm:123`` or ``id:7``."""
        return self._name("order-named", name)

    def order_like(self, fingerprint: str) -> str:
        """Set of the keys of all orders with this content, sorted by when they were begun."""
        return self._name("orders-like", fingerprint)

    def orders_at(self, place: str) -> str:
        """Set of the keys of all orders in an account and contract, sorted by when they were begun or first seen."""
        return self._name("orders-at", place)

    @property
    def orders_open(self) -> str:
        """Set of the keys of all orders begun and not known to be over."""
        return self._name("orders-open")

    @property
    def orders_unknown(self) -> str:
        """Hash from the key of each order whose fate is unknown to the account and contract it blocks."""
        return self._name("orders-unknown")

    @property
    def sentinel(self) -> str:
        """Hash of this Redis's identity and its count of orders begun; missing where Redis was wiped."""
        return self._name("sentinel")

    @property
    def audit(self) -> str:
        """Stream of every decision about an order, oldest first; never trimmed by this project."""
        return self._name("audit")

    @property
    def audit_due(self) -> str:
        """Hash from the key of each order that was begun and is not in the audit yet to the attempt that began it."""
        return self._name("audit-due")

    def audit_said(self, request_id: str) -> str:
        """Exists while it is remembered that a call has its entry in the audit."""
        return self._name("audit-said", request_id)

    def shared_answer(self, digest: str) -> str:
        """A finished answer that may be given to others while it is true."""
        return self._name("answer", digest)

    @property
    def files(self) -> str:
        """List of the keys of the files that wait to be fetched, newest first."""
        return self._name("files")

    def file(self, token: str) -> str:
        """One file, by a name nobody can guess."""
        return self._name("file", token)

    @property
    def callers(self) -> str:
        """Hash of how many jobs each caller has in the queue, running ones included."""
        return self._name("callers")

    @property
    def api_keys(self) -> str:
        """Hash of the signed record of each API key, by the key's id."""
        return self._name("api-keys")

    def rate(self, caller_tag: str) -> str:
        """When a caller's next call would be due at its rate, in microseconds; expires when it may burst again."""
        return self._name("rate", caller_tag)

    def job_id(self, caller_tag: str, request_id: str) -> str:
        """The id by which arq knows the job that serves a request."""
        return f"{self.session}:{caller_tag}:{request_id}"
