#!/usr/bin/python3
"""Sagas that callers define: submitted as data, carried out against a participant that knows nothing of the center."""

import base64
import threading

import grpc
import harness
from participant import ABORTED, NOT_FOUND, UNAVAILABLE, Participant, no
from patience import until
from shop import OPERATOR, SAGA

SUBMIT = SAGA + "SubmitSaga"
RUNNING, FORWARD, COMPENSATING, SUCCEEDED, FAILED = 1, 2, 3, 4, 5
DONE, REJECTED, SKIPPED, PARKED, UNDONE = 6, 7, 8, 9, 12  # of steps
SOON = {"firstMs": 10, "maxMs": 50, "attempts": 3, "jitterPercent": 0}
PIVOT, RETRIABLE = "STEP_KIND_PIVOT", "STEP_KIND_RETRIABLE"


def b64(data):
    return base64.b64encode(data).decode()


def without(step, field):
    return {key: value for key, value in step.items() if key != field}


class Submitting(harness.Case):
    """A center that may call one participant of the test's own."""

    config = {}

    def setUp(self):
        self.center = self.world()
        self.target = f"unix:{self.center.folder}/ledger.sock"
        self.center.configure({"submit": {"targets": [self.target]}, **self.config})
        self.ledger = Participant(self.target)
        self.addCleanup(self.ledger.close)
        self.center.start(sim=False)
        self.client = self.center.client("alice")

    def call(self, method, payload=b"", **fields):
        return {"target": self.target, "method": "/test.v1.Ledger/" + method, "payload": b64(payload), **fields}

    def step(self, name, **fields):
        """A step that acts by the method of its name and is undone by another one."""
        return {"name": name, "action": self.call(name, name.encode()), "retry": SOON,
                "compensation": self.call("Undo" + name, name.encode()), **fields}

    def pivot(self, name, **fields):
        return without(self.step(name, kind=PIVOT, **fields), "compensation")

    def after(self, name, **fields):
        return without(self.step(name, kind=RETRIABLE, **fields), "compensation")

    def saga(self, *steps, **fields):
        return {"flow": "shop.order", "steps": list(steps), **fields}

    def submit(self, *steps, name="r-1", wait_ms=30000, client=None, timeout=60, **fields):
        request = {"requestId": name, "saga": self.saga(*steps, **fields), "waitMs": wait_ms}
        return (client or self.client).call(SUBMIT, request, timeout=timeout)

    def refuse(self, reason, *steps, name="r-1", client=None, **fields):
        return self.refused(reason, client or self.client, SUBMIT, {"requestId": name, "saga": self.saga(*steps, **fields)})

    def get(self, gid, client=None):
        return (client or self.client).call(SAGA + "GetSaga", {"gid": gid}).saga

    def watch(self, gid, client=None, **fields):
        for response in (client or self.client).stream(SAGA + "WatchSaga", {"gid": gid, **fields}, timeout=60):
            yield response.saga

    def ended(self, gid):
        """The saga when it has ended."""
        return list(self.watch(gid))[-1]

    def hold(self, method):
        """The method does not answer until the returned event is set."""
        go = threading.Event()
        self.addCleanup(go.set)
        self.ledger.answers[method] = lambda asked: go.wait(60) and b"at last"
        return go

    def signal(self, gid, name="paid", request_id="s-1", payload=b"", client=None):
        return (client or self.client).call(SAGA + "SignalSaga", {
            "requestId": request_id, "gid": gid, "name": name, "payload": b64(payload)})


def states(saga):
    return [step.state for step in saga.steps]


