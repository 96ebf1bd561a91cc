"""The trades that tests make: requests in the JSON form of protobuf, and what the systems say of them."""

import itertools

from harness import PROTOS

TRADE = "txcenter.trade.v1.TradeService/"
SAGA = "txcenter.saga.v1.SagaService/"
OPERATOR = "txcenter.saga.v1.OperatorService/"
SIM = "participant.sim.v1.SimControlService/"

STATES = PROTOS.pool.FindEnumTypeByName("txcenter.trade.v1.TradeState").values_by_number
TENDER_KINDS = PROTOS.pool.FindEnumTypeByName("txcenter.trade.v1.TenderKind").values_by_name
COMPLETED, CANCELLED, REFUNDED = "COMPLETED", "CANCELLED", "REFUNDED"


def state_of(trade):
    """"COMPLETED" of a trade, and of anything else with such a state."""
    name = trade.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[trade.state].name
    return name.partition("_STATE_")[2]


def states_of(trade):
    return [STATES[change.state].name.partition("_STATE_")[2] for change in trade.history]


def money(minor_units, currency="CNY"):
    return {"currency": currency, "minorUnits": str(minor_units)}


def tender(kind, minor_units=None, account="payer"):
    made = {"kind": "TENDER_KIND_" + kind, "account": account}
    if minor_units is not None:
        made["amount"] = money(minor_units)
    return made


class Shop:
    """One caller who buys fuel."""

    def __init__(self, client, user="U0001", tenant="T001", station="S001"):
        self.client = client
        self.context = {"tenantId": tenant, "userId": user, "stationId": station, "channel": "wechat"}
        self.numbers = itertools.count(1)

    def request_id(self):
        return f"{self.context['userId']}-{next(self.numbers)}"

    def _fields(self, fields):
        return {"requestId": self.request_id(), **fields}

    def quote_request(self, volume_centi=3000, **fields):
        line = {"fuel": {"oilCode": "95#", "nozzle": "2", "volumeCenti": str(volume_centi)}}
        return self._fields({"context": self.context, "lines": [line], **fields})

    def quote(self, volume_centi=3000, **fields):
        return self.client.call(TRADE + "Quote", self.quote_request(volume_centi, **fields))

    def place(self, quoted, **fields):
        request = {"tradeNo": quoted.trade_no, "quoteVersion": quoted.quote.version, "waitMs": 20000, **fields}
        return self.client.call(TRADE + "PlaceOrder", self._fields(request)).trade

    def order(self, **fields):
        """A trade that waits for its payment."""
        return self.place(self.quote(), **fields)

    def pay_request(self, trade, tenders=None, **fields):
        tenders = tenders or [tender("WECHAT", trade.payable.minor_units)]
        return self._fields({"tradeNo": trade.trade_no, "tenders": tenders, "waitMs": 20000, **fields})

    def pay(self, trade, tenders=None, **fields):
        return self.client.call(TRADE + "Pay", self.pay_request(trade, tenders, **fields))

    def cancel(self, trade, **fields):
        request = {"tradeNo": trade.trade_no, "reason": "changed my mind", "waitMs": 20000, **fields}
        return self.client.call(TRADE + "Cancel", self._fields(request))

    def refund(self, trade, **fields):
        request = {"tradeNo": trade.trade_no, "reason": "not wanted", "waitMs": 20000, **fields}
        return self.client.call(TRADE + "Refund", self._fields(request))

    def get(self, trade_no):
        return self.client.call(TRADE + "GetTrade", {"tradeNo": trade_no}).trade

    def watch(self, trade_no, **fields):
        for response in self.client.stream(TRADE + "WatchTrade", {"tradeNo": trade_no, **fields}, timeout=60):
            yield response.trade

    def until(self, trade_no, *states):
        """The trade once it is in one of these states."""
        for trade in self.watch(trade_no):
            if state_of(trade) in states:
                return trade
        trade = self.get(trade_no)  # it had ended before
        if state_of(trade) not in states:
            raise AssertionError(f"{trade_no} ended as {state_of(trade)}, not as one of {states}")
        return trade


class Sim:
    """The other side: faults, payers, ledgers."""

    def __init__(self, client):
        self.client = client

    def fault(self, kind, system="*", method="*", **fields):
        fault = {"system": system, "method": method, "kind": "FAULT_KIND_" + kind, **fields}
        return self.client.call(SIM + "SetFault", {"fault": fault}).fault_id

    def clear(self):
        self.client.call(SIM + "ClearFaults")

    def payer_pays(self, tender_no, **fields):
        self.client.call(SIM + "PayTender", {"tenderNo": tender_no, "result": "PAY_RESULT_PAID", **fields})

    def _all(self, method, field, request):
        found, token = [], ""
        while True:
            page = self.client.call(SIM + method, {**request, "pageToken": token})
            found += getattr(page, field)
            token = page.next_page_token
            if not token:
                return found

    def ledger(self, system, trade_no=""):
        return self._all("DumpLedger", "entries", {"system": system, "tradeNo": trade_no})

    def effects(self, system, trade_no=""):
        return self._all("DumpEffects", "effects", {"system": system, "tradeNo": trade_no})

    def stats(self):
        return {stats.system: stats for stats in self.client.call(SIM + "GetStats").systems}
