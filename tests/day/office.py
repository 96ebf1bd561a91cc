"""The operators of the day: they retry what is parked, one by one and in batches, pause systems and let them go on, and
settle what only people can: shortfalls, money that does not match, refunds that their channel can't make, and
notifications that belong to nothing."""

import collections
import itertools
import random
import threading

from notice import notify_payment
from shop import OPERATOR, SAGA, money
from wire import Refused

MATTERS = "txcenter.trade.v1.TradeOperatorService/"
PAUSABLE = ("points", "invoice", "push", "notify", "marketing", "settlement", "os", "activity")
FITS_NO_LONGER = ("SAGA_STATE", "SAGA_NOT_FOUND", "MATTER_STATE")
EVERY_S = 2.0
# What may become of a matter, by its kind.
OUTCOMES = {1: ("shortfall", ("DEDUCTED", "WRITTEN_OFF", "COLLECTED")), 2: ("conflict", ("KEPT", "RETURNED", "PAID_OTHERWISE")),
            3: ("refused refund", ("PAID_OTHERWISE",))}
STRAY_OUTCOMES = ("MATCHED", "GIVEN_BACK", "IGNORED")


class Office:
    def __init__(self, client, seed):
        self.client, self.random = client, random.Random(f"{seed}/office")
        self.counts = collections.Counter()
        self.actions = 0
        self.faults = []
        self.turns = collections.defaultdict(itertools.count)  # of each kind of choice: all of them come in turn
        self.paused = None
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.known = collections.deque(maxlen=64)  # trades whose money has come

    def open(self):
        self.thread.start()

    def close(self):
        self.closing.set()
        self.thread.join()
        if self.paused:
            self._resume()

    def _ask(self, call):
        """Repeated until it is answered; None when it does not fit any more."""
        while True:
            try:
                return call()
            except Refused as refused:
                if refused.reason in FITS_NO_LONGER:
                    self.counts["an action that did not fit any more"] += 1
                    return None
                if not refused.is_passing:
                    raise
                self.closing.wait(0.2)

    def _act(self, path, fields):
        self.actions += 1
        request = {"requestId": f"office-{self.actions}", "reason": "the day's work", **fields}
        return self._ask(lambda: self.client.call(path, request, timeout=10))

    def _list(self, path, field, fields):
        return getattr(self._ask(lambda: self.client.call(path, {"pageSize": 50, **fields}, timeout=10)), field)

    def _in_turn(self, kind, choices):
        return choices[next(self.turns[kind]) % len(choices)]

    # ---- What is parked -------------------------------------------------------------------------------------------------

    def retry_parked(self):
        """Returns how many were parked."""
        parked = self._list(SAGA + "ListSagas", "sagas", {"filter": {"parked": True}})
        if len(parked) > 10 and self.random.random() < 0.5:
            self._batch()
        else:
            for saga in parked:
                if self._act(OPERATOR + "Retry", {"gid": saga.gid}):
                    self.counts["retried by an operator"] += 1
        return len(parked)

    def _batch(self):
        self.actions += 1
        request = {"requestId": f"office-{self.actions}", "reason": "the day's work", "filter": {"parked": True},
                   "action": "OPERATOR_ACTION_RETRY", "ratePerS": 200}
        try:
            done = 0
            for progress in self.client.stream(OPERATOR + "Batch", request, timeout=60):
                done = progress.done
            self.counts["retried in a batch"] += done
        except Refused as refused:
            if not refused.is_passing:
                raise

    # ---- What only people can settle ------------------------------------------------------------------------------------

    def settle_matters(self, all_of_them):
        """A refused refund is often tried again first. Returns how many were open."""
        matters = self._list(MATTERS + "ListMatters", "matters", {})
        for matter in matters:
            kind, outcomes = OUTCOMES[matter.kind]
            if kind == "refused refund" and not all_of_them and self.random.random() < 0.5:
                continue
            outcome = self._in_turn(kind, outcomes)
            if outcome == "RETURNED" and matter.amount.minor_units == 0:
                outcome = "PAID_OTHERWISE"  # nobody knows how much came
            fields = {"tradeNo": matter.trade_no, "number": matter.number, "outcome": "MATTER_OUTCOME_" + outcome}
            if outcome == "PAID_OTHERWISE":
                fields["reference"] = f"voucher {self.actions}"
            answer = self._act(MATTERS + "SettleMatter", fields)
            if answer and outcome == "DEDUCTED":
                self.counts["a shortfall whose deduction was made again"] += 1
            elif answer:
                self.counts[f"a {kind} that was settled: {outcome.lower().replace('_', ' ')}"] += 1
        return len(matters)

    def stray(self):
        """The gateway tells of a payment under a number that is nobody's."""
        self.actions += 1
        number, amount = f"nobody-{self.actions}", 100
        if self.known and self._in_turn("whose", (True, False)):
            paid = self.random.choice(self.known)
            number, amount = "x-" + paid[1], paid[2]
        nonce = f"stray-{self.actions:08}"
        self._ask(lambda: notify_payment(self.client, nonce, number, amount=money(amount)))
        self.counts["notified of what is nobody's"] += 1

    def settle_strays(self):
        """Returns how many were open."""
        strays = self._list(MATTERS + "ListStrays", "strays", {})
        for stray in strays:
            of = next((paid for paid in list(self.known) if "x-" + paid[1] == stray.number), None)
            outcome = "MATCHED" if of else self._in_turn("stray", STRAY_OUTCOMES[1:])
            fields = {"keyId": stray.key_id, "nonce": stray.nonce, "outcome": "STRAY_OUTCOME_" + outcome}
            if outcome == "MATCHED":
                fields.update(tradeNo=of[0], number=of[1])
            if outcome == "GIVEN_BACK":
                fields["reference"] = "transfer"
            if self._act(MATTERS + "SettleStray", fields):
                self.counts[f"a notification that was settled: {outcome.lower().replace('_', ' ')}"] += 1
        return len(strays)

    def knows(self, trade):
        """A trade that is paid: what is told of it under a wrong number is matched."""
        for tender in trade.attempts[-1].tenders if trade.attempts else ():
            if tender.gateway_no:
                self.known.append((trade.trade_no, tender.tender_no, tender.amount.minor_units))

    def finish(self):
        """Once nothing goes wrong any more. Returns whether something was left."""
        return self.settle_matters(True) + self.settle_strays() + self.retry_parked() > 0

    # ---- Systems --------------------------------------------------------------------------------------------------------

    def _resume(self):
        self._act(OPERATOR + "ResumeParticipant", {"participant": self.paused})
        self.paused = None

    def _pause_now_and_then(self):
        if self.paused:
            self._resume()
        elif self.random.random() < 0.2:
            self.paused = self.random.choice(PAUSABLE)
            self._act(OPERATOR + "PauseParticipant", {"participant": self.paused})
            self.counts["a system that was paused"] += 1

    def _work(self):
        try:
            while not self.closing.wait(EVERY_S):
                self.settle_matters(False)
                self.retry_parked()
                self.stray()
                self.settle_strays()
                self._pause_now_and_then()
        except Exception as error:  # noqa: BLE001 # told with the day's faults
            self.faults.append(f"the office: {type(error).__name__}: {error}")