class Running(Submitting):
    def test_two_steps_are_carried_out_in_order_with_their_keys(self):
        done = self.submit(self.step("Reserve"), self.step("Charge"))
        self.assertFalse(done.processing)
        self.assertEqual((SUCCEEDED, "shop.order"), (done.saga.status, done.saga.flow))
        self.assertEqual([b"Reserve", b"Charge"], [step.answer for step in done.saga.steps])
        self.assertEqual(["Reserve", "Charge"], [asked.method for asked in self.ledger.asked])
        first = self.ledger.asked[0]
        self.assertEqual((b"Reserve", "action", "Reserve", done.saga.gid, done.saga.gid + "/1/1"),
                         (first.body, first.op, first.step, first.gid, first.key))
        shown = self.get(done.saga.gid)
        self.assertEqual((done.saga.gid, "caller/alice", [DONE, DONE]), (shown.gid, shown.subject, states(shown)))

    def test_steps_of_one_stage_run_side_by_side(self):
        go = self.hold("Left")
        submitted = self.client.start(SUBMIT, {"requestId": "r-1", "waitMs": 30000, "saga": self.saga(
            self.step("Left", stage=1), self.step("Right", stage=1), self.step("Last", stage=2))}, timeout=60)
        self.ledger.until_asked("Left")
        self.ledger.until_asked("Right")
        self.assertNotIn(("action", "Last"), self.ledger.did())
        go.set()
        self.assertEqual(SUCCEEDED, self.client.finish(submitted).saga.status)
        self.assertEqual(("action", "Last"), self.ledger.did()[-1])

    # [E3] what was done is undone in reverse, under the keys that it was done under
    def test_a_definite_no_undoes_what_was_done_in_reverse(self):
        self.ledger.answers["Charge"] = ABORTED
        done = self.submit(self.step("Reserve"), self.step("Pack"), self.step("Charge"))
        self.assertEqual((FAILED, "PARTICIPANT_REJECTED"), (done.saga.status, done.saga.reason))
        self.assertEqual([("action", "Reserve"), ("action", "Pack"), ("action", "Charge"), ("compensate", "Pack"),
                          ("compensate", "Reserve")], self.ledger.did())
        self.assertEqual([UNDONE, UNDONE, REJECTED], states(done.saga))
        keys = {(asked.step, asked.key) for asked in self.ledger.asked}
        self.assertEqual(3, len(keys), "one key for a step and its compensation")

    # [S3-61] behind the pivot only forward
    def test_behind_the_pivot_it_only_goes_forward(self):
        self.ledger.answers["Ship"] = [UNAVAILABLE, UNAVAILABLE, b"shipped"]
        done = self.submit(self.step("Reserve"), self.pivot("Charge"), self.after("Ship"), self.after("Tell", nonCore=True))
        self.assertEqual(SUCCEEDED, done.saga.status)
        self.assertNotIn("compensate", [asked.op for asked in self.ledger.asked])
        attempts = self.get(done.saga.gid).attempts
        self.assertEqual([("Ship", "action", 1, "UNKNOWN"), ("Ship", "action", 2, "UNKNOWN")],
                         [(a.step_name, a.op, a.number, a.outcome) for a in attempts])
        for attempt in attempts:
            self.assertEqual("as it was told", attempt.text)
            self.assertLessEqual(attempt.started_at.ToMilliseconds(), attempt.ended_at.ToMilliseconds())

    def test_a_no_behind_the_pivot_waits_for_an_operator(self):
        self.ledger.answers["Ship"] = [ABORTED, b"shipped"]
        first = self.submit(self.pivot("Charge"), self.after("Ship"), wait_ms=0)
        parked = next(saga for saga in self.watch(first.saga.gid) if saga.parked)
        self.assertEqual(([DONE, PARKED], FORWARD), (states(parked), parked.status))
        self.center.client("olga").call(OPERATOR + "Retry", {"requestId": "again", "gid": parked.gid, "reason": "now it may"})
        self.assertEqual(SUCCEEDED, self.ended(parked.gid).status)
        first_key, second_key = [asked.key for asked in self.ledger.until_asked("Ship", 2)]
        self.assertNotEqual(first_key, second_key, "a refusal is tried again under the next key")


