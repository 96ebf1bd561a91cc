"""A center's database, made older behind its back: what it keeps for days is then over."""

import os
import sqlite3
import subprocess

DAY_MS = 86400000

# Every time that retention goes by.
TIMES = {
    "saga": ("created_ms", "updated_ms", "ended_ms"),
    "trade": ("created_ms", "updated_ms", "paid_ms", "completed_ms", "closed_ms"),
    "request": ("created_ms",),
    "outbox": ("created_ms",),
}
# What a trade has, and by which column.
OF_TRADE = {
    **{table: "trade_no" for table in ("trade", "trade_order", "trade_quote", "trade_line", "trade_attempt", "trade_tender",
                                       "trade_refund", "trade_refund_leg", "trade_ledger")},
    "saga": "gid", "attempt": "gid", "saga_trouble": "gid",
}


class Sqlite:
    def __init__(self, folder):
        self.path = os.path.join(folder, "data", "txcenter.db")

    def rows(self, statement):
        with sqlite3.connect(self.path) as database:
            return database.execute(statement).fetchall()

    do = rows


class Mariadb:
    def __init__(self, socket):
        self.socket = socket

    def rows(self, statement):
        done = subprocess.run(["mariadb", "--no-defaults", "--socket=" + self.socket, "--user=root", "--batch",
                               "--skip-column-names", "txcenter", "-e", statement],
                              capture_output=True, text=True, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    do = rows


def age(database, days):
    """Nobody may have it open."""
    for table, columns in TIMES.items():
        moved = ", ".join(f"{column} = CASE WHEN {column} > {DAY_MS} THEN {column} - {days * DAY_MS} ELSE {column} END"
                          for column in columns)
        database.do(f"UPDATE {table} SET {moved}")


def count(database, table, where="1 = 1"):
    return int(database.rows(f"SELECT COUNT(*) FROM {table} WHERE {where}")[0][0])


def left_of(database, trade_no):
    """How many rows there are of the trade, without what is archived."""
    return sum(count(database, table, f"{column} LIKE '{trade_no}%'") for table, column in OF_TRADE.items())
