"""A stand-in for IB Gateway that speaks the TWS protocol over a real socket."""

from simulated_gateway.clock import Clock, ManualClock, SystemClock
from simulated_gateway.config import GatewayConfig, Limits, OpeningPosition
from simulated_gateway.control import Control
from simulated_gateway.gateway import SimulatedGateway

__all__ = [
    "Clock",
    "Control",
    "GatewayConfig",
    "Limits",
    "ManualClock",
    "OpeningPosition",
    "SimulatedGateway",
    "SystemClock",
]
