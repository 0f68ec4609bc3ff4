"""From an order to the openOrder (5) and completedOrder (101) messages: the client's own fields, and the gateway's."""

from collections.abc import Mapping

from .framing import UNSET_DOUBLE, UNSET_INTEGER
from .layout import Record, write_record
from .order_layouts import COMPLETED_ORDER, OPEN_ORDER

#: What the real gateway writes where the client said nothing.
_EMPTY_FIELDS = {
    "strike": "0",
    "right": "?",
    "limit_price": "0.0",
    "aux_price": "0.0",
    "origin": "0",
    "outside_rth": "0",
    "hidden": "0",
    "discretionary_amount": "0",
    "short_sale_slot": "0",
    "exempt_code": "-1",
    "auction_strategy": "0",
    "display_size": "0",
    "block_order": "0",
    "sweep_to_fill": "0",
    "all_or_none": "0",
    "min_quantity": UNSET_INTEGER,
    "e_trade_only": "0",
    "firm_quote_only": "0",
    "parent_id": "0",
    "trigger_method": "0",
    "volatility_type": "0",
    "continuous_update": "0",
    "reference_price_type": "0",
    "basis_points_type": UNSET_INTEGER,
    "scale_init_level_size": UNSET_INTEGER,
    "scale_subs_level_size": UNSET_INTEGER,
    "opt_out_smart_routing": "0",
    "clearing_intent": "IB",
    "not_held": "0",
    "delta_neutral_contract_present": "0",
    "solicited": "0",
    "what_if": "0",
    "randomize_size": "0",
    "randomize_price": "0",
    "trigger_price": UNSET_DOUBLE,
    "limit_price_offset": UNSET_DOUBLE,
    "adjusted_stop_price": UNSET_DOUBLE,
    "adjusted_stop_limit_price": UNSET_DOUBLE,
    "adjusted_trailing_amount": UNSET_DOUBLE,
    "adjustable_trailing_unit": "0",
    "dont_use_auto_price_for_hedge": "0",
    "is_oms_container": "0",
    "discretionary_up_to_limit_price": "0",
    "use_price_mgmt_algo": "0",
    "duration": UNSET_INTEGER,
    "post_to_ats": UNSET_INTEGER,
    "auto_cancel_parent": "0",
    "min_trade_quantity": UNSET_INTEGER,
    "min_compete_size": UNSET_INTEGER,
    "init_margin_before": UNSET_DOUBLE,
    "maint_margin_before": UNSET_DOUBLE,
    "equity_with_loan_before": UNSET_DOUBLE,
    "init_margin_change": UNSET_DOUBLE,
    "maint_margin_change": UNSET_DOUBLE,
    "equity_with_loan_change": UNSET_DOUBLE,
    "init_margin_after": UNSET_DOUBLE,
    "maint_margin_after": UNSET_DOUBLE,
    "equity_with_loan_after": UNSET_DOUBLE,
    "commission": UNSET_DOUBLE,
    "min_commission": UNSET_DOUBLE,
    "max_commission": UNSET_DOUBLE,
    "ref_futures_con_id": "0",
    "imbalance_only": "0",
    "route_marketable_to_bbo": "0",
    "parent_perm_id": "0",
}
#: What the real gateway writes whatever the client said.
_FIXED_FIELDS = {
    "oca_type": "3",
    "delta_neutral_order_type": "None",
    "delta_neutral_con_id": "0",
    "delta_neutral_open_close": "?",
    "delta_neutral_short_sale": "0",
    "delta_neutral_short_sale_slot": "0",
    "open_close": "",
    "volatility": "",
}


def _echo(received: Record, gateway_fields: Mapping[str, str]) -> Record:
    values = {**_EMPTY_FIELDS, **{name: text for name, text in received.values.items() if text}}
    return Record({**values, **_FIXED_FIELDS, **gateway_fields}, received.items)


def open_order(received: Record, gateway_fields: Mapping[str, str], version: int) -> list[str]:
    """Message 5. `received` is what the client sent, `gateway_fields` what the gateway knows better."""
    return ["5", *write_record(OPEN_ORDER, _echo(received, gateway_fields), version)]


def completed_order(received: Record, gateway_fields: Mapping[str, str], version: int) -> list[str]:
    """Message 101, which names neither the client nor its order id."""
    return ["101", *write_record(COMPLETED_ORDER, _echo(received, gateway_fields), version)]
