"""The center is killed with SIGKILL at random moments while many sagas are under way, again and again, on every store."""

import json
import os
import random
import statistics
import subprocess
import sys
import time

import shapes
from books import Books, Ledger
from harness import BIN
from judge import Judge
from kinds import ASKED_FOR, FORGETFUL, KINDS
from load import PAYERS, Load
from patience import until
from scenarios import Stuck
from shop import SAGA, Sim
from wire import Refused

KILLS_A_WORLD = 50  # then everything ends and is compared, and a new world begins
USERS = 1500  # of each world
PERMILLE = 15  # of the calls to the ledger, for each of its faults
SETTLE_S = 120
TEXT_MAX = 1000
THIN_MAX = 50  # kills that do not count
TOLD_MAX = 20  # faults of a world
ENOUGH = 5  # faults, after which a kind is given up
SIM_FAULTS = (("NO_ANSWER", "*", "*", {"permille": 30}), ("UNAVAILABLE", "*", "*", {"permille": 20}),
              ("ERROR", "*", "*", {"permille": 20}), ("DELAY", "*", "*", {"permille": 40, "delayMs": "150"}),
              *((kind, "payment", method, {"permille": 200}) for kind in ("DUPLICATE_CALLBACK", "REORDERED_CALLBACK")
                for method in ("NotifyPayment", "NotifyRefund")))
ALL_KINDS = {**KINDS, **ASKED_FOR, **FORGETFUL}


class Tally:
    """What the kills of one kind came to."""

    def __init__(self):
        self.unfinished, self.thin, self.recoveries, self.faults = [], 0, [], []
        self.sagas, self.trades, self.resumed, self.bent, self.seconds = 0, 0, 0, 0, 0.0


class Torment:
    """One world, from its start until everything in it has ended and was compared."""

    def __init__(self, kind, seed, least, tally):
        self.random, self.least, self.tally = random.Random(seed), least, tally
        ledger_seed, sim_seed = self.random.randrange(1 << 30), self.random.randrange(1 << 20)
        self.kind = kind(self.random, lambda folder: Ledger(folder, ledger_seed, PERMILLE),
                         ["--users", str(USERS), "--fault-seed", str(sim_seed)])
        self.books = Books(self.kind.ledger.path)
        self.load = Load(self.kind.front, self.kind.ledger.target, USERS, seed)
        self.judge = Judge(self.load, self.books)
        self.sim = None
        self.looked_ms = 0
        self.cut_off = []  # (when, gids) of deaths after which none of them has ended yet

    def run(self, kills, progress, keep):
        """`keep`: the folder to which it is copied should it have faults; or None."""
        try:
            self.start()
            while kills > 0:
                kills -= self.kill()
                progress()
                if len(self.judge.faults) + len(self.load.faults) >= ENOUGH:
                    break
            else:
                self.end()
        except (Stuck, Refused, AssertionError) as error:
            self.judge.fault(f"{type(error).__name__}: {str(error)[:TEXT_MAX]}")
        finally:
            self.load.abandon()
            if keep and self.judge.faults + self.load.faults:
                self.kind.keep(keep)
            self.kind.close()
            self.load.finish()
        self.tally.faults += self.judge.faults + self.load.faults
        self.tally.sagas += len(self.load.submissions)
        self.tally.trades += len(self.load.purchases)
        self.tally.bent += self.books.faults

    def start(self):
        self.kind.start()
        self.sim = Sim(self.kind.world.sim_client())
        rules = [{"payer": f"payer-{n}", "result": "PAY_RESULT_PAID" if n else "PAY_RESULT_FAILED",
                  "afterMs": str(50 + n * 80), "code": "PAYER_REFUSED"} for n in range(PAYERS)]
        self.sim.client.call("participant.sim.v1.SimControlService/SetAutoPay", {"rules": rules})
        for name, system, method, fields in SIM_FAULTS:
            self.sim.fault(name, system, method, **fields)
        self.load.start(self.kind.submitters, self.kind.buyers)
        self.until_loaded()

    def until_loaded(self):
        until(lambda: len(self.load.acked) >= 2 * self.least,
              lambda: f"only {len(self.load.acked)} sagas were accepted", SETTLE_S, Stuck)

    # ---- Deaths -----------------------------------------------------------------------------------------------------

    def kill(self):
        """Whether it counts: as many sagas were unfinished as must be."""
        center = self.kind.choose()
        self.kind.run(center)
        slots = self.kind.slots_of(center)
        died = self.kind.die(center)
        if self.random.random() < 0.1:
            self.kind.ledger.restart()
        unfinished = self.look()
        self.kind.launch(center)
        cut_off = {gid for gid, row in unfinished.items() if row.slot in slots}
        self.tally.resumed += len(cut_off)
        heard_of = {gid for gid in cut_off if unfinished[gid].flow in shapes.BY_FLOW}  # nobody is told of a purchase's sagas
        if heard_of:
            self.cut_off.append((died, heard_of))
        if len(unfinished) >= self.least:
            self.tally.unfinished.append(len(unfinished))
            return True
        self.tally.thin += 1
        if self.tally.thin > THIN_MAX:
            raise Stuck(f"less than {self.least} sagas are unfinished at {self.tally.thin} kills")
        return False

    def look(self):
        """Compares; the rows that are unfinished."""
        acked, ended = self.load.take_news()
        heard = self.books.read()
        now_ms = int(time.time() * 1000)
        rows = self.kind.rows(self.looked_ms)
        self.looked_ms = now_ms
        self.note_recoveries(ended)
        self.judge.look(acked, ended, rows, heard)
        self.judge.fenced(self.kind.fences())
        return {gid: row for gid, row in rows.items() if row.is_unfinished}

    def note_recoveries(self, ended):
        for died, gids in list(self.cut_off):
            again = [when - died for gid, when in ended if gid in gids and when > died]
            if again:
                self.tally.recoveries.append(min(again))
                self.cut_off.remove((died, gids))

    # ---- The end ----------------------------------------------------------------------------------------------------

    def end(self):
        self.kind.wait_ready(*self.kind.centers)
        self.kind.ledger.calm()
        self.sim.clear()
        self.load.finish()
        self.settle()
        self.look()
        self.judge.rows = self.kind.rows()
        front, target = self.kind.one_answers()
        self.judge.close(front)
        self.judge.faults += self.compare(target)
        if self.cut_off:
            self.judge.fault(f"after {len(self.cut_off)} deaths none of the sagas that were cut off has ended")

    def settle(self):
        """Until nothing is under way; the judge says what is."""
        end, front = time.monotonic() + SETTLE_S, self.kind.front(self.random)
        while time.monotonic() < end:
            found = front.patiently(SAGA + "ListSagas", {"filter": {"unfinished": True}}).sagas
            if all(saga.parked for saga in found):
                return
            time.sleep(0.05)

    def compare(self, target):
        done = subprocess.run([os.path.join(BIN, "txcheck"), "--center", target, "--sim", self.kind.world.sim_target],
                              capture_output=True, text=True, check=False)
        return [] if done.returncode == 0 else ["txcheck: " + line for line in (done.stdout + done.stderr).splitlines()]


