"""Trades, and sagas of callers, whose every durable point is a place to die: what their callers do, and how they must end."""

import random
import threading
import time

from shop import SAGA, STATES, TRADE, money, state_of, tender
from wire import Refused

ENDED = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED", "CANCELLED", "EXPIRED", "FAILED", "CONFLICTED")
PATIENCE_S = 60
STATUSES = {1: "before its watershed", 2: "past its watershed", 3: "being undone", 4: "done", 5: "undone", 6: "terminated"}
CARD = 2500  # of a payment by card and WeChat

# What the payers of the world do; any other payer waits.
PAYERS = [{"payer": "pays", "result": "PAY_RESULT_PAID", "afterMs": "30"},
          {"payer": "refuses", "result": "PAY_RESULT_FAILED", "afterMs": "30", "code": "PAYER_REFUSED"}]


class Stuck(Exception):
    """It goes on for too long, or has ended otherwise than it must."""


def patiently(act, end, chance=random):
    """What `act` gives, tried until there is an answer."""
    while True:
        try:
            return act()
        except Refused as refused:
            if not refused.is_passing:
                raise
            if time.monotonic() > end:
                raise Stuck(f"no answer: {refused}") from None
            time.sleep(0.02 + chance.random() * 0.03)


class Buyer:
    """One caller with one trade, who repeats each request under its id until there is an answer."""

    def __init__(self, client, sim, witness, number):
        self.client, self.sim, self.witness = client, sim, witness
        self.user, self.card, self.number = f"U{number:04}", f"C{number:04}", number
        self.trade_no = ""
        self.payable = 0
        self.end = time.monotonic() + PATIENCE_S

    def patiently(self, act):
        return patiently(act, self.end)

    def call(self, method, fields, which=""):
        request = {"requestId": f"crash-{self.number}-{method}{which}", **fields}
        try:
            answer = self.patiently(
                lambda: self.client.call(TRADE + method, request, timeout=8, wait_for_ready=True))
        except Refused as refused:
            self.witness.heard(method, request, refused)
            raise
        self.witness.heard(method, request, answer)
        return answer

    # ---- What a caller does ---------------------------------------------------------------------------------------------

    @property
    def context(self):
        return {"tenantId": "T001", "userId": self.user, "stationId": "S001", "channel": "wechat"}

    def order(self, expires_in_s=0):
        quoted = self.call("Quote", {"context": self.context, "lines": [{"fuel": {"oilCode": "92#", "amount": money(20000)}}]})
        best = quoted.quote.combinations[0]
        if not best.coupon_ids or not best.points:
            raise Stuck("the quote has no coupon or no points")
        self.trade_no = quoted.trade_no
        request = {"tradeNo": quoted.trade_no, "quoteVersion": quoted.quote.version, "waitMs": 5000,
                   "combinationId": best.combination_id, "expectedPayable": money(best.payable.minor_units)}
        if expires_in_s:
            request["expiresInSeconds"] = expires_in_s
        self.payable = best.payable.minor_units
        return self.call("PlaceOrder", request).trade

    def pay(self, payer, which="", **fields):
        tenders = [tender("CARD", CARD, self.card), tender("WECHAT", self.payable - CARD, payer)]
        return self.call("Pay", {"tradeNo": self.trade_no, "tenders": tenders, "waitMs": 5000, **fields}, which)

    def buy(self):
        self.order()
        self.pay("pays")
        self.until("COMPLETED")

    def pay_in_vain(self, payer, which="", **fields):
        """Waits for the outcome, which is that the payment failed."""
        try:
            self.pay(payer, which, waitFor="WAIT_FOR_OUTCOME", **fields)
        except Refused as refused:
            if refused.reason != "PAYMENT_FAILED":
                raise
        else:
            raise Stuck(f"the payment of {self.trade_no} did not fail")

    def cancel(self):
        return self.call("Cancel", {"tradeNo": self.trade_no, "reason": "changed my mind", "waitMs": 5000})

    def refund(self, which="", **extent):
        return self.call("Refund", {"tradeNo": self.trade_no, "reason": "not wanted", "waitMs": 5000, **extent}, which)

    def get(self):
        request = {"tradeNo": self.trade_no}
        trade = self.patiently(
            lambda: self.client.call(TRADE + "GetTrade", request, timeout=8, wait_for_ready=True)).trade
        self.witness.saw(trade)
        return trade

    def watch(self, states):
        """Whether the trade came to one of these states before it ended; it may also have been there before."""
        for response in self.client.stream(TRADE + "WatchTrade", {"tradeNo": self.trade_no}, timeout=PATIENCE_S):
            self.witness.saw(response.trade)
            if state_of(response.trade) in states and self.is_done(response.trade):
                return
            if time.monotonic() > self.end:
                return

    @staticmethod
    def is_done(trade):
        return all(state_of(refund) == "DONE" for refund in trade.refunds)

    def until(self, *states):
        """Watches the trade until it is in one of these states."""
        while True:
            self.patiently(lambda: self.watch(states))
            trade = self.get()
            if state_of(trade) in states and self.is_done(trade):
                return trade
            if state_of(trade) in ENDED or time.monotonic() > self.end:
                raise Stuck(f"{self.trade_no} is {state_of(trade)}, not one of {states}")


    # ---- Afterwards -----------------------------------------------------------------------------------------------------

    def judge(self):
        """What was forgotten."""
        trades = self.client.call(TRADE + "ListTrades", {"filter": {"userId": self.user}}).trades
        if len(trades) == 1:
            trade = self.client.call(TRADE + "GetTrade", {"tradeNo": trades[0].trade_no}).trade
            return self.witness.faults(self.client, trade)
        said = "forgotten" if self.witness.answered and not trades else "wrong"
        return [f"{said}: there are {len(trades)} trades of {len(self.witness.answered)} answered requests"]

    def describe(self, connection):
        """What stands of it in a database."""
        trades = connection.execute("SELECT trade_no, state FROM trade WHERE user_id = ?", (self.user,)).fetchall()
        if not trades:
            return "nothing of the trade"
        trade_no, state = trades[0]
        sagas = connection.execute("SELECT flow, status FROM saga WHERE subject = ? ORDER BY flow, status", (trade_no,))
        parts = [f"{flow.partition('.')[2]} {STATUSES.get(status, status)}" for flow, status in sagas]
        return ", ".join([STATES[state].name.partition("_STATE_")[2], *parts])


