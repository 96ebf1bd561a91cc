"""One customer with one trade, who repeats each request under its id until there is an answer; some send each at once
three times over, as a front end does that lost its connection."""

import collections
import concurrent.futures
import contextlib
import itertools
import random
import time

import plans
from shop import TENDER_KINDS, TRADE, money, state_of
from weather import ENDED, PATIENCE_S
from wire import Refused

# What may well be said of a request that was meant well: somebody was quicker, or time ran out. Anything else is a fault.
EXPECTED = ("BENEFIT_UNAVAILABLE", "OUT_OF_STOCK", "TRADE_ENDED", "NOT_PAYABLE", "PAYMENT_FAILED", "REFUND_EXCEEDS_REST",
            "NOT_REFUNDABLE", "TENDERS_UNEQUAL")

# Where money can be asked back.
PAID = ("PAID", "COMPLETED", "PARTIALLY_REFUNDED")

# What a trade that was sold used to become cheaper: what is said of it, and the combination's field.
BENEFITS = {"coupons": "coupon_discount", "points": "points_discount", "the member's level": "level_discount",
            "an activity": "activity_discount", "how it is paid": "tender_discount"}


UNIT = 100  # minor units


class Fault(Exception):
    """The center broke its word."""


def numbers_of(answer):
    """What must be the same in the answers to one request."""
    trade = getattr(answer, "trade", None) or answer
    refund = getattr(answer, "refund", None)
    return trade.trade_no, refund.refund_no if refund else ""


