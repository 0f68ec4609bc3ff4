"""The table of what is listed: stocks, ETFs, indices, currencies, crypto, and the futures products.

Contract ids are the real ones where they are known for sure. The others are invented, from ranges of their own:
900,000,000 and up for listings, 950,000,000 and up for futures, 1,000,000,000 and up for options.
Prices are of the right size for late 2025 and nothing more. `NIPO` and `NOBK` are invented companies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from simulated_gateway.exchange_hours import CALENDARS
from simulated_gateway.instruments import Behaviour, DataPermission, Instrument, QuoteField

_US_VENUES = (
    "SMART", "AMEX", "NYSE", "CBOE", "PHLX", "ISE", "CHX", "ARCA", "NASDAQ", "DRCTEDGE", "BEX", "BATS", "EDGEA",
    "BYX", "IEX", "EDGX", "FOXRIVER", "PEARL", "NYSENAT", "LTSE", "MEMX", "IBEOS", "OVERNIGHT", "TPLUS0", "PSX",
)  # fmt: skip
_STOCK_ORDERS = (
    "ACTIVETIM", "ADJUST", "ALERT", "ALGO", "ALLOC", "AVGCOST", "BASKET", "COND", "CONDORDER", "DAY", "DEACT", "FOK",
    "GAT", "GTC", "GTD", "GTT", "HID", "IOC", "LIT", "LMT", "LOC", "MIT", "MKT", "MOC", "MTL", "NGCOMB", "OCA", "OPG",
    "OUTSIDERTH", "PEGMID", "REL", "SCALE", "SNAPMID", "STP", "STPLMT", "TRAIL", "TRAILLIT", "TRAILLMT", "WHATIF",
)  # fmt: skip
_FUTURE_ORDERS = tuple(kind for kind in _STOCK_ORDERS if kind not in {"HID", "PEGMID", "SNAPMID", "MOC", "LOC", "OPG"})
_FOREX_ORDERS = (
    "ALERT",
    "COND",
    "DAY",
    "GTC",
    "GTD",
    "IOC",
    "LIT",
    "LMT",
    "MIT",
    "MKT",
    "OCA",
    "STP",
    "STPLMT",
    "TRAIL",
)
_CRYPTO_ORDERS = ("DAY", "GTC", "IOC", "LMT", "MKT", "STPLMT", "WHATIF")
OPTION_ORDERS = _STOCK_ORDERS
_ABSENT: frozenset[QuoteField] = frozenset()


def _rules(rule: str, venues: tuple[str, ...]) -> str:
    return ",".join([rule] * len(venues))


def _stock(
    con_id: int, symbol: str, name: str, primary: str, price: str, volatility: float, volume: int,
    sectors: str = "", isin: str = "", *, currency: str = "USD", calendar: str = "us_stocks", trading_class: str = "",
    kind: str = "COMMON", tick: str = "0.01", venues: tuple[str, ...] = _US_VENUES, rule: str = "26", walk: str = "",
    spread: int = 1, lot: int = 100, data: DataPermission = "live", missing: frozenset[QuoteField] = _ABSENT,
) -> Instrument:  # fmt: skip
    industry, category, subcategory = (*sectors.split("/", 2), "", "", "")[:3]
    hours = CALENDARS[calendar]
    return Instrument(
        con_id=con_id,
        symbol=symbol,
        sec_type="STK",
        exchange="SMART",
        primary_exchange=primary,
        currency=currency,
        local_symbol=symbol,
        trading_class=trading_class or ("NMS" if primary == "NASDAQ" else symbol),
        long_name=name,
        min_tick=Decimal(tick),
        valid_exchanges=venues,
        order_types=_STOCK_ORDERS,
        time_zone=hours.zone,
        time_zone_id=hours.zone_id,
        calendar=calendar,
        industry=industry,
        category=category,
        subcategory=subcategory,
        isin=isin,
        stock_type=kind,
        market_rule_ids=_rules(rule, venues),
        market_name=trading_class or ("NMS" if primary == "NASDAQ" else symbol),
        description=name,
        data=data,
        behaviour=Behaviour(
            base_price=Decimal(price),
            daily_volatility=volatility,
            daily_volume=volume,
            spread_ticks=spread,
            quote_lot=Decimal(lot),
            walk=walk or symbol,
            missing=missing,
        ),
    )


def _etf(con_id: int, symbol: str, name: str, primary: str, price: str, volatility: float, volume: int,
         isin: str, walk: str = "") -> Instrument:  # fmt: skip
    return _stock(con_id, symbol, name, primary, price, volatility, volume, "", isin, kind="ETF", walk=walk)


def _abroad(
    con_id: int, symbol: str, name: str, primary: str, price: str, volatility: float, volume: int, sectors: str,
    isin: str, currency: str, calendar: str, *, tick: str = "0.01", trading_class: str = "", lot: int = 10,
    venues: tuple[str, ...] = (), data: DataPermission = "live",
) -> Instrument:  # fmt: skip
    return _stock(
        con_id, symbol, name, primary, price, volatility, volume, sectors, isin, currency=currency, calendar=calendar,
        trading_class=trading_class or symbol, tick=tick, venues=("SMART", primary, *venues), rule="1869", lot=lot,
        data=data,
    )  # fmt: skip


def _german(con_id: int, symbol: str, name: str, price: str, volatility: float, volume: int, sectors: str,
            isin: str) -> Instrument:  # fmt: skip
    venues = ("CHIXDE", "TGATE", "TRQXDE", "GETTEX2", "FWB2")
    return _abroad(
        con_id, symbol, name, "IBIS", price, volatility, volume, sectors, isin, "EUR", "xetra", tick="0.02",
        trading_class="XETRA", venues=venues,
    )  # fmt: skip


STOCKS: tuple[Instrument, ...] = (
    _stock(265598, "AAPL", "APPLE INC", "NASDAQ", "270", 0.016, 50_000_000,
           "Technology/Computers/Computers", "US0378331005"),
    _stock(272093, "MSFT", "MICROSOFT CORP", "NASDAQ", "480", 0.014, 22_000_000,
           "Technology/Software/Applications Software", "US5949181045"),
    _stock(8314, "IBM", "INTL BUSINESS MACHINES CORP", "NYSE", "300", 0.014, 4_000_000,
           "Technology/Computers/Computer Services", "US4592001014"),
    _stock(76792991, "TSLA", "TESLA INC", "NASDAQ", "400", 0.034, 80_000_000,
           "Consumer, Cyclical/Auto Manufacturers/Auto-Cars/Light Trucks", "US88160R1014"),
    _stock(3691937, "AMZN", "AMAZON.COM INC", "NASDAQ", "225", 0.018, 40_000_000,
           "Communications/Internet/E-Commerce/Products", "US0231351067"),
    _stock(4815747, "NVDA", "NVIDIA CORP", "NASDAQ", "180", 0.024, 180_000_000,
           "Technology/Semiconductors/Electronic Compo-Semicon", "US67066G1040"),
    _stock(208813720, "GOOG", "ALPHABET INC-CL C", "NASDAQ", "300", 0.017, 22_000_000,
           "Communications/Internet/Web Portals/ISP", "US02079K1079", walk="GOOGL"),
    _stock(208813719, "GOOGL", "ALPHABET INC-CL A", "NASDAQ", "299", 0.017, 34_000_000,
           "Communications/Internet/Web Portals/ISP", "US02079K3059"),
    _stock(107113386, "META", "META PLATFORMS INC-CLASS A", "NASDAQ", "600", 0.020, 14_000_000,
           "Communications/Internet/Internet Content-Entmnt", "US30303M1027"),
    _stock(15124833, "NFLX", "NETFLIX INC", "NASDAQ", "110", 0.019, 35_000_000,
           "Communications/Internet/Internet Content-Entmnt", "US64110L1061"),
    _stock(4391, "AMD", "ADVANCED MICRO DEVICES", "NASDAQ", "215", 0.030, 45_000_000,
           "Technology/Semiconductors/Electronic Compo-Semicon", "US0079031078"),
    _stock(270639, "INTC", "INTEL CORP", "NASDAQ", "36", 0.028, 90_000_000,
           "Technology/Semiconductors/Electronic Compo-Semicon", "US4581401001"),
    _stock(268084, "CSCO", "CISCO SYSTEMS INC", "NASDAQ", "77", 0.013, 18_000_000,
           "Communications/Telecommunications/Networking Products", "US17275R1023"),
    _stock(272800, "ORCL", "ORACLE CORP", "NYSE", "210", 0.024, 20_000_000,
           "Technology/Software/Enterprise Software/Serv", "US68389X1054"),
    _stock(8894, "KO", "COCA-COLA CO/THE", "NYSE", "72", 0.009, 15_000_000,
           "Consumer, Non-cyclical/Beverages/Beverages-Non-alcoholic", "US1912161007"),
    _stock(1520593, "JPM", "JPMORGAN CHASE & CO", "NYSE", "300", 0.013, 9_000_000,
           "Financial/Banks/Diversified Banking Inst", "US46625H1005"),
    _stock(72063691, "BRK B", "BERKSHIRE HATHAWAY INC-CL B", "NYSE", "505", 0.009, 4_500_000,
           "Financial/Insurance/Reinsurance", "US0846707026", spread=3),
    _stock(13977, "XOM", "EXXON MOBIL CORP", "NYSE", "116", 0.012, 15_000_000,
           "Energy/Oil&Gas/Oil Comp-Integrated", "US30231G1022"),
    _stock(8719, "JNJ", "JOHNSON & JOHNSON", "NYSE", "205", 0.010, 8_000_000,
           "Consumer, Non-cyclical/Pharmaceuticals/Medical-Drugs", "US4781601046"),
    _stock(11017, "PG", "PROCTER & GAMBLE CO/THE", "NYSE", "148", 0.010, 8_000_000,
           "Consumer, Non-cyclical/Cosmetics/Personal Care", "US7427181091"),
    _stock(49462172, "V", "VISA INC-CLASS A SHARES", "NYSE", "328", 0.011, 6_500_000,
           "Financial/Diversified Finan Serv/Finance-Credit Card", "US92826C8394"),
    _stock(13824, "WMT", "WALMART INC", "NYSE", "105", 0.011, 17_000_000,
           "Consumer, Cyclical/Retail/Retail-Discount", "US9311421039"),
    _stock(6459, "DIS", "WALT DISNEY CO/THE", "NYSE", "105", 0.015, 10_000_000,
           "Communications/Media/Multimedia", "US2546871060"),
    _stock(10098, "BAC", "BANK OF AMERICA CORP", "NYSE", "52", 0.013, 35_000_000,
           "Financial/Banks/Diversified Banking Inst", "US0605051046"),
    _stock(9599491, "F", "FORD MOTOR CO", "NYSE", "13", 0.018, 70_000_000,
           "Consumer, Cyclical/Auto Manufacturers/Auto-Cars/Light Trucks", "US3453708600"),
    _stock(37018770, "T", "AT&T INC", "NYSE", "25.50", 0.011, 35_000_000,
           "Communications/Telecommunications/Telephone-Integrated", "US00206R1023"),
    _etf(756733, "SPY", "STATE STREET SPDR S&P 500 ETF TRUST", "ARCA", "670", 0.009, 75_000_000, "US78462F1030", "SPX"),
    _etf(320227571, "QQQ", "INVESCO QQQ TRUST SERIES 1", "NASDAQ", "600", 0.012, 55_000_000, "US46090E1038", "NDX"),
    _etf(9579970, "IWM", "ISHARES RUSSELL 2000 ETF", "ARCA", "237", 0.013, 35_000_000, "US4642876555"),
    _etf(51529211, "GLD", "SPDR GOLD SHARES", "ARCA", "375", 0.010, 12_000_000, "US78463V1070"),
    # One symbol, several listings: too little said about it is ambiguous.
    _german(900_000_001, "SAP", "SAP SE", "212", 0.015, 1_800_000,
            "Technology/Software/Enterprise Software/Serv", "DE0007164600"),
    _stock(900_000_002, "SAP", "SAP SE-SPONSORED ADR", "NYSE", "246", 0.015, 1_500_000,
           "Technology/Software/Enterprise Software/Serv", "US8030542042", kind="ADR", spread=3),
    _abroad(900_000_003, "VOD", "VODAFONE GROUP PLC", "LSE", "0.92", 0.014, 45_000_000,
            "Communications/Telecommunications/Cellular Telecom", "GB00BH4HKS39", "GBP", "london", tick="0.0002",
            trading_class="SET0", lot=1000, venues=("CHIXUK", "BATEUK", "TRQXUK"), data="delayed"),
    _stock(900_000_004, "VOD", "VODAFONE GROUP PLC-SP ADR", "NASDAQ", "12.10", 0.014, 6_000_000,
           "Communications/Telecommunications/Cellular Telecom", "US92857W3088", kind="ADR"),
    _abroad(900_000_005, "SHOP", "SHOPIFY INC - CLASS A", "TSE", "210", 0.028, 1_500_000,
            "Technology/Internet/E-Commerce/Services", "CA82509L1076", "CAD", "toronto", lot=100),
    _stock(900_000_006, "SHOP", "SHOPIFY INC - CLASS A", "NASDAQ", "150", 0.028, 8_000_000,
           "Technology/Internet/E-Commerce/Services", "CA82509L1076"),
    _abroad(900_000_007, "ASML", "ASML HOLDING NV", "AEB", "870", 0.020, 600_000,
            "Technology/Semiconductors/Semiconductor Equipment", "NL0010273215", "EUR", "euronext", tick="0.1"),
    _stock(900_000_008, "ASML", "ASML HOLDING NV-NY REG SHS", "NASDAQ", "1010", 0.020, 1_500_000,
           "Technology/Semiconductors/Semiconductor Equipment", "USN070592100", kind="NY REG SHRS", spread=20),
    _german(900_000_009, "BMW", "BAYERISCHE MOTOREN WERKE AG", "86", 0.014, 1_200_000,
            "Consumer, Cyclical/Auto Manufacturers/Auto-Cars/Light Trucks", "DE0005190003"),
    _german(900_000_010, "SIE", "SIEMENS AG-REG", "228", 0.015, 1_000_000,
            "Industrial/Miscellaneous Manufactur/Diversified Manufact Op", "DE0007236101"),
    _abroad(900_000_011, "AIR", "AIRBUS SE", "SBF", "205", 0.015, 1_000_000,
            "Industrial/Aerospace/Defense", "NL0000235190", "EUR", "euronext", tick="0.02", data="none"),
    _abroad(900_000_012, "NESN", "NESTLE SA-REG", "EBS", "80", 0.010, 4_000_000,
            "Consumer, Non-cyclical/Food/Food-Misc/Diversified", "CH0038863350", "CHF", "swiss", tick="0.01"),
    _abroad(900_000_013, "NOVN", "NOVARTIS AG-REG", "EBS", "104", 0.011, 3_000_000,
            "Consumer, Non-cyclical/Pharmaceuticals/Medical-Drugs", "CH0012005267", "CHF", "swiss", tick="0.02"),
    _abroad(900_000_014, "7203", "TOYOTA MOTOR CORP", "TSEJ", "3100", 0.015, 20_000_000,
            "Consumer, Cyclical/Auto Manufacturers/Auto-Cars/Light Trucks", "JP3633400001", "JPY", "tokyo", tick="0.5",
            lot=100, data="delayed"),
    _abroad(900_000_015, "6758", "SONY GROUP CORP", "TSEJ", "4400", 0.018, 12_000_000,
            "Consumer, Cyclical/Home Furnishings/Audio/Video Products", "JP3435000009", "JPY", "tokyo", tick="1",
            lot=100),
    _abroad(900_000_016, "RY", "ROYAL BANK OF CANADA", "TSE", "212", 0.009, 3_000_000,
            "Financial/Banks/Commer Banks Non-US", "CA7800871021", "CAD", "toronto", lot=100),
    _abroad(900_000_017, "BARC", "BARCLAYS PLC", "LSE", "4.10", 0.016, 40_000_000,
            "Financial/Banks/Diversified Banking Inst", "GB0031348658", "GBP", "london", tick="0.0005",
            trading_class="SET0", lot=500, venues=("CHIXUK", "BATEUK", "TRQXUK")),
    _stock(900_000_018, "TCEHY", "TENCENT HOLDINGS LTD-UNS ADR", "PINK", "80", 0.018, 3_000_000,
           "Communications/Internet/Internet Application Sftwr", "US88032Q1094", kind="ADR", calendar="us_otc",
           trading_class="OTC", venues=("SMART", "PINK", "ARCAEDGE"), spread=4),
    _stock(900_000_019, "NIPO", "NEWLY LISTED EXAMPLE INC", "NASDAQ", "17", 0.030, 0, "Technology/Software/Example",
           missing=frozenset({"last", "close", "volume"}), spread=40),
    _stock(900_000_020, "NOBK", "NO BOOK EXAMPLE INC", "NYSE", "42", 0.020, 200_000, "Industrial/Machinery/Example",
           missing=frozenset({"bid", "ask"})),
)  # fmt: skip


def _index(con_id: int, symbol: str, name: str, price: str, volatility: float, *, exchange: str = "CBOE",
           tick: str = "0.01", calendar: str = "us_indices", data: DataPermission = "live") -> Instrument:  # fmt: skip
    hours = CALENDARS[calendar]
    return Instrument(
        con_id=con_id, symbol=symbol, sec_type="IND", exchange=exchange, primary_exchange=exchange, currency="USD",
        local_symbol=symbol, trading_class=symbol, long_name=name, min_tick=Decimal(tick), valid_exchanges=(exchange,),
        order_types=(), time_zone=hours.zone, time_zone_id=hours.zone_id, calendar=calendar, industry="Indices",
        category="Broad Range Equity Index", subcategory="*", market_rule_ids="67", market_name=symbol,
        description=name, data=data,
        behaviour=Behaviour(
            base_price=Decimal(price), daily_volatility=volatility, daily_volume=0, walk=symbol,
            missing=frozenset({"bid", "ask", "volume"}),
        ),
    )  # fmt: skip


INDICES: tuple[Instrument, ...] = (
    _index(416904, "SPX", "S&P 500 Stock Index", "6700", 0.009),
    _index(13455763, "VIX", "CBOE Volatility Index", "18", 0.060),
    _index(416843, "NDX", "NASDAQ 100 Stock Index", "24600", 0.012, exchange="NASDAQ"),
)


def _pair(con_id: int, base: str, quote: str, names: str, price: str, tick: str, volatility: float) -> Instrument:
    hours = CALENDARS["forex"]
    name = f"{base}.{quote}"
    return Instrument(
        con_id=con_id, symbol=base, sec_type="CASH", exchange="IDEALPRO", currency=quote, local_symbol=name,
        trading_class=name, long_name=names, min_tick=Decimal(tick), valid_exchanges=("IDEALPRO",),
        order_types=_FOREX_ORDERS, time_zone=hours.zone, time_zone_id=hours.zone_id, calendar="forex",
        market_rule_ids="239", market_name=name, description=names,
        behaviour=Behaviour(
            base_price=Decimal(price), daily_volatility=volatility, daily_volume=0, walk=name,
            quote_lot=Decimal(500_000), missing=frozenset({"last", "volume"}),
        ),
    )  # fmt: skip


PAIRS: tuple[Instrument, ...] = (
    _pair(12087792, "EUR", "USD", "European Monetary Union Euro", "1.16", "0.00005", 0.0045),
    _pair(12087797, "GBP", "USD", "British pound", "1.32", "0.00005", 0.005),
    _pair(15016059, "USD", "JPY", "United States dollar", "155", "0.005", 0.006),
    _pair(12087820, "USD", "CHF", "United States dollar", "0.80", "0.00005", 0.005),
    _pair(14433401, "AUD", "USD", "Australian dollar", "0.65", "0.00005", 0.006),
    _pair(15016062, "USD", "CAD", "United States dollar", "1.40", "0.00005", 0.004),
    _pair(12087807, "EUR", "GBP", "European Monetary Union Euro", "0.88", "0.00005", 0.004),
)


def _coin(con_id: int, symbol: str, name: str, price: str, tick: str, volume: int) -> Instrument:
    hours = CALENDARS["crypto"]
    return Instrument(
        con_id=con_id, symbol=symbol, sec_type="CRYPTO", exchange="PAXOS", currency="USD",
        local_symbol=f"{symbol}.USD", trading_class=symbol, long_name=name, min_tick=Decimal(tick),
        valid_exchanges=("PAXOS",), order_types=_CRYPTO_ORDERS, time_zone=hours.zone, time_zone_id=hours.zone_id,
        calendar="crypto", min_size=Decimal("0.0001"), size_increment=Decimal("0.00000001"), market_rule_ids="1534",
        market_name=symbol, description=name,
        behaviour=Behaviour(
            base_price=Decimal(price), daily_volatility=0.025, daily_volume=volume, spread_ticks=8, walk=symbol,
            volume_lot=Decimal("0.001"), quote_lot=Decimal("0.01"),
        ),
    )  # fmt: skip


COINS: tuple[Instrument, ...] = (
    _coin(479624278, "BTC", "Bitcoin cryptocurrency", "92000", "0.25", 2_500_000),
    _coin(495759171, "ETH", "Ethereum cryptocurrency", "3000", "0.01", 30_000_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureProduct:
    """A future without its expiry. The code is part of the contract ids and must never be used again."""

    code: int
    #: Local symbol and contract id are of the product; the catalogue makes the dated contracts from it.
    pattern: Instrument
    #: Months in which contracts end, and how many are listed.
    months: tuple[int, ...]
    listed: int
    #: Contango per year as a share of the price.
    carry: Decimal


def _future(code: int, underlying: int, symbol: str, name: str, exchange: str, multiplier: str, price: str, tick: str,
            volatility: float, volume: int, calendar: str, months: tuple[int, ...], listed: int, carry: str,
            walk: str, rule: str, industry: str) -> FutureProduct:  # fmt: skip
    hours = CALENDARS[calendar]
    pattern = Instrument(
        con_id=0, symbol=symbol, sec_type="FUT", exchange=exchange, currency="USD", local_symbol=symbol,
        trading_class=symbol, long_name=name, multiplier=multiplier, min_tick=Decimal(tick),
        valid_exchanges=(exchange,), order_types=_FUTURE_ORDERS, time_zone=hours.zone, time_zone_id=hours.zone_id,
        calendar=calendar, industry=industry, category=industry, subcategory="*", market_rule_ids=rule,
        market_name=symbol, description=name, under_con_id=underlying,
        behaviour=Behaviour(
            base_price=Decimal(price), daily_volatility=volatility, daily_volume=volume, walk=walk, quote_lot=Decimal(1)
        ),
    )  # fmt: skip
    return FutureProduct(code=code, pattern=pattern, months=months, listed=listed, carry=Decimal(carry))


_QUARTERS = (3, 6, 9, 12)
FUTURES: tuple[FutureProduct, ...] = (
    _future(1, 11004968, "ES", "E-mini S&P 500", "CME", "50", "6720", "0.25", 0.009, 1_500_000, "cme_equity",
            _QUARTERS, 5, "0.03", "SPX", "67", "Indices"),
    _future(2, 362687422, "MES", "Micro E-Mini S&P 500 Stock Price Index", "CME", "5", "6720", "0.25", 0.009, 1_000_000,
            "cme_equity", _QUARTERS, 5, "0.03", "SPX", "67", "Indices"),
    _future(3, 11004958, "NQ", "E-mini NASDAQ 100", "CME", "20", "24700", "0.25", 0.012, 600_000, "cme_equity",
            _QUARTERS, 5, "0.03", "NDX", "67", "Indices"),
    _future(4, 17340715, "CL", "Light Sweet Crude Oil", "NYMEX", "1000", "60", "0.01", 0.020, 300_000, "nymex",
            tuple(range(1, 13)), 12, "0.01", "CL", "32", "Energy"),
)  # fmt: skip


def _product_index(product: FutureProduct) -> Instrument:
    """Give the index that the gateway's search and chains know a future's product by. It has no data of its own."""
    pattern = product.pattern
    return replace(
        pattern, con_id=pattern.under_con_id, sec_type="IND", primary_exchange=pattern.exchange, multiplier="",
        order_types=(), under_con_id=0, data="none",
    )  # fmt: skip


LISTINGS: tuple[Instrument, ...] = (*STOCKS, *INDICES, *PAIRS, *COINS, *(_product_index(f) for f in FUTURES))