class Submitter(Buyer):
    """One caller with a saga of its own: reserve, charge (whose answer is lost), await a signal, ship."""

    SUCCEEDED, FAILED = 4, 5

    def __init__(self, client, sim, witness, number):
        super().__init__(client, sim, witness, number)
        self.ledger = None  # the participant; the stage sets it
        self.trade_no = "caller/e2e"  # what its sagas are about
        self.gid, self.ship, self.status, self.signalled = "", "Ship", None, False
        self.begun_ms = int(time.time() * 1000)

    def request(self, **fields):
        def call(method):
            return {"target": self.ledger.target, "method": "/test.v1.Ledger/" + method, "payload": "cGF5bG9hZA==",
                    "deadlineMs": 2000}

        def step(name, **more):
            return {"name": name, "action": call(name), "compensation": call("Undo" + name), "inquiry": call("Ask" + name),
                    "retry": {"firstMs": 5, "maxMs": 50, "attempts": 40}, **more}

        charge = step("Charge")
        charge["action"]["parts"] = [{"fromStep": "Reserve", "fieldNumber": 2}]
        steps = [step("Reserve"), charge, {"name": "Paid", "signal": {"name": "paid", "timeoutMs": "600000"}}, step(self.ship)]
        return {"requestId": f"crash-{self.number}", "saga": {"flow": "crash.saga", "steps": steps, **fields}}

    def ask(self, method, request):
        return self.patiently(lambda: self.client.call(SAGA + method, request, timeout=8, wait_for_ready=True))

    def carry_out(self, status):
        """Submits, signals, and waits for this end."""
        self.gid = self.ask("SubmitSaga", self.request()).saga.gid
        self.ask("SignalSaga", self.signal())
        self.signalled = True
        while True:
            answer = self.ask("SubmitSaga", {**self.request(), "waitMs": 5000})
            if not answer.processing:
                break
            if time.monotonic() > self.end or answer.saga.parked:
                raise Stuck(f"{self.gid} is still {answer.saga.status}")
        self.status = answer.saga.status
        if self.status != status:
            raise Stuck(f"{self.gid} has ended as {self.status}, not {status}: {answer.saga.reason} {answer.saga.text}")

    def signal(self, payload="cmVjZWlwdA=="):
        return {"requestId": f"signal-{self.number}", "gid": self.gid, "name": "paid", "payload": payload}

    def refusal(self, method, request):
        try:
            self.client.call(SAGA + method, request)
            return "OK"
        except Refused as refused:
            return refused.reason

    def judge(self):
        if not self.gid:
            return []
        faults = []
        if self.client.call(SAGA + "SubmitSaga", self.request()).saga.gid != self.gid:
            faults.append(f"forgotten: the request of {self.gid} makes another saga")
        for method, request in (("SubmitSaga", self.request(timeLimitMs="77")), ("SignalSaga", self.signal("b3RoZXI="))):
            if self.signalled and self.refusal(method, request) != "IDEMPOTENCY_KEY_REUSED":
                faults.append(f"forgotten: the request_id of {method} can be used for another body")
        return faults + self.compare()

    def compare(self):
        """The participant's books against the saga's end."""
        asked, bodies = self.ledger.of(self.gid), {}
        for one in asked:
            bodies.setdefault((one.key, one.op), set()).add(one.body)
        faults = [f"{op} of {key} was not the same request each time" for (key, op), sent in bodies.items() if len(sent) > 1]
        states = {one.step: self.ledger.keys.get(one.key) for one in asked}
        wanted = dict.fromkeys(("Reserve", "Charge", self.ship), "applied")
        if self.status == self.FAILED:
            wanted = {"Reserve": "undone", "Charge": "undone", self.ship: "rejected"}
        if self.status and states != wanted:
            faults.append(f"{self.gid} ended as {self.status}, its participant has {states}")
        return faults

    def describe(self, connection):
        # Its gid need not have been answered yet; runs come one after the other.
        found = connection.execute("SELECT status FROM saga WHERE flow = 'crash.saga' AND created_ms >= ?",
                                   (self.begun_ms,)).fetchone()
        return f"saga of a caller {STATUSES[found[0]]}" if found else "nothing of the saga"


