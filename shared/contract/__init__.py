"""Every tool, declared once: the frontend derives the MCP tools from it, the worker implements it.

To add a tool: one abstract method here in the area it belongs to, and one method in the class that implements the
area (``broker_worker`` or ``mcp_frontend``).
"""

from shared.contract.accounts import AccountTools
from shared.contract.call import Call, Scope
from shared.contract.contracts import ContractTools
from shared.contract.market_data import MarketDataTools
from shared.contract.operation import Effect, Operation, Toolset, operations_of
from shared.contract.order_records import OrderRecordTools
from shared.contract.orders import OrderTools
from shared.contract.status import StatusTools

TOOLSETS: tuple[type[Toolset], ...] = (
    AccountTools,
    OrderTools,
    OrderRecordTools,
    MarketDataTools,
    ContractTools,
    StatusTools,
)
"""Every area, in the order the tools are listed."""

OPERATIONS: dict[str, Operation] = {
    operation.name: operation for toolset in TOOLSETS for operation in operations_of(toolset)
}
"""Every tool by name."""

__all__ = ["OPERATIONS", "TOOLSETS", "Call", "Effect", "Operation", "Scope", "Toolset", "operations_of"]