class Answers(Submitting):
    """What the participant's status means."""

    def outcome_of(self, answer):
        self.ledger.answers["Charge"] = answer
        return self.submit(self.step("Reserve"), self.step("Charge"))

    def test_a_no_with_the_reason_rejected_is_definite(self):
        done = self.outcome_of(no(grpc.StatusCode.FAILED_PRECONDITION, "REJECTED"))
        self.assertEqual(FAILED, done.saga.status)
        self.assertEqual(1, len(self.ledger.until_asked("Charge")))
        self.assertNotIn("UndoCharge", [asked.method for asked in self.ledger.asked], "it was never done")

    def test_a_no_without_a_reason_is_tried_again_under_the_same_key(self):
        done = self.outcome_of([no(grpc.StatusCode.FAILED_PRECONDITION), b"fine"])
        self.assertEqual(SUCCEEDED, done.saga.status)
        self.assertEqual(1, len({asked.key for asked in self.ledger.until_asked("Charge", 2)}))

    def test_what_is_never_there_turns_the_saga_round_when_its_attempts_are_over(self):
        done = self.outcome_of(UNAVAILABLE)
        self.assertEqual(FAILED, done.saga.status)
        self.assertEqual(3, len(self.ledger.until_asked("Charge", 3)))
        # It may have been done: a lost answer looks just like that.
        self.assertIn(("compensate", "Charge"), self.ledger.did())

    # [A30] a time-out is unknown, never a failure
    def test_silence_is_inquired(self):
        silent = self.hold("Charge")
        self.ledger.answers["AskCharge"] = b"it was done"
        charge = self.step("Charge", inquiry=self.call("AskCharge"))
        charge["action"]["deadlineMs"] = 200
        done = self.submit(charge)
        self.assertEqual(SUCCEEDED, done.saga.status)
        self.assertEqual([b"it was done"], [step.answer for step in done.saga.steps])
        self.assertEqual([("action", "Charge"), ("inquire", "Charge")], self.ledger.did())
        self.assertEqual(1, len({asked.key for asked in self.ledger.asked}))
        silent.set()

    def test_an_inquiry_that_never_saw_the_key_brings_the_action_again(self):
        self.ledger.answers.update(Charge=[UNAVAILABLE, b"done"], AskCharge=NOT_FOUND)
        done = self.submit(self.step("Charge", inquiry=self.call("AskCharge")))
        self.assertEqual(SUCCEEDED, done.saga.status)
        self.assertEqual(["action", "inquire", "action"], [asked.op for asked in self.ledger.asked])

    def test_an_inquiry_that_says_no_is_a_no(self):
        self.ledger.answers.update(Charge=UNAVAILABLE, AskCharge=ABORTED)
        done = self.submit(self.step("Reserve"), self.step("Charge", inquiry=self.call("AskCharge")))
        self.assertEqual(FAILED, done.saga.status)
        self.assertEqual([("action", "Reserve"), ("action", "Charge"), ("inquire", "Charge"), ("compensate", "Reserve")],
                         self.ledger.did())


class Payloads(Submitting):
    def part(self, step, number):
        return {"fromStep": step, "fieldNumber": number}

    def test_answers_of_earlier_steps_are_appended_as_fields(self):
        self.ledger.answers.update(Reserve=b"R" * 200, Charge=ABORTED)
        reserve, charge = self.step("Reserve"), self.step("Charge")
        charge["action"]["parts"] = [self.part("Reserve", 5), self.part("Reserve", 16)]
        reserve["compensation"]["parts"] = [self.part("Reserve", 1)]
        self.submit(reserve, charge)
        answer = b"R" * 200
        bodies = {asked.method: asked.body for asked in self.ledger.asked}
        self.assertEqual(b"Charge" + b"\x2a\xc8\x01" + answer + b"\x82\x01\xc8\x01" + answer, bodies["Charge"])
        self.assertEqual(b"Reserve" + b"\x0a\xc8\x01" + answer, bodies["UndoReserve"])

    def test_a_signal_s_payload_is_an_answer_too(self):
        ship = self.step("Ship")
        ship["action"]["parts"] = [self.part("Paid", 2)]
        first = self.submit({"name": "Paid", "signal": {"name": "paid", "timeoutMs": "60000"}}, ship, wait_ms=0)
        self.signal(first.saga.gid, payload=b"receipt 7")
        self.assertEqual(SUCCEEDED, self.ended(first.saga.gid).status)
        self.assertEqual(b"Ship" + b"\x12\x09receipt 7", self.ledger.until_asked("Ship")[0].body)

    def test_a_large_answer_is_kept_only_where_it_is_used(self):
        self.ledger.answers["Reserve"] = b"x" * 5000
        done = self.submit(self.step("Reserve"))
        self.assertEqual((SUCCEEDED, b""), (done.saga.status, done.saga.steps[0].answer))
        charge = self.step("Charge")
        charge["action"]["parts"] = [self.part("Reserve", 5)]
        first = self.submit(self.step("Reserve"), charge, name="r-2", wait_ms=0)
        parked = next(saga for saga in self.watch(first.saga.gid) if saga.parked)
        self.assertEqual("RECORD_TOO_LARGE", parked.steps[0].reason)

    def test_metadata_says_whose_call_it_is_and_is_the_callers_for_the_rest(self):
        reserve = self.step("Reserve")
        reserve["action"]["headers"] = [{"name": "x-tenant", "value": "t 1"}]
        self.client.call(SUBMIT, {"requestId": "r-1", "saga": self.saga(reserve), "waitMs": 30000},
                         metadata=[("x-request-id", "req-77"), ("traceparent", "00-aa-bb-01")])
        metadata = self.ledger.asked[0].metadata
        self.assertEqual(("t 1", "req-77", "00-aa-bb-01"),
                         (metadata["x-tenant"], metadata["x-request-id"], metadata["traceparent"]))


