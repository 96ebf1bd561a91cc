#!/usr/bin/python3
"""Two centers on one database: whatever is asked of the wrong one is done by the one that drives it, once."""

import hashlib
import hmac
import itertools
import signal
import time

import harness
from instances import Instances
from participant import ABORTED, Participant
from patience import until
from shop import OPERATOR, SAGA, TRADE, Shop, Sim, money, state_of, tender

CALLBACK = "txcenter.callback.v1.CallbackService/"
BASE_32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Every instance answers these alike: they show what is durable, or what all have alike.
ANYWHERE = {TRADE + "GetTrade", TRADE + "ListTrades", SAGA + "GetSaga", SAGA + "ListSagas", SAGA + "CountSagas",
            SAGA + "ListFlows", SAGA + "GetFlow", OPERATOR + "ListAudit", OPERATOR + "ListParticipants", OPERATOR + "ListAnomalies",
            OPERATOR + "PauseParticipant", OPERATOR + "ResumeParticipant", OPERATOR + "ClearCache"}
SUCCEEDED, FAILED, TERMINATED = 4, 5, 6
SOON = {"firstMs": 5, "maxMs": 10, "attempts": 2}


def slot_of(number):
    return BASE_32.index(number[10]) * 32 + BASE_32.index(number[11])


def methods_of(*services):
    return {prefix + method.name for prefix in services
            for method in harness.PROTOS.pool.FindServiceByName(prefix[:-1]).methods}


class Misled:
    """A caller who always goes to an instance that does not drive what is asked about, where that can be foreseen."""

    def __init__(self, case):
        self.case = case

    def at(self, fields, path):
        fields = fields or {}
        self.case.misled.add(path)
        if "tradeNo" in fields:
            return self.case.wrong(slot_of(fields["tradeNo"]))
        if "gid" in fields and "saga" not in fields:
            return self.case.wrong(self.case.slot_of_saga(fields["gid"]))
        return next(self.case.turns)

    def call(self, path, fields=None, **options):
        return self.at(fields, path).call(path, fields, **options)

    def stream(self, path, fields=None, **options):
        return self.at(fields, path).stream(path, fields, **options)


