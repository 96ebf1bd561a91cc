"""The valid requests that everything hostile is made from, in METHODS: one row a method of the center."""

import concurrent.futures
import hashlib
import hmac
import itertools
import time

from harness import PROTOS, SECRET
from shop import OPERATOR, SAGA, TRADE, Shop, money, tender

CALLBACK = "txcenter.callback.v1.CallbackService/"
OVERSEER = "txcenter.trade.v1.TradeOperatorService/"
STATS = "txcenter.ops.v1.StatsService/"
HEALTH = "grpc.health.v1.Health/"
REFLECTIONS = ("grpc.reflection.v1.ServerReflection/", "grpc.reflection.v1alpha.ServerReflection/")

OURS, THEIRS = "T1", "T2"
CALLERS = [
    {"name": "buyer", "scopes": ["trade", "trade.read"], "tenants": [OURS]},
    {"name": "neighbour", "scopes": ["trade", "trade.read"], "tenants": [THEIRS]},
    {"name": "reader", "scopes": ["trade.read"], "tenants": [OURS]},
    {"name": "gateway", "scopes": ["callback"], "tenants": [OURS]},
    {"name": "operator", "scopes": ["saga", "operate"], "tenants": ["*"]},
    {"name": "submitter", "scopes": ["saga"], "tenants": [OURS]},
    {"name": "check", "scopes": ["trade.read", "saga", "operate"], "tenants": ["*"]},
]
USERS = 2000
FIRST_USER = 5  # behind the world's special ones
STAGES = ("quoted", "ordered", "paying", "paid", "cancelled", "partly", "refunded", "theirs")
WAIT_MAX_MS = 1000


class Pool:
    """Live trades in every state, renewed again and again."""

    def __init__(self, world, target):
        self.target = target  # of what submitted sagas call
        self.submitter = world.client("submitter")
        self.submitted = []  # their gids
        self.client, self.neighbour = world.client("buyer"), world.client("neighbour")
        self.operator = world.client("check")
        self.users = itertools.cycle(range(FIRST_USER, USERS))
        self.trades = {}  # stage: trades
        self.numbers, self.gids, self.words = [], [], []
        self.request_ids = itertools.count(1)

    def _shop(self, client, tenant):
        shop = Shop(client, user=f"U{next(self.users):04}", tenant=tenant)
        shop.request_id = lambda: f"pool-{next(self.request_ids)}"
        return shop

    def _ordered(self, shop):
        trade = shop.place(shop.quote(excludePoints=True), waitMs=WAIT_MAX_MS)
        return shop.until(trade.trade_no, "ORDERED")  # the wait may have been too short

    def _paid(self, shop):
        trade = self._ordered(shop)
        amount = trade.payable.minor_units
        tenders = [tender("CARD", 2000, "C" + shop.context["userId"][1:]), tender("WECHAT", amount - 2000)]
        shop.pay(trade, tenders, waitMs=WAIT_MAX_MS, waitFor="WAIT_FOR_OUTCOME")
        return shop.until(trade.trade_no, "COMPLETED")

    def _make(self, stage):
        shop = self._shop(*((self.neighbour, THEIRS) if stage == "theirs" else (self.client, OURS)))
        if stage == "quoted":
            return shop.get(shop.quote().trade_no)
        if stage in ("ordered", "theirs"):
            return self._ordered(shop)
        if stage == "paying":
            trade = self._ordered(shop)
            shop.pay(trade, [tender("WECHAT", trade.payable.minor_units, "nobody")], waitMs=WAIT_MAX_MS)
        elif stage == "cancelled":
            trade = self._ordered(shop)
            shop.cancel(trade, waitMs=WAIT_MAX_MS)
        else:
            trade = self._paid(shop)
            if stage == "partly":
                shop.refund(trade, amount=money(777), waitMs=WAIT_MAX_MS)
            elif stage == "refunded":
                shop.refund(trade, whole=True, waitMs=WAIT_MAX_MS)
        return shop.get(trade.trade_no)

    def renew(self, waiting=2):
        """Two new trades in each state; so many that wait for their payment."""
        stages = [stage for stage in STAGES for _ in range(waiting if stage == "paying" else 2)]
        with concurrent.futures.ThreadPoolExecutor(8) as workers:
            made = list(workers.map(self._make, stages))
        self.trades = {stage: [] for stage in STAGES}
        for stage, trade in zip(stages, made):
            self.trades[stage].append(trade)
        self.numbers = [trade.trade_no for trade in made]
        self.gids = [gid for trade in made for gid in trade.saga_gids]
        orders = [trade.order_no for trade in made if trade.order_no]
        tenders = [t.tender_no for trade in made for attempt in trade.attempts for t in attempt.tenders]
        self.submitted = [self._submit(waits) for waits in (True, True, False)]
        self.words = self.numbers + self.gids + orders + tenders + self.submitted + [self.target, "paid"]
        return self

    def _submit(self, waits):
        """A saga that awaits its signal, or one that ends."""
        saga = definition(self.target)
        saga["steps"] = [step for step in saga["steps"] if waits or "signal" not in step]
        request = {"requestId": f"pool-{next(self.request_ids)}", "saga": saga, "waitMs": WAIT_MAX_MS * (not waits)}
        return self.submitter.call(SAGA + "SubmitSaga", request).saga.gid

    def any(self, random, *stages):
        return random.choice(self.trades[random.choice(stages or STAGES)])

    def shop(self, random):
        return {"tenantId": OURS, "userId": f"U{random.randrange(FIRST_USER, USERS):04}", "stationId": "S001",
                "channel": "wechat"}