class Requests(Submitting):
    def test_a_repeat_gets_the_same_saga_and_another_body_is_refused(self):
        first, second = self.submit(self.step("Reserve")), self.submit(self.step("Reserve"))
        self.assertEqual(first.saga, second.saga)
        self.assertEqual(1, len(self.ledger.asked))
        self.refuse("IDEMPOTENCY_KEY_REUSED", self.step("Charge"))
        self.assertEqual(1, len(self.ledger.asked))

    def test_the_same_request_of_another_caller_is_another_saga(self):
        mine, theirs = self.submit(self.step("Reserve")), self.submit(self.step("Reserve"), client=self.center.client("bob"))
        self.assertNotEqual(mine.saga.gid, theirs.saga.gid)

    def test_many_at_once_are_one_saga(self):
        request = {"requestId": "r-1", "saga": self.saga(self.step("Reserve")), "waitMs": 30000}
        calls = [self.client.start(SUBMIT, request, timeout=60) for _ in range(20)]
        self.assertEqual(1, len({self.client.finish(call).saga.gid for call in calls}))
        self.assertEqual(1, len(self.ledger.asked))

    def test_who_does_not_wait_is_answered_at_once_and_who_asks_again_waits(self):
        go = self.hold("Reserve")
        first = self.submit(self.step("Reserve"), wait_ms=0)
        self.assertTrue(first.processing)
        self.assertEqual(RUNNING, first.saga.status)
        waiting = self.client.start(SUBMIT, {"requestId": "r-1", "saga": self.saga(self.step("Reserve")), "waitMs": 30000},
                                    timeout=60)
        self.ledger.until_asked("Reserve")
        go.set()
        self.assertEqual(SUCCEEDED, self.client.finish(waiting).saga.status)

    def test_who_waits_is_answered_before_its_own_deadline(self):
        go = self.hold("Reserve")
        for options in ({"timeout": 1.5}, {"wait_ms": 50}):  # the caller's, and what it asked for
            answer = self.submit(self.step("Reserve"), **options)
            self.assertTrue(answer.processing)
            self.assertEqual(RUNNING, answer.saga.status)
        go.set()
        self.assertEqual(SUCCEEDED, self.ended(answer.saga.gid).status)

    def test_a_caller_that_leaves_stops_nothing(self):
        go = self.hold("Reserve")
        call = self.client.start(SUBMIT, {"requestId": "r-1", "saga": self.saga(self.step("Reserve"), self.step("Charge")),
                                          "waitMs": 30000})
        self.ledger.until_asked("Reserve")
        call.cancel()
        go.set()
        self.ledger.until_asked("Charge")
        self.assertEqual(SUCCEEDED, self.submit(self.step("Reserve"), self.step("Charge")).saga.status)

    def test_a_chosen_gid_names_the_saga(self):
        request = {"gid": "order:4711", "saga": self.saga(self.step("Reserve")), "waitMs": 30000}
        self.assertEqual("order:4711", self.client.call(SUBMIT, request).saga.gid)
        self.assertEqual("order:4711", self.client.call(SUBMIT, request).saga.gid)
        self.refused("SAGA_EXISTS", self.center.client("bob"), SUBMIT, request)
        self.refused("IDEMPOTENCY_KEY_REUSED", self.client, SUBMIT, {**request, "saga": self.saga(self.step("Charge"))})
        taken = self.submit(self.step("Reserve")).saga.gid
        for gid in (taken, "01M7YN588Z2D3A9KDSWAT13C8W", "a/b", "g" * 65, "\u00e4"):
            error = self.refused("INVALID_REQUEST", self.client, SUBMIT, {**request, "gid": gid})
            self.assertEqual({"gid"}, set(error.fields), gid)
        self.assertEqual({"gid"}, set(self.refused("INVALID_REQUEST", self.client, SUBMIT,
                                                   {**request, "requestId": "r-9"}).fields))


