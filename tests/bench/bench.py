"""./dev bench: figures of the release build, compared with what they should be, and written down by flat names."""

import argparse
import contextlib
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True

import harness  # noqa: E402
from harness import BIN, World, cpu_ns, resident_kb  # noqa: E402
from mariadb import Mariadb  # noqa: E402

BENCH = os.path.join(BIN, "..", "bench")
USERS = 1000
IN_FLIGHT = (1, 16, 64, 256)

# Which figure must be at most (or at least) how much.
GOALS = (
    ("idle.resident_kb", "<=", 25 * 1024, "resident memory when idle"),
    ("idle.cpu_percent", "<=", 0.5, "of a core when idle"),
    ("idle.ready_ms", "<=", 200, "from exec to ready"),
    ("purchase.sqlite.64.per_second", ">=", 300, "purchases a second on SQLite, 64 in flight"),
)
# Columns of the table of purchases: heading, figure, format.
COLUMNS = (("in flight", "in_flight", "{:.0f}"), ("purchases/s", "per_second", "{:.0f}"), ("p50 ms", "p50_ms", "{:.1f}"),
           ("p99 ms", "p99_ms", "{:.1f}"), ("commits", "commits_per_purchase", "{:.2f}"), ("rows", "rows_per_purchase", "{:.1f}"),
           ("stored kB", "stored_kb_per_purchase", "{:.1f}"), ("center µs", "center_cpu_us", "{:.0f}"), ("sim µs", "sim_cpu_us", "{:.0f}"),
           ("load µs", "load_cpu_us", "{:.0f}"), ("failed", "failed", "{:.0f}"))
# What --all runs besides: name and arguments; {data} is a new folder.
OTHERS = (("store", ["--seconds", "2", "{data}"]), ("rpc", ["2"]), ("solver", []))


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs; figures are rough")
    parser.add_argument("--mariadb", action="store_true", help="purchases on MariaDB too")
    parser.add_argument("--all", action="store_true", help="store, rpc and solver too")
    parser.add_argument("--json", metavar="FILE", default="build/bench.json")
    parser.add_argument("--data", metavar="FOLDER", default="build/bench")
    return parser.parse_args()


def file_system(folder):
    return subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout.strip()


def stored_kb(world, database):
    """What the database's pages take on disk, those of indexes too, without logs."""
    if database:
        return int(database.sql("SELECT SUM(file_size) FROM information_schema.innodb_sys_tablespaces WHERE name LIKE 'txcenter/%'")[0][0]) / 1024
    with contextlib.closing(sqlite3.connect(f"file:{world.folder}/data/txcenter.db?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()").fetchone()[0] / 1024


class Bench:
    def __init__(self, options):
        self.options, self.figures = options, {}
        self.folder = os.path.abspath(options.data)
        os.makedirs(self.folder, exist_ok=True)
        harness.scratch = lambda: tempfile.mkdtemp(prefix="run-", dir=self.folder)

    def world(self, config=None, sim=()):
        return World({"log": {"level": "warn", "format": "json"}, **(config or {})}, sim)

    # ---- Idle -----------------------------------------------------------------------------------------------------------

    def ready_ms(self):
        world = self.world()
        try:
            begun = time.monotonic()
            world.start(sim=False)
            return (time.monotonic() - begun) * 1000
        finally:
            world.close()

    def idle(self):
        self.figures["idle.ready_ms"] = statistics.median(self.ready_ms() for _ in range(5))
        world = self.world().start()
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

    # ---- Purchases --------------------------------------------------------------------------------------------------------

    def purchase(self, store, in_flight):
        world = self.world(sim=["--auto-pay", "1", "--users", str(USERS)])
        database = None
        try:
            if store == "mariadb":
                database = Mariadb(world.folder).start()
                world.configure({"store": database.config(), "log": {"level": "warn", "format": "json"}})
            world.start()
            empty_kb = stored_kb(world, database)
            seconds = "3" if self.options.quick else "10"
            done = subprocess.run([os.path.join(BENCH, "bench_purchase"), world.center_target, seconds, str(in_flight),
                                   str(USERS), str(world.center.pid), str(world.sim.pid)],
                                  capture_output=True, text=True, check=False)
            if not done.stdout:
                raise AssertionError(f"bench_purchase ends with {done.returncode}: {done.stderr}")
            row = json.loads(done.stdout.splitlines()[-1])
            if row["failed"]:
                print(done.stderr.strip())
            row["stored_kb_per_purchase"] = (stored_kb(world, database) - empty_kb) / max(1, row["purchases"])
            row["center_resident_kb"] = resident_kb(world.center.pid)
            return row
        finally:
            world.close()
            if database:
                database.kill()

    def purchases(self, store):
        print(f"\npurchases on {store}\n" + "".join(f"{heading:>13}" for heading, _, _ in COLUMNS))
        for in_flight in IN_FLIGHT:
            row = self.purchase(store, in_flight)
            print("".join(f"{layout.format(row[name]):>13}" for _, name, layout in COLUMNS), flush=True)
            for name, value in row.items():
                self.figures[f"purchase.{store}.{in_flight}.{name}"] = value

    # ---- The rest ---------------------------------------------------------------------------------------------------------

    def others(self):
        for name, words in OTHERS:
            print(f"\n{name}", flush=True)
            with tempfile.TemporaryDirectory(prefix="run-", dir=self.folder) as data:
                subprocess.run([os.path.join(BENCH, "bench_" + name), *(word.format(data=data) for word in words)], check=True)

    def compare(self):
        print()
        for name, sign, goal, what in GOALS:
            value = self.figures[name]
            met = value <= goal if sign == "<=" else value >= goal
            print(f"{'met' if met else 'MISSED'}: {what}: {value:.1f} ({sign} {goal})")
            self.figures[f"goal.{name}"] = int(met)

    def write(self):
        self.figures.update({"machine.cores": os.cpu_count(), "machine.kernel": platform.release(),
                             "machine.load_1min": os.getloadavg()[0], "machine.file_system": file_system(self.folder)})
        with open(self.options.json, "w", encoding="utf-8") as file:
            json.dump(self.figures, file, indent=1, sort_keys=True)
            file.write("\n")
        print(f"written to {self.options.json}")


def main():
    bench = Bench(arguments())
    kind = file_system(bench.folder)
    print(f"data in {bench.options.data} ({kind}), load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if kind in ("tmpfs", "ramfs"):
        print("THIS IS MEMORY, NOT A DISK: commits are free here, and the figures of purchases say nothing about durability")
    bench.idle()
    for store in ["sqlite"] + ["mariadb"] * bench.options.mariadb:
        bench.purchases(store)
    if bench.options.all:
        bench.others()
    bench.compare()
    bench.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
