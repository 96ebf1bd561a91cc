#!/usr/bin/python3
"""Trades through the real programs, from the call of a front end to the systems' own ledgers."""

import concurrent.futures
import itertools
import signal
import threading

import grpc
import harness
from harness import Refused
from shop import SAGA, TRADE, Shop, Sim, money, state_of, states_of, tender


class Trades(harness.Case):
    def open(self, config=None, sim=()):
        world = self.world(config, sim).start()
        return world, Shop(world.client()), Sim(world.sim_client())


class Purchase(Trades):
    def test_a_purchase_is_quoted_ordered_paid_and_completed(self):
        _, shop, sim = self.open(sim=["--auto-pay", "20"])
        quoted = shop.quote()
        best = quoted.quote.combinations[0]
        trade = shop.place(quoted, combinationId=best.combination_id)
        self.assertEqual("ORDERED", state_of(trade))
        self.assertEqual(best.payable.minor_units, trade.payable.minor_units)
        paid = shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
        self.assertEqual(("PAID", False), (state_of(paid.attempt), paid.processing))
        done = shop.until(trade.trade_no, "COMPLETED")
        self.assertEqual(["CREATED", "QUOTED", "ORDERING", "ORDERED", "PAYING", "PAID", "COMPLETED"], states_of(done))
        self.assertEqual(done.payable.minor_units, done.paid.minor_units)
        self.systems_agree(sim, done, best)

    def systems_agree(self, sim, trade, best):
        took = {system: {(entry.kind, entry.account) for entry in sim.ledger(system, trade.trade_no)}
                for system in ("order", "payment", "coupon")}
        for coupon in best.coupon_ids:
            self.assertIn(("use", coupon), took["coupon"])
        self.assertTrue(any(kind == "paid" for kind, _ in took["payment"]), took["payment"])
        for stats in sim.stats().values():
            self.assertEqual((0, 0), (stats.took_effect_twice, stats.changed_repeats), stats)

    # [A53] of every trade the ledger's entries add up to zero
    def test_every_entry_of_the_ledger_adds_up_to_zero(self):
        _, shop, _ = self.open(sim=["--auto-pay", "20"])
        trade = shop.order()
        shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
        done = shop.until(trade.trade_no, "COMPLETED")
        refund = shop.refund(done, amount=money(100))
        self.assertFalse(refund.processing)
        postings = sorted(refund.trade.ledger, key=lambda posting: posting.entry)
        self.assertTrue(postings)
        for entry, group in itertools.groupby(postings, key=lambda posting: posting.entry):
            self.assertEqual(0, sum(posting.amount.minor_units for posting in group), f"entry {entry}")

    def test_a_card_pays_without_a_callback(self):
        _, shop, sim = self.open()
        trade = shop.order()
        paid = shop.pay(trade, [tender("CARD", trade.payable.minor_units, "C0001")], waitFor="WAIT_FOR_OUTCOME")
        self.assertEqual("PAID", state_of(paid.attempt))
        kinds = {entry.kind for entry in sim.ledger("card", trade.trade_no)}
        self.assertLessEqual({"freeze", "confirm"}, kinds)

    # [A38] after a cancel every lock is gone
    def test_a_cancelled_order_gives_everything_back(self):
        _, shop, sim = self.open()
        trade = shop.order()
        self.assertEqual("CANCELLED", state_of(shop.cancel(trade).trade))
        for system in ("coupon", "points", "order"):
            states = {effect.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[effect.state].name
                      for effect in sim.effects(system, trade.trade_no)}
            self.assertEqual({"EFFECT_STATE_COMPENSATED"}, states, system)
        self.assertEqual("NOT_PAYABLE", self.refused_payment(shop, trade))

    def refused_payment(self, shop, trade):
        try:
            shop.pay(trade)
        except Refused as error:
            self.assertEqual(trade.trade_no, error.metadata["trade_no"])
            return {"TRADE_ENDED": "NOT_PAYABLE"}.get(error.reason, error.reason)
        raise AssertionError("it could be paid")


