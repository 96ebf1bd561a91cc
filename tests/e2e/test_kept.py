#!/usr/bin/python3
"""What has ended goes when its time is over, on every store and over kill -9; what comes late is given back all the same."""

import os
import subprocess

import aged
import harness
from patience import until
from shop import SAGA, OPERATOR, Shop, Sim, state_of

STATS = "txcenter.ops.v1.StatsService/GetStats"
QUICK = {"retention": {"interval_s": 1, "batch": 4, "rows_per_s": 400}, "anomaly": {"interval_s": 1, "checks_per_s": 1000}}
TRADES = 6


def stats_of(client):
    return {stat.name: stat.value for stat in client.call(STATS).stats}


class Kept:
    """On the store that the class says."""

    store = {}

    def open_store(self):
        return self.store

    def database(self):
        return aged.Sqlite(self.center.folder)

    def setUp(self):
        self.center = self.world({**QUICK, "store": self.open_store(), "payment": {"attempt_ttl_s": 600}}).start()
        self.client = self.center.client()
        self.shop, self.sim = Shop(self.client), Sim(self.center.sim_client())

    def paid(self):
        trade = self.shop.order()
        offered = self.shop.pay(trade)
        self.sim.payer_pays(offered.attempt.tenders[0].tender_no)
        self.shop.until(trade.trade_no, "COMPLETED")
        return trade.trade_no

    def cancelled(self):
        trade = self.shop.order()
        tender_no = self.shop.pay(trade).attempt.tenders[0].tender_no
        self.shop.cancel(trade)
        return trade.trade_no, tender_no

    def until_ended(self, trade_no):
        """Everything about it, also what may follow later."""
        unfinished = {"filter": {"subject": trade_no, "unfinished": True}}
        until(lambda: not self.client.call(SAGA + "ListSagas", unfinished).sagas, f"{trade_no} does not end")

    def grow_old(self, days):
        self.center.center.stop()
        self.client.until_lost()
        aged.age(self.database(), days)
        self.center.center.start()

    def until_archived(self, trade_no):
        until(lambda: self.shop.get(trade_no).HasField("archived_at"), f"{trade_no} is not archived")

    def test_what_is_over_goes_whole_over_kill_9_and_late_money_comes_back(self):
        paid = [self.paid() for _ in range(TRADES)]
        cancelled = [self.cancelled() for _ in range(TRADES)]
        for trade_no in [*paid, *(trade_no for trade_no, _ in cancelled)]:
            self.until_ended(trade_no)
        self.grow_old(100)  # the cancelled ones are over, what was paid can be refunded for a year
        until(lambda: stats_of(self.client)["retention.deleted"] >= 4, "nothing is deleted")
        self.center.center.kill()
        self.client.until_lost()
        self.center.center.start()
        for trade_no, _ in cancelled:
            self.until_archived(trade_no)
        database = self.database()
        for trade_no, tender_no in cancelled:
            self.assertEqual(0, aged.left_of(database, trade_no))
            self.assertEqual(1, aged.count(database, "trade_archive", f"tender_no = '{tender_no}'"))
        for trade_no in paid:
            self.assertEqual("COMPLETED", state_of(self.shop.get(trade_no)))
            self.assertGreater(aged.left_of(database, trade_no), 10)
        trade_no, tender_no = cancelled[0]
        self.sim.payer_pays(tender_no, force=True)
        self.assertEqual("RETURNED", self.until_returned(trade_no))
        self.assertEqual(1, len([entry for entry in self.sim.ledger("payment", trade_no) if entry.kind == "refunded"]))
        self.grow_old(300)
        for trade_no in paid:
            self.until_archived(trade_no)
            self.assertEqual(0, aged.left_of(database, trade_no))
        seen = stats_of(self.client)
        self.assertGreaterEqual(seen["retention.deleted"], 2 * TRADES)
        self.assertEqual((0, 0), (seen["anomalies.stuck"], seen["sagas.orphans"]))
        self.assertEqual(0, len(self.client.call(OPERATOR + "ListAnomalies").anomalies))

    def until_returned(self, trade_no):
        def state():
            found = state_of(self.shop.get(trade_no).attempts[0].tenders[0])
            return found if found not in ("CLOSED", "RETURNING") else None

        return until(state, f"{trade_no} is not given back")


class OnSqlite(Kept, harness.Case):
    pass


class OnMariadb(Kept, harness.Case):
    def open_store(self):
        self.server = harness.Database()
        self.addCleanup(self.server.close)
        return self.server.config()

    def database(self):
        return aged.Mariadb(self.server.place)


class Found(harness.Case):
    """What operators find out with txctl."""

    def txctl(self, *arguments):
        done = subprocess.run([os.path.join(harness.BIN, "txctl"), "--server", self.center.center_target, "--no-color",
                               *arguments], capture_output=True, text=True, check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def setUp(self):
        self.center = self.world({
            "retry": {"leisurely": {"first_ms": 10, "max_ms": 20, "attempts": 100000}},
            "anomaly": {"interval_s": 1, "oscillating_attempts": 5, "oscillating_s": 60},
        }, sim=["--auto-pay", "20"]).start()
        self.shop, self.sim = Shop(self.center.client()), Sim(self.center.sim_client())

    def test_what_fails_again_and_again_is_raised_listed_and_over_when_it_is(self):
        fault = self.sim.fault("DOWN", "settlement")
        self.assertTrue(fault)
        trade = self.shop.order()
        self.shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
        told = next(line for line in self.center.center.follow() if line["msg"] == "something is wrong")
        self.assertEqual(("oscillating", trade.trade_no), (told["reason"], told["trade_no"]))
        shown = self.txctl("anomaly", "list", "--kind", "oscillating")
        self.assertIn(told["gid"], shown)
        self.assertIn("record_settlement", shown)
        listed = self.txctl("saga", "list", "--participant", "settlement", "--unfinished")
        self.assertIn(told["gid"], listed)
        self.assertNotIn(told["gid"], self.txctl("saga", "list", "--participant", "push"))
        self.assertIn(told["gid"], self.txctl("saga", "list", "--because", "PARTICIPANT_UNAVAILABLE"))
        self.assertNotIn(told["gid"], self.txctl("saga", "list", "--unfinished", "--older", "1h"))
        self.sim.clear()
        over = next(line for line in self.center.center.follow() if line["msg"] == "it is well again")
        self.assertEqual(told["gid"], over["gid"])
        self.assertNotIn(told["gid"], self.txctl("anomaly", "list"))
        self.assertIn(told["gid"], self.txctl("anomaly", "list", "--all"))
        self.assertIn("anomalies.raised", self.txctl("stats"))


if __name__ == "__main__":
    harness.run()
