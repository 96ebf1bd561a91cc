"""Whole purchases: quote, order, payment, callback, with simulators of every participant."""

import contextlib
import json
import os
import sqlite3
import subprocess

from harness import BIN, World, resident_kb
from mariadb import Mariadb
from table import Table

# What is bought: how many users there are. A full purchase spends a coupon and points, so each has a user of its own.
KINDS = {"plain": 1000, "full": 16000}
COLUMNS = (("in flight", "in_flight", "{:.0f}"), ("purchases/s", "per_second", "{:.0f}"), ("p50 ms", "p50_ms", "{:.1f}"),
           ("p99 ms", "p99_ms", "{:.1f}"), ("commits", "commits_per_purchase", "{:.2f}"), ("rows", "rows_per_purchase", "{:.1f}"),
           ("stored kB", "stored_kb_per_purchase", "{:.1f}"), ("center µs", "center_cpu_us", "{:.0f}"), ("sim µs", "sim_cpu_us", "{:.0f}"),
           ("load µs", "load_cpu_us", "{:.0f}"), ("failed", "failed", "{:.0f}"))


def stored_kb(world, database):
    """What the database's pages take on disk, those of indexes too, without logs."""
    if database:
        return int(database.sql("SELECT SUM(file_size) FROM information_schema.innodb_sys_tablespaces WHERE name LIKE 'txcenter/%'")[0][0]) / 1024
    with contextlib.closing(sqlite3.connect(f"file:{world.folder}/data/txcenter.db?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()").fetchone()[0] / 1024


def purchase(store, in_flight, seconds, kind):
    """Fails when a full one was not: more than users there are, or benefits that nobody can use."""
    world = World({"log": {"level": "warn", "format": "json"}}, ["--auto-pay", "1", "--users", str(KINDS[kind])])
    database = None
    try:
        if store == "mariadb":
            database = Mariadb(world.folder).start()
            world.configure({"store": database.config(), "log": {"level": "warn", "format": "json"}})
        world.start()
        empty_kb = stored_kb(world, database)
        row = drive(world, seconds, in_flight, kind)
        row["stored_kb_per_purchase"] = (stored_kb(world, database) - empty_kb) / max(1, row["purchases"])
        row["center_resident_kb"] = resident_kb(world.center.pid)
        return row
    finally:
        world.close()
        if database:
            database.kill()


def drive(world, seconds, in_flight, kind):
    """Runs bench_purchase; what it printed."""
    done = subprocess.run([os.path.join(BIN, "..", "bench", "bench_purchase"), world.center_target, str(seconds), str(in_flight),
                           str(KINDS[kind]), str(world.center.pid), str(world.sim.pid), kind],
                          capture_output=True, text=True, check=False)
    if not done.stdout:
        raise AssertionError(f"bench_purchase ends with {done.returncode}: {done.stderr}")
    row = json.loads(done.stdout.splitlines()[-1])
    if row["failed"]:
        print(done.stderr.strip())
    if kind == "full" and row["without_benefits"] > 0:
        raise AssertionError(f"{row['without_benefits']} purchases of {row['purchases']} used no coupon or no points")
    return row


def counted(kind, in_flight, seconds, prefix, counting):
    """How many were carried out while `counting(pid, on)` was on, by a center that `prefix` runs."""
    world = World({"log": {"level": "warn", "format": "json"}}, ["--auto-pay", "1", "--users", str(KINDS[kind])])
    world.center.prefix = prefix
    try:
        world.start()
        drive(world, 2, in_flight, kind)
        counting(world.center.pid, True)
        row = drive(world, seconds, in_flight, kind)
        counting(world.center.pid, False)
        return row["done"]
    finally:
        world.close()


def measure(store, numbers, seconds, figures, kind="plain"):
    """Into the figures by names such as purchase.sqlite.64.per_second and full_purchase.sqlite.64.per_second."""
    table = Table(f"{kind} purchases on {store}", COLUMNS)
    for in_flight in numbers:
        row = purchase(store, in_flight, seconds, kind)
        table.row(row)
        for name, value in row.items():
            figures[f"{'' if kind == 'plain' else kind + '_'}purchase.{store}.{in_flight}.{name}"] = value
