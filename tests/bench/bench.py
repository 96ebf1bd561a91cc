"""./dev bench: figures of the release build, compared with what they should be, and written down by flat names."""

import argparse
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True

import harness  # noqa: E402
import importance  # noqa: E402
import peers  # noqa: E402
import profile_rooms  # noqa: E402
import profile_threads  # noqa: E402
import purchases  # noqa: E402
import quotes  # noqa: E402
from endurance import SAGAS_MAX, WAITING_MIN, Endurance  # noqa: E402
from harness import BIN, World, cpu_ns, resident_kb  # noqa: E402
from sagas import Sagas  # noqa: E402
from two_step import MariadbStore, Sqlite  # noqa: E402

BENCH = os.path.join(BIN, "..", "bench")
IN_FLIGHT = (1, 16, 64, 256)

# Which figure must be at most (or at least) how much.
GOALS = (
    ("idle.resident_kb", "<=", 25 * 1024, "resident memory when idle, kB"),
    ("idle.cpu_percent", "<=", 0.5, "percent of a core when idle"),
    ("idle.ready_ms", "<=", 200, "from exec to ready, ms"),
    ("purchase.sqlite.64.per_second", ">=", 300, "purchases a second on SQLite, 64 in flight"),
    ("quote.even.off.1.p50_of_slowest", "<=", 1.5, "p50 of a quote whose seven sources take 10 ms each, of that, one in flight"),
    ("quote.slow_facts.memory.1.p50_ms", "<=", 20, "p50 of a quote with slow facts that are kept in memory, ms"),
    ("quote.slow_facts.redis.1.p50_ms", "<=", 20, "p50 of a quote with slow facts that are kept in Redis, ms"),
    ("solver.mixed.p99_us", "<=", 5000, "the best of 20 candidates for 10 lines, p99, µs of CPU"),
    ("solver.mixed.max_us", "<=", 20000, "at most, for which the loop stands still, µs"),
    ("solver.mixed.exact_percent", ">=", 99.9, "percent of the worlds whose best is found"),
    ("solver.abundant.p99_us", "<=", 5000, "where far more than usual go together, p99, µs"),
    ("saga.sqlite.64.ratio.median", ">=", 0.8, "of the ceiling on SQLite, 64 in flight"),
    ("saga.sqlite.64.p99_ms", "<=", 20, "p99 on SQLite, 64 in flight, ms"),
    ("saga.mariadb.64.ratio.median", ">=", 0.75, "of the ceiling on MariaDB, 64 in flight"),
    ("saga.sqlite.64.center_cpu_us", "<=", 150, "CPU of the center for a saga on SQLite, 64 in flight, µs"),
    ("saga.mariadb.64.center_cpu_us", "<=", 150, "CPU of the center for a saga on MariaDB, 64 in flight, µs"),
    ("saga.sqlite.1.p50_ms", "<=", 2.5, "p50 on SQLite, one in flight, ms"),
    ("saga.mariadb.1.p50_ms", "<=", 2.5, "p50 on MariaDB, one in flight, ms"),
    ("peer.dtm.ratio.median", ">=", 11, "times DTM on the same MariaDB, 64 in flight"),
    ("peer.dtm.one.p50_ratio", "<=", 1, "times the p50 of DTM, one in flight"),
    ("recovery.first_s", "<=", 1, "from the start after kill -9 to the first call, s"),
    ("recovery.all_s", "<=", 30, "until all have ended, s"),
    ("waiting.growth_percent", "<=", 10, "growth of resident memory from a tenth of the waiting sagas to all, percent"),
    ("waiting.page_p99_ms", "<=", 100, "a page of the list of waiting sagas, p99, ms"),
    ("importance.ratio", "<=", 1.25, "times the p99 of paying while a system that nobody waits for answers in 30 s"),
    ("importance.crowded_out", "<=", 0, "core calls that found the room taken that is kept for them"),
    ("retention.throughput_ratio", ">=", 0.9, "times the throughput while sagas whose time is over are deleted"),
    ("retention.p99_ratio", "<=", 1.25, "times the p99 meanwhile"),
    ("overload.70.p99_ms", "<=", 25, "p99 at 70 % of the greatest throughput, ms"),
    ("overload.70.failed", "<=", 0, "failed at 70 %"),
    ("overload.70.growth_percent", "<=", 10, "growth of resident memory at 70 %, percent"),
    ("overload.150.admitted_share", ">=", 0.75, "of the greatest throughput admitted at 150 %"),
    ("overload.150.offered_share", ">=", 1.4, "of the greatest throughput offered at 150 %"),
    ("overload.150.refused_p99_ms", "<=", 250, "until a call is refused at 150 %, p99, ms"),
    ("overload.150.otherwise_failed", "<=", 0, "failed at 150 % for anything but RESOURCE_EXHAUSTED"),
    ("overload.normal_again_s", "<=", 5, "after the overload until normal again, s"),
)
# What --all runs besides: name and arguments; {data} is a new folder.
OTHERS = (("store", ["--seconds", "2", "{data}"]), ("rpc", ["2"]))
SOLVER_COLUMNS = ("candidates", "p50_us", "p99_us", "max_us", "p99_nodes", "exact_percent")


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs; figures are rough")
    parser.add_argument("--mariadb", action="store_true", help="on MariaDB too")
    parser.add_argument("--two-step", action="store_true", help="only two-step sagas beside the ceiling")
    parser.add_argument("--quote", action="store_true", help="only quotes, with sources that take their time")
    parser.add_argument("--purchases", action="store_true", help="only whole purchases, plain and full")
    parser.add_argument("--solver", action="store_true", help="only the search for the best discounts: 20 candidates, 10 lines")
    parser.add_argument("--profile", action="store_true", help="only where the instructions go, of a saga and of a full purchase")
    parser.add_argument("--peer", choices=["dtm"], help="only two-step sagas by turns with this peer, which is built first (needs Go)")
    parser.add_argument("--recovery", action="store_true", help="only the recovery after kill -9 with --sagas under way")
    parser.add_argument("--sagas", type=int, metavar="N", default=100000, help="under way at the kill (100000)")
    parser.add_argument("--waiting", type=int, metavar="N", help="only N sagas that wait: memory, list, start")
    parser.add_argument("--retention", action="store_true", help="only load by turns with and without the deletion of 100,000 sagas")
    parser.add_argument("--overload", action="store_true", help="only 70 %% and 150 %% of the greatest throughput at a fixed rate")
    parser.add_argument("--importance", action="store_true", help="only paying, by turns with a slow system beside it and without")
    parser.add_argument("--pairs", type=int, metavar="N", default=None, help="of runs for the ratio to the ceiling or a peer (10)")
    parser.add_argument("--all", action="store_true", help="store and rpc too")
    parser.add_argument("--strict", action="store_true", help="a goal that is missed is a failure: exit code 1")
    parser.add_argument("--json", metavar="FILE", default="build/bench.json")
    parser.add_argument("--data", metavar="FOLDER", default="build/bench")
    options = parser.parse_args()
    if options.sagas > SAGAS_MAX:
        parser.error(f"--sagas: at most {SAGAS_MAX}")
    if options.waiting is not None and options.waiting < WAITING_MIN:
        parser.error(f"--waiting: at least {WAITING_MIN}, so that the list has pages enough")
    options.pairs = options.pairs or (2 if options.quick else 10)
    return options