# ---- The scenarios: `prepare` is not disturbed, `act` is ------------------------------------------------------------


class Purchase:
    """fuel with a coupon and points, paid by card and WeChat"""

    caller = Buyer
    killed_before = False  # the points are those after a first kill

    @staticmethod
    def prepare(buyer):
        pass

    @staticmethod
    def act(buyer):
        buyer.buy()


class Combined(Purchase):
    """the same in one call"""

    @staticmethod
    def act(buyer):
        answer = buyer.call("QuoteOrderPay", {
            "context": buyer.context, "lines": [{"fuel": {"oilCode": "92#", "amount": money(20000)}}], "waitMs": 5000,
            "tenders": [tender("CARD", CARD, buyer.card), tender("WECHAT", account="pays")]})
        buyer.trade_no = answer.trade.trade_no
        buyer.until("COMPLETED")


class PayAgain(Purchase):
    """WeChat refuses: the card's freeze is released; a second payment succeeds"""

    @staticmethod
    def act(buyer):
        buyer.order()
        buyer.pay_in_vain("refuses", "-1", onFailure="ON_FAILURE_KEEP")
        buyer.until("ORDERED")
        buyer.pay("pays", "-2")
        buyer.until("COMPLETED")


class FailTrade(Purchase):
    """WeChat refuses, and the trade fails with it: everything is undone"""

    @staticmethod
    def act(buyer):
        buyer.order()
        buyer.pay_in_vain("refuses", onFailure="ON_FAILURE_FAIL_TRADE")
        buyer.until("FAILED")


class Cancel(Purchase):
    """an ordered trade is cancelled"""

    @staticmethod
    def act(buyer):
        buyer.order()
        buyer.cancel()
        buyer.until("CANCELLED")


class CancelPaying(Purchase):
    """a trade is cancelled while the payer hesitates: the tender is closed, the card released"""

    @staticmethod
    def act(buyer):
        buyer.order()
        buyer.pay("waits")
        buyer.cancel()
        buyer.until("CANCELLED")


class Race(Purchase):
    """a cancel against the payer's payment: one winner, no money lost"""

    @staticmethod
    def act(buyer):
        buyer.order()
        waiting = next(one for one in buyer.pay("waits").attempt.tenders if one.account == "waits")
        payer = threading.Thread(target=Race.pay, args=(buyer, waiting.tender_no))
        payer.start()
        if buyer.number % 2:
            payer.join()  # its callback is on the way
        try:
            buyer.cancel()
        finally:
            payer.join()
        buyer.until("CANCELLED", "REFUNDED")

    @staticmethod
    def pay(buyer, tender_no):
        try:
            buyer.sim.payer_pays(tender_no)
        except Refused:
            pass  # it was closed before


class Refunds(Purchase):
    """a part of a completed trade is refunded, then the whole"""

    @staticmethod
    def prepare(buyer):
        buyer.buy()

    @staticmethod
    def act(buyer):
        buyer.refund("-1", amount=money(1234))
        buyer.until("PARTIALLY_REFUNDED", "REFUNDED")
        buyer.refund("-2", whole=True)
        buyer.until("REFUNDED")


class Expiry(Purchase):
    """an order expires while the payer hesitates"""

    @staticmethod
    def act(buyer):
        try:
            buyer.order(expires_in_s=1)
            buyer.pay("waits")
        except Refused:
            pass  # a restart can take longer than the order lives
        buyer.until("EXPIRED")


class Restart(Purchase):
    """killed in the middle of a payment, and again while it starts and resumes"""

    killed_before = True


class Submitted(Purchase):
    """a saga that its caller defines, to its end, with a lost answer and a signal"""

    caller = Submitter

    @staticmethod
    def act(buyer):
        buyer.carry_out(Submitter.SUCCEEDED)


class SubmittedInVain(Submitted):
    """the same, refused at its last step: what was done is undone"""

    @staticmethod
    def act(buyer):
        buyer.ship = "Refuse"
        buyer.carry_out(Submitter.FAILED)


SCENARIOS = {"purchase": Purchase, "combined": Combined, "pay-again": PayAgain, "fail-trade": FailTrade, "cancel": Cancel,
             "cancel-paying": CancelPaying, "race": Race, "refund": Refunds, "expiry": Expiry, "restart": Restart,
             "submitted": Submitted, "submitted-in-vain": SubmittedInVain}