# ---- Requests, in the JSON form of protobuf ---------------------------------------------------------------------------


def _lines(random):
    fuel = {"oilCode": random.choice(("92#", "95#")), "nozzle": "2" if random.random() < 0.5 else ""}
    if random.random() < 0.5:
        fuel["amount"] = money(random.randrange(100, 50000))
    else:
        fuel["volumeCenti"] = str(random.randrange(100, 6000))
    return [{"fuel": fuel}] * random.choice((1, 1, 2, 3))


def _quote(pool, random):
    trade = pool.any(random, "quoted", "ordered", "paid", "cancelled") if random.random() < 0.4 else None
    context = {"tenantId": OURS, "userId": trade.context.user_id, "stationId": "S001"} if trade else pool.shop(random)
    return {"context": context, "lines": _lines(random), "tradeNo": trade.trade_no if trade else "",
            "maxCombinations": random.randrange(0, 11), "excludePoints": random.random() < 0.5}


def _order(pool, random):
    trade = pool.any(random, "quoted", "quoted", "quoted", "ordered", "cancelled", "paid", "theirs")
    return {"tradeNo": trade.trade_no, "quoteVersion": trade.quote.version, "waitMs": random.choice((0, 50, 500)),
            "expectedPayable": money(trade.quote.combinations[0].payable.minor_units), "expiresInSeconds": 600}


def _tenders(random, amount, account="payer"):
    kind = random.choice(("WECHAT", "ALIPAY", "SCANNED", "BANK_CARD", "CASH", "CARD"))
    account = f"C{random.randrange(FIRST_USER, USERS):04}" if kind == "CARD" else account
    if amount and amount > 500 and random.random() < 0.4:
        return [tender("WECHAT", 500, random.choice(("payer", "nobody"))), tender(kind, amount - 500, account)]
    return [tender(kind, amount, account)]


def _pay(pool, random):
    trade = pool.any(random, "ordered", "ordered", "paying", "paid", "cancelled", "theirs")
    return {"tradeNo": trade.trade_no, "tenders": _tenders(random, trade.payable.minor_units), "waitMs": 50}


def _order_pay(pool, random):
    fields = _order(pool, random)
    amount = int(fields["expectedPayable"]["minorUnits"])
    return {**fields, "tenders": _tenders(random, amount), "onFailure": "ON_FAILURE_KEEP"}


def _quote_order_pay(pool, random):
    return {"context": pool.shop(random), "lines": _lines(random), "tenders": _tenders(random, None), "excludePoints": True,
            "waitMs": random.choice((0, 50, 300)), "waitFor": random.choice(("WAIT_FOR_OUTCOME", "WAIT_FOR_PARAMETERS"))}


def _number(trade, random):
    return {"orderNo": trade.order_no} if trade.order_no and random.random() < 0.3 else {"tradeNo": trade.trade_no}


def _cancel(pool, random):
    return {**_number(pool.any(random), random), "reason": "hostile", "waitMs": random.choice((0, 50))}


def _refund(pool, random):
    trade = pool.any(random, "paid", "paid", "partly", "refunded", "ordered", "theirs")
    extent = random.choice(({"whole": True}, {"amount": money(random.randrange(1, 30))}, {"lines": {"indexes": [0]}}))
    fields = {**_number(trade, random), **extent, "reason": "hostile", "waitMs": 50}
    if "amount" in extent and trade.attempts:
        tenders = trade.attempts[-1].tenders
        fields["split"] = [{"tenderNo": tenders[0].tender_no, "amount": extent["amount"]}]
    return fields