def stolen():
    """(time that the machine's host gave to others, all time) of all cores since boot, in ticks."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]  # what guests use is in the first two already
    return ticks[7], sum(ticks)


def file_system(folder):
    return subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout.strip()


class Bench:
    def __init__(self, options):
        self.options, self.figures, self.ticks = options, {}, stolen()
        self.folder = os.path.abspath(options.data)
        os.makedirs(self.folder, exist_ok=True)
        harness.scratch = lambda: tempfile.mkdtemp(prefix="run-", dir=self.folder)

    # ---- Idle -----------------------------------------------------------------------------------------------------------

    def ready_ms(self):
        world = World({"log": {"level": "warn", "format": "json"}})
        try:
            begun = time.monotonic()
            world.start(sim=False)
            return (time.monotonic() - begun) * 1000
        finally:
            world.close()

    def idle(self):
        self.figures["idle.ready_ms"] = statistics.median(self.ready_ms() for _ in range(5))
        world = World({"log": {"level": "warn", "format": "json"}}).start()
        try:
            pid, window_s = world.center.pid, 2 if self.options.quick else 10
            time.sleep(1 if self.options.quick else 5)  # the passing of time is what is measured
            self.figures["idle.resident_kb"] = resident_kb(pid)
            before, begun = cpu_ns(pid), time.monotonic()
            time.sleep(window_s)
            self.figures["idle.cpu_percent"] = (cpu_ns(pid) - before) / ((time.monotonic() - begun) * 1e7)
        finally:
            world.close()
        print("idle: {:.1f} MB resident, {:.2f} % of a core, ready after {:.0f} ms".format(
            self.figures["idle.resident_kb"] / 1024, self.figures["idle.cpu_percent"], self.figures["idle.ready_ms"]))

    # ---- Load -----------------------------------------------------------------------------------------------------------

    def stores(self):
        """Each store, running while it is used."""
        made = [Sqlite()] + [MariadbStore(harness.scratch())] * self.options.mariadb
        for store in made:
            try:
                yield store.start()
            finally:
                store.close()

    def sagas(self):
        for store in self.stores():
            Sagas(store, self.options, self.figures).measure(IN_FLIGHT)

    def purchases(self):
        for store in ["sqlite"] + ["mariadb"] * self.options.mariadb:
            for kind in purchases.KINDS:
                purchases.measure(store, IN_FLIGHT, 3 if self.options.quick else 10, self.figures, kind)

    def quotes(self):
        quotes.measure(2 if self.options.quick else 6, self.figures)

    def solver(self):
        print(f"\nsolver, {2000 if self.options.quick else 20000} worlds of each kind", flush=True)
        said = subprocess.run([os.path.join(BENCH, "bench_solver"), str(2000 if self.options.quick else 20000)],
                              capture_output=True, text=True, check=True).stdout
        print(said, end="")
        for words in (line.split() for line in said.splitlines()[2:]):
            self.figures.update({f"solver.{words[0]}.{name}": float(word) for name, word in zip(SOLVER_COLUMNS, words[1:])})

    def importance(self):
        importance.measure(self.options.pairs, 3 if self.options.quick else 10, self.figures)

    def peer(self):
        peers.measure(self.options.peer, os.path.dirname(self.folder), harness.scratch(), self.options, self.figures)

    def profile(self):
        for store in self.stores():
            profile_threads.measure(store, self.figures)
        profile_rooms.measure(self.figures)

    def lasting(self, part):
        endurance = Endurance(self.options, self.figures)
        try:
            part(endurance)
        finally:
            endurance.close()

    def others(self):
        for name, words in OTHERS:
            print(f"\n{name}", flush=True)
            with tempfile.TemporaryDirectory(prefix="run-", dir=self.folder) as data:
                subprocess.run([os.path.join(BENCH, "bench_" + name), *(word.format(data=data) for word in words)], check=True)

    # ---- Figures --------------------------------------------------------------------------------------------------------

    def compare(self):
        """Whether every goal of what was measured is met."""
        print()
        missed = 0
        for name, sign, goal, what in GOALS:
            if name not in self.figures:
                continue
            value = self.figures[name]
            met = value <= goal if sign == "<=" else value >= goal
            print(f"{'met' if met else 'MISSED'}: {what}: {value:.4g} ({sign} {goal})")
            self.figures[f"goal.{name}"] = int(met)
            missed += not met
        return missed == 0

    def write(self):
        (lost, ticks), (lost_now, ticks_now) = self.ticks, stolen()
        self.figures["machine.stolen_percent"] = 100 * (lost_now - lost) / max(1, ticks_now - ticks)
        if self.figures["machine.stolen_percent"] >= 1:
            print(f"the host of this machine gave {self.figures['machine.stolen_percent']:.1f} % of its CPU time to others meanwhile")
        self.figures.update({"machine.cores": os.cpu_count(), "machine.kernel": platform.release(),
                             "machine.load_1min": os.getloadavg()[0], "machine.file_system": file_system(self.folder)})
        with open(self.options.json, "w", encoding="utf-8") as file:
            json.dump(self.figures, file, indent=1, sort_keys=True)
            file.write("\n")
        print(f"written to {self.options.json}")

    def parts(self):
        """What was asked for by name, or what is measured when nothing was."""
        options = self.options
        asked = [self.sagas] * options.two_step + [self.quotes] * options.quote + [self.purchases] * options.purchases
        asked += [self.solver] * options.solver
        asked += [self.peer] * bool(options.peer) + [self.importance] * options.importance + [self.profile] * options.profile
        for wanted, part in ((options.recovery, Endurance.recovery), (options.waiting, Endurance.waiting),
                             (options.retention, Endurance.retention), (options.overload, Endurance.overload)):
            if wanted:
                asked.append(functools.partial(self.lasting, part))
        return asked or [self.idle, self.sagas, self.quotes, self.solver, self.purchases] + [self.others] * options.all


def main():
    bench = Bench(arguments())
    kind = file_system(bench.folder)
    print(f"data in {bench.options.data} ({kind}), load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if kind in ("tmpfs", "ramfs"):
        print("THIS IS MEMORY, NOT A DISK: commits are free here, and the figures say nothing about durability")
    for part in bench.parts():
        part()
    all_met = bench.compare()
    bench.write()
    return 0 if all_met or not bench.options.strict else 1


if __name__ == "__main__":
    sys.exit(main())
