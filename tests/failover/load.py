"""Callers who buy and who submit sagas, through any of several instances, and how long each had to wait."""

import collections
import itertools
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True

from instances import PATIENCE_S, Anywhere  # noqa: E402
from participant import Keeper  # noqa: E402
from shop import SAGA, TRADE, money, state_of, tender  # noqa: E402

ENDED = ("COMPLETED", "CANCELLED", "EXPIRED", "FAILED", "REFUNDED")
SUCCEEDED, FAILED = 4, 5
SLOW_S = 4  # less than any accepted pause
FIRST_USER = 6  # behind the world's special ones


class Ledger(Keeper):
    """Refuses what is called Refuse, loses the first answer of Charge, and remembers when it was asked."""

    def __init__(self, target):
        self.times = {}  # by gid: when something of it was asked
        super().__init__(target, refused=["Refuse"], lost=["Charge"])

    def answer_to(self, asked):
        now = time.monotonic()
        with self.changed:
            self.times.setdefault(asked.gid, []).append(now)
        return super().answer_to(asked)

    def effects(self):
        """By saga and step: the keys under which something took effect."""
        found = {}
        with self.changed:
            for one in self.asked:
                if self.keys.get(one.key) == "applied":
                    found.setdefault((one.gid, one.step), set()).add(one.key)
        return found


class Load:
    """`callers` of each kind, without a pause, until it is stopped."""

    def __init__(self, world, callers):
        self.world = world
        self.ledger = Ledger(f"unix:{world.folder}/ledger.sock")
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.waits = []  # (from, to, what): intervals in which nothing was heard or done of something
        self.slow = []  # how the slow ones of these came about
        self.ended = {}  # by gid: its status, as the caller was told
        self.trades = {}  # by number: its state
        self.unfinished, self.faults = 0, []
        self.threads = [threading.Thread(target=self.run, args=(act, i))
                        for act in (self.submit, self.buy) for i in range(callers)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, act, first):
        caller = Anywhere(self.world.targets, "failover", first)
        try:
            while not self.stopping.is_set():
                with self.lock:
                    number = next(self.numbers)
                    self.unfinished += 1
                try:
                    act(caller, number)
                finally:
                    with self.lock:
                        self.unfinished -= 1
        except Exception as error:  # pylint: disable=broad-except
            with self.lock:
                self.faults.append(f"{act.__name__}: {error!r}")
        finally:
            caller.close()

    def waited(self, begun, what):
        with self.lock:
            self.waits.append((begun, time.monotonic(), what))

    def call(self, caller, path, fields):
        begun = time.monotonic()
        answer = caller.call(path, fields)
        name = path.rpartition("/")[2]
        self.waited(begun, "an answer to " + name)
        if (seconds := time.monotonic() - begun) >= SLOW_S:
            with self.lock:
                self.slow.append(f"{name} {fields['requestId']} took {seconds:.2f} s: " + "; ".join(caller.tried[-10:])
                                 + f"; answered by {caller.at % len(caller.clients)}: {answer.trade.trade_no} is "
                                 f"{state_of(answer.trade)}, processing {answer.processing}")
        return answer

    # ---- Sagas of callers -------------------------------------------------------------------------------------------

    def step(self, name, **fields):
        target = {"target": self.ledger.target, "deadlineMs": "3000"}
        made = {"name": name, "action": {**target, "method": "/test.v1.Ledger/" + name},
                "retry": {"firstMs": 20, "maxMs": 100, "attempts": 50}, **fields}
        return made if "kind" in fields else {**made, "compensation": {**target, "method": "/test.v1.Ledger/Undo" + name}}

    def submit(self, caller, number):
        last = self.step("Refuse") if number % 5 == 0 else self.step("Ship", kind="STEP_KIND_PIVOT")
        request = {"requestId": f"failover-{number}", "waitMs": 5000,
                   "saga": {"flow": "failover.saga", "steps": [self.step("Reserve"), self.step("Charge"), last]}}
        begun = time.monotonic()
        saga = caller.call(SAGA + "SubmitSaga", request).saga
        end = begun + PATIENCE_S
        while saga.status not in (SUCCEEDED, FAILED):
            if time.monotonic() > end:
                raise AssertionError(f"{saga.gid} has not ended: {saga.status} {saga.reason} {saga.text}")
            saga = caller.call(SAGA + "SubmitSaga", request).saga
        moments = [begun, *self.ledger.times.get(saga.gid, []), time.monotonic()]
        with self.lock:
            self.ended[saga.gid] = saga.status
            self.waits += [(a, b, "a saga's next step") for a, b in zip(moments, moments[1:])]
        expected = FAILED if number % 5 == 0 else SUCCEEDED
        if saga.status != expected:
            raise AssertionError(f"{saga.gid} ended as {saga.status}, not as {expected}: {saga.reason} {saga.text}")

    # ---- Purchases --------------------------------------------------------------------------------------------------

    def buy(self, caller, number):
        context = {"tenantId": "T001", "userId": f"U{number % 300 + FIRST_USER:04}", "stationId": "S001"}
        request = {"requestId": f"failover-{number}", "context": context, "waitMs": 5000, "excludePoints": True,
                   "lines": [{"fuel": {"oilCode": "92#", "amount": money(20000 + number % 1000)}}],
                   "tenders": [tender("WECHAT", account="payer")], "acceptDegraded": True}
        trade = self.call(caller, TRADE + "QuoteOrderPay", request).trade
        begun, end = time.monotonic(), time.monotonic() + PATIENCE_S
        while state_of(trade) not in ENDED:
            if time.monotonic() > end:
                raise AssertionError(f"{trade.trade_no} is {state_of(trade)}")
            time.sleep(0.02)
            trade = caller.call(TRADE + "GetTrade", {"tradeNo": trade.trade_no}).trade
        self.waited(begun, "a purchase's end")
        with self.lock:
            self.trades[trade.trade_no] = state_of(trade)

    # ---- Afterwards -------------------------------------------------------------------------------------------------

    def longest(self, begun, end):
        """The longest wait of each kind that overlaps this time."""
        found = {}
        with self.lock:
            for a, b, what in self.waits:
                if b >= begun and a <= end:
                    found[what] = max(found.get(what, 0), b - a)
        return found

    def judge(self, caller):
        faults = list(self.faults)
        for gid, status in self.ended.items():
            now = caller.get_saga(gid)
            if now.status != status:
                faults.append(f"forgotten: {gid} had ended as {status}, and is {now.status}")
        for trade_no, state in self.trades.items():
            now = state_of(caller.call(TRADE + "GetTrade", {"tradeNo": trade_no}).trade)
            if now != state:
                faults.append(f"forgotten: {trade_no} was {state}, and is {now}")
        effects = self.ledger.effects()
        for (gid, step), keys in effects.items():
            if len(keys) > 1:
                faults.append(f"{step} of {gid} took effect under {len(keys)} keys")
            if self.ended.get(gid) == FAILED:
                faults.append(f"{step} of {gid} was not undone")
        whole = collections.Counter(gid for gid, _ in effects)
        faults += [f"{gid} has succeeded with {whole[gid]} of its effects"
                   for gid, status in self.ended.items() if status == SUCCEEDED and whole[gid] != 3]
        return faults