class Time(Submitting):
    def test_a_saga_that_is_over_its_time_turns_round(self):
        hung = self.hold("Charge")
        done = self.submit(self.step("Reserve"), self.step("Charge"), timeLimitMs="300", wait_ms=0)
        self.ledger.until_asked("Charge")
        turned = next(saga for saga in self.watch(done.saga.gid) if saga.status == COMPENSATING)
        self.assertEqual(("TIMED_OUT", "the saga's time limit is over"), (turned.reason, turned.text))
        hung.set()
        ended = self.ended(done.saga.gid)
        self.assertEqual((FAILED, [UNDONE, UNDONE]), (ended.status, states(ended)))

    def test_behind_its_pivot_it_goes_on_however_long_it_takes(self):
        hung = self.hold("Ship")
        first = self.submit(self.pivot("Charge"), self.after("Ship"), timeLimitMs="300", wait_ms=400)
        self.ledger.until_asked("Ship")
        self.assertEqual(FORWARD, first.saga.status)
        hung.set()
        self.assertEqual(SUCCEEDED, self.ended(first.saga.gid).status)


class Deaths(Submitting):
    # [E1] [E11] [E5] durable before it is acknowledged; the same bytes under the same key afterwards
    def test_an_accepted_saga_survives_the_process(self):
        hung = self.hold("Charge")
        steps = (self.step("Reserve"), self.step("Charge"), self.step("Ship"))
        steps[1]["action"]["parts"] = [{"fromStep": "Reserve", "fieldNumber": 3}]
        first = self.submit(*steps, wait_ms=0)
        self.ledger.until_asked("Charge")
        self.center.kill_center()
        self.ledger.answers["Ship"] = ABORTED
        hung.set()
        self.center.center.start()
        ended = self.submit(*steps)
        self.assertEqual((first.saga.gid, FAILED), (ended.saga.gid, ended.saga.status))
        self.assertEqual({("compensate", "Charge"), ("compensate", "Reserve")},
                         {(op, step) for op, step in self.ledger.did() if op == "compensate"})
        for method in ("Reserve", "Charge"):
            self.assertEqual(1, len({(asked.key, asked.body) for asked in self.ledger.until_asked(method)}))
        self.refuse("IDEMPOTENCY_KEY_REUSED", self.step("Reserve"))

    def test_a_target_that_is_no_longer_allowed_is_not_called(self):
        hung = self.hold("Reserve")
        first = self.submit(self.step("Reserve"), self.step("Charge"), wait_ms=0)
        self.ledger.until_asked("Reserve")
        self.center.kill_center()
        hung.set()
        self.center.configure({"submit": {"targets": ["elsewhere:1"]}})
        self.center.center.start()
        asked = len(self.ledger.asked)
        line = next(line for line in self.center.center.follow() if "submit.targets" in line.get("text", ""))
        self.assertEqual(first.saga.gid, line["gid"])
        self.assertEqual(asked, len(self.ledger.asked))


class Signals(Submitting):
    def awaiting(self, timeout_ms=60000, **options):
        wait = {"name": "Paid", "signal": {"name": "paid", "timeoutMs": str(timeout_ms)}}
        return self.submit(self.step("Reserve"), wait, self.step("Ship"), wait_ms=0, **options).saga.gid

    # [E10] acknowledged means durable; a repeat acts once, also afterwards
    def test_a_signal_acts_once_and_survives(self):
        hung = self.hold("Reserve")
        gid = self.awaiting()
        self.signal(gid, payload=b"early")
        self.center.kill_center()
        hung.set()
        self.center.center.start()
        self.signal(gid, payload=b"early")
        ended = self.ended(gid)
        self.assertEqual((SUCCEEDED, b"early"), (ended.status, ended.steps[1].answer))
        self.signal(gid, payload=b"early")
        for request, reason in ((("s-1", b"other"), "IDEMPOTENCY_KEY_REUSED"), (("s-2", b"early"), "SAGA_STATE")):
            with self.assertRaises(harness.Refused) as caught:
                self.signal(gid, request_id=request[0], payload=request[1])
            self.assertEqual(reason, caught.exception.reason)

    def test_an_await_that_is_over_turns_the_saga_round(self):
        ended = self.ended(self.awaiting(timeout_ms=50))
        self.assertEqual((FAILED, "TIMED_OUT", [UNDONE, REJECTED]), (ended.status, ended.reason, states(ended)[:2]))

    def test_a_signal_that_makes_no_sense_is_refused(self):
        gid = self.awaiting()
        error = self.refused("INVALID_REQUEST", self.client, SAGA + "SignalSaga", {"payload": b64(b"x" * 1025)})
        self.assertEqual({"request_id", "gid", "name", "payload"}, set(error.fields))
        for fields, reason in (({"gid": "nobody"}, "SAGA_NOT_FOUND"), ({"name": "unpaid"}, "INVALID_REQUEST")):
            self.refused(reason, self.client, SAGA + "SignalSaga",
                         {"requestId": "s-1", "gid": gid, "name": "paid", **fields})


