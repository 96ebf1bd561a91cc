"""What a slow system that nobody waits for does to paying: runs by turns with and without one, and what its gate says."""

import statistics
import threading

from harness import World
from purchases import KINDS, drive
from shop import OPERATOR, Sim
from table import Table

STATS = "txcenter.ops.v1.StatsService/"
SLOW, ANSWERS_MS = "notify", 30000
IN_FLIGHT = 8
COLUMNS = (("pair", "pair", "{:.0f}"), ("p50 ms", "p50_ms", "{:.1f}"), ("p99 ms", "p99_ms", "{:.1f}"), ("slow p50", "slow_p50_ms", "{:.1f}"),
           ("slow p99", "slow_p99_ms", "{:.1f}"), ("ratio", "ratio", "{:.2f}"), ("held", "held", "{:.0f}"), ("of", "of", "{:.0f}"),
           ("crowded", "crowded_out", "{:.0f}"))


class Gate:
    """What the slow system's gate says: the most permits that it held at a time, looked for until it is stopped."""

    def __init__(self, operator):
        self.operator, self.held, self.of, self.ended = operator, 0, 0, threading.Event()
        self.thread = threading.Thread(target=self.sample)
        self.thread.start()

    def sample(self):
        while not self.ended.wait(0.2):
            participants = self.operator.call(OPERATOR + "ListParticipants").participants
            gate = next(participant for participant in participants if participant.name == SLOW)
            self.held, self.of = max(self.held, gate.in_flight - gate.in_flight_core), gate.in_flight_max

    def stop(self):
        self.ended.set()
        self.thread.join()
        stats = {stat.name: stat.value for stat in self.operator.call(STATS + "GetStats").stats}
        return {"held": self.held, "of": self.of, "crowded_out": stats["sagas.crowded_out"]}


def run(slow, seconds, limits):
    """Each run has a world of its own: what a slow system has left undone would else be caught up with in the next run."""
    world = World(sim=["--auto-pay", "1", "--users", str(KINDS["plain"])])
    try:
        world.configure({"log": {"level": "error", "format": "json"}, "participants": {SLOW: {"target": world.sim_target, **limits}}})
        world.start()
        if slow:
            Sim(world.sim_client()).fault("DELAY", SLOW, "*", delay_ms=ANSWERS_MS)
        gate = Gate(world.client("olga"))
        try:
            row = drive(world, seconds, IN_FLIGHT, "plain")
        finally:
            said = gate.stop()
        return {**row, **said}
    finally:
        world.close()


def pair(number, seconds, limits):
    """The second run of each pair is the slow one in every other pair."""
    first = number % 2 == 0
    runs = {slow: run(slow, seconds, limits) for slow in (first, not first)}
    even, slow = runs[False], runs[True]
    return {"pair": number, "p50_ms": even["p50_ms"], "p99_ms": even["p99_ms"], "slow_p50_ms": slow["p50_ms"],
            "slow_p99_ms": slow["p99_ms"], "ratio": slow["p99_ms"] / even["p99_ms"], "held": slow["held"], "of": slow["of"],
            "crowded_out": slow["crowded_out"]}


def measure(pairs, seconds, figures, **limits):
    """Prints each pair, and keeps how much greater the median of the p99s is with it. `limits` are the slow system's."""
    table = Table(f"paying while {SLOW} answers in {ANSWERS_MS // 1000} s, {IN_FLIGHT} purchases in flight", COLUMNS)
    rows = []
    for number in range(1, pairs + 1):
        rows.append(pair(number, seconds, limits))
        table.row(rows[-1])
    figures["importance.crowded_out"] = max(row["crowded_out"] for row in rows)
    figures["importance.held_share"] = max(row["held"] / row["of"] for row in rows)
    figures["importance.p99_ms"] = statistics.median(row["p99_ms"] for row in rows)
    figures["importance.slow_p99_ms"] = statistics.median(row["slow_p99_ms"] for row in rows)
    figures["importance.ratio"] = figures["importance.slow_p99_ms"] / figures["importance.p99_ms"]
    return figures