def _adjust(pool, random):
    line = {"index": random.choice((0, 0, 1)), **random.choice(({}, {"volumeCenti": "100"}, {"amount": money(random.randrange(9000))}))}
    return {**_number(pool.any(random), random), "lines": [line]}


def _get(pool, random):
    return _number(pool.any(random), random)


def _list(pool, random):
    trade = pool.any(random)
    wishes = {"tenantId": OURS, "userId": trade.context.user_id, "stationId": "S001", "state": "TRADE_STATE_COMPLETED",
              "createdFrom": "2024-01-01T00:00:00Z", "createdTo": "2099-01-01T00:00:00Z"}
    return {"filter": {key: wish for key, wish in wishes.items() if random.random() < 0.4},
            "pageSize": random.choice((0, 1, 50, 200)),
            "pageToken": f"1700000000000.{trade.trade_no}" if random.random() < 0.2 else ""}


def _watch(pool, random):
    trade = pool.any(random)
    return {"tradeNo": trade.trade_no, "afterVersion": str(random.choice((0, 0, 1)))}


def _get_saga(pool, random):
    return {"gid": random.choice(pool.gids)}


def _list_sagas(pool, random):
    trade = pool.any(random)
    wishes = {"status": "SAGA_STATUS_SUCCEEDED", "parked": True, "flow": "purchase", "subject": trade.trade_no,
              "unfinished": True, "createdFrom": "2024-01-01T00:00:00Z"}
    return {"filter": {key: wish for key, wish in wishes.items() if random.random() < 0.3}, "pageSize": 20}


def definition(target):
    """A saga with everything that one can have."""
    def call(method, **fields):
        return {"target": target, "method": "/test.v1.Ledger/" + method, "payload": "aG9zdGlsZQ==", "deadlineMs": 500, **fields}

    policy = {"firstMs": 5, "maxMs": 20, "attempts": 3, "jitterPercent": 10}
    own = {"headers": [{"name": "x-own", "value": "mine"}]}
    return {"flow": "hostile.saga", "timeLimitMs": "20000", "steps": [
        {"stepId": 50, "name": "left", "stage": 1, "kind": "STEP_KIND_COMPENSATABLE", "action": call("Left", **own),
         "compensation": call("UndoLeft", parts=[{"fromStep": "left", "fieldNumber": 2}]), "inquiry": call("Ask"),
         "retry": policy, "compensationRetry": policy},
        {"name": "right", "stage": 1, "action": call("Right"), "compensation": call("UndoRight"), "retry": policy},
        {"name": "await", "stage": 2, "signal": {"name": "paid", "timeoutMs": "15000"}},
        {"name": "pivot", "stage": 3, "kind": "STEP_KIND_PIVOT", "action": call("Pivot", parts=[
            {"fromStep": "left", "fieldNumber": 1}, {"fromStep": "right", "fieldNumber": 300}]), "retry": policy},
        {"name": "tell", "stage": 4, "kind": "STEP_KIND_RETRIABLE", "nonCore": True, "action": call("Tell"), "retry": policy}]}


def _submit(pool, random):
    fields = {"saga": definition(pool.target), "waitMs": random.choice((0, 0, 20))}
    if random.random() < 0.7:
        fields["saga"]["steps"] = [step for step in fields["saga"]["steps"] if "signal" not in step]
    if random.random() < 0.2:
        return {**fields, "gid": f"hostile:{random.getrandbits(60):x}", "requestId": ""}
    return fields


def _signal(pool, random):
    return {"gid": random.choice(pool.submitted), "name": "paid", "payload": "cmVjZWlwdA=="}


def _watch_saga(pool, random):
    wishes = {"gid": random.choice(pool.submitted)}
    return {**wishes, "afterUpdatedAt": "2024-01-01T00:00:00Z"} if random.random() < 0.5 else wishes


def _count_sagas(pool, random):
    return {"filter": _list_sagas(pool, random)["filter"]}


def _empty(_pool, _random):
    return {}


def _flow(_pool, random):
    return {"name": random.choice(("purchase", "refund", "payment"))}


def _retry(pool, random):
    return {"gid": random.choice(pool.gids), "reason": "hostile"}