class Reading(Trades):
    def test_either_number_finds_the_trade(self):
        world, shop, _ = self.open()
        trade = shop.order()
        found = world.client().call(TRADE + "GetTrade", {"orderNo": trade.order_no}).trade
        self.assertEqual(trade.trade_no, found.trade_no)

    def test_lists_are_pages_of_what_the_filter_fits_newest_first(self):
        world, shop, _ = self.open()
        made = [shop.quote().trade_no for _ in range(5)]
        Shop(shop.client, user="U0002").quote()
        pages = self.pages(world.client(), TRADE + "ListTrades", "trades", {"filter": {"userId": "U0001"}, "pageSize": 2})
        self.assertEqual([2, 2, 1], [len(page) for page in pages])
        self.assertEqual(made[::-1], [trade.trade_no for page in pages for trade in page])

    def pages(self, client, path, field, request):
        pages, token = [], ""
        while True:
            page = client.call(path, {**request, "pageToken": token})
            pages.append(getattr(page, field))
            token = page.next_page_token
            if not token:
                return pages

    def test_sagas_are_listed_by_their_subject_and_shown_with_their_steps(self):
        world, shop, _ = self.open(sim=["--auto-pay", "20"])
        trade = shop.order()
        shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
        done = shop.until(trade.trade_no, "COMPLETED")
        pages = self.pages(world.client(), SAGA + "ListSagas", "sagas",
                           {"filter": {"subject": trade.trade_no}, "pageSize": 1})
        listed = [saga for page in pages for saga in page]
        self.assertEqual(sorted(done.saga_gids), sorted(saga.gid for saga in listed))
        for saga in listed:
            shown = world.client().call(SAGA + "GetSaga", {"gid": saga.gid}).saga
            self.assertTrue(shown.steps)
            for step in shown.steps:
                self.assertTrue(step.key.startswith(saga.gid + "/"))

    def test_a_page_token_belongs_to_its_filter(self):
        world, shop, _ = self.open()
        for _ in range(2):
            shop.order()
        client = world.client()
        first = client.call(SAGA + "ListSagas", {"filter": {"unfinished": True}, "pageSize": 1})
        self.assertTrue(first.next_page_token)
        error = self.refused("INVALID_REQUEST", client, SAGA + "ListSagas", {"pageToken": first.next_page_token})
        self.assertIn("page_token", error.fields)
        error = self.refused("INVALID_REQUEST", client, "txcenter.saga.v1.OperatorService/ListAudit",
                             {"pageToken": first.next_page_token})
        self.assertIn("page_token", error.fields)

    def test_every_flow_is_shown_as_its_table(self):
        world, _, _ = self.open()
        flows = {flow.name: flow for flow in world.client().call(SAGA + "ListFlows").flows}
        self.assertLessEqual({"trade.purchase", "trade.payment", "trade.refund"}, set(flows))
        one = world.client().call(SAGA + "GetFlow", {"name": "trade.purchase"}).flow
        self.assertEqual(flows["trade.purchase"], one)
        self.assertEqual(1, sum(step.kind == "pivot" for step in one.steps))


class Requests(Trades):
    def test_the_same_request_50_times_at_once_makes_one_trade(self):
        world, shop, _ = self.open()
        request = shop.quote_request()
        client = world.client()
        calls = [client.start(TRADE + "Quote", request) for _ in range(50)]
        numbers = {client.finish(call).trade_no for call in calls}
        self.assertEqual(1, len(numbers))
        self.assertEqual(1, len(client.call(TRADE + "ListTrades", {"filter": {"userId": "U0001"}}).trades))
        self.assertEqual(numbers, {client.call(TRADE + "Quote", request).trade_no}, "and ever after")

    def test_the_same_request_id_with_another_body_is_refused_and_changes_nothing(self):
        world, shop, _ = self.open()
        request = shop.quote_request()
        client = world.client()
        made = client.call(TRADE + "Quote", request)
        error = self.refused("IDEMPOTENCY_KEY_REUSED", client, TRADE + "Quote", {**request, "excludePoints": True})
        self.assertEqual("ALREADY_EXISTS", error.code)
        self.assertEqual(request["requestId"], error.metadata["request_id"])
        self.assertEqual([made.trade_no], [trade.trade_no for trade in client.call(TRADE + "ListTrades").trades])

    def test_the_same_request_id_of_another_caller_is_another_request(self):
        world, shop, _ = self.open()
        request = shop.quote_request()
        first = world.client("one").call(TRADE + "Quote", request)
        second = world.client("two").call(TRADE + "Quote", request)
        self.assertNotEqual(first.trade_no, second.trade_no)

    # [A10] the same trade number and version twice, also at the same time, make one order
    def test_one_order_of_a_version_whoever_asks(self):
        world, shop, sim = self.open()
        quoted = shop.quote()
        client = world.client()
        base = {"tradeNo": quoted.trade_no, "quoteVersion": 1, "waitMs": 20000}
        calls = [client.start(TRADE + "PlaceOrder", {**base, "requestId": f"order-{i}"}) for i in range(8)]
        for call in calls:
            try:
                client.finish(call)
            except Refused as error:
                self.assertEqual("FAILED_PRECONDITION", error.code)
        orders = [entry for entry in sim.ledger("order", quoted.trade_no) if entry.kind == "create"]
        self.assertEqual(1, len(orders), orders)


class Tenants(Trades):
    CALLERS = [{"name": "one", "scopes": ["trade", "trade.read"], "tenants": ["T001"]},
               {"name": "other", "scopes": ["trade", "trade.read"], "tenants": ["T2"]}]

    def test_a_trade_is_seen_and_acted_on_by_callers_of_its_tenant_alone(self):
        world, _, _ = self.open({"callers": self.CALLERS})
        shop = Shop(world.client("one"))
        trade = shop.order()
        stranger = Shop(world.client("other"))
        for act in (lambda: stranger.get(trade.trade_no), lambda: stranger.cancel(trade), lambda: stranger.pay(trade),
                    lambda: next(stranger.watch(trade.trade_no))):
            with self.assertRaises(Refused) as caught:
                act()
            self.assertIn(caught.exception.reason, ("TENANT_FORBIDDEN", "TRADE_NOT_FOUND"))
        self.refused("TENANT_FORBIDDEN", stranger.client, TRADE + "Quote", shop.quote_request())
        self.assertEqual("ORDERED", state_of(shop.get(trade.trade_no)))