class Watching(Submitting):
    def test_a_watcher_sees_each_durable_state_once_and_resumes(self):
        self.ledger.answers["Charge"] = ABORTED
        hung = self.hold("Reserve")
        first = self.submit(self.step("Reserve"), self.step("Charge"), wait_ms=0)
        stream = self.watch(first.saga.gid)
        seen = [next(stream)]
        hung.set()
        seen += list(stream)
        self.assertEqual([RUNNING, COMPENSATING, FAILED], [saga.status for saga in seen])
        times = [saga.updated_at.ToMilliseconds() for saga in seen]
        self.assertEqual(sorted(set(times)), times, "each is later than the one before")
        later = list(self.watch(first.saga.gid, afterUpdatedAt=seen[0].updated_at.ToJsonString()))
        self.assertEqual([FAILED], [saga.status for saga in later])
        self.assertEqual([], list(self.watch(first.saga.gid, afterUpdatedAt=seen[2].updated_at.ToJsonString())))

    def test_watchers_of_one_saga_are_bounded(self):
        self.hold("Reserve")
        gid = self.submit(self.step("Reserve"), wait_ms=0).saga.gid
        streams = [self.watch(gid) for _ in range(16)]
        for stream in streams:
            next(stream)
        with self.assertRaises(harness.Refused) as caught:
            next(self.watch(gid))
        self.assertEqual("OVERLOADED", caught.exception.reason)

    def test_a_stream_ends_with_the_instance(self):
        self.hold("Reserve")
        stream = self.watch(self.submit(self.step("Reserve"), wait_ms=0).saga.gid)
        next(stream)
        self.center.center.signal(15)
        with self.assertRaises(harness.Refused) as caught:
            list(stream)
        self.assertEqual("SHUTTING_DOWN", caught.exception.reason)
        self.assertEqual(0, self.center.center.wait())


class Owners(Submitting):
    config = {"callers": [
        {"name": "alice", "scopes": ["saga"], "tenants": ["T001"]},
        {"name": "bob", "scopes": ["saga"], "tenants": ["*"]},
        {"name": "olga", "scopes": ["saga", "operate"], "tenants": ["*"]},
        {"name": "reader", "scopes": ["trade.read"], "tenants": ["*"]}]}

    def test_callers_see_and_signal_their_own_sagas_and_operators_all(self):
        wait = {"name": "Paid", "signal": {"name": "paid", "timeoutMs": "60000"}}
        gid = self.submit(wait, wait_ms=0).saga.gid
        bob, olga = self.center.client("bob"), self.center.client("olga")
        self.assertEqual(gid, self.get(gid).gid)
        self.assertEqual(gid, self.get(gid, client=olga).gid)
        self.assertEqual(gid, next(self.watch(gid, client=olga)).gid)
        self.refused("SAGA_NOT_FOUND", bob, SAGA + "GetSaga", {"gid": gid})
        self.refused("SAGA_NOT_FOUND", bob, SAGA + "SignalSaga", {"requestId": "s", "gid": gid, "name": "paid"})
        with self.assertRaises(harness.Refused) as caught:
            next(self.watch(gid, client=bob))
        self.assertEqual("SAGA_NOT_FOUND", caught.exception.reason)
        self.refused("SCOPE_MISSING", self.center.client("reader"), SUBMIT)
        self.submit(self.step("Reserve"), client=bob)
        for client, expected in ((self.client, 1), (bob, 1), (olga, 2)):
            self.assertEqual(expected, len(client.call(SAGA + "ListSagas").sagas))
            self.assertEqual(expected, client.call(SAGA + "CountSagas").count)
        for method in ("ListSagas", "CountSagas"):
            self.refused("SCOPE_MISSING", bob, SAGA + method, {"filter": {"subject": "caller/alice"}})
            self.assertEqual([gid] if method == "ListSagas" else 1, (
                [saga.gid for saga in olga.call(SAGA + method, {"filter": {"subject": "caller/alice"}}).sagas]
                if method == "ListSagas" else olga.call(SAGA + method, {"filter": {"unfinished": True}}).count))
        self.signal(gid)
        self.signal(gid, client=olga)  # of the same id: it is the saga's, whoever sends it