class Customer:
    def __init__(self, weather, number, plan):
        self.weather, self.client, self.number, self.plan = weather, weather.client, number, plan
        self.random = random.Random(f"{weather.seed}/{number}/acts")
        self.happened = collections.Counter()
        self.ends = (*ENDED, "CONFLICTED") if plans.ENDINGS[plan.ending].odd else ENDED
        self.requests = itertools.count(1)
        self.trade_no, self.state = "", "nothing"
        self.paid_once = False

    # ---- Asking -----------------------------------------------------------------------------------------------------

    def _ask(self, method, fields):
        """Every copy of the request is sent until it is answered. The answers must agree."""
        answers, refusals, left = [], [], self.plan.copies if "requestId" in fields else 1
        end = time.monotonic() + PATIENCE_S
        while left:
            begun = [self.client.start(TRADE + method, fields, timeout=10) for _ in range(left)]
            left = 0
            for call in begun:
                try:
                    answers.append(self.client.finish(call))
                except Refused as refused:
                    if not refused.is_passing:
                        refusals.append(refused)
                    elif time.monotonic() > end:
                        raise Fault(f"{method} has no answer after {PATIENCE_S} s: {refused}") from None
                    else:
                        left += 1
            if left:
                time.sleep(0.05 + self.random.random() * 0.2)
        if len({numbers_of(answer) for answer in answers}) > 1:
            raise Fault(f"{method}: copies of one request got {sorted({numbers_of(answer) for answer in answers})}")
        if not answers:
            raise refusals[0]
        if len(answers) > 1:
            self.happened["requests that were sent more than once, and answered alike"] += 1
        return answers[0]

    def call(self, method, fields, request_id=None):
        return self._ask(method, {**fields, "requestId": request_id or f"day-{self.number}-{next(self.requests)}"})

    def trade(self):
        trade = self._ask("GetTrade", {"tradeNo": self.trade_no}).trade
        self.state = state_of(trade)
        self.paid_once = self.paid_once or any(state_of(change) == "PAID" for change in trade.history)
        return trade

    # ---- Buying -----------------------------------------------------------------------------------------------------

    def context(self):
        plan = self.plan
        return {"tenantId": "T001", "userId": plan.user, "stationId": plan.station, "channel": plan.channel}

    def tenders(self, payable):
        """The plan's, the last one of what the others leave; none when nothing is payable."""
        given = sum(int(tender["amount"]["minorUnits"]) for tender in self.plan.tenders[:-1])
        if payable == 0:
            return []
        if given >= payable:
            return [{**self.plan.tenders[-1], "amount": money(payable)}]
        return [*self.plan.tenders[:-1], {**self.plan.tenders[-1], "amount": money(payable - given)}]

    def payment(self, payable):
        """How so much is paid, as fields of a request."""
        off = payable % UNIT if self.plan.rounds_off and payable > UNIT else 0
        return {"tenders": self.tenders(payable - off), **({"roundingOff": money(off)} if off else {})}

    def order_fields(self):
        expires = 1 if self.plan.ending == "expires" else 120
        return {"mode": self.plan.mode, "acceptDegraded": True, "expiresInSeconds": expires, "waitMs": 8000}

    def quote(self, **fields):
        """Half of those whom activities wait for say how they will pay."""
        request = {"context": self.context(), "lines": self.plan.lines, **fields}
        if self.plan.channel == "app" and self.random.random() < 0.5:
            request["tenderKinds"] = plans.kinds_of(self.plan.tenders)
        if self.trade_no:
            request["tradeNo"] = self.trade_no
        answer = self.call("Quote", request)
        self.trade_no = answer.trade_no
        return answer.quote

    def choose(self, quote):
        """Usually the best that allows how it is paid, now and then another."""
        kinds = {TENDER_KINDS[kind].number for kind in plans.kinds_of(self.plan.tenders)}
        allowed = [chosen for chosen in quote.combinations if not chosen.tender_kinds or kinds <= set(chosen.tender_kinds)]
        return allowed[0] if self.random.random() < 0.7 else self.random.choice(allowed)

    def buy_all_in_one(self):
        if self.plan.rounds_off and self.plan.channel == plans.NOBODY and self.plan.basket == "fuel by amount":
            fields = self.payment(int(self.plan.lines[0]["fuel"]["amount"]["minorUnits"]))
        else:
            fields = {"tenders": self.plan.tenders}
        fields = {"context": self.context(), "lines": self.plan.lines, **fields,
                  "excludePoints": self.random.random() < 0.5, "onFailure": "ON_FAILURE_FAIL_TRADE"}
        self.trade_no = self.call("QuoteOrderPay", {**self.order_fields(), **fields}).trade.trade_no

    def quoted(self, **fields):
        quote = self.quote(**fields)
        if self.plan.ending == "changed again and again":
            for _ in range(self.random.randrange(1, 4)):
                quote = self.quote(excludePoints=self.random.random() < 0.5)
        chosen = self.choose(quote)
        return chosen, {"tradeNo": self.trade_no, "quoteVersion": quote.version, "combinationId": chosen.combination_id,
                        "expectedPayable": money(chosen.payable.minor_units), **self.order_fields()}

    def buy_order_and_pay(self):
        chosen, fields = self.quoted()
        self.call("OrderPay", {**fields, **self.payment(chosen.payable.minor_units), "onFailure": "ON_FAILURE_FAIL_TRADE"})

    def order(self, **fields):
        self.call("PlaceOrder", self.quoted(**fields)[1])

    def buy_step_by_step(self):
        self.order()
        if self.plan.ending == "cancelled before it is paid":
            return
        if self.plan.ending == "expires":  # nobody pays, or too late
            if self.random.random() < 0.5:
                self.pay()
            return
        self.pay_or_give_up()

    def pay_or_give_up(self):
        self.pay()
        if self.wait_for_payment() == "ORDERED":  # that attempt failed: once more, as one would
            self.pay()
        if self.wait_for_payment() == "ORDERED":
            self.cancel()

    def pay(self):
        """Unless it is paid already, because nothing was payable, or has ended."""
        trade = self.trade()
        if state_of(trade) == "ORDERED":
            self.call("Pay", {"tradeNo": self.trade_no, **self.payment(trade.payable.minor_units), "waitMs": 8000})

    def wait_for_payment(self):
        end = time.monotonic() + PATIENCE_S
        while self.trade() and self.state in ("ORDERING", "PAYING", "CLOSING"):
            if time.monotonic() > end:
                raise Fault(f"{self.trade_no} is {self.state} after {PATIENCE_S} s")
            time.sleep(0.1)
        return self.state

    def buy(self):
        {"all in one": self.buy_all_in_one, "order and pay": self.buy_order_and_pay,
         "step by step": self.buy_step_by_step}[self.plan.way]()

    # ---- How it ends ----------------------------------------------------------------------------------------------------

    def cancel(self):
        self.call("Cancel", {"tradeNo": self.trade_no, "reason": "the day's plan", "waitMs": 5000})

    def refund(self, **extent):
        self.call("Refund", {"tradeNo": self.trade_no, "reason": "the day's plan", "waitMs": 8000, **extent})

    def refund_in_parts(self, trade):
        """At once, by callers that know nothing of each other; together they may ask for more than there is."""
        paid = trade.payable.minor_units
        parts = [max(1, paid * share // 10) for share in (3, 4, 5)]
        with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
            for done in [pool.submit(self._ask, "Refund", {
                    "tradeNo": self.trade_no, "amount": money(part), "reason": "the day's plan", "waitMs": 8000,
                    "requestId": f"day-{self.number}-part-{at}"}) for at, part in enumerate(parts)]:
                refused = done.exception()
                if refused and not isinstance(refused, Refused):
                    raise refused

    def end_as_planned(self):
        ending = self.plan.ending
        if ending == "cancelled while it is paid":
            time.sleep(self.random.random() * 0.5)
        if ending.startswith("cancelled"):
            self.cancel()
            return
        trade = self.wait_for_end()
        if not ending.startswith("refunded") or self.state not in PAID:
            return
        if ending == "refunded whole":
            self.refund(whole=True)
        elif ending == "refunded by lines":
            self.refund(lines={"indexes": [self.random.randrange(len(self.plan.lines))]})
        else:
            self.refund_in_parts(trade)

    def wait_for_end(self):
        pause, end = 0.1, time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            trade = self.trade()
            unused = [trade.unused] if trade.HasField("unused") else []
            if self.state in self.ends and all(state_of(refund) in ("DONE", "STOPPED") for refund in [*trade.refunds, *unused]):
                return trade
            time.sleep(pause * (0.5 + self.random.random()))
            pause = min(pause * 1.5, 1.0)
        raise Fault(f"{self.trade_no} is {self.state} after {PATIENCE_S} s")

    def act(self):
        """What this trade is for."""
        self.buy()
        self.end_as_planned()

    def live(self):
        """The whole trade. Returns the reason why a step was refused, if one was."""
        refused_for = ""
        try:
            self.act()
        except Refused as refused:
            if refused.reason not in EXPECTED:
                raise
            refused_for = refused.reason
            self.trade_no = self.trade_no or refused.metadata.get("trade_no", "")
        if self.trade_no:
            self.leave()
        return refused_for

    def leave(self):
        """Who could not pay gives the order up. A trade that was only quoted has nothing to end."""
        self.trade()
        if self.state == "ORDERED" and self.plan.ending != "expires":
            with contextlib.suppress(Refused):
                self.cancel()
        if self.state not in ("CREATED", "QUOTED"):
            self.note(self.wait_for_end())

    def note(self, trade):
        """What it was an example of."""
        self.happened["in conflict with what the gateway says"] += self.state == "CONFLICTED"
        if not self.paid_once:
            return
        for what, field in BENEFITS.items():
            if getattr(trade.combination, field).minor_units > 0:
                self.happened[f"sold cheaper for {what}"] += 1
        self.happened["sold cheaper for rounding off"] += trade.attempts[-1].rounding_off.minor_units > 0 if trade.attempts else 0
        self.happened["sold to nobody in particular"] += not trade.context.user_id
        self.happened["paid for, and a benefit was gone"] += len(trade.shortfalls) > 0
        self.happened["paid after fuelling"] += any(line.pump_serial for line in trade.quote.lines)
        if len(trade.attempts) > 0 and len(trade.attempts[-1].tenders) > 1:
            self.happened["paid by several tenders"] += 1
