// One session of npm's @stoqey/ib with the gateway, told as JSON.

import { EventName, IBApi } from "@stoqey/ib";

const AAPL = 265598;
const PATIENCE = 5000;
const [BID, ASK, LAST, CLOSE] = [1, 2, 4, 9];
const [port, controlPort] = process.argv.slice(2).map(Number);

// Every event is kept; whoever waits for one is asked again whenever another has arrived.
const ib = new IBApi({ host: "127.0.0.1", port });
const heard = Object.fromEntries(Object.values(EventName).map((name) => [name, []]));
const waiting = new Set();
for (const name of Object.keys(heard)) {
  ib.on(name, (...said) => {
    heard[name].push(said);
    for (const look of waiting) look();
  });
}

function when(name, fits = () => true, count = 1) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${name}; heard: ${JSON.stringify(errors())}`)), PATIENCE);
    const look = () => {
      const found = heard[name].filter((said) => fits(...said));
      if (found.length < count) return;
      clearTimeout(late);
      waiting.delete(look);
      resolve(found);
    };
    waiting.add(look);
    look();
  });
}

const errors = () => heard.error.map(([error, code]) => [code, error.message]);

function stock(fields = {}) {
  return { symbol: "AAPL", secType: "STK", exchange: "SMART", currency: "USD", ...fields };
}

async function account() {
  const [[accounts]] = await when("managedAccounts");
  ib.reqAccountUpdates(true, "");
  ib.reqPositions();
  await when("accountDownloadEnd");
  await when("positionEnd");
  return {
    accounts: accounts.split(",").filter(Boolean),
    values: heard.updateAccountValue.map(([tag, value, currency, who]) => [who, tag, value, currency ?? ""]),
    portfolio: Object.fromEntries(heard.updatePortfolio.map(([what, held, price]) => [what.conId, [held, price]])),
    positions: Object.fromEntries(heard.position.map(([, what, held, cost]) => [what.conId, [held, cost]])),
  };
}

async function contracts() {
  ib.reqContractDetails(1, stock());
  ib.reqContractDetails(2, stock({ symbol: "SHOP", currency: "" }));
  ib.reqContractDetails(3, stock({ symbol: "NOSUCH" }));
  ib.reqMatchingSymbols(4, "AAP");
  ib.reqSecDefOptParams(5, "AAPL", "", "STK", AAPL);
  await when("contractDetailsEnd", () => true, 2);
  await when("error", (error, code, reqId) => reqId === 3);
  await when("securityDefinitionOptionParameterEnd");
  const [[, samples]] = await when("symbolSamples");
  const described = (number) => heard.contractDetails.filter(([reqId]) => reqId === number).map(([, one]) => one);
  const [unique] = described(1);
  return {
    unique: [unique.contract.conId, unique.contract.primaryExch, unique.longName, unique.minTick],
    ambiguous: described(2).map((one) => one.contract.conId),
    unknown: described(3).map((one) => one.contract.conId),
    matching: samples.map((one) => [one.contract.conId, one.contract.symbol]),
    chains: heard.securityDefinitionOptionParameter.map(
      ([, exchange, , tradingClass, multiplier, expirations, strikes]) =>
        [exchange, tradingClass, String(multiplier), [...expirations].sort(), [...strikes].sort((a, b) => a - b)],
    ),
  };
}

const tick = (number, kind) =>
  heard.tickPrice.filter(([reqId, field]) => reqId === number && field === kind).at(-1)?.[2];

async function market() {
  const aapl = stock({ conId: AAPL });
  ib.reqMktData(11, aapl, "", true, false);
  await when("tickSnapshotEnd");
  const snapshot = [BID, ASK, LAST, CLOSE].map((kind) => tick(11, kind));
  ib.reqMktData(12, aapl, "", false, false);
  const body = JSON.stringify({ con_id: AAPL, price: "201.5" });
  await fetch(`http://127.0.0.1:${controlPort}/move_price`, { method: "POST", body });
  await when("tickPrice", (reqId, field, price) => reqId === 12 && field === LAST && price === 201.5);
  const stream = [BID, ASK, LAST].map((kind) => tick(12, kind));
  ib.cancelMktData(12);
  return { snapshot, stream, hours: await bars(13, aapl, "1 D", "1 hour"), days: await bars(14, aapl, "5 D", "1 day") };
}

async function bars(number, contract, duration, size) {
  ib.reqHistoricalData(number, contract, "", duration, size, "TRADES", 1, 1, false);
  await when("historicalData", (reqId, time) => reqId === number && time.startsWith("finished"));
  return heard.historicalData
    .filter(([reqId, time]) => reqId === number && !time.startsWith("finished"))
    .map(([, ...bar]) => bar.slice(0, 6));
}

async function orders() {
  const aapl = stock({ conId: AAPL });
  const [[limit]] = await when("nextValidId");
  const [atMarket, stop] = [limit + 1, limit + 2];
  const common = { tif: "DAY", transmit: true };
  const resting = { ...common, orderType: "LMT", action: "BUY", totalQuantity: 5, orderRef: "foreign-limit" };
  ib.placeOrder(limit, aapl, { ...resting, lmtPrice: 100 });
  await status(limit, "Submitted");
  ib.placeOrder(limit, aapl, { ...resting, lmtPrice: 101.25 });
  await when("openOrder", (orderId, contract, order) => orderId === limit && order.lmtPrice === 101.25);
  ib.cancelOrder(limit);
  await status(limit, "Cancelled");
  ib.placeOrder(atMarket, aapl, { ...common, orderType: "MKT", action: "BUY", totalQuantity: 3, orderRef: "foreign-market" });
  await status(atMarket, "Filled");
  ib.placeOrder(stop, aapl, {
    ...common, orderType: "STP", action: "SELL", totalQuantity: 2, auxPrice: 90, orderRef: "foreign-stop",
  });
  await status(stop, "PreSubmitted");
  const [[report]] = await when("commissionReport");
  for (const name of ["openOrder", "execDetails", "commissionReport"]) heard[name].length = 0;
  ib.reqAllOpenOrders();
  ib.reqCompletedOrders(false);
  ib.reqExecutions(21, {});
  for (const end of ["openOrderEnd", "completedOrdersEnd", "execDetailsEnd", "commissionReport"]) await when(end);
  return {
    placed: {
      "foreign-limit": newest(limit), "foreign-market": newest(atMarket), "foreign-stop": newest(stop),
    },
    open: heard.openOrder.map(([, , order]) => [order.orderRef, order.auxPrice]),
    completed: heard.completedOrder.map(([, order, state]) => [order.orderRef, state.status]),
    executions: heard.execDetails.map(([, , one]) =>
      [one.orderRef, one.shares, one.price, report.commission, report.currency]),
  };
}

const status = (number, wanted) => when("orderStatus", (orderId, word) => orderId === number && word === wanted);

function newest(number) {
  const [, word, , , average, permId] = heard.orderStatus.filter(([orderId]) => orderId === number).at(-1);
  return [word, permId, average];
}

ib.connect(23);
const [[serverVersion]] = await when("server");
await when("nextValidId");
const told = { server_version: serverVersion, ...await account(), ...await contracts(), ...await market(), ...await orders() };
ib.disconnect();
console.log(JSON.stringify({ ...told, errors: errors() }));