class Forms(Submitting):
    def test_every_fault_of_a_definition_is_said_at_once(self):
        bad = {"name": "a/b", "stepId": 70000, "kind": 9, "retry": {"firstMs": 5, "maxMs": 1, "jitterPercent": 101},
               "action": {"target": "elsewhere:1", "method": "Create"}}
        error = self.refuse("INVALID_REQUEST", bad, flow="no name")
        self.assertEqual("INVALID_ARGUMENT", error.code)
        self.assertEqual({"saga.steps[0].action.target", "saga.flow", "saga.steps[0].name", "saga.steps[0].step_id",
                          "saga.steps[0].kind", "saga.steps[0].action.method", "saga.steps[0].retry.jitter_percent",
                          "saga.steps[0]"}, set(error.fields))
        error = self.refused("INVALID_REQUEST", self.client, SUBMIT, {"waitMs": 30001})
        self.assertEqual({"request_id", "wait_ms", "saga"}, set(error.fields))

    # The same check as for the center's own flows.
    def test_what_makes_no_good_flow_is_refused(self):
        cases = (
            ((without(self.step("A"), "compensation"),), "compensatable and acts, but has no compensation"),
            ((self.step("A", kind=PIVOT),), "a compensation of a step that is never undone"),
            ((self.pivot("A"), self.step("B")), "compensatable behind the pivot"),
            ((self.pivot("A"), self.pivot("B")), "a second pivot"),
            ((self.step("A", stage=2), self.step("B", stage=1)), "stages must not go down"),
            ((self.step("A"), self.step("A")), "duplicate name"),
            ((self.step("A", stepId=1), self.step("B", stepId=1)), "duplicate id"),
            ((self.step("A", nonCore=True),), "only retriable steps can be non-core"),
            ((self.step("A", signal={"name": "x", "timeoutMs": "5"}),), "must have exactly one of"),
            (({"name": "A"},), "must have exactly one of"),
        )
        for steps, expected in cases:
            error = self.refuse("INVALID_REQUEST", *steps)
            self.assertTrue(any(expected in what for what in error.fields.values()), (expected, error.fields))
        self.assertEqual([], self.ledger.asked)
        self.assertEqual(0, self.client.call(SAGA + "CountSagas").count, "a request that was refused made nothing")

    def test_the_center_s_own_flows_can_t_be_imitated(self):
        self.assertIn("saga.flow", self.refuse("INVALID_REQUEST", self.step("A"), flow="trade.purchase").fields)

    def test_a_definition_has_its_bound(self):
        step = self.step("A")
        step["action"]["payload"] = b64(b"x" * 66000)
        self.assertEqual({"saga"}, set(self.refuse("INVALID_REQUEST", step).fields))
        step["action"]["payload"] = b64(b"x" * 60000)
        self.assertEqual(SUCCEEDED, self.submit(step).saga.status)

    def test_counting_and_listing_by_what_callers_chose(self):
        for i in range(3):
            self.submit(self.step("A"), name=f"r-{i}", flow=f"shop.f{i % 2}")
        count = self.client.call(SAGA + "CountSagas", {"filter": {"flow": "shop.f0", "status": "SAGA_STATUS_SUCCEEDED"}})
        self.assertEqual((2, False), (count.count, count.at_least))
        listed = self.client.call(SAGA + "ListSagas", {"filter": {"flow": "shop.f1"}}).sagas
        self.assertEqual([("shop.f1", 0)], [(saga.flow, saga.flow_version) for saga in listed])
        self.refused("INVALID_REQUEST", self.client, SAGA + "CountSagas", {"filter": {"status": 77}})


class Gated(Submitting):
    def gate(self):
        participants = self.client.call(OPERATOR + "ListParticipants").participants
        return next((each for each in participants if each.name == self.target), None)