class Torture:
    """One kind, world after world."""

    def __init__(self, name, kills, seed, arguments):
        self.name, self.kind, self.kills, self.seed = name, ALL_KINDS[name], kills, seed
        self.least, self.keep = arguments.least, arguments.keep
        self.tally, self.begun, self.shown, self.told = Tally(), time.monotonic(), 0, 0

    def run(self):
        try:
            self.kind.prepare()
            for number in range((self.kills + KILLS_A_WORLD - 1) // KILLS_A_WORLD):
                world = Torment(self.kind, f"{self.seed}/{self.name}/{number}", self.least, self.tally)
                kept = self.keep and os.path.join(self.keep, f"{self.name}-{number}")
                world.run(min(KILLS_A_WORLD, self.kills - number * KILLS_A_WORLD), self.progress, kept)
                self.show_faults()
                if len(self.tally.faults) >= ENOUGH:
                    break
        finally:
            self.kind.end()
            self.tally.seconds = time.monotonic() - self.begun
        return self.tally

    def progress(self):
        done = len(self.tally.unfinished)
        if done % 10 == 0 and done > self.shown:
            self.shown = done
            print(f"  {self.name}: {done} of {self.kills} kills, at least {min(self.tally.unfinished)} unfinished, "
                  f"{time.monotonic() - self.begun:.0f} s", flush=True)

    def show_faults(self):
        for fault in self.tally.faults[self.told:][:TOLD_MAX]:
            print("FAULT", self.name, fault, flush=True)
        self.told = len(self.tally.faults)


def show(tallies):
    print(f"\n{'store':22}{'kills':>6}{'least':>7}{'median':>8}{'resumed':>9}{'longest':>10}{'sagas':>8}{'trades':>8}"
          f"{'faults':>8}{'s':>6}")
    for name, tally in tallies.items():
        unfinished, recoveries = tally.unfinished or [0], tally.recoveries or [0]
        print(f"{ALL_KINDS[name].text:22}{len(tally.unfinished):6}{min(unfinished):7}{statistics.median(unfinished):8.0f}"
              f"{tally.resumed:9}{max(recoveries):8.2f} s{tally.sagas:8}{tally.trades:8}{len(tally.faults):8}{tally.seconds:6.0f}")
    print("least, median: sagas unfinished at a kill; resumed: those of whoever was killed; longest: until the first of these "
          "had ended; "
          f"{sum(tally.bent for tally in tallies.values())} calls met a fault of the ledger")


def write(path, tallies, seed):
    found = {name: {"kills": len(tally.unfinished), "thin": tally.thin, "least": min(tally.unfinished or [0]),
                    "median": statistics.median(tally.unfinished or [0]), "resumed": tally.resumed,
                    "longest_recovery_s": max(tally.recoveries or [0]), "sagas": tally.sagas, "trades": tally.trades,
                    "bent": tally.bent, "faults": tally.faults, "seconds": tally.seconds} for name, tally in tallies.items()}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"crash.seed": seed, "crash.stores": found}, file, indent=1)


def run(arguments):
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    names = list(FORGETFUL) if arguments.forget else arguments.store or list(KINDS)
    print(f"{arguments.kills} kills over {', '.join(names)}; {len(shapes.SHAPES)} kinds of sagas and purchases; --seed {seed}",
          flush=True)
    tallies = {}
    for i, name in enumerate(names):
        kills = arguments.kills // len(names) + (i < arguments.kills % len(names))
        if kills:
            tallies[name] = Torture(name, kills, seed, arguments).run()
    show(tallies)
    if arguments.json:
        write(arguments.json, tallies, seed)
    if arguments.forget:
        found = any(word in fault for tally in tallies.values() for fault in tally.faults for word in ("lost:", "forgotten:"))
        print("as it must, the run found what was forgotten" if found else "WRONG: nothing was found to be forgotten")
        return 0 if found else 1
    good = all(not tally.faults and tally.unfinished for tally in tallies.values())
    stores = "".join(f" --store {name}" for name in arguments.store or ())
    print("every crash was survived" if good else
          f"NOT survived; again: ./dev crash --kills {arguments.kills} --seed {seed} --least {arguments.least}{stores}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit("start it with ./dev crash --kills N")
