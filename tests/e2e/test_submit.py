#!/usr/bin/python3
"""Sagas that callers define: submitted as data, carried out against a participant that knows nothing of the center."""

import base64
import threading

import harness
from participant import ABORTED, Participant
from shop import SAGA

SUBMIT = SAGA + "SubmitSaga"
RUNNING, FORWARD, COMPENSATING, SUCCEEDED, FAILED = 1, 2, 3, 4, 5


def b64(data):
    return base64.b64encode(data).decode()


class Submitting(harness.Case):
    """A center that may call one participant of the test's own."""

    def setUp(self):
        self.center = self.world()
        self.target = f"unix:{self.center.folder}/ledger.sock"
        self.center.configure({"submit": {"targets": [self.target]}})
        self.ledger = Participant(self.target)
        self.addCleanup(self.ledger.close)
        self.center.start(sim=False)
        self.client = self.center.client("alice")

    def call(self, method, payload=b"", **fields):
        return {"target": self.target, "method": "/test.v1.Ledger/" + method, "payload": b64(payload), **fields}

    def step(self, name, **fields):
        """A step that acts by the method of its name and is undone by another one."""
        return {"name": name, "action": self.call(name, name.encode()),
                "compensation": self.call("Undo" + name, name.encode()), **fields}

    def saga(self, *steps, **fields):
        return {"flow": "shop.order", "steps": list(steps), **fields}

    def submit(self, saga, name="r-1", wait_ms=20000, **options):
        return self.client.call(SUBMIT, {"requestId": name, "saga": saga, "waitMs": wait_ms}, **options)

    def get(self, gid):
        return self.client.call(SAGA + "GetSaga", {"gid": gid}).saga


class Slice(Submitting):
    def test_two_steps_are_carried_out_in_order_with_their_keys(self):
        done = self.submit(self.saga(self.step("Reserve"), self.step("Charge")))
        self.assertFalse(done.processing)
        self.assertEqual((SUCCEEDED, "shop.order"), (done.saga.status, done.saga.flow))
        self.assertEqual([b"Reserve", b"Charge"], [step.answer for step in done.saga.steps])
        self.assertEqual(["Reserve", "Charge"], [asked.method for asked in self.ledger.asked])
        first = self.ledger.asked[0]
        self.assertEqual((b"Reserve", "action", "Reserve", done.saga.gid, done.saga.gid + "/1/1"),
                         (first.body, first.op, first.step, first.gid, first.key))

    def test_a_definite_no_undoes_what_was_done(self):
        self.ledger.answers["Charge"] = ABORTED
        done = self.submit(self.saga(self.step("Reserve"), self.step("Charge")))
        self.assertEqual((FAILED, "PARTICIPANT_REJECTED"), (done.saga.status, done.saga.reason))
        self.assertEqual([("action", "Reserve"), ("action", "Charge"), ("compensate", "Reserve")], self.ledger.did())

    def test_a_repeat_gets_the_same_saga_and_another_body_is_refused(self):
        saga = self.saga(self.step("Reserve"))
        first, second = self.submit(saga), self.submit(saga)
        self.assertEqual(first.saga, second.saga)
        self.assertEqual(1, len(self.ledger.asked))
        self.refused("IDEMPOTENCY_KEY_REUSED", self.client, SUBMIT,
                     {"requestId": "r-1", "saga": self.saga(self.step("Charge"))})
        self.assertEqual(1, len(self.ledger.asked))

    def test_who_does_not_wait_is_answered_at_once_and_who_asks_again_waits(self):
        go = threading.Event()
        self.addCleanup(go.set)
        self.ledger.answers["Reserve"] = lambda asked: go.wait(60) and b"ok"
        saga = self.saga(self.step("Reserve"))
        first = self.submit(saga, wait_ms=0)
        self.assertTrue(first.processing)
        self.assertEqual(RUNNING, first.saga.status)
        waiting = self.client.start(SUBMIT, {"requestId": "r-1", "saga": saga, "waitMs": 20000})
        self.ledger.until_asked("Reserve")
        go.set()
        self.assertEqual(SUCCEEDED, self.client.finish(waiting).saga.status)


if __name__ == "__main__":
    harness.run()