def _audit(pool, random):
    return {"gid": random.choice(pool.gids + [""]), "pageSize": random.randrange(0, 200)}


def _anomalies(_pool, random):
    return {"filter": random.choice(({}, {"kind": "ANOMALY_KIND_OLD", "flow": "purchase"}, {"subject": "x", "cleared": True})),
            "pageSize": random.randrange(0, 200)}


# What operators do behind the comparison goes on with what is asked, whatever becomes of it.
def _act(pool, random):
    return {"gid": random.choice(pool.submitted + pool.gids), "reason": "hostile"}


def _act_on_step(pool, random):
    return {**_act(pool, random), "step": random.choice(("", "reserve", "tell", "pay")), "leg": random.choice((0, 0, 0, 1))}


def _resolve(pool, random):
    return {**_act_on_step(pool, random), "outcome": random.choice(("STEP_OUTCOME_OK", "STEP_OUTCOME_REJECTED")),
            "answer": random.choice(("", "cmVjZWlwdA=="))}


def _batch(pool, random):
    action = random.choice(("RETRY", "SKIP", "COMPENSATE", "PAUSE", "RESUME", "TERMINATE"))
    return {"reason": "hostile", "filter": {"flow": "shop.order", "parked": True}, "action": "OPERATOR_ACTION_" + action,
            "ratePerS": random.choice((0, 1000)), "dryRun": random.random() < 0.7}


def _matters(pool, random):
    return {"filter": random.choice(({}, {"tenantId": OURS, "kind": "MATTER_KIND_PAYOUT"}, {"tradeNo": random.choice(pool.numbers),
                                                                                             "settled": True})),
            "pageSize": random.randrange(0, 200)}


def _settle_matter(pool, random):
    outcome = random.choice(("WRITTEN_OFF", "DEDUCTED", "KEPT", "RETURNED", "PAID_OTHERWISE"))
    return {"tradeNo": random.choice(pool.numbers), "number": random.choice((1, 1, 2)), "reason": "hostile",
            "outcome": "MATTER_OUTCOME_" + outcome, "reference": "V1" if outcome == "PAID_OTHERWISE" else ""}


def _strays(_pool, random):
    return {"settled": random.random() < 0.5, "pageSize": random.randrange(0, 200)}


def _settle_stray(pool, random):
    outcome = random.choice(("MATCHED", "GIVEN_BACK", "IGNORED"))
    return {"keyId": "e2e", "nonce": f"nonce-{random.getrandbits(64):x}", "reason": "hostile", "outcome": "STRAY_OUTCOME_" + outcome,
            "tradeNo": random.choice(pool.numbers), "reference": "V1" if outcome == "GIVEN_BACK" else ""}


def _participant(pool, random):
    return {"participant": random.choice((pool.target, "push", "nobody")), "reason": "hostile"}


def _clear_cache(_pool, random):
    return {"source": random.choice(("", "price", "level")), "reason": "hostile"}


def _check(_pool, random):
    return {"service": random.choice(("", "txcenter.trade.v1.TradeService", "no.such.Service"))}


def _reflect(_pool, random):
    return random.choice(({"listServices": ""}, {"fileContainingSymbol": "txcenter.trade.v1.TradeService"},
                          {"fileByFilename": "txcenter/trade/v1/trade.proto"}, {"allExtensionNumbersOfType": "a.B"},
                          {"fileContainingExtension": {"containingType": "a.B", "extensionNumber": 2}}))


# ---- Callbacks: what is signed well is believed, so the hostile part is inside ------------------------------------------


def _notice(pool, random, kind, fields):
    """A notification that says these things, changed or not, under a good signature."""
    from hostile_bytes import spoil  # only here: everything else is changed by those who use the seeds
    from hostile_fields import change

    body = PROTOS.message(f"participant.payment.v1.{kind}Notification", fields)
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        change(random, pool, body)
    data = body.SerializeToString()
    if random.random() < 0.2:
        data = spoil(random, data)[1]
    stamp, nonce = int(time.time() * 1000), f"nonce-{random.getrandbits(64):x}"
    head = f"e2e\n{stamp}\n{nonce}\n".encode()
    made = PROTOS.message("txcenter.callback.v1.SignedBody", {"keyId": "e2e", "timestampMs": str(stamp), "nonce": nonce})
    made.body = data
    made.signature = hmac.new(SECRET.encode(), head + data, hashlib.sha256).digest()
    return made


