"""What a slow system that nobody waits for does to paying: runs by turns with and without one, and what its gate says."""

import json
import os
import statistics
import subprocess

from harness import BIN, World
from shop import OPERATOR, Sim
from table import Table

STATS = "txcenter.ops.v1.StatsService/"
SLOW, ANSWERS_MS = "notify", 30000
USERS, IN_FLIGHT = 1000, 8
COLUMNS = (("pair", "pair", "{:.0f}"), ("p50 ms", "p50_ms", "{:.1f}"), ("p99 ms", "p99_ms", "{:.1f}"), ("slow p50", "slow_p50_ms", "{:.1f}"),
           ("slow p99", "slow_p99_ms", "{:.1f}"), ("ratio", "ratio", "{:.2f}"), ("held", "held", "{:.0f}"), ("of", "of", "{:.0f}"),
           ("crowded", "crowded_out", "{:.0f}"))


class Pairs:
    """One world for all runs: each begins with what the one before has left."""

    def __init__(self, seconds, limits):
        self.seconds = seconds
        self.world = World(sim=["--auto-pay", "1", "--users", str(USERS)])
        self.world.configure({"log": {"level": "error", "format": "json"},
                              "participants": {SLOW: {"target": self.world.sim_target, **limits}}})
        self.world.start()
        self.operator = self.world.client("olga")
        self.sim = Sim(self.world.sim_client())

    def close(self):
        self.world.close()

    def gate(self):
        participants = self.operator.call(OPERATOR + "ListParticipants").participants
        return next(participant for participant in participants if participant.name == SLOW)

    def crowded_out(self):
        return next(stat.value for stat in self.operator.call(STATS + "GetStats").stats if stat.name == "sagas.crowded_out")

    def purchases(self):
        done = subprocess.run([os.path.join(BIN, "..", "bench", "bench_purchase"), self.world.center_target, str(self.seconds),
                               str(IN_FLIGHT), str(USERS), str(self.world.center.pid), str(self.world.sim.pid), "plain"],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"bench_purchase ends with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    def run(self, slow):
        """One run; with the system slow, also how many of its permits were held at the end, which is when most are."""
        if not slow:
            return self.purchases()
        self.sim.fault("DELAY", SLOW, "*", delay_ms=ANSWERS_MS)
        try:
            figures = self.purchases()
            gate = self.gate()
            return {**figures, "held": gate.in_flight - gate.in_flight_core, "of": gate.in_flight_max}
        finally:
            self.sim.clear()

    def pair(self, number):
        """The second run of each pair is the slow one in every other pair."""
        first = number % 2 == 0
        runs = {slow: self.run(slow) for slow in (first, not first)}
        even, slow = runs[False], runs[True]
        return {"pair": number, "p50_ms": even["p50_ms"], "p99_ms": even["p99_ms"], "slow_p50_ms": slow["p50_ms"],
                "slow_p99_ms": slow["p99_ms"], "ratio": slow["p99_ms"] / even["p99_ms"], "held": slow["held"], "of": slow["of"],
                "crowded_out": self.crowded_out()}


def measure(pairs, seconds, figures, **limits):
    """Prints each pair, and keeps the median of the ratios of the p99s. `limits` are the slow system's."""
    table = Table(f"paying while {SLOW} answers in {ANSWERS_MS // 1000} s, {IN_FLIGHT} purchases in flight", COLUMNS)
    bench, rows = Pairs(seconds, limits), []
    try:
        bench.run(False)  # warm
        for number in range(1, pairs + 1):
            rows.append(bench.pair(number))
            table.row(rows[-1])
    finally:
        bench.close()
    figures["importance.ratio.median"] = statistics.median(row["ratio"] for row in rows)
    figures["importance.crowded_out"] = max(row["crowded_out"] for row in rows)
    figures["importance.held_share"] = max(row["held"] / row["of"] for row in rows)
    figures["importance.p99_ms"] = statistics.median(row["p99_ms"] for row in rows)
    figures["importance.slow_p99_ms"] = statistics.median(row["slow_p99_ms"] for row in rows)
    return figures
