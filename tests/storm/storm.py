"""Many purchases at once while every participant fails now and then and the center is killed again and again.

Every simulator loses 5 % of its answers after they took effect, fails 5 % before and delays 5 %; callbacks come twice and
out of order. At the end every trade must have ended, the center's ledger must add up to zero, center and participants must
agree to the unit, and no key may have taken effect twice.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True


def arguments():
    parser = argparse.ArgumentParser(prog="./dev storm", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--store", choices=("sqlite", "mariadb"), default="sqlite")
    parser.add_argument("--trades", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--least", type=int, default=50, help="trades that must be unfinished at each kill")
    parser.add_argument("--seed", type=int, default=None, help="of everything random here and of the simulators' faults")
    parser.add_argument("--power-loss", action="store_true", help="a kill also loses what was not synced (sqlite)")
    parser.add_argument("--json", metavar="FILE", help="write the counts there too")
    return parser.parse_args()


ARGUMENTS = arguments()

from harness import BIN, World  # noqa: E402
from mariadb import Mariadb  # noqa: E402
from shop import TRADE, Sim, money, state_of, tender  # noqa: E402
from wire import Refused  # noqa: E402

AGAIN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED", "ABORTED", "UNKNOWN", "INTERNAL")
ENDED = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED", "CANCELLED", "EXPIRED", "FAILED")
STATES = {3: "ORDERING", 4: "ORDERED", 5: "PAYING", 6: "CLOSING", 7: "PAID", 8: "COMPLETED", 9: "PARTIALLY_REFUNDED",
          10: "REFUNDED", 11: "CANCELLED", 12: "EXPIRED", 13: "FAILED", 14: "CONFLICTED", 1: "CREATED", 2: "QUOTED"}
PATIENCE_S = 180
PAYERS = 16  # kinds of payers: the first refuses, each later one takes longer


class Buyer:
    """One caller with one trade, who repeats each request under its id until there is an answer."""

    def __init__(self, storm, number):
        self.storm, self.number = storm, number
        self.random = random.Random(f"{storm.seed}/{number}")
        self.trade_no, self.state = "", ""
        self.user = number + 5  # behind the world's special users

    def call(self, method, fields):
        request = dict(fields)
        if not method.startswith("Get"):
            request["requestId"] = f"storm-{self.number}-{method}-{'-'.join(sorted(fields))}"[:64]
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.storm.client.call(TRADE + method, request, timeout=8, wait_for_ready=True)
            except Refused as refused:
                if refused.code not in AGAIN or time.monotonic() > end:
                    raise
                time.sleep(0.05 + self.random.random() * 0.2)

    def buy(self):
        context = {"tenantId": "T001", "userId": f"U{self.user:04}", "stationId": "S001",
                   "channel": "app" if self.number % 2 else "merchant"}  # of the app are the world's activities and limits
        lines = [{"fuel": {"oilCode": "92#", "amount": money(20000 + self.number)}}]
        tenders = [tender("WECHAT", account=f"payer-{self.number % PAYERS}")]
        if self.number % 3 == 0:
            tenders.insert(0, tender("CARD", 2000, f"C{self.user:04}"))
        if self.number % 7 == 0:
            tenders.insert(0, tender("ALIPAY", 1000, f"payer-{self.number % PAYERS}"))
        return self.call("QuoteOrderPay", {"context": context, "lines": lines, "tenders": tenders, "waitMs": 5000,
                                           "excludePoints": self.number % 2 == 0, "acceptDegraded": True,
                                           "onFailure": "ON_FAILURE_FAIL_TRADE"})

    def run(self):
        try:
            self.trade_no = self.buy().trade.trade_no
            if self.number % 11 == 0:
                time.sleep(self.random.random() * 3)
                self.call("Cancel", {"tradeNo": self.trade_no, "reason": "storm", "waitMs": 5000})
            self.wait_for_end()
            if self.state == "COMPLETED" and self.number % 4 == 0:
                self.call("Refund", {"tradeNo": self.trade_no, "amount": money(1000 + self.number), "waitMs": 5000})
            if self.state == "COMPLETED" and self.number % 8 == 0:
                self.call("Refund", {"tradeNo": self.trade_no, "whole": True, "waitMs": 5000})
            self.wait_for_end()
        except Refused as refused:
            self.state = self.state or "refused: " + refused.reason
            self.trade_no = self.trade_no or refused.metadata.get("trade_no", "")
        finally:
            self.storm.finished(self)

    def wait_for_end(self):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            trade = self.call("GetTrade", {"tradeNo": self.trade_no}).trade
            self.state = state_of(trade)
            if self.state in ENDED and all(state_of(refund) == "DONE" for refund in trade.refunds):
                return
            time.sleep(0.2)
        raise AssertionError(f"{self.trade_no} is {self.state} after {PATIENCE_S} s")


class Storm:
    def __init__(self):
        self.seed = ARGUMENTS.seed if ARGUMENTS.seed is not None else random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(self.seed)
        self.world = World(config={"log": {"level": "info", "format": "json"},
                                   "payment": {"query_first_ms": 1000, "query_max_ms": 4000},
                                   "trade": {"order_ttl_s": 120}},
                           sim=["--users", str(ARGUMENTS.trades + 10), "--fault-seed", str(self.seed % 1000000)])
        self.database = None
        self.client = None
        self.lock = threading.Lock()
        self.unfinished = ARGUMENTS.trades
        self.points = collections.Counter()  # where the kills hit
        self.kill_counts = []

    def finished(self, buyer):
        with self.lock:
            self.unfinished -= 1
        _ = buyer

    def start(self):
        if ARGUMENTS.store == "mariadb":
            self.database = Mariadb(self.world.folder).start()
            self.world.configure({"store": self.database.config(), "log": {"level": "info", "format": "json"},
                                  "payment": {"query_first_ms": 1000, "query_max_ms": 4000}})
        self.world.start()
        self.client = self.world.client()
        sim = Sim(self.world.sim_client())
        longest = 2600 * ARGUMENTS.kills + 4000  # so that enough are unfinished at the last kill
        rules = [{"payer": f"payer-{n}", "result": "PAY_RESULT_PAID" if n else "PAY_RESULT_FAILED",
                  "afterMs": str(200 + n * longest // PAYERS), "code": "PAYER_REFUSED"} for n in range(PAYERS)]
        sim.client.call("participant.sim.v1.SimControlService/SetAutoPay", {"rules": rules})
        sim.fault("NO_ANSWER", permille=50)
        sim.fault("UNAVAILABLE", permille=25)
        sim.fault("ERROR", permille=25)
        sim.fault("DELAY", permille=50, delayMs="300")
        for kind in ("DUPLICATE_CALLBACK", "REORDERED_CALLBACK"):
            sim.fault(kind, "payment", "NotifyPayment", permille=300)
            sim.fault(kind, "payment", "NotifyRefund", permille=300)
        return sim

    # ---- Where a kill hit: read from the store while nobody serves -----------------------------------------------------

    def rows(self, statement):
        if self.database:
            return self.database.sql("USE txcenter; " + statement) or []
        connection = sqlite3.connect(f"file:{self.world.folder}/data/txcenter.db?mode=ro", uri=True)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def note_points(self):
        for flow, status, n in self.rows("SELECT flow, status, COUNT(*) FROM saga WHERE status <= 3 GROUP BY flow, status"):
            names = {1: "running", 2: "past its watershed", 3: "being undone"}
            self.points[f"{flow} {names[int(status)]}"] += int(n)
        for state, n in self.rows("SELECT state, COUNT(*) FROM trade WHERE state BETWEEN 3 AND 7 GROUP BY state"):
            self.points[f"trade {STATES[int(state)]}"] += int(n)

    def kill(self):
        with self.lock:
            unfinished = self.unfinished
        self.world.center.kill()
        self.kill_counts.append(unfinished)
        self.note_points()
        self.world.center.start()

    def kill_often(self):
        for number in range(ARGUMENTS.kills):
            time.sleep(0.4 + self.random.random() * 1.6)
            with self.lock:
                if self.unfinished < ARGUMENTS.least:
                    break
            self.kill()
            print(f"  kill {number + 1}: {self.kill_counts[-1]} trades unfinished", flush=True)

    # ---- The end --------------------------------------------------------------------------------------------------------

    def settle(self):
        """Until no saga is under way; those that are then are faults."""
        end, sagas = time.monotonic() + PATIENCE_S, []
        while time.monotonic() < end:
            sagas = self.client.call("txcenter.saga.v1.SagaService/ListSagas", {"filter": {"unfinished": True}}).sagas
            if not sagas:
                return []
            if all(saga.parked for saga in sagas) and time.monotonic() > end - PATIENCE_S + 60:
                break
            time.sleep(0.3)
        return [f"{saga.gid} is still {'parked' if saga.parked else 'under way'}: {saga.reason} {saga.text}" for saga in sagas]

    def check(self):
        done = subprocess.run([os.path.join(BIN, "txcheck"), "--center", self.world.center_target, "--sim",
                               self.world.sim_target, "-o", "json"], capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        return json.loads(lines[-1]) if lines else {}, lines[:-1] + ([done.stderr] if done.stderr else [])


def report(storm, buyers, counts, faults, seconds):
    outcomes = collections.Counter(buyer.state for buyer in buyers)
    print(f"\n{len(buyers)} trades in {seconds:.0f} s, {len(storm.kill_counts)} kills (unfinished at each: "
          f"{', '.join(map(str, storm.kill_counts)) or '-'})")
    for name, n in sorted(outcomes.items()):
        print(f"  {n:5} {name}")
    print("what was durable and unfinished at the kills:")
    for name, n in sorted(storm.points.items()):
        print(f"  {n:5} {name}")
    print("check:", json.dumps(counts))
    for fault in faults[:40]:
        print("FAULT", fault)
    if ARGUMENTS.json:
        with open(ARGUMENTS.json, "w", encoding="utf-8") as file:
            json.dump({"storm.trades": len(buyers), "storm.kills": len(storm.kill_counts), "storm.seconds": seconds,
                       "storm.faults": len(faults), "storm.least_unfinished": min(storm.kill_counts or [0]),
                       "storm.outcomes": outcomes, "storm.points": storm.points}, file, indent=1)


def main():
    storm = Storm()
    print(f"storm over {ARGUMENTS.store}: {ARGUMENTS.trades} trades, {ARGUMENTS.kills} kills, --seed {storm.seed}", flush=True)
    begun, faults, good = time.monotonic(), [], False
    try:
        sim = storm.start()
        buyers = [Buyer(storm, number) for number in range(ARGUMENTS.trades)]
        with concurrent.futures.ThreadPoolExecutor(ARGUMENTS.trades) as pool:
            futures = [pool.submit(buyer.run) for buyer in buyers]
            storm.kill_often()
            for future in futures:
                if future.exception():
                    faults.append(repr(future.exception()))
        sim.clear()
        faults += storm.settle()
        counts, lines = storm.check()
        faults += lines
        if len(storm.kill_counts) < ARGUMENTS.kills or min(storm.kill_counts, default=0) < min(ARGUMENTS.least, 1):
            faults.append(f"only {len(storm.kill_counts)} kills with at least {ARGUMENTS.least} trades unfinished")
        report(storm, buyers, counts, faults, time.monotonic() - begun)
        good = not faults and counts.get("faults") == 0
        print("the storm was weathered" if good else f"NOT weathered; again with --seed {storm.seed}")
        if not good:
            print("\n".join(line for line in storm.world.center.log().splitlines()[-400:]
                            if '"level":"error"' in line or '"level":"warn"' in line)[-3000:])
        return 0 if good else 1
    finally:
        storm.world.close()
        if storm.database:
            storm.database.kill()


if __name__ == "__main__":
    sys.exit(main())
