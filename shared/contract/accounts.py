"""What the accounts hold."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field

from shared.contract.answers import LOCAL_SYMBOL, Answer, Item, Listing, Moment, Number
from shared.contract.arguments import Account, ConId, Cursor
from shared.contract.call import Call
from shared.contract.operation import Toolset, reads


class AccountAmount(Item):
    """One value of an account, with everything that gives it meaning."""

    tag: str = Field(description="The gateway's name for the value.")
    value: Number = Field(description="The amount.")
    currency: str = Field(description="Currency of the amount.")
    account: str = Field(description="Account number.")


class AccountSummary(Answer):
    """An account's totals in its base currency, and its cash in each."""

    account: str = Field(description="Account number.")
    base_currency: str | None = Field(description="The currency the totals are in.")
    net_liquidation: AccountAmount | None = Field(description="What all would be worth if closed now.")
    cash_balance: AccountAmount | None = Field(description="Cash in all currencies together, in base currency.")
    total_cash_value: AccountAmount | None = Field(description="Cash including futures P&L.")
    buying_power: AccountAmount | None = Field(description="What could be bought on margin.")
    available_funds: AccountAmount | None = Field(description="What may still go into new positions' initial margin.")
    excess_liquidity: AccountAmount | None = Field(description="Cushion before positions are liquidated.")
    initial_margin: AccountAmount | None = Field(description="Initial margin required.")
    maintenance_margin: AccountAmount | None = Field(description="Maintenance margin required.")
    gross_position_value: AccountAmount | None = Field(description="Sum of all positions' absolute values.")
    cash_by_currency: list[AccountAmount] = Field(description="Cash balance in each currency held.")
    as_of: Moment = Field(description="When the gateway said so, UTC.")


class Position(Item):
    """One holding of one account."""

    account: str = Field(description="Account number.")
    symbol: str = Field(description="Symbol at IBKR.")
    local_symbol: str | None = Field(description=LOCAL_SYMBOL)
    sec_type: str = Field(description="Security type.")
    exchange: str | None = Field(description="Listing exchange, where known.")
    currency: str = Field(description="Currency of every amount in this row.")
    con_id: int = Field(description="The contract's number.")
    quantity: Number = Field(description="Held; negative where short.")
    multiplier: Number | None = Field(description="How many units of the price one contract is worth; null for one.")
    avg_cost: Number | None = Field(description="Average cost of one contract: price times multiplier, commissions in.")
    market_price: Number | None = Field(description="Price of one unit now.")
    market_value: Number | None = Field(description="Worth of the whole now.")
    unrealized_pnl: Number | None = Field(description="Profit if closed now.")
    realized_pnl: Number | None = Field(description="Profit taken today.")
    as_of: Moment = Field(description="When the values were last updated, UTC.")


class AccountPnl(Item):
    """One account's profit."""

    account: str = Field(description="Account number.")
    daily: Number | None = Field(description="Since the previous close.")
    unrealized: Number | None = Field(description="If all were closed now.")
    realized: Number | None = Field(description="Taken today.")
    currency: str | None = Field(description="The account's base currency.")
    as_of: Moment | None = Field(description="Last update, UTC; null where the gateway gave none.")


class PositionPnl(Item):
    """One holding's profit."""

    account: str = Field(description="Account number.")
    symbol: str = Field(description="Symbol at IBKR.")
    local_symbol: str | None = Field(description=LOCAL_SYMBOL)
    con_id: int = Field(description="The contract's number.")
    quantity: Number = Field(description="Held; negative where short.")
    daily: Number | None = Field(description="Since the previous close.")
    unrealized: Number | None = Field(description="If closed now.")
    realized: Number | None = Field(description="Taken today.")
    market_value: Number | None = Field(description="Worth now.")
    currency: str = Field(description="Of every amount in this row.")
    as_of: Moment = Field(description="Last update, UTC.")


class ProfitAndLoss(Listing[PositionPnl]):
    """The profit of accounts, and of each holding."""

    accounts: list[AccountPnl] = Field(description="Each account's totals, closed positions included.")


class AccountTools(Toolset):
    """Balances and holdings."""

    toolset = "accounts"

    @abstractmethod
    @reads()
    async def get_account_summary(self, call: Call, account: Account | None = None) -> AccountSummary:
        """Balances of one account: net liquidation, cash (also per currency), buying power, margin.

        Leave account out where there is only one.
        """

    @abstractmethod
    @reads()
    async def get_positions(
        self, call: Call, account: Account | None = None, cursor: Cursor | None = None
    ) -> Listing[Position]:
        """Holdings with market value and P&L, of one account or of all."""

    @abstractmethod
    @reads()
    async def get_pnl(
        self, call: Call, account: Account | None = None, con_id: ConId | None = None, cursor: Cursor | None = None
    ) -> ProfitAndLoss:
        """Daily, unrealized and realized P&L of one account or all, and of each holding or only con_id's."""
