"""The three long messages: placeOrder (3, from the client), openOrder (5) and completedOrder (101).

One vocabulary names their fields, so that what a client sent is what it gets back.
TWS API: field order of `EClient.placeOrder` and of the decoders for messages 5 and 101.
"""

from .layout import Conditions, Fields, Items, Layout, Record

CONTRACT = (
    "con_id symbol sec_type expiry strike right multiplier "
    "exchange primary_exchange currency local_symbol trading_class"
)
#: In messages from the gateway the primary exchange is left out.
CONTRACT_ECHO = "con_id symbol sec_type expiry strike right multiplier exchange currency local_symbol trading_class"

COMBO_LEGS = "con_id ratio action exchange open_close short_sale_slot designated_location exempt_code"
SCALE_DETAILS = (
    "scale_price_adjust_value scale_price_adjust_interval scale_profit_offset scale_auto_reset scale_init_position "
    "scale_init_fill_qty scale_random_percent"
)
PEG_BENCHMARK = (
    "reference_contract_id is_pegged_change_amount_decrease pegged_change_amount reference_change_amount "
    "reference_exchange_id"
)


def _is_combo(record: Record) -> bool:
    return record.text("sec_type").upper() == "BAG"


def _has_delta_neutral(record: Record) -> bool:
    return record.text("delta_neutral_order_type") != ""


def _has_scale(record: Record) -> bool:
    increment = record.decimal("scale_price_increment")
    return increment is not None and increment > 0


def _has_hedge(record: Record) -> bool:
    return record.text("hedge_type") != ""


def _has_delta_neutral_contract(record: Record) -> bool:
    return record.flag("delta_neutral_contract_present")


def _has_algo(record: Record) -> bool:
    return record.text("algo_strategy") != ""


def _is_peg_benchmark(record: Record) -> bool:
    return record.text("order_type") in {"PEG BENCH", "PEGBENCH"}


def _is_ibkrats(record: Record) -> bool:
    return record.text("exchange") == "IBKRATS"


def _is_peg_best(record: Record) -> bool:
    return record.text("order_type") in {"PEG BEST", "PEGBEST"}


def _has_mid_offsets(record: Record) -> bool:
    if _is_peg_best(record):
        return record.text("compete_against_best_offset") == "Infinite"
    return record.text("order_type") in {"PEG MID", "PEGMID"}


PLACE_ORDER: Layout = (
    Fields("order_id"),
    Fields(CONTRACT),
    Fields(
        "sec_id_type sec_id action total_quantity order_type limit_price aux_price tif oca_group account open_close"
    ),
    Fields(
        "origin order_ref transmit parent_id block_order sweep_to_fill display_size trigger_method outside_rth hidden"
    ),
    Items("combo_legs", COMBO_LEGS, when=_is_combo),
    Items("order_combo_legs", "price", when=_is_combo),
    Items("smart_combo_routing_params", "tag value", when=_is_combo),
    Fields("shares_allocation discretionary_amount good_after_time good_till_date fa_group fa_method fa_percentage"),
    Fields("fa_profile", before=177),
    Fields("model_code short_sale_slot designated_location exempt_code oca_type rule_80a settling_firm all_or_none"),
    Fields("min_quantity percent_offset e_trade_only firm_quote_only nbbo_price_cap auction_strategy starting_price"),
    Fields("stock_ref_price delta stock_range_lower stock_range_upper override_percentage_constraints volatility"),
    Fields("volatility_type delta_neutral_order_type delta_neutral_aux_price"),
    Fields(
        "delta_neutral_con_id delta_neutral_settling_firm delta_neutral_clearing_account delta_neutral_clearing_intent "
        "delta_neutral_open_close delta_neutral_short_sale delta_neutral_short_sale_slot "
        "delta_neutral_designated_location",
        when=_has_delta_neutral,
    ),
    Fields("continuous_update reference_price_type trail_stop_price trailing_percent scale_init_level_size"),
    Fields("scale_subs_level_size scale_price_increment"),
    Fields(SCALE_DETAILS, when=_has_scale),
    Fields("scale_table active_start_time active_stop_time hedge_type"),
    Fields("hedge_param", when=_has_hedge),
    Fields("opt_out_smart_routing clearing_account clearing_intent not_held delta_neutral_contract_present"),
    Fields("under_con_id under_delta under_price", when=_has_delta_neutral_contract),
    Fields("algo_strategy"),
    Items("algo_params", "tag value", when=_has_algo),
    Fields("algo_id what_if order_misc_options solicited randomize_size randomize_price"),
    Fields(PEG_BENCHMARK, when=_is_peg_benchmark),
    Conditions(),
    Fields("adjusted_order_type trigger_price limit_price_offset adjusted_stop_price adjusted_stop_limit_price"),
    Fields(
        "adjusted_trailing_amount adjustable_trailing_unit ext_operator soft_dollar_tier_name soft_dollar_tier_value"
    ),
    Fields("cash_quantity mifid2_decision_maker mifid2_decision_algo mifid2_execution_trader mifid2_execution_algo"),
    Fields("dont_use_auto_price_for_hedge is_oms_container discretionary_up_to_limit_price use_price_mgmt_algo"),
    Fields("duration", since=158),
    Fields("post_to_ats", since=160),
    Fields("auto_cancel_parent", since=162),
    Fields("advanced_error_override", since=166),
    Fields("manual_order_time", since=169),
    Fields("min_trade_quantity", since=170, when=_is_ibkrats),
    Fields("min_compete_size compete_against_best_offset", since=170, when=_is_peg_best),
    Fields("mid_offset_at_whole mid_offset_at_half", since=170, when=_has_mid_offsets),
)

