#!/usr/bin/python3
"""txcenterd with its cache in a real Redis that is killed, stopped, flushed and lied in: every quote is right."""

import os
import signal
import time

import harness
from redis_server import Redis
from shop import OPERATOR, SIM, Shop, Sim, money, state_of

STATS = "txcenter.ops.v1.StatsService/GetStats"
PRICE = {"stationId": "S001", "oilCode": "95#", "name": "95"}
VALUES = "txcenter:v:price:*"


class Cached(harness.Case):
    def open(self, **cache):
        self.center = self.world({"cache": cache}, sim=["--auto-pay", "20"])
        self.redis = Redis(self.center.folder)
        self.addCleanup(self.redis.kill)
        if cache.get("kind") != "memory":
            self.redis.start()
            self.center.configure({"cache": self.redis.config(**{"timeout_ms": 200, "retry_max_ms": 200, **cache})})
        self.center.start()
        self.shop, self.sim = Shop(self.center.client()), Sim(self.center.sim_client())
        self.price = self.quoted()

    def quoted(self):
        """The price of a litre, as a quote of now says."""
        quote = self.shop.quote().quote
        self.assertEqual([], list(quote.degraded_sources))
        return quote.lines[0].unit_price.minor_units

    def set_price(self, minor_units):
        self.sim.client.call(SIM + "SetOilPrice", {**PRICE, "unitPrice": money(minor_units)})

    def stats(self):
        return {stat.name: stat.value for stat in self.center.client().call(STATS).stats}

    def clear(self, **fields):
        return self.center.client("olga").call(OPERATOR + "ClearCache", {"reason": "prices have changed", **fields})

    def asked(self):
        """Calls to the oil system so far."""
        return self.sim.stats()["oil"].calls

    def said(self, message):
        """The line of the log, once it is there."""
        return next(line for line in self.center.center.follow() if line["msg"] == message)

    def until_kept(self):
        """Quotes until one needs not ask for the price."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            before = self.asked()
            self.assertEqual(self.price, self.quoted())
            if self.asked() == before:
                return
        self.fail(f"no price is kept: {self.stats()}\n{self.center.center.log()[-3000:]}")

    def well(self, quotes=10):
        """So many quotes are right, whatever the cache does; returns how long the slowest took, in seconds."""
        slowest = 0
        for _ in range(quotes):
            begun = time.monotonic()
            self.assertEqual(self.price, self.quoted())
            slowest = max(slowest, time.monotonic() - begun)
        return slowest


class InRedis(Cached):
    # A lost cache costs speed only.
    def test_a_redis_that_is_killed_and_comes_back_costs_questions_only(self):
        self.open(kind="redis")
        for _ in range(3):
            self.until_kept()
            self.redis.kill()
            before = self.asked()
            self.well()
            self.assertGreaterEqual(self.asked() - before, 10)
            self.said("the cache does not answer; facts are asked for each time until it does")
            self.redis.start()
        self.said("the cache answers again")
        self.until_kept()
        self.assertGreaterEqual(self.stats()["cache.connects"], 4)

    def test_a_redis_that_is_stopped_holds_up_one_quote_for_its_time_and_then_none(self):
        self.open(kind="redis")
        self.until_kept()
        self.redis.signal(signal.SIGSTOP)
        self.well()
        self.assertGreater(self.stats()["cache.failed"], 0)
        self.redis.signal(signal.SIGCONT)
        self.until_kept()

    def test_a_redis_that_was_flushed_is_filled_again(self):
        self.open(kind="redis")
        for _ in range(3):
            self.until_kept()
            self.assertEqual(1, self.redis.keys(VALUES))
            self.redis.ask("FLUSHALL")
            self.assertEqual(0, self.redis.keys(VALUES))
            self.well(1)
        self.until_kept()

    def test_lies_in_redis_are_no_prices(self):
        self.open(kind="redis")
        for lie in (b"", b"\xff" * 4096, b"TXC\x01", os.urandom(500)):
            self.until_kept()
            unfit = self.stats()["cache.unfit"]
            changed = self.redis.ask("EVAL", "for _, k in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('SET', k, ARGV[2]) end return 1",
                                     "0", VALUES, lie)
            self.assertEqual("1", changed)
            self.well(3)
            self.assertGreater(self.stats()["cache.unfit"], unfit)

    def test_without_a_redis_it_starts_and_quotes(self):
        self.open(kind="redis")
        self.center.kill_center()
        self.redis.kill()
        self.center.center.start()
        self.well()
        self.refused("STORE_UNAVAILABLE", self.center.client(), OPERATOR + "ClearCache", {"requestId": "c-1", "reason": "why"})
        self.redis.start()
        self.until_kept()
        self.clear(requestId="c-1")  # the same request, once it can be done

    # Two instances share what one of them has asked for, and what is cleared at one is cleared for both.
    def test_another_instance_finds_and_clears_what_this_one_keeps(self):
        self.open(kind="redis", price_ttl_s=3600)
        self.until_kept()
        other = self.world()
        other.configure({"cache": self.redis.config(timeout_ms=1000, price_ttl_s=3600), "participants": {
            system: {"target": self.center.sim_target} for system in harness.SYSTEMS}})
        other.start(sim=False)
        shop, before = Shop(other.client(), user="U0002"), self.asked()
        connected = time.monotonic() + 60
        while self.asked() - before == 0 and not self.hits(other):
            self.assertLess(time.monotonic(), connected)
            shop.quote()
        self.set_price(self.price + 100)
        other.client("olga").call(OPERATOR + "ClearCache", {"requestId": "c-2", "reason": "new prices", "source": "price"})
        self.assertEqual(self.price + 100, self.quoted())

    @staticmethod
    def hits(world):
        return next(stat.value for stat in world.client().call(STATS).stats if stat.name == "cache.hits")

    def test_a_purchase_is_charged_what_its_quote_kept_though_everything_has_changed_since(self):
        self.open(kind="redis", price_ttl_s=3600)
        self.until_kept()
        quoted = self.shop.quote()
        self.set_price(2 * self.price)
        self.clear(requestId="c-3")
        trade = self.shop.place(quoted)
        best = quoted.quote.combinations[0].payable.minor_units
        self.assertEqual(best, trade.payable.minor_units)
        self.shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
        done = self.shop.until(trade.trade_no, "COMPLETED")
        self.assertEqual(("COMPLETED", best), (state_of(done), done.paid.minor_units))
        self.assertEqual(2 * self.price, self.quoted())

    def test_a_password_is_used_and_a_wrong_one_is_said(self):
        self.open(kind="redis")
        self.redis.ask("CONFIG", "SET", "requirepass", "open sesame")
        secret = os.path.join(self.center.folder, "secret")
        self.center.configure({"cache": self.redis.config(timeout_ms=200, password_file=secret)})
        for password in ("wrong", "open sesame"):
            with open(secret, "w", encoding="utf-8") as file:
                file.write(password + "\n")
            self.center.kill_center()
            self.center.center.start()
            if password == "wrong":
                down = self.said("the cache does not answer; facts are asked for each time until it does")
                self.assertIn("WRONGPASS", down["text"])
                self.well(2)
        self.until_kept()


class InMemory(Cached):
    def test_it_is_used_unless_the_configuration_says_otherwise(self):
        self.open(kind="memory")
        self.until_kept()
        self.set_price(self.price + 100)
        self.assertEqual(self.price, self.quoted())
        self.assertEqual("txcenter-0", self.clear(requestId="c-1").instance)
        self.assertEqual(self.price + 100, self.quoted())

    def test_a_time_of_0_turns_it_off(self):
        self.open(kind="memory", price_ttl_s=0, points_rule_ttl_s=0, level_ttl_s=0, activities_ttl_s=0)
        before = self.asked()
        self.well(5)
        self.assertEqual(before + 5, self.asked())
        self.assertEqual(0, self.stats()["cache.gets"])


if __name__ == "__main__":
    harness.run()
