#!/usr/bin/python3
"""The center on TiDB: its tables and their indexes, every list, sagas of callers, purchases, operators, retention, kill -9.
What other files ask of the center on SQLite is asked here once more."""

import aged
import harness
import test_kept
import test_lists
import test_operator
import test_submit
import test_trade
from shop import Shop, Sim

SERVER = []


def setUpModule():  # unittest's name
    SERVER.append(harness.Database("tidb"))


def tearDownModule():
    SERVER.pop().close()


class OnTidb(harness.Case):
    """Empty tables for each world; the first one makes them."""

    def database_config(self):
        server = SERVER[0]
        server.sql("SELECT 1;" + "".join(f"DELETE FROM txcenter.{table};" for table, in server.sql("SHOW TABLES FROM txcenter")))
        return {**server.config(), "retry_first_ms": 10, "retry_max_ms": 100}


def once_more(module):
    """Its cases, on TiDB."""
    cases = [case for case in vars(module).values()
             if isinstance(case, type) and issubclass(case, harness.Case) and case.__module__ == module.__name__]
    return {f"{module.__name__}_{case.__name__}": type(case.__name__, (OnTidb, case), {}) for case in cases}


for asked in (test_lists, test_operator, test_submit, test_trade):
    globals().update(once_more(asked))


class Kept(test_kept.Kept, OnTidb):
    def open_store(self):
        return self.database_config()

    def database(self):
        return aged.Mariadb(SERVER[0].place)


class Deaths(OnTidb, test_submit.Submitting):
    def setUp(self):
        super().setUp()
        self.center.sim.start()
        self.shop, self.sim = Shop(self.client), Sim(self.center.sim_client())

    def pay(self, trade):
        """The trade, of which the payer has begun to pay."""
        self.sim.payer_pays(self.shop.pay(trade).attempt.tenders[0].tender_no)
        return trade

    # [E5] [E10] what was accepted is there, and is carried on with from where it stood
    def test_all_goes_on_after_kill_9_of_the_center_and_of_the_server(self):
        go = self.hold("Charge")
        first = self.submit(self.step("Reserve"), self.step("Charge"), wait_ms=0)
        self.ledger.until_asked("Charge")
        trades = [self.shop.order() for _ in range(3)]
        done = self.shop.until(self.pay(trades[0]).trade_no, "COMPLETED")
        self.pay(trades[1])
        self.center.center.kill()
        self.client.until_lost()
        SERVER[0].do("kill")
        SERVER[0].do("restart")
        self.center.center.start()
        self.assertEqual(done.ledger, self.shop.get(done.trade_no).ledger)
        self.shop.until(trades[1].trade_no, "COMPLETED")
        self.pay(trades[2])
        SERVER[0].do("kill")  # under the center, which waits for it
        go.set()
        SERVER[0].do("restart")
        self.assertEqual(test_submit.SUCCEEDED, self.ended(first.saga.gid).status)
        self.shop.until(trades[2].trade_no, "COMPLETED")
        for method in ("Reserve", "Charge"):
            self.assertEqual(1, len({(asked.key, asked.body) for asked in self.ledger.until_asked(method)}))
        for stats in self.sim.stats().values():
            self.assertEqual(0, stats.took_effect_twice)


if __name__ == "__main__":
    harness.run()
