"""A world whose center dies when it is told to, and what can be said of it afterwards."""

import concurrent.futures
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

from harness import BIN, World
from participant import Keeper
from scenarios import PAYERS, PATIENCE_S, Stuck
from shop import Sim
from wire import Refused
from witness import Witness

LIBRARY = os.path.join(BIN, "..", "tests", "libpowerloss.so")
USERS = 400  # each run has one of its own
FIRST_USER = 5  # behind the world's special ones
CONFIG = {"log": {"level": "info", "format": "json"},
          # Only the callback ends a payment: one that was acknowledged and forgotten would never be asked for.
          "payment": {"query_first_ms": 600000, "query_max_ms": 600000}}


class Plug:
    """The file that tells the preloaded library at which sync the process is to end."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "plan")

    def plan(self, k, side):
        """From now on; (0, "before") only counts."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path + ".count")
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(f"{k} {side}\n")
        os.rename(self.path + ".new", self.path)

    def clear(self):
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path)

    def read(self):
        """How many syncs there were, and whether the last one killed."""
        try:
            with open(self.path + ".count", encoding="ascii") as file:
                words = file.read().split()
        except FileNotFoundError:
            words = []
        return int(words[0]) if words else 0, "killed" in words


class Run:
    """What one run came to."""

    def __init__(self):
        self.states, self.faults, self.count, self.seconds = [], [], 0, 0


class Stage:
    def __init__(self, scenario, power_loss, skip=None):
        self.scenario = scenario
        self.world = World(config=CONFIG, sim=["--users", str(USERS)])
        self.ledger = Keeper(f"unix:{self.world.folder}/ledger.sock", refused=["Refuse"], lost=["Charge"])
        self.world.configure({**CONFIG, "submit": {"targets": [self.ledger.target]}})
        self.plug = Plug(self.world.folder)
        self.world.center.environment = {"LD_PRELOAD": LIBRARY, "POWERLOSS_PLAN": self.plug.path, "ASAN_OPTIONS":
                                         os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        if not power_loss:
            self.world.center.environment["POWERLOSS_NONE"] = "1"
        if skip:
            self.world.center.environment["POWERLOSS_SKIP"] = skip
        self.client, self.sim, self.user = None, None, FIRST_USER
        self.told = set()  # faults of txcheck that an earlier run was told

    def start(self):
        self.world.start()
        self.client = self.world.client()
        self.sim = Sim(self.world.sim_client())
        self.sim.client.call("participant.sim.v1.SimControlService/SetAutoPay", {"rules": PAYERS})

    def close(self):
        self.world.close()
        self.ledger.close()

    # ---- One run --------------------------------------------------------------------------------------------------------

    def run(self, plans):
        """`plans`: the deaths, each (k, side) counted from the start of the run or from the one before; or a number of
        seconds."""
        run = Run()
        self.user += 1
        buyer = self.scenario.caller(self.client, self.sim, Witness(), self.user)
        buyer.ledger = self.ledger
        begun = time.monotonic()
        try:
            self.scenario.prepare(buyer)
            buyer.end = time.monotonic() + PATIENCE_S
            self.disturb(run, buyer, list(plans))
        except (Stuck, Refused) as error:
            run.faults.append(f"{type(error).__name__}: {error}")
        finally:
            self.plug.clear()
        run.seconds = time.monotonic() - begun
        self.judge(run, buyer)
        return run

    def act(self, buyer):
        self.scenario.act(buyer)
        self.settle(buyer)

    def arm(self, plans):
        """The next death: when it comes by time, at which."""
        plan = plans.pop(0) if plans else (0, "before")
        if isinstance(plan, tuple):
            self.plug.plan(*plan)
            return None
        return time.monotonic() + plan

    def disturb(self, run, buyer, plans):
        at = self.arm(plans)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            acting = pool.submit(self.act, buyer)
            while not acting.done():
                if at and time.monotonic() >= at:
                    self.world.center.process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.world.center.process.wait(0.01)
                    self.died(run, buyer, at)
                    at = self.arm(plans)
                    self.start_center()
            run.count, _ = self.plug.read()
            acting.result()

    def start_center(self):
        """It may be killed again before it is ready."""
        try:
            self.world.center.start()
        except AssertionError:
            if not self.plug.read()[1]:
                raise

    def died(self, run, buyer, at):
        code = self.world.center.process.returncode
        _, planned = self.plug.read()
        if code != -signal.SIGKILL or not (planned or at):
            run.faults.append(f"the center ended by itself with {code}:\n{self.world.center.log()[-2000:]}")
        run.states.append(self.durable(buyer))
        self.world.center.kill()

    def settle(self, buyer):
        """Until no saga of the trade is under way."""
        while True:
            listed = buyer.patiently(lambda: self.client.call(
                "txcenter.saga.v1.SagaService/ListSagas", {"filter": {"subject": buyer.trade_no, "unfinished": True}},
                timeout=8, wait_for_ready=True)).sagas
            if not listed:
                return
            if time.monotonic() > buyer.end or all(saga.parked for saga in listed):
                raise Stuck("; ".join(f"{saga.gid} is {'parked' if saga.parked else 'under way'}: {saga.reason} {saga.text}"
                                      for saga in listed))
            time.sleep(0.02)

    # ---- Afterwards -----------------------------------------------------------------------------------------------------

    def judge(self, run, buyer):
        run.faults += buyer.judge()
        done = subprocess.run([os.path.join(BIN, "txcheck"), "--center", self.world.center_target, "--sim",
                               self.world.sim_target], capture_output=True, text=True, check=False)
        lines = [line for line in (done.stdout + done.stderr).splitlines()[:-1] if line not in self.told]
        self.told.update(lines)
        run.faults += [f"txcheck: {line}" for line in lines]

    def durable(self, buyer):
        """What a process that starts now would find of it."""
        folder = tempfile.mkdtemp(dir=self.world.folder)
        for name in ("txcenter.db", "txcenter.db-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(os.path.join(self.world.folder, "data", name), folder)
        connection = sqlite3.connect(os.path.join(folder, "txcenter.db"))
        try:
            return buyer.describe(connection)
        except sqlite3.Error as error:
            return f"nothing: {error}"
        finally:
            connection.close()
            shutil.rmtree(folder)
