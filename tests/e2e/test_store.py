#!/usr/bin/python3
"""txcenterd on MariaDB: at its start, through an outage, and after its own death."""

import json
import signal

import harness
from ctl import run_txctl
from shop import TRADE, Shop, Sim, money, state_of


class Absent(harness.Case):
    def open(self, wait_ms):
        world = self.world({"store": {"kind": "mariadb", "socket": "/nonexistent/sock", "start_wait_ms": wait_ms}})
        return world.center.launch()

    def test_a_start_gives_up_when_the_database_does_not_answer_in_time(self):
        center = self.open(600)
        self.assertEqual(1, center.wait())
        *before, last, _ = center.lines()
        self.assertIn("the store does not answer yet", [line["msg"] for line in before])
        self.assertEqual(("can't start", "STORE_UNAVAILABLE"), (last["msg"], last["reason"]))

    def test_a_start_that_waits_can_be_stopped(self):
        center = self.open(600000)
        next(line for line in center.follow() if line["msg"] == "the store does not answer yet")
        center.signal(signal.SIGTERM)
        self.assertEqual(0, center.wait())


class Present(harness.Case):
    def setUp(self):
        self.database = harness.Database()
        self.addCleanup(self.database.close)

    def open(self):
        config = {"store": {**self.database.config(), "retry_first_ms": 10, "retry_max_ms": 100}}
        world = self.world(config, sim=["--auto-pay", "20"]).start()
        return world, Shop(world.client()), Sim(world.sim_client())

    def test_a_purchase_completes_and_is_there_after_kill_9(self):
        world, shop, _ = self.open()
        trade = shop.order()
        shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
        done = shop.until(trade.trade_no, "COMPLETED")
        world.kill_center()
        world.center.start()
        found = shop.get(trade.trade_no)  # points may have been awarded meanwhile
        self.assertGreaterEqual(found.version, done.version)
        for field in ("state", "order_no", "payable", "paid", "attempts", "ledger", "history"):
            self.assertEqual(getattr(done, field), getattr(found, field), field)

    def test_while_the_database_is_down_nothing_is_accepted_and_then_all_goes_on(self):
        world, shop, sim = self.open()
        trade = shop.order()
        self.database.do("kill")
        request = shop.pay_request(trade, waitFor="WAIT_FOR_OUTCOME")
        waiting = world.client().start(TRADE + "Pay", request)  # may have been let in before the outage was noticed
        watch = world.client().stream("grpc.health.v1.Health/Watch", {"service": "txcenter.trade.v1.TradeService"})
        next(line for line in world.center.follow() if "nothing new is accepted" in line["msg"])
        next(told for told in watch if told.status == 2)  # NOT_SERVING: callers may go elsewhere
        error = self.refused("STORE_UNAVAILABLE", world.client(), TRADE + "Quote", shop.quote_request())
        self.assertEqual("UNAVAILABLE", error.code)
        self.assertGreater(error.retry_after_s, 0)
        for method, fields in (("Saga", {"SignalSaga": {"name": "paid"}}), ("Operator", {"Retry": {"reason": "why not"}})):
            (name, more), = fields.items()
            self.refused("STORE_UNAVAILABLE", world.client(), f"txcenter.saga.v1.{method}Service/{name}",
                         {"requestId": "while-it-is-down", "gid": trade.trade_no + "/1", **more})
        self.database.do("restart")
        next(line for line in world.center.follow() if line["msg"] == "the store answers again")
        self.assertEqual(1, next(watch).status)
        try:
            world.client().finish(waiting)
        except harness.Refused as error:
            self.assertEqual("UNAVAILABLE", error.code)
        paid = world.client().call(TRADE + "Pay", request)  # the same request: it acts once, whatever became of the first
        self.assertEqual("PAID", state_of(paid.attempt))
        shop.until(trade.trade_no, "COMPLETED")
        for stats in sim.stats().values():
            self.assertEqual(0, stats.took_effect_twice)

    def weaken(self, flush):
        """From now on the database flushes like that, and whoever is connected comes back to it."""
        self.database.sql(f"SET GLOBAL innodb_flush_log_at_trx_commit = {flush}")
        for connection, in self.database.sql("SELECT id FROM information_schema.processlist WHERE db = 'txcenter'"):
            self.database.sql(f"KILL {connection}")

    # As after a fail-over to a host that is less careful: seen when what writes connects again, and told to whoever looks.
    def test_settings_that_weaken_durability_are_told_when_they_are_met(self):
        self.database.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        world, _, _ = self.open()
        warning = "innodb_flush_log_at_trx_commit is 0, not 1"
        said = world.center.follow()

        def told():
            health, stats = run_txctl(world, ["health"]), run_txctl(world, ["stats", "-o", "json"])
            self.assertEqual((0, "SERVING\n"), (health.returncode, health.stdout))
            answer = json.loads(stats.stdout)
            weak = next(stat["value"] for stat in answer["stats"] if stat["name"] == "store.weak")
            self.assertEqual(int(weak), len(answer.get("warnings", [])))
            self.assertEqual(warning in str(answer.get("warnings")), warning in health.stderr)
            return health.stderr

        self.assertEqual("", told())
        self.weaken(0)
        line = next(line for line in said if warning in line["msg"])
        self.assertEqual("warn", line["level"])
        self.assertIn("txctl: warning: " + warning, told())
        self.assertIn(warning, json.loads(run_txctl(world, ["health", "-o", "json"]).stderr)["warning"])
        self.weaken(1)
        next(line for line in said if line["msg"] == "the database's settings are durable again")
        self.assertEqual("", told())

    # What may have been accepted is no failure, and the caller hears so while it still listens.
    def test_a_caller_whose_deadline_comes_before_the_commit_is_told_to_ask_again(self):
        world, shop, _ = self.open()
        client = world.client()
        quoted = shop.quote()
        best = quoted.quote.combinations[0]
        request = shop._fields({"tradeNo": quoted.trade_no, "quoteVersion": quoted.quote.version, "waitMs": 20000,
                                "combinationId": best.combination_id, "expectedPayable": money(best.payable.minor_units)})
        with self.database.locked("txcenter.saga"):
            error = self.refused("ACCEPTANCE_UNKNOWN", client, TRADE + "PlaceOrder", request, timeout=3)
            self.assertGreater(error.retry_after_s, 0)
        self.assertEqual("ORDERED", state_of(client.call(TRADE + "PlaceOrder", request).trade))


if __name__ == "__main__":
    harness.run()
