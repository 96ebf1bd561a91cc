"""The callers while the center dies again and again: they submit sagas and buy fuel, and repeat themselves until answered."""

import base64
import itertools
import random
import threading
import time

from harness import PROTOS
from scenarios import ENDED, Buyer, Stuck, patiently
from shapes import SHAPES
from shop import SAGA, money, state_of, tender
from wire import Refused
from witness import Witness

PATIENCE_S = 90  # for one answer, over several deaths
ENDS_S = 120  # a saga, at the latest
SUBMIT, SIGNAL = SAGA + "SubmitSaga", SAGA + "SignalSaga"
FIRST_USER = 5  # behind the world's special ones
PAYERS = 8  # kinds of payers: the first refuses, each later one takes longer


class Front:
    """Whoever answers: one of several instances, and another one the next time."""

    def __init__(self, clients, chance):
        self.clients, self.random = clients, chance

    def call(self, path, fields, timeout=8, wait_for_ready=True, **options):
        """As Client.call; an instance that is not there is not waited for, where there are others."""
        waits = wait_for_ready and len(self.clients) == 1
        client = self.clients[self.random.randrange(len(self.clients))]
        return client.call(path, fields, timeout=timeout, wait_for_ready=waits, **options)

    def stream(self, path, fields, **options):
        return self.clients[self.random.randrange(len(self.clients))].stream(path, fields, **options)

    def patiently(self, path, fields):
        return patiently(lambda: self.call(path, fields), time.monotonic() + PATIENCE_S, self.random)


class Submission:
    """One saga of a caller: what was asked for, and what was said of it."""

    def __init__(self, shape, request_id, definition):
        self.shape, self.request_id = shape, request_id
        self.request = PROTOS.message("txcenter.saga.v1.SubmitSagaRequest", {"request_id": request_id})
        self.request.saga.CopyFrom(definition)
        self.gid, self.status = None, None  # as it was answered

    def waiting(self, wait_ms):
        request = type(self.request)()
        request.CopyFrom(self.request)
        request.wait_ms = wait_ms
        return request