def _tender(pool, random):
    trade = pool.any(random, "paying", "paying", "paid", "partly")
    return random.choice(trade.attempts[-1].tenders)


def _notify_payment(pool, random):
    paid = _tender(pool, random)
    amount = money(paid.amount.minor_units)
    state = random.choice(("PAID", "PAID", "FAILED", "CLOSED", "PENDING"))
    return _notice(pool, random, "Payment", {"payment": {
        "tenderNo": paid.tender_no, "state": "PAYMENT_STATE_" + state, "merchantId": "M001", "amount": amount,
        "payerAmount": amount, "settlementAmount": amount, "gatewayNo": "G1", "paidAt": "2024-01-01T00:00:00Z"}})


def _notify_refund(pool, random):
    trade = pool.any(random, "partly", "refunded", "paid")
    paid, number = random.choice(trade.attempts[-1].tenders), random.choice([r.refund_no for r in trade.refunds] or ["R1"])
    return _notice(pool, random, "Refund", {"refund": {
        "refundNo": f"{trade.trade_no}-{number}-0", "tenderNo": paid.tender_no, "state": "REFUND_STATE_DONE",
        "amount": money(100), "payerAmount": money(100)}})


# ---- The table ----------------------------------------------------------------------------------------------------------


class Method:
    def __init__(self, path, seed, caller="buyer", late=False):
        self.path, self.caller, self.late, self._seed = path, caller, late, seed
        self.descriptor = PROTOS.method(path)
        proto = PROTOS.service_proto(path)
        self.streams_in, self.streams_out = proto.client_streaming, proto.server_streaming
        self.name = path.rpartition(".")[2] if "reflection" not in path else path[5:].replace("Info", "")

    def seed(self, pool, random):
        """A valid request, as a message."""
        fields = self._seed(pool, random)
        request = PROTOS.message(self.descriptor.input_type.full_name)
        if not isinstance(fields, dict):
            request.notification.CopyFrom(fields)
            return request
        if "request_id" in self.descriptor.input_type.fields_by_name:
            fields = {"requestId": f"h-{random.getrandbits(80):x}", **fields}
        return PROTOS.message(self.descriptor.input_type.full_name, fields)


# What comes late follows the comparison with the participants: callbacks that are signed well and lie spoil it.
METHODS = [
    *(Method(TRADE + name, seed) for name, seed in (
        ("Quote", _quote), ("PlaceOrder", _order), ("Pay", _pay), ("Cancel", _cancel), ("Refund", _refund), ("Adjust", _adjust),
        ("QuoteOrderPay", _quote_order_pay), ("OrderPay", _order_pay), ("GetTrade", _get), ("ListTrades", _list),
        ("WatchTrade", _watch))),
    *(Method(SAGA + name, seed, "operator") for name, seed in (
        ("GetSaga", _get_saga), ("ListSagas", _list_sagas), ("ListFlows", _empty), ("GetFlow", _flow),
        ("CountSagas", _count_sagas))),
    *(Method(SAGA + name, seed, "submitter") for name, seed in (
        ("SubmitSaga", _submit), ("SignalSaga", _signal), ("WatchSaga", _watch_saga))),
    *(Method(OPERATOR + name, seed, "operator") for name, seed in (
        ("Retry", _retry), ("ListAudit", _audit), ("ListAnomalies", _anomalies), ("ListParticipants", _empty),
        ("ClearCache", _clear_cache))),
    Method(OVERSEER + "ListMatters", _matters, "operator"), Method(OVERSEER + "ListStrays", _strays, "operator"),
    Method(STATS + "GetStats", _empty, "operator"),
    Method(HEALTH + "Check", _check), Method(HEALTH + "Watch", _check),
    *(Method(path + "ServerReflectionInfo", _reflect) for path in REFLECTIONS),
    *(Method(OPERATOR + name, seed, "operator", late=True) for name, seed in (
        ("Skip", _act_on_step), ("Compensate", _act), ("Resolve", _resolve), ("Pause", _act), ("Resume", _act),
        ("Terminate", _act), ("Batch", _batch), ("PauseParticipant", _participant), ("ResumeParticipant", _participant))),
    Method(OVERSEER + "SettleMatter", _settle_matter, "operator", late=True),
    Method(OVERSEER + "SettleStray", _settle_stray, "operator", late=True),
    Method(CALLBACK + "NotifyPayment", _notify_payment, "gateway", late=True),
    Method(CALLBACK + "NotifyRefund", _notify_refund, "gateway", late=True),
]
