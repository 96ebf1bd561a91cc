#!/usr/bin/python3
"""What an operator sees and does when a step is refused by its system."""

import os
import subprocess

import harness
from ctl import state_of_saga, txctl, until_ended
from shop import OPERATOR, SAGA, Shop, Sim

PATIENCE = {"retry": {"leisurely": {"first_ms": 10, "max_ms": 20, "attempts": 3}}}


class Parked(harness.Case):
    def setUp(self):
        self.center = self.world(PATIENCE, sim=["--auto-pay", "20"]).start()
        self.shop = Shop(self.center.client())
        self.sim = Sim(self.center.sim_client())
        self.operator = self.center.client("olga")
        self.sim.fault("REJECT", "settlement", count=1, code="SHIFT_CLOSED")
        trade = self.shop.order()
        self.shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
        self.trade_no = trade.trade_no
        self.gid = self.parked_gid()

    def parked_gid(self):
        """Of the saga that the center says is parked, as soon as it does."""
        for line in self.center.center.follow():
            if line["msg"].startswith("saga parked"):
                self.assertEqual(self.trade_no, line["trade_no"])
                return line["gid"]
        return None

    def retry(self, request_id="again-1", reason="the shift is open again", **options):
        return self.operator.call(OPERATOR + "Retry", {"requestId": request_id, "gid": self.gid, "reason": reason},
                                  **options)

    def batch(self, request_id, **condition):
        """The last report of a batch of retries."""
        request = {"requestId": request_id, "reason": "the shift is open again", "action": "OPERATOR_ACTION_RETRY",
                   "filter": condition}
        return list(self.operator.stream(OPERATOR + "Batch", request, timeout=60))[-1]

    def audit(self, **fields):
        return self.operator.call(OPERATOR + "ListAudit", fields).entries

    # [E8] "older than half an hour" is another moment each time that it is said
    def test_a_batch_of_what_is_old_is_the_same_one_later(self):
        first = self.batch("old", parked=True, updatedBefore="2099-01-01T00:00:00Z")
        self.assertEqual((1, True), (first.done, first.finished))
        self.shop.until(self.trade_no, "COMPLETED")
        again = self.batch("old", parked=True, updatedBefore="2099-01-01T00:00:01Z", createdFrom="2020-01-01T00:00:00Z")
        self.assertEqual((0, True), (again.matched, again.finished))
        with self.assertRaises(harness.Refused) as refused:
            self.batch("old", unfinished=True, updatedBefore="2099-01-01T00:00:00Z")
        self.assertEqual("IDEMPOTENCY_KEY_REUSED", refused.exception.reason)
        self.assertEqual(1, len([entry for entry in self.audit() if entry.action == "batch"]))

    # [A34] a permanent failure after the watershed goes to an operator; nothing is rolled back
    def test_a_refusal_after_the_watershed_waits_for_an_operator(self):
        parked = self.operator.call(SAGA + "ListSagas", {"filter": {"parked": True}}).sagas
        self.assertEqual([self.gid], [saga.gid for saga in parked])
        shown = self.operator.call(SAGA + "GetSaga", {"gid": self.gid}).saga
        waiting = [step for step in shown.steps if step.state == 9]
        self.assertEqual(["SHIFT_CLOSED"], [step.reason for step in waiting])
        self.assertEqual(["SHIFT_CLOSED"], [attempt.reason for attempt in shown.attempts])
        self.assertEqual(waiting[0].name, shown.attempts[0].step_name)
        for system in ("order", "points", "coupon"):
            for effect in self.sim.effects(system, self.trade_no):
                self.assertEqual(1, effect.state, "applied, not compensated")

    # [A32] a manual retry works
    def test_a_retry_completes_it_once_however_often_it_is_asked_for(self):
        first = self.retry()
        self.assertEqual(self.gid, first.saga.gid)
        self.shop.until(self.trade_no, "COMPLETED")
        self.assertEqual(self.gid, self.retry().saga.gid, "a repeat is answered")
        entries = self.audit(gid=self.gid)
        self.assertEqual([("retry", "olga", "the shift is open again")],
                         [(entry.action, entry.caller, entry.reason) for entry in entries])
        self.assertEqual(entries, self.audit())
        error = self.refused("IDEMPOTENCY_KEY_REUSED", self.operator, OPERATOR + "Retry",
                             {"requestId": "again-1", "gid": self.gid, "reason": "another one"})
        self.assertEqual("again-1", error.metadata["request_id"])

    def test_a_retry_that_does_not_fit_is_refused_and_does_not_use_its_id_up(self):
        payment = f"{self.trade_no}/pay/1"
        request = {"requestId": "again-2", "gid": payment, "reason": "try"}
        error = self.refused("SAGA_STATE", self.operator, OPERATOR + "Retry", request)
        self.assertEqual("FAILED_PRECONDITION", error.code)
        self.retry(request_id="again-2")
        self.assertEqual([self.gid], [entry.gid for entry in self.audit()])


