#!/usr/bin/python3
"""Every filter of ListSagas and CountSagas, over sagas in every state that a list tells apart."""

import harness
from participant import ABORTED
from shop import OPERATOR, SAGA
from test_submit import Submitting

NEVER, LONG_AGO = "2099-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
STATUS = "SAGA_STATUS_"


class Lists(Submitting):
    def setUp(self):
        super().setUp()
        self.hold("Slow")
        self.olga = self.center.client("olga")
        self.ledger.answers.update({"Refuse": ABORTED, "Ship": ABORTED, "UndoPack": ABORTED})
        self.made = {}
        self.make("done", self.step("Reserve"), flow="shop.order", wait_ms=30000)
        self.make("failed", self.step("Reserve"), self.step("Refuse"), flow="shop.order", wait_ms=30000)
        self.make("parked", self.pivot("Charge"), self.after("Ship"), flow="shop.order")
        self.make("stuck", self.step("Pack"), self.step("Refuse"), flow="shop.gift")
        for name in ("parked", "stuck"):
            next(saga for saga in self.watch(self.made[name].gid) if saga.parked)
        self.make("running", self.step("Slow"), flow="shop.gift")
        self.make("paused", self.step("Slow"), flow="shop.order")
        self.olga.call(OPERATOR + "Pause", {"requestId": "p-1", "gid": self.made["paused"].gid, "reason": "to look at it"})
        self.make("of bob", self.step("Reserve"), flow="shop.gift", client=self.center.client("bob"), wait_ms=30000)
        self.made = {name: self.get(saga.gid, self.olga) for name, saga in self.made.items()}
        self.names = {saga.gid: name for name, saga in self.made.items()}

    def make(self, name, *steps, wait_ms=0, **fields):
        self.made[name] = self.submit(*steps, name=name, wait_ms=wait_ms, **fields).saga

    def those(self, fits):
        return {name for name, saga in self.made.items() if fits(saga)}

    def listed(self, condition, page_size):
        """Every page, one after the other."""
        found, token = [], ""
        while True:
            page = self.olga.call(SAGA + "ListSagas", {"filter": condition, "pageSize": page_size, "pageToken": token})
            self.assertLessEqual(len(page.sagas), page_size)
            found += page.sagas
            token = page.next_page_token
            if not token:
                return found

    def expect(self, expected, **condition):
        """These and no others, newest first, in pages of any size; and as many are counted."""
        whole = self.listed(condition, 100)
        self.assertEqual(sorted(expected), sorted(self.names[saga.gid] for saga in whole), condition)
        for page_size in (1, 2):
            self.assertEqual([saga.gid for saga in whole], [saga.gid for saga in self.listed(condition, page_size)], condition)
        made = [saga.created_at.ToMilliseconds() for saga in whole]
        if not {"unfinished", "paused"} & condition.keys():  # which go by status first
            self.assertEqual(sorted(made, reverse=True), made, condition)
        counted = self.olga.call(SAGA + "CountSagas", {"filter": condition})
        self.assertEqual((len(expected), False), (counted.count, counted.at_least), condition)

    def test_each_filter_has_what_fits_it_and_nothing_else(self):
        everything = set(self.made)
        unfinished = {"parked", "stuck", "running", "paused"}
        self.expect(everything)
        self.expect({"done", "of bob"}, status=STATUS + "SUCCEEDED")
        self.expect({"failed"}, status=STATUS + "FAILED")
        self.expect({"stuck"}, status=STATUS + "COMPENSATING")
        self.expect({"parked", "stuck"}, parked=True)
        self.expect({"paused"}, paused=True)
        self.expect(unfinished, unfinished=True)
        self.expect({"stuck", "running", "of bob"}, flow="shop.gift")
        self.expect(everything - {"of bob"}, subject="caller/alice")
        self.expect({"failed", "parked", "stuck"}, participant=self.target)
        self.expect({"failed", "parked", "stuck"}, reason="PARTICIPANT_REJECTED")
        self.expect(set(), reason="NOTHING_SUCH")
        for saga in self.made.values():
            self.expect(self.those(lambda one, as_of=saga: one.slot == as_of.slot), slots=[saga.slot])
            created, updated = saga.created_at.ToJsonString(), saga.updated_at.ToJsonString()
            before = self.those(lambda one, than=saga: one.created_at.ToMilliseconds() < than.created_at.ToMilliseconds())
            self.expect(before, createdTo=created)
            self.expect(everything - before, createdFrom=created)
            self.expect(self.those(lambda one, than=saga: one.updated_at.ToMilliseconds() < than.updated_at.ToMilliseconds()),
                        updatedBefore=updated)
        self.expect(everything, updatedBefore=NEVER)

    def test_filters_are_taken_together(self):
        slots = sorted({self.made["done"].slot, self.made["running"].slot})
        self.expect({"done"}, flow="shop.order", status=STATUS + "SUCCEEDED")
        self.expect({"parked", "stuck"}, participant=self.target, reason="PARTICIPANT_REJECTED", unfinished=True)
        self.expect({"stuck"}, reason="PARTICIPANT_REJECTED", flow="shop.gift", parked=True)
        self.expect({"running", "stuck"}, unfinished=True, flow="shop.gift", createdFrom=LONG_AGO, updatedBefore=NEVER)
        self.expect({"paused"}, subject="caller/alice", paused=True, createdTo=NEVER)
        self.expect(self.those(lambda one: one.slot in slots and one.subject == "caller/alice"), slots=slots, subject="caller/alice")
        self.expect({"failed"}, participant=self.target, status=STATUS + "FAILED", createdFrom=LONG_AGO, createdTo=NEVER)
        self.expect(set(), parked=True, createdTo=LONG_AGO)


if __name__ == "__main__":
    harness.run()