class Wrong(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Instances(2, sim=["--users", "60"])
        cls.addClassCleanup(cls.cluster.close)
        cls.ledger = Participant(f"unix:{cls.cluster.folder}/ledger.sock")
        cls.addClassCleanup(cls.ledger.close)
        cls.free = set()  # sagas whose last step is no longer refused
        cls.ledger.answers["Ship"] = lambda asked: b"shipped" if asked.gid in cls.free else ABORTED
        cls.cluster.configure_all({"submit": {"targets": [cls.ledger.target]}})
        cls.cluster.start()
        cls.owners = cls.cluster.until_balanced()
        cls.clients = [cls.cluster.client_of(i) for i in range(2)]
        cls.sim = Sim(cls.cluster.sim_client())
        cls.sim.fault("LOST_CALLBACK", "payment", "NotifyPayment")
        cls.numbers = itertools.count(1)

    def setUp(self):
        self.misled = set()
        self.turns = itertools.cycle(self.clients)
        self.caller = Misled(self)

    def owner(self, slot):
        return next(i for i, slots in self.owners.items() if slot in slots)

    def wrong(self, slot):
        return self.clients[1 - self.owner(slot)]

    def slot_of_saga(self, gid):
        return int(self.cluster.database.sql(f"SELECT slot FROM txcenter.saga WHERE gid = '{gid}'")[0][0])

    # ---- Trades -----------------------------------------------------------------------------------------------------

    def shop(self):
        return Shop(self.caller, user=f"U{next(self.numbers) + 5:04}")

    def notify(self, method, kind, said):
        stamp, nonce = int(time.time() * 1000), f"nonce-{next(self.numbers):08}"
        body = harness.PROTOS.message(f"participant.payment.v1.{kind}Notification", said).SerializeToString()
        request = harness.PROTOS.message(f"txcenter.callback.v1.{method}Request", {"notification": {
            "keyId": "e2e", "timestampMs": str(stamp), "nonce": nonce}})
        request.notification.body = body
        request.notification.signature = hmac.new(harness.SECRET.encode(), f"e2e\n{stamp}\n{nonce}\n".encode() + body,
                                                  hashlib.sha256).digest()
        return request

    def tell(self, number, method, kind, said):
        self.misled.add(CALLBACK + method)
        request = self.notify(method, kind, said)
        channel = self.wrong(slot_of(number)).channel
        call = channel.unary_unary("/" + CALLBACK + method, type(request).SerializeToString)
        call(request, timeout=30, metadata=(("x-caller", "e2e"),))

    def paid(self, shop, trade):
        """The gateway never calls back: it is told here."""
        attempt = shop.pay(trade, [tender("WECHAT", trade.payable.minor_units, "nobody")]).attempt
        one = attempt.tenders[0]
        self.sim.payer_pays(one.tender_no)
        self.tell(one.tender_no, "NotifyPayment", "Payment", {"payment": {
            "tenderNo": one.tender_no, "state": "PAYMENT_STATE_PAID", "merchantId": "M001",
            "amount": money(one.amount.minor_units)}})
        return shop.until(trade.trade_no, "COMPLETED")

    def test_every_method_of_a_trade_works_at_the_wrong_instance(self):
        shop = self.shop()
        done = self.paid(shop, shop.order())
        again = shop.refund(done, amount=money(100))
        self.assertEqual(100, again.refund.amount.minor_units)
        shop.refund(done, whole=True)
        shop.until(done.trade_no, "REFUNDED")
        # Of a refund that the trade's owner does not know: it is kept for the operators.
        self.tell(done.trade_no, "NotifyRefund", "Refund", {"refund": {"refundNo": done.trade_no + "/refund/9/1"}})
        cancelled = shop.order()
        shop.cancel(cancelled)
        with self.assertRaises(harness.Refused):  # its owner says that nothing was authorised
            self.caller.call(TRADE + "Adjust", shop._fields({"tradeNo": cancelled.trade_no, "lines": [{"index": 0}]}))
        self.assertEqual("CANCELLED", state_of(shop.get(cancelled.trade_no)))
        quoted = shop.quote()
        best = quoted.quote.combinations[0]
        fields = {"tradeNo": quoted.trade_no, "quoteVersion": quoted.quote.version, "waitMs": 20000,
                  "combinationId": best.combination_id, "expectedPayable": money(best.payable.minor_units),
                  "tenders": [tender("WECHAT", best.payable.minor_units, "nobody")]}
        self.caller.call(TRADE + "OrderPay", shop._fields(fields))
        made = set()
        for _ in range(12):
            request = shop.quote_request(tenders=[tender("WECHAT", account="nobody")], waitMs=20000)
            trade = self.caller.call(TRADE + "QuoteOrderPay", request).trade
            self.assertEqual(trade.trade_no, self.caller.call(TRADE + "QuoteOrderPay", request).trade.trade_no,
                             "the other instance says the same")
            made.add(self.owner(slot_of(trade.trade_no)))
        self.assertEqual({0, 1}, made)
        shop.client.call(TRADE + "ListTrades", {"filter": {"userId": shop.context["userId"]}})
        self.assertEqual(methods_of(TRADE, CALLBACK) - ANYWHERE, self.misled - ANYWHERE)

    def test_a_trade_is_found_by_its_order_number_at_both(self):
        shop = self.shop()
        for client in self.clients:
            trade = shop.order()
            answer = client.call(TRADE + "Cancel", shop._fields({
                "orderNo": trade.order_no, "reason": "changed my mind", "waitMs": 20000}))
            self.assertEqual(trade.trade_no, answer.trade.trade_no)

    # ---- Sagas ------------------------------------------------------------------------------------------------------

    def call_of(self, method):
        return {"target": self.ledger.target, "method": "/test.v1.Ledger/" + method}

    def step(self, name, **fields):
        made = {"name": name, "action": self.call_of(name), "retry": SOON, **fields}
        return made if "kind" in fields else {**made, "compensation": self.call_of("Undo" + name)}

    def submit(self, *steps, flow="test.wrong", wait_ms=0):
        request = {"requestId": f"w-{next(self.numbers)}", "saga": {"flow": flow, "steps": list(steps)}, "waitMs": wait_ms}
        saga = self.caller.call(SAGA + "SubmitSaga", request).saga
        self.assertEqual(saga.gid, self.caller.call(SAGA + "SubmitSaga", {**request, "waitMs": 0}).saga.gid)
        return saga

    def waiting(self):
        """One that waits for a signal."""
        return self.submit(self.step("First"), {"name": "Wait", "signal": {"name": "go", "timeoutMs": "600000"}},
                           self.step("Last")).gid

    def parked(self, flow="test.wrong"):
        """One past its pivot, whose last step was refused; `free` lets it succeed."""
        gid = self.submit(self.step("Charge", kind="STEP_KIND_PIVOT"), self.step("Ship", kind="STEP_KIND_RETRIABLE"),
                          flow=flow).gid
        next(saga for saga in self.states(gid) if saga.parked)
        return gid

    def states(self, gid):
        for response in self.caller.stream(SAGA + "WatchSaga", {"gid": gid}, timeout=60):
            yield response.saga

    def ended(self, gid):
        return list(self.states(gid))[-1].status

    def signal(self, gid):
        request = {"requestId": f"s-{next(self.numbers)}", "gid": gid, "name": "go"}
        self.caller.call(SAGA + "SignalSaga", request)
        self.caller.call(SAGA + "SignalSaga", request)

    def operate(self, method, gid, **fields):
        request = {"requestId": f"o-{next(self.numbers)}", "gid": gid, "reason": "because", **fields}
        answer = self.caller.call(OPERATOR + method, request)
        owner = self.clients[self.owner(self.slot_of_saga(gid))]
        self.assertEqual(gid, owner.call(OPERATOR + method, request).saga.gid, "the right one knows of it")
        self.refused("IDEMPOTENCY_KEY_REUSED", owner, OPERATOR + method, {**request, "reason": "for another reason"})
        return answer.saga

    def audits(self, gid):
        return [entry.action for entry in self.clients[0].call(OPERATOR + "ListAudit", {"gid": gid}).entries]

    # [E8] what an operator does is done once, whoever is asked
    def test_every_operator_action_works_at_the_wrong_instance(self):
        retried, skipped, resolved = self.parked(), self.parked(), self.parked()
        self.free.add(retried)
        self.operate("Retry", retried)
        self.operate("Skip", skipped)
        self.operate("Resolve", resolved, outcome="STEP_OUTCOME_OK")
        for gid in (retried, skipped, resolved):
            self.assertEqual(SUCCEEDED, self.ended(gid))
            self.assertEqual(1, len(self.audits(gid)))
        turned, ended, paused = self.waiting(), self.waiting(), self.waiting()
        self.operate("Compensate", turned)
        self.assertEqual(FAILED, self.ended(turned))
        self.operate("Terminate", ended)
        self.assertEqual(TERMINATED, self.ended(ended))
        self.assertTrue(self.operate("Pause", paused).paused)
        self.signal(paused)
        self.assertFalse(self.operate("Resume", paused).paused)
        self.assertEqual(SUCCEEDED, self.ended(paused))
        self.batch()
        for method in ("PauseParticipant", "ResumeParticipant"):
            for client in self.clients:
                request = {"requestId": "p-" + method, "participant": "settlement", "reason": "because"}
                self.assertEqual("settlement", client.call(OPERATOR + method, request).participant.name)
        self.assertEqual(methods_of(OPERATOR, SAGA) - ANYWHERE, self.misled - ANYWHERE)

    def batch(self):
        """At each instance, for the sagas of both."""
        for number, client in enumerate(self.clients):
            flow = f"test.batch{number}"
            gids = [self.parked(flow) for _ in range(8)]
            self.assertEqual({0, 1}, {self.owner(self.slot_of_saga(gid)) for gid in gids})
            self.free.update(gids)
            request = {"requestId": f"b-{number}", "filter": {"flow": flow, "parked": True}, "reason": "because",
                       "action": "OPERATOR_ACTION_RETRY", "ratePerS": 100}
            last = list(client.stream(OPERATOR + "Batch", request, timeout=60))[-1]
            self.assertEqual((True, 8, 8, 0, 0), (last.finished, last.matched, last.done, last.refused, last.failed))
            for gid in gids:
                self.assertEqual(SUCCEEDED, self.ended(gid))
                self.assertEqual(["retry"], self.audits(gid))
            again = list(self.clients[1 - number].stream(OPERATOR + "Batch", request, timeout=60))[-1]
            self.assertEqual((True, 0), (again.finished, again.matched), "nothing is left to be done")
        self.misled.add(OPERATOR + "Batch")

    def test_who_waits_for_the_outcome_is_told_it_by_either(self):
        for _ in range(8):
            self.assertEqual(SUCCEEDED, self.submit(self.step("First"), self.step("Last"), wait_ms=20000).status)

    def test_what_shows_is_the_same_at_both(self):
        gid = self.submit(self.step("First"), flow="test.shown", wait_ms=20000).gid
        shown = [client.call(SAGA + "GetSaga", {"gid": gid}).saga for client in self.clients]
        self.assertEqual(shown[0], shown[1])
        listed = [client.call(SAGA + "ListSagas", {"filter": {"flow": "test.shown"}}).sagas for client in self.clients]
        self.assertEqual(listed[0], listed[1])
        self.assertEqual([gid], [saga.gid for saga in listed[0]])
        counted = [client.call(SAGA + "CountSagas", {"filter": {"flow": "test.shown"}}).count for client in self.clients]
        self.assertEqual(counted[0], counted[1])

    def test_a_saga_that_nobody_knows_is_not_found_at_either(self):
        for number in range(4):
            for client in self.clients:
                gid = f"nobody-{number}"
                self.refused("SAGA_NOT_FOUND", client, SAGA + "SignalSaga", {"requestId": "x", "gid": gid, "name": "go"})
                self.refused("SAGA_NOT_FOUND", client, OPERATOR + "Retry", {"requestId": "x", "gid": gid, "reason": "x"})

    # [E10] durable before it is acknowledged, also when nobody drives the saga just now
    def test_what_is_told_to_a_silent_instance_is_kept_for_the_next(self):
        shop = self.shop()
        waiting = [self.waiting() for _ in range(8)]
        tenders = []
        for _ in range(8):
            request = shop.quote_request(tenders=[tender("WECHAT", account="nobody")], waitMs=20000)
            tenders.append(self.caller.call(TRADE + "QuoteOrderPay", request).attempt.tenders[0])
        silent = self.cluster.centers[0]
        gids = [gid for gid in waiting if self.owner(self.slot_of_saga(gid)) == 0]
        ours = [one for one in tenders if self.owner(slot_of(one.tender_no)) == 0]
        self.assertTrue(gids and ours)
        silent.signal(signal.SIGSTOP)
        try:
            request = {"requestId": "kept-1", "gid": gids[0], "name": "go"}
            self.assertTrue(self.clients[1].call(SAGA + "SignalSaga", request, timeout=5).kept)
            self.refused("INVALID_REQUEST", self.clients[1], SAGA + "SignalSaga", {**request, "name": "other"}, timeout=5)
            self.sim.payer_pays(ours[0].tender_no)
            self.tell(ours[0].tender_no, "NotifyPayment", "Payment", {"payment": {
                "tenderNo": ours[0].tender_no, "state": "PAYMENT_STATE_PAID", "merchantId": "M001",
                "amount": money(ours[0].amount.minor_units)}})
            self.cluster.until_owners(lambda owners: not owners[0], "nobody took over")
        finally:
            silent.signal(signal.SIGCONT)
        caller = self.clients[1]
        self.assertEqual(SUCCEEDED, list(caller.stream(SAGA + "WatchSaga", {"gid": gids[0]}))[-1].saga.status)
        self.assertFalse(caller.call(SAGA + "SignalSaga", request).kept, "a repeat is known")
        Shop(caller).until(ours[0].tender_no[:26], "COMPLETED")
        silent.wait_ready()
        type(self).owners = self.cluster.until_balanced()
        self.until_emptied()

    def until_emptied(self):
        until(lambda: not self.inbox(), lambda: f"the inbox holds {self.inbox()}")

    def inbox(self):
        return self.cluster.database.sql("SELECT slot, method FROM txcenter.inbox")


class Returned(harness.Case):
    """One of three is stopped until another has taken over, and goes on with what it knew."""

    LEASE_S = 5

    @classmethod
    def setUpClass(cls):
        changes = {"cluster": {"lease_ms": cls.LEASE_S * 1000}, "drain_ms": 60000}
        cls.cluster = Instances(3, changes, sim=["--users", "200"])
        cls.addClassCleanup(cls.cluster.close)
        cls.ledger = Participant(f"unix:{cls.cluster.folder}/ledger.sock")
        cls.addClassCleanup(cls.ledger.close)
        cls.cluster.configure_all({**changes, "submit": {"targets": [cls.ledger.target]}})
        cls.cluster.start()
        cls.cluster.until_balanced()

    # What it knows of the other two is out of date as well: one of them has everything, and the other is dead.
    def test_who_calls_one_that_was_taken_over_from_is_told_so_at_once(self):
        stopped, dead, client = self.cluster.centers[0], self.cluster.centers[1], self.cluster.client_of(0)
        Shop(client).quote()  # so that it is connected to
        stopped.signal(signal.SIGSTOP)
        try:
            dead.kill()
            self.cluster.until_owners(lambda owners: not owners[0] and not owners[1], "nobody took over from both")
            with self.cluster.database.locked("txcenter.request"):
                # A third of these are for the dead one, as far as is known here.
                shops = [Shop(client, user=f"U{number + 6:04}") for number in range(120)]
                calls = [client.start(TRADE + "Quote", shop.quote_request(), timeout=50) for shop in shops]
                stopped.signal(signal.SIGCONT)
                next(line for line in stopped.follow() if line["msg"] == "another process has taken over what was driven here")
            begun = time.monotonic()
            for call in calls:
                with self.assertRaises(harness.Refused) as refused:
                    client.finish(call)
                self.assertTrue(refused.exception.is_passing, refused.exception)
            self.assertLess(time.monotonic() - begun, self.LEASE_S, "before anybody gives up by the clock")
        finally:
            stopped.signal(signal.SIGCONT)
        dead.start()
        stopped.wait_ready()
        self.cluster.until_balanced()

    def taken_over(self, i):
        """One is stopped until another has what it drove."""
        center = self.cluster.centers[i]
        center.signal(signal.SIGSTOP)
        self.cluster.until_owners(lambda owners: not owners[i], "nobody took over")
        return center

    # [E7] what was in memory of it is not taken up again and again, nor is anybody kept waiting for it
    def test_who_waits_for_a_saga_there_is_told_how_far_it_is(self):
        client = self.cluster.client_of(1)
        methods = [{"target": self.ledger.target, "method": "/test.v1.Ledger/" + name} for name in ("First", "UndoFirst")]
        steps = [{"name": "First", "action": methods[0], "compensation": methods[1]},
                 {"name": "Wait", "signal": {"name": "go", "timeoutMs": "600000"}}]
        calls = [client.start(SAGA + "SubmitSaga", {"requestId": f"waits-{number}", "waitMs": 20000,
                                                     "saga": {"flow": "test.waits", "steps": steps}}, timeout=50)
                 for number in range(24)]

        def all_wait():
            for call in calls:
                self.assertFalse(call.done() and client.finish(call))
            return self.cluster.database.sql("SELECT COUNT(*) FROM txcenter.saga WHERE flow = 'test.waits'") == [["24"]]

        until(all_wait, "not every saga has begun")
        self.taken_over(1).signal(signal.SIGCONT)
        begun = time.monotonic()
        self.cluster.centers[1].wait_ready()
        for call in calls:
            try:
                self.assertTrue(client.finish(call).processing)
            except harness.Refused as refused:
                self.assertTrue(refused.is_passing, refused)
        self.assertLess(time.monotonic() - begun, self.LEASE_S)
        self.cluster.until_balanced()

    def test_it_can_be_stopped_while_it_begins_anew(self):
        center = self.taken_over(2)
        follow = center.follow()
        with self.cluster.database.locked("txcenter.inbox"):  # which keeps its reader, and so its end, waiting
            center.signal(signal.SIGCONT)
            next(line for line in follow if line["msg"] == "another process has taken over what was driven here")
            center.signal(signal.SIGTERM)
        self.assertEqual(0, center.wait())
        self.assertNotIn("ending at once", [line["msg"] for line in center.lines()])
        center.start()
        self.cluster.until_balanced()


if __name__ == "__main__":
    harness.run()
