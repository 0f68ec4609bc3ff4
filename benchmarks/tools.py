"""An area of tools for the benchmarks alone: validated, signed and run as the product's own, and doing nothing."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod

from pydantic import BaseModel, Field

from shared.contract import OPERATIONS, Call, Toolset, operations_of
from shared.contract.operation import reads, trades


class Began(BaseModel):
    """When a job began."""

    began_ns: int = Field(description="CLOCK_MONOTONIC, the same for every process of one machine.")


class BenchTools(Toolset):
    """Jobs that cost nothing but the way there and back."""

    toolset = "benchmarks"

    @abstractmethod
    @reads()
    async def do_nothing(self, call: Call) -> Began:
        """Answer at once."""

    @abstractmethod
    @reads(time_limit=25.0)
    async def take_time(self, call: Call, milliseconds: int) -> Began:
        """Hold a slot for a while, as a question at the gateway does."""

    @abstractmethod
    @trades()
    async def jump_the_queue(self, call: Call) -> Began:
        """Answer at once, in the lane of orders and cancels."""


class BenchDesk(BenchTools):
    """The worker's side."""

    async def do_nothing(self, call: Call) -> Began:
        """Answer at once."""
        return Began(began_ns=time.monotonic_ns())

    async def take_time(self, call: Call, milliseconds: int) -> Began:
        """Hold a slot for a while."""
        began = Began(began_ns=time.monotonic_ns())
        await asyncio.sleep(milliseconds / 1000)
        return began

    async def jump_the_queue(self, call: Call) -> Began:
        """Answer at once."""
        return Began(began_ns=time.monotonic_ns())


def declare() -> None:
    """Add the area to this process's contract; the product's own stays as it is on disk and in every other process."""
    OPERATIONS.update({operation.name: operation for operation in operations_of(BenchTools)})