_PEG_OFFSETS = Fields(
    "min_trade_quantity min_compete_size compete_against_best_offset mid_offset_at_whole mid_offset_at_half", since=170
)

OPEN_ORDER: Layout = (
    Fields("order_id"),
    Fields(CONTRACT_ECHO),
    Fields("action total_quantity order_type limit_price aux_price tif oca_group account open_close origin order_ref"),
    Fields("client_id perm_id outside_rth hidden discretionary_amount good_after_time shares_allocation"),
    Fields("fa_group fa_method fa_percentage"),
    Fields("fa_profile", before=177),
    Fields("model_code good_till_date rule_80a percent_offset settling_firm short_sale_slot designated_location"),
    Fields("exempt_code auction_strategy starting_price stock_ref_price delta stock_range_lower stock_range_upper"),
    Fields("display_size block_order sweep_to_fill all_or_none min_quantity oca_type e_trade_only firm_quote_only"),
    Fields("nbbo_price_cap parent_id trigger_method volatility volatility_type"),
    Fields("delta_neutral_order_type delta_neutral_aux_price"),
    Fields(
        "delta_neutral_con_id delta_neutral_settling_firm delta_neutral_clearing_account delta_neutral_clearing_intent "
        "delta_neutral_open_close delta_neutral_short_sale delta_neutral_short_sale_slot "
        "delta_neutral_designated_location",
        when=_has_delta_neutral,
    ),
    Fields("continuous_update reference_price_type trail_stop_price trailing_percent basis_points basis_points_type"),
    Fields("combo_legs_description"),
    Items("combo_legs", COMBO_LEGS),
    Items("order_combo_legs", "price"),
    Items("smart_combo_routing_params", "tag value"),
    Fields("scale_init_level_size scale_subs_level_size scale_price_increment"),
    Fields(SCALE_DETAILS, when=_has_scale),
    Fields("hedge_type"),
    Fields("hedge_param", when=_has_hedge),
    Fields("opt_out_smart_routing clearing_account clearing_intent not_held delta_neutral_contract_present"),
    Fields("under_con_id under_delta under_price", when=_has_delta_neutral_contract),
    Fields("algo_strategy"),
    Items("algo_params", "tag value", when=_has_algo),
    Fields("solicited what_if status"),
    Fields("init_margin_before maint_margin_before equity_with_loan_before"),
    Fields("init_margin_change maint_margin_change equity_with_loan_change"),
    Fields("init_margin_after maint_margin_after equity_with_loan_after"),
    Fields("commission min_commission max_commission commission_currency warning_text randomize_size randomize_price"),
    Fields(PEG_BENCHMARK, when=_is_peg_benchmark),
    Conditions(),
    Fields("adjusted_order_type trigger_price trail_stop_price limit_price_offset adjusted_stop_price"),
    Fields("adjusted_stop_limit_price adjusted_trailing_amount adjustable_trailing_unit"),
    Fields("soft_dollar_tier_name soft_dollar_tier_value soft_dollar_tier_display_name cash_quantity"),
    Fields("dont_use_auto_price_for_hedge is_oms_container discretionary_up_to_limit_price use_price_mgmt_algo"),
    Fields("duration", since=158),
    Fields("post_to_ats", since=160),
    Fields("auto_cancel_parent", since=162),
    _PEG_OFFSETS,
)

COMPLETED_ORDER: Layout = (
    Fields(CONTRACT_ECHO),
    Fields("action total_quantity order_type limit_price aux_price tif oca_group account open_close origin order_ref"),
    Fields("perm_id outside_rth hidden discretionary_amount good_after_time fa_group fa_method fa_percentage"),
    Fields("fa_profile", before=177),
    Fields("model_code good_till_date rule_80a percent_offset settling_firm short_sale_slot designated_location"),
    Fields("exempt_code starting_price stock_ref_price delta stock_range_lower stock_range_upper display_size"),
    Fields("sweep_to_fill all_or_none min_quantity oca_type trigger_method volatility volatility_type"),
    Fields("delta_neutral_order_type delta_neutral_aux_price"),
    Fields(
        "delta_neutral_con_id delta_neutral_short_sale delta_neutral_short_sale_slot delta_neutral_designated_location",
        when=_has_delta_neutral,
    ),
    Fields("continuous_update reference_price_type trail_stop_price trailing_percent combo_legs_description"),
    Items("combo_legs", COMBO_LEGS),
    Items("order_combo_legs", "price"),
    Items("smart_combo_routing_params", "tag value"),
    Fields("scale_init_level_size scale_subs_level_size scale_price_increment"),
    Fields(SCALE_DETAILS, when=_has_scale),
    Fields("hedge_type"),
    Fields("hedge_param", when=_has_hedge),
    Fields("clearing_account clearing_intent not_held delta_neutral_contract_present"),
    Fields("under_con_id under_delta under_price", when=_has_delta_neutral_contract),
    Fields("algo_strategy"),
    Items("algo_params", "tag value", when=_has_algo),
    Fields("solicited status randomize_size randomize_price"),
    Fields(PEG_BENCHMARK, when=_is_peg_benchmark),
    Conditions(),
    Fields("trail_stop_price limit_price_offset cash_quantity dont_use_auto_price_for_hedge is_oms_container"),
    Fields("auto_cancel_date filled_quantity ref_futures_con_id auto_cancel_parent shareholder imbalance_only"),
    Fields("route_marketable_to_bbo parent_perm_id completed_time completed_status"),
    _PEG_OFFSETS,
)
