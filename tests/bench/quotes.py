"""Quotes whose sources take their time: asked at once, and with what changes slowly kept in memory or in Redis."""

import json
import os
import subprocess
import tempfile

from harness import BIN, World
from redis_server import Redis
from shop import Sim
from table import Table

USERS = 100
TTL_S = 3600
FACTS = {"GetPrice": "oil", "GetRule": "points", "GetLevel": "level", "ListActivities": "discount"}
OWN = {"GetUser": "user", "ListUsableCoupons": "coupon", "GetPoints": "points"}
# What each source takes, in milliseconds.
WORLDS = {"even": {**dict.fromkeys(FACTS, 10), **dict.fromkeys(OWN, 10)},
          "slow_facts": {**dict.fromkeys(FACTS, 40), **dict.fromkeys(OWN, 10)}}
TITLES = {"even": "quotes; each of seven sources takes 10 ms", "slow_facts": "quotes; facts take 40 ms, what a user has 10 ms"}
COLUMNS = (("cache", "cache", "{}"), ("in flight", "in_flight", "{:.0f}"), ("quotes/s", "per_second", "{:.0f}"), ("p50 ms", "p50_ms", "{:.1f}"),
           ("p99 ms", "p99_ms", "{:.1f}"), ("/ slowest", "p50_of_slowest", "{:.2f}"), ("calls each", "calls", "{:.2f}"), ("get µs", "get_us", "{:.0f}"),
           ("degraded", "degraded", "{:.0f}"), ("failed", "failed", "{:.0f}"))


def calls(sim):
    stats = sim.stats()
    return sum(stats[system].calls for system in {*FACTS.values(), *OWN.values()})


def counters(world):
    return {stat.name: stat.value for stat in world.client().call("txcenter.ops.v1.StatsService/GetStats").stats}


def quotes(kind, delays, in_flight, seconds):
    world = World({}, ["--users", str(USERS + 10)])
    redis = Redis(tempfile.mkdtemp(prefix="redis-", dir=world.folder))
    try:
        keeping = dict.fromkeys(("price_ttl_s", "points_rule_ttl_s", "level_ttl_s", "activities_ttl_s"), 0 if kind == "off" else TTL_S)
        cache = redis.start().config(**keeping) if kind == "redis" else keeping
        world.configure({"cache": cache, "log": {"level": "warn", "format": "json"}})
        world.start()
        sim = Sim(world.sim_client())
        for method, system in {**FACTS, **OWN}.items():
            sim.fault("DELAY", system, method, delayMs=delays[method])
        before = calls(sim)
        done = subprocess.run([os.path.join(BIN, "..", "bench", "bench_quote"), world.center_target, str(seconds), str(in_flight), str(USERS)],
                              capture_output=True, text=True, check=False)
        if not done.stdout:
            raise AssertionError(f"bench_quote ends with {done.returncode}: {done.stderr}")
        row = json.loads(done.stdout.splitlines()[-1])
        seen = counters(world)
        row.update(cache=kind, p50_of_slowest=row["p50_ms"] / max(delays.values()), get_us=seen["cache.get_ns"] / 1000 / max(1, seen["cache.gets"]),
                   calls=(calls(sim) - before) / max(1, row["quotes"] + USERS))
        return row
    finally:
        redis.kill()
        world.close()


def measure(seconds, figures):
    for name, delays in WORLDS.items():
        table = Table(TITLES[name], COLUMNS)
        for kind in ("off", "memory", "redis"):
            for in_flight in (1, 16):
                row = quotes(kind, delays, in_flight, seconds)
                table.row(row)
                del row["cache"]
                for figure, value in row.items():
                    figures[f"quote.{name}.{kind}.{in_flight}.{figure}"] = value
