#!/usr/bin/python3
"""txcenterd on a Galera cluster of three nodes: the node that it uses dies while trades are under way."""

import harness
from shop import Shop, Sim


class Cluster(harness.Case):
    def setUp(self):
        self.database = harness.Database("galera")
        self.addCleanup(self.database.close)

    def open(self):
        config = {"store": {**self.database.config(), "retry_first_ms": 10, "retry_max_ms": 100}}
        world = self.world(config, sim=["--auto-pay", "20"]).start()
        return world, Shop(world.client()), Sim(world.sim_client())

    def test_trades_go_on_at_another_node_when_theirs_is_killed(self):
        world, shop, sim = self.open()
        done = []
        for node in (0, 1):
            trades = [shop.order() for _ in range(5)]
            for trade in trades[:3]:
                shop.pay(trade)
            self.database.do(f"kill {node}")
            shop.until(trades[0].trade_no, "COMPLETED")  # by then the next node has taken over
            for trade in trades[3:]:
                shop.pay(trade)
            done += [shop.until(trade.trade_no, "COMPLETED") for trade in trades]
            self.database.do(f"restart {node}")
        # After its own death as well: what callers were told is there, whatever node is asked.
        world.kill_center()
        world.center.start()
        for before in done:
            found = shop.get(before.trade_no)
            self.assertEqual(before.state, found.state)
            self.assertEqual(before.ledger, found.ledger)
        for stats in sim.stats().values():
            self.assertEqual(0, stats.took_effect_twice)


if __name__ == "__main__":
    harness.run()