class Eavesdropper(grpc.GenericRpcHandler):
    """A remote system that only notes who calls it, and with what metadata; it is never there for anybody."""

    def __init__(self, target):
        self.heard, self.news = {}, threading.Condition()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=[self])
        self.server.add_insecure_port(target)
        self.server.start()

    def service(self, details):
        with self.news:
            self.heard[details.method.rsplit("/", 1)[1]] = dict(details.invocation_metadata)
            self.news.notify_all()

        def answer(_request, context):
            context.abort(grpc.StatusCode.UNAVAILABLE, "nobody is here")

        return grpc.unary_unary_rpc_method_handler(answer)


class Metadata(Trades):
    def test_what_a_caller_says_of_his_call_reaches_the_remote_systems(self):
        world = self.world(sim=["--auto-pay", "20"])
        target = f"unix:{world.folder}/ear.sock"
        world.configure({"participants": {**{system: {"target": world.sim_target} for system in harness.SYSTEMS},
                                          "push": {"target": target}, "coupon": {"target": target}}})
        ear = Eavesdropper(target)
        self.addCleanup(lambda: ear.server.stop(0).wait())
        world.start()
        client, shop = world.client(), Shop(world.client())
        parents = [f"00-{digit * 32}-{digit * 16}-01" for digit in "1234"]
        quoted = client.call(TRADE + "Quote", shop.quote_request(),
                             metadata=(("x-request-id", "first"), ("traceparent", parents[0])))
        self.assertEqual(("first", parents[0]), self.told(ear, "ListUsableCoupons"))
        trade = shop.place(quoted, acceptDegraded=True)
        client.call(TRADE + "Pay", shop.pay_request(trade, waitFor="WAIT_FOR_OUTCOME"),
                    metadata=(("x-request-id", "second"), ("traceparent", parents[1])))
        self.assertEqual(("second", parents[1]), self.told(ear, "Push"))

    @staticmethod
    def told(ear, method):
        with ear.news:
            ear.news.wait_for(lambda: method in ear.heard, 60)
            metadata = ear.heard[method]
        return metadata["x-request-id"], metadata["traceparent"]


class Outages(Trades):
    # [A27] a lost callback is found by asking
    def test_a_lost_callback_is_found_by_asking(self):
        _, shop, sim = self.open({"payment": {"query_first_ms": 50}}, sim=["--auto-pay", "20"])
        sim.fault("LOST_CALLBACK", "payment", "NotifyPayment")
        paid = shop.pay(shop.order(), waitFor="WAIT_FOR_OUTCOME")
        self.assertEqual("PAID", state_of(paid.attempt))

    def test_what_is_paid_while_the_center_is_dead_is_completed_when_it_is_back(self):
        world, shop, sim = self.open({"payment": {"query_first_ms": 50}})
        trade = shop.order()
        waiting = shop.pay(trade).attempt.tenders[0]
        self.assertTrue(waiting.prepay_parameters)
        world.kill_center()
        sim.payer_pays(waiting.tender_no)
        world.center.start()
        self.assertEqual("COMPLETED", state_of(shop.until(trade.trade_no, "COMPLETED")))

    # [A32] with any non-core system down the trade stays paid and its step is retried
    def test_a_purchase_completes_when_a_system_that_was_down_is_back(self):
        _, shop, sim = self.open({"retry": {"leisurely": {"first_ms": 20, "max_ms": 100}}}, sim=["--auto-pay", "20"])
        trade = shop.order()
        sim.fault("DOWN", "settlement")
        self.assertEqual("PAID", state_of(shop.pay(trade, waitFor="WAIT_FOR_OUTCOME").attempt))
        sim.clear()
        shop.until(trade.trade_no, "COMPLETED")

    def test_a_stop_answers_who_waits_for_an_outcome_and_ends_watching(self):
        world, shop, _ = self.open({"drain_ms": 400})
        trade = shop.order()
        watching = shop.watch(trade.trade_no)
        self.assertEqual("ORDERED", state_of(next(watching)))
        client = world.client()
        waiting = client.start(TRADE + "Pay", shop.pay_request(trade, waitFor="WAIT_FOR_OUTCOME", waitMs=30000))
        self.assertEqual("PAYING", state_of(next(state for state in watching if state_of(state) == "PAYING")))
        world.center.signal(signal.SIGTERM)
        self.assertTrue(client.finish(waiting).processing)
        with self.assertRaises(Refused) as caught:
            list(watching)
        self.assertEqual("SHUTTING_DOWN", caught.exception.reason)
        self.assertEqual(0, world.center.wait())


if __name__ == "__main__":
    harness.run()