class Load:
    """All callers of a world. What they were told is kept here, and what was wrong with it."""

    def __init__(self, fronts, ledger_target, users, seed):
        """`fronts`: makes one of a random.Random; `users`: the world has so many."""
        self.fronts, self.seed = fronts, seed
        self.definitions = [PROTOS.message("txcenter.saga.v1.SagaDefinition", shape.definition(ledger_target)) for shape in SHAPES]
        self.numbers, self.users = itertools.count(), iter(range(FIRST_USER, users + 1))
        self.stopping, self.abandoned = threading.Event(), False
        self.lock = threading.Lock()
        self.submissions, self.purchases = [], []
        self.acked, self.ended = {}, {}  # by gid: the submission; its status, as callers were told
        self.newly_acked, self.newly_ended = set(), []  # since they were taken
        self.faults = []
        self.threads = []

    def start(self, submitters, buyers):
        for act, n in ((self._submit_on, submitters), (self._buy_on, buyers)):
            for i in range(n):
                self.threads.append(threading.Thread(target=self._run, args=(act, f"{act.__name__}/{i}")))
                self.threads[-1].start()

    def finish(self):
        """Begins nothing new; returns when everything that was begun was answered."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def abandon(self):
        """Nobody will answer any more."""
        self.abandoned = True
        self.stopping.set()

    def take_news(self):
        """The gids that were acknowledged, and (gid, when) of those that ended, since the last time."""
        with self.lock:
            acked, self.newly_acked = self.newly_acked, set()
            ended, self.newly_ended = self.newly_ended, []
        return acked, ended

    def fault(self, text):
        with self.lock:
            self.faults.append(text)

    def _run(self, act, name):
        chance = random.Random(f"{self.seed}/{name}")
        front = self.fronts(chance)
        while not self.stopping.is_set():
            try:
                act(front, chance)
            except (Stuck, Refused, ValueError) as error:  # ValueError: of a channel that was closed
                if not self.abandoned:
                    self.fault(f"a caller: {type(error).__name__}: {error}")
                return

    # ---- Sagas ------------------------------------------------------------------------------------------------------

    def _submit_on(self, front, chance):
        which = chance.randrange(len(SHAPES))
        submission = Submission(SHAPES[which], f"crash-{next(self.numbers)}", self.definitions[which])
        with self.lock:
            self.submissions.append(submission)
        if chance.random() < 0.1:
            self._submit_twice(front, submission)
        elif submission.shape.signalled or chance.random() < 0.5:
            self.heard(submission, front.patiently(SUBMIT, submission.request))
        if submission.shape.signalled:
            time.sleep(chance.random() * 0.3)
            self._signal(front, chance, submission)
        end = time.monotonic() + ENDS_S
        while submission.status is None:
            if time.monotonic() > end:
                raise Stuck(f"lost: {submission.gid} ({submission.shape.name}) has not ended for {ENDS_S} s")
            self.heard(submission, front.patiently(SUBMIT, submission.waiting(5000)))
        if chance.random() < 0.1:
            self.heard(submission, front.patiently(SUBMIT, submission.request))

    def _submit_twice(self, front, submission):
        """The same request twice at once, wherever each gets to."""
        pending = [client.start(SUBMIT, submission.request, timeout=8, wait_for_ready=False)
                   for client in front.random.sample(front.clients * 2, 2)]
        answers = []
        for future in pending:
            try:
                answers.append(front.clients[0].finish(future))
            except Refused as refused:
                if not refused.is_passing:
                    raise
        for answer in sorted(answers, key=lambda answer: not answer.processing):  # whichever of the two came first
            self.heard(submission, answer)
        self.heard(submission, front.patiently(SUBMIT, submission.request))

    @staticmethod
    def _signal(front, chance, submission):
        fields = {"requestId": "s-" + submission.request_id, "gid": submission.gid, "name": "paid",
                  "payload": base64.b64encode(submission.request_id.encode()).decode()}
        for _ in range(1 + chance.randrange(2)):
            front.patiently(SIGNAL, fields)

    def heard(self, submission, answer):
        """What a caller was told, now or before, must be the same."""
        gid, status = answer.saga.gid, None if answer.processing else answer.saga.status
        with self.lock:
            if submission.gid is None:
                submission.gid = gid
                self.acked[gid] = submission
                self.newly_acked.add(gid)
            elif submission.gid != gid:
                self.faults.append(f"forgotten: {submission.request_id} was answered {submission.gid}, now {gid}")
            if submission.status is not None and submission.status != status:
                self.faults.append(f"two outcomes: {gid} was answered with {submission.status}, now {status}")
            if status is None or submission.status is not None:
                return
            submission.status = self.ended[gid] = status
            self.newly_ended.append((gid, time.monotonic()))
            if status not in submission.shape.ends:
                self.faults.append(f"wrong outcome: {gid} ({submission.shape.name}) ended as {status}: {answer.saga.reason} "
                                   f"{answer.saga.text}")

    # ---- Purchases --------------------------------------------------------------------------------------------------

    def _buy_on(self, front, chance):
        user = next(self.users, None)
        if user is None:  # everybody has bought
            self.stopping.wait()
            return
        buyer = Purchase(front, user, chance)
        with self.lock:
            self.purchases.append(buyer)
        buyer.run()


class Purchase(Buyer):
    """One purchase with its second thoughts. How it ends is chance; that it ends, and adds up, is not."""

    def __init__(self, front, number, chance):
        super().__init__(front, None, Witness(), number)
        self.random, self.state = chance, ""
        self.end = time.monotonic() + PATIENCE_S

    def run(self):
        try:
            payer = f"payer-{self.random.randrange(PAYERS)}"
            tenders = [tender("WECHAT", account=payer)]
            if self.random.random() < 0.4:
                tenders.insert(0, tender("CARD", 2000, self.card))
            trade = self.call("QuoteOrderPay", {
                "context": self.context, "lines": [{"fuel": {"oilCode": "92#", "amount": money(20000)}}], "tenders": tenders,
                "waitMs": 3000, "acceptDegraded": True, "onFailure": "ON_FAILURE_FAIL_TRADE"}).trade
            self.trade_no = trade.trade_no
            if self.random.random() < 0.2:
                time.sleep(self.random.random() * 0.5)
                self._perhaps(self.cancel)
            if self.ended() == "COMPLETED" and self.random.random() < 0.4:
                self._perhaps(self.refund, "-1", amount=money(1234))
                if self.ended() == "PARTIALLY_REFUNDED" and self.random.random() < 0.5:
                    self._perhaps(self.refund, "-2", whole=True)
            self.ended()
        except Refused as refused:
            self.state = "refused: " + refused.reason
            self.trade_no = self.trade_no or refused.metadata.get("trade_no", "")

    @staticmethod
    def _perhaps(act, *arguments, **fields):
        """It may have become something by now to which this can't be done."""
        try:
            act(*arguments, **fields)
        except Refused:
            pass

    def ended(self):
        while True:
            trade = self.get()
            self.state = state_of(trade)
            if self.state in ENDED and self.is_done(trade):
                return self.state
            if time.monotonic() > self.end:
                raise Stuck(f"{self.trade_no} is still {self.state}")
            time.sleep(0.1 + self.random.random() * 0.1)