class ManyParked(harness.Case):
    """Systems that refuse what follows several trades."""

    SYSTEMS = {"invoice": "IssueInvoice", "level": "ReportGrowth", "marketing": "RecordTrade"}
    TRADES = 3

    def until_parked(self, center):
        """Every step of every trade that is refused waits for an operator."""
        parked = set()
        for line in center.center.follow():
            if line["msg"].startswith("saga parked"):
                parked.add((line["gid"], line["step"]))
            if len(parked) == self.TRADES * len(self.SYSTEMS):
                return

    # [S3-17] [A32] [A34] with txctl all that wait for one reason are tried again at once, each once and nothing else
    def test_a_batch_of_retries_completes_what_follows_every_trade(self):
        center = self.world(PATIENCE, sim=["--auto-pay", "20"]).start()
        sim, operator = Sim(center.sim_client()), center.client("olga")
        shops = [Shop(center.client(), user=f"U{5 + number:04}") for number in range(self.TRADES)]
        for system, method in self.SYSTEMS.items():
            sim.fault("REJECT", system, method, count=self.TRADES, code="NOT_TODAY")
        trades = [shop.order() for shop in shops]
        for shop, trade in zip(shops, trades):
            shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
            shop.until(trade.trade_no, "COMPLETED")  # none of it is in the way
        self.until_parked(center)
        done = subprocess.run([os.path.join(harness.BIN, "txctl"), "--server", center.center_target, "batch", "retry", "--filter",
                               "parked,because=NOT_TODAY", "--reason", "they are back"], capture_output=True, text=True,
                              timeout=harness.READY_S, check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        for shop, trade in zip(shops, trades):
            until_ended(operator, f"{trade.trade_no}/1")
            for system, method in self.SYSTEMS.items():
                applied = [effect for effect in sim.effects(system, trade.trade_no) if effect.method == method]
                self.assertEqual([1], [effect.state for effect in applied if effect.state == 1], system)


    # [S3-17] [S3-60] [S3-61] [S3-62] [A32] single and by the system that refused: what follows a payment is tried again
    # from txctl, what others refused is left alone, and nothing is done twice or taken back
    def test_retries_from_txctl_are_of_one_saga_or_of_those_that_one_system_refused(self):
        center = self.world(PATIENCE, sim=["--auto-pay", "20"]).start()
        sim, operator = Sim(center.sim_client()), center.client("olga")
        shops = [Shop(center.client(), user=f"U{5 + number:04}") for number in range(self.TRADES)]
        trades = [shop.order() for shop in shops]
        refusals = [("points", "AwardPoints"), ("points", "AwardPoints"), ("invoice", "IssueInvoice")]
        for trade, (system, method) in zip(trades, refusals):
            sim.fault("REJECT", system, method, count=1, code="NOT_TODAY", key_prefix=trade.trade_no)
        for shop, trade in zip(shops, trades):
            shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
            shop.until(trade.trade_no, "COMPLETED")
        gids = [f"{trade.trade_no}/1" for trade in trades]
        waiting = set(gids)
        for line in center.center.follow():
            if line["msg"].startswith("saga parked"):
                waiting.discard(line["gid"])
            if not waiting:
                break
        self.assertEqual(0, txctl(self, center, "batch", "retry", "--filter", "parked,participant=points", "--reason", "they are back"))
        for gid in gids[:2]:
            self.assertEqual("SUCCEEDED", state_of_saga(until_ended(operator, gid)))
        self.assertEqual([gids[2]], [saga.gid for saga in operator.call(SAGA + "ListSagas", {"filter": {"parked": True}}).sagas])
        self.assertEqual(0, txctl(self, center, "saga", "retry", gids[2], "--reason", "they are back"))
        self.assertEqual("SUCCEEDED", state_of_saga(until_ended(operator, gids[2])))
        for trade, (system, method) in zip(trades, refusals):
            applied = [effect for effect in sim.effects(system, trade.trade_no) if effect.method == method and effect.state == 1]
            self.assertEqual(1, len(applied), system)


if __name__ == "__main__":
    harness.run()
