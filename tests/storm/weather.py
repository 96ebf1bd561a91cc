"""A world in bad weather: every participant faulty, the programs killed now and then; and whether all agree afterwards."""

import collections
import json
import os
import random
import sqlite3
import subprocess
import threading
import time

from harness import BIN, World
from mariadb import Mariadb
from shop import SAGA, SIM, Sim
from wire import Refused

ENDED = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED", "CANCELLED", "EXPIRED", "FAILED")
STATES = {3: "ORDERING", 4: "ORDERED", 5: "PAYING", 6: "CLOSING", 7: "PAID", 8: "COMPLETED", 9: "PARTIALLY_REFUNDED",
          10: "REFUNDED", 11: "CANCELLED", 12: "EXPIRED", 13: "FAILED", 14: "CONFLICTED", 1: "CREATED", 2: "QUOTED"}
PATIENCE_S = 180
PAYERS = 16  # kinds of payers: the first refuses, each later one takes longer
CENTER, SYSTEMS = "the center", "the systems"  # what is killed


class Weather:
    """`faults` lists (kind, system, method, permille, fields) of what goes wrong at the participants; `payers` are those
    that pay beside the usual ones."""

    def __init__(self, store, seed, users, faults, config=None, payers=()):
        self.seed = seed if seed is not None else random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(self.seed)
        self.store, self.faults, self.payers = store, faults, payers
        self.config = {"log": {"level": "info", "format": "json"},
                       "payment": {"query_first_ms": 1000, "query_max_ms": 4000}, **(config or {})}
        self.world = World(config=self.config,
                           sim=["--users", str(users), "--fault-seed", str(self.seed % 1000000), "--auto-pay", "500"])
        self.database, self.client, self.sim = None, None, None
        self.lock = threading.Lock()
        self.unfinished = 0
        self.points = {CENTER: collections.Counter(), SYSTEMS: collections.Counter()}  # where the kills hit
        self.kill_counts = {CENTER: [], SYSTEMS: []}  # how many trades were unfinished at each
        self.complaints_of_systems = []
        self.longest_ms = 0

    def start(self, longest_ms):
        """Payers take up to so long."""
        if self.store == "mariadb":
            self.database = Mariadb(self.world.folder).start()
            self.world.configure({**self.config, "store": self.database.config()})
        self.world.start()
        self.client = self.world.client()
        self.sim = Sim(self.world.sim_client())
        self.longest_ms = longest_ms
        self._begin()

    def _begin(self):
        """The systems forget who pays when, and what goes wrong, with their process."""
        rules = [{"payer": f"payer-{n}", "result": "PAY_RESULT_PAID" if n else "PAY_RESULT_FAILED",
                  "afterMs": str(200 + n * self.longest_ms // PAYERS), "code": "PAYER_REFUSED"} for n in range(PAYERS)]
        rules += [{"payer": payer, "result": "PAY_RESULT_PAID", "afterMs": "300"} for payer in self.payers]
        self.sim.client.call(SIM + "SetAutoPay", {"rules": rules})
        for kind, system, method, permille, fields in self.faults:
            self.sim.fault(kind, system, method, permille=permille, **fields)

    def direct(self, method, fields):
        """Tells the systems something of their world, until it is answered: they may be dead just now."""
        while True:
            try:
                return self.sim.client.call(SIM + method, fields)
            except Refused as refused:
                if not refused.is_passing:
                    raise
                time.sleep(0.1)

    def close(self):
        self.world.close()
        if self.database:
            self.database.kill()

    def finished(self):
        with self.lock:
            self.unfinished -= 1

    # ---- Where a kill hit: read from the store while nobody serves -----------------------------------------------------

    def rows(self, statement):
        if self.database:
            return self.database.sql("USE txcenter; " + statement) or []
        connection = sqlite3.connect(f"file:{self.world.folder}/data/txcenter.db?mode=ro", uri=True)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def note_points(self, victim):
        for flow, status, n in self.rows("SELECT flow, status, COUNT(*) FROM saga WHERE status <= 3 GROUP BY flow, status"):
            names = {1: "running", 2: "past its watershed", 3: "being undone"}
            self.points[victim][f"{flow} {names[int(status)]}"] += int(n)
        for state, n in self.rows("SELECT state, COUNT(*) FROM trade WHERE state BETWEEN 3 AND 7 GROUP BY state"):
            self.points[victim][f"trade {STATES[int(state)]}"] += int(n)

    def note_stats(self):
        """What systems count, they count from their start."""
        for system, stats in self.sim.stats().items():
            if stats.took_effect_twice or stats.changed_repeats:
                self.complaints_of_systems.append(f"{system}: {stats.took_effect_twice} keys took effect twice, "
                                                  f"{stats.changed_repeats} repeats differed from their first request")

    def kill(self, victim=CENTER):
        """And starts it again, with what it has kept."""
        with self.lock:
            unfinished = self.unfinished
        program = self.world.center if victim == CENTER else self.world.sim
        if victim == SYSTEMS:
            self.note_stats()
        program.kill()
        self.kill_counts[victim].append(unfinished)
        self.note_points(victim)
        program.start()
        if victim == SYSTEMS:
            self._begin()

    # ---- The end --------------------------------------------------------------------------------------------------------

    def settle(self, until_parked_s=60):
        """Until no saga is under way; those that are then are faults, and so are those that stay parked for so long."""
        begun, sagas = time.monotonic(), []
        while time.monotonic() < begun + PATIENCE_S:
            try:
                sagas = self.client.call(SAGA + "ListSagas", {"filter": {"unfinished": True}}).sagas
            except Refused as refused:
                if not refused.is_passing:
                    raise
            else:
                if not sagas:
                    return []
            if all(saga.parked for saga in sagas) and time.monotonic() > begun + until_parked_s:
                break
            time.sleep(0.3)
        return [f"{saga.gid} is still {'parked' if saga.parked else 'under way'}: {saga.reason} {saga.text}" for saga in sagas]

    def check(self, *options):
        """(counts, faults) of tests/check."""
        done = subprocess.run([os.path.join(BIN, "txcheck"), "--center", self.world.center_target, "--sim",
                               self.world.sim_target, *options, "-o", "json"], capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        faults = self.complaints_of_systems + lines[:-1] + ([done.stderr] if done.stderr else [])
        return json.loads(lines[-1]) if lines else {"faults": -1}, faults

    def complaints(self):
        """The end of what the center has logged as wrong."""
        return "\n".join(line for line in self.world.center.log().splitlines()[-400:]
                         if '"level":"error"' in line or '"level":"warn"' in line)[-3000:]