class Wide(Gated):
    config = {"targets": {"in_flight_max": 5000}}

    def test_a_target_gets_as_many_calls_at_once_as_the_configuration_says(self):
        sagas, steps = 40, 64  # 2560 calls: more than a connection usually has
        go = self.hold("Reserve")
        side_by_side = []
        for number in range(steps):
            step = {**self.after("Reserve", stage=1), "name": f"s{number}"}
            step["action"]["deadlineMs"] = 60000
            side_by_side.append(step)
        gids = [self.submit(*side_by_side, name=f"r-{i}", wait_ms=0).saga.gid for i in range(sagas)]
        until(lambda: self.gate().in_flight == sagas * steps, "not all calls are out")
        self.assertEqual((0, 0), (self.gate().waiting, self.gate().put_off))
        go.set()
        for gid in gids:
            self.assertEqual(SUCCEEDED, self.ended(gid).status)


class Crowded(Gated):
    config = {"targets": {"in_flight_max": 1, "waiting_max": 8}}

    def slow(self, **fields):
        """A step whose answer is waited for."""
        step = self.step("Reserve", **fields)
        step["action"]["deadlineMs"] = 60000
        return step

    def fill(self):
        """Submits until it is refused; the gids, and the refusal."""
        gids = []
        while len(gids) < 20:
            try:
                gids.append(self.submit(self.slow(), name=f"r-{len(gids)}", wait_ms=0).saga.gid)
            except harness.Refused as refusal:
                return gids, refusal
            until(lambda: (gate := self.gate()) and gate.in_flight + gate.waiting == len(gids), "a call is neither out nor in line")
        raise AssertionError("everything was accepted")

    def test_more_than_a_participant_can_take_is_refused_and_what_was_accepted_is_not_put_off(self):
        go = self.hold("Reserve")
        gids, refusal = self.fill()
        self.assertEqual(("RESOURCE_EXHAUSTED", "OVERLOADED"), (refusal.code, refusal.reason))
        self.assertIn(len(gids), range(2, 6), "one is out, at least one waits, and at most four")
        self.assertGreater(refusal.retry_after_s, 0)
        self.assertEqual(gids[0], self.submit(self.slow(), name="r-0", wait_ms=0).saga.gid, "it was accepted")
        awaited = {"name": "told", "signal": {"name": "go", "timeoutMs": "60000"}}
        self.refuse("OVERLOADED", awaited, self.slow(stage=1), name="beside")  # two in its first stage
        later = self.submit(awaited, self.slow(), name="later", wait_ms=0).saga  # it may be free by then
        self.assertEqual(RUNNING, later.status)
        self.center.center.kill()
        self.center.start(sim=False)
        self.client = self.center.client("alice")
        until(lambda: (gate := self.gate()) and gate.waiting, "nothing waits again")
        self.assertEqual(gids[0], self.submit(self.slow(), name="r-0", wait_ms=0).saga.gid, "it was accepted before")
        go.set()
        for gid in gids:
            self.assertEqual(SUCCEEDED, self.ended(gid).status)
        self.assertEqual(SUCCEEDED, self.submit(self.step("Reserve"), name=f"r-{len(gids)}").saga.status)
        self.assertEqual(0, self.gate().put_off)

    def test_a_flood_of_refusals_is_counted_in_the_log(self):
        self.hold("Reserve")
        gids, _ = self.fill()
        request = {"requestId": f"r-{len(gids)}", "saga": self.saga(self.slow())}
        for call in [self.client.start(SUBMIT, request, timeout=60) for _ in range(200)]:
            with self.assertRaises(harness.Refused):
                self.client.finish(call)
        told = lambda: [line for line in self.center.center.lines() if line.get("status") == "RESOURCE_EXHAUSTED"]
        counted = lambda: sum(line.get("calls", 1) for line in told())
        until(lambda: counted() == 201, lambda: f"{counted()} of 201 refusals are told of")
        self.assertLess(len(told()), 201)


class Closed(harness.Case):
    def test_without_targets_nothing_can_be_submitted(self):
        client = self.world().start(sim=False).client("alice")
        error = self.refused("SUBMIT_DISABLED", client, SUBMIT, {"requestId": "r-1", "saga": {"flow": "f"}})
        self.assertIn("submit.targets", error.text)


if __name__ == "__main__":
    harness.run()
