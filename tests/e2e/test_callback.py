#!/usr/bin/python3
"""Callbacks that are signed well and make no sense: acknowledged, kept apart from the books, harmless."""

import harness
from notice import notify_payment
from shop import Shop, money, state_of, tender

FAR = 2**63 - 1


class Lies(harness.Case):
    def setUp(self):
        self.center = self.world().start()
        self.client = self.center.client()

    def paying(self, user):
        shop = Shop(self.client, user=user)
        trade = shop.order()
        shop.pay(trade, [tender("WECHAT", trade.payable.minor_units, "nobody")])
        return shop, shop.get(trade.trade_no)

    def notify(self, tender_no, **fields):
        notify_payment(self.client, f"nonce-{tender_no}", tender_no, **fields)

    # [A22] an amount that does not match is a conflict for an operator, whatever it says
    def test_amounts_that_are_none_make_a_conflict_and_no_posting(self):
        for number, amount in enumerate(({}, {"amount": money(0)}, {"amount": money(-1)}, {"amount": money(-FAR - 1)},
                                         {"amount": money(FAR)}, {"amount": money(10**15 + 1)})):
            with self.subTest(amount=amount):
                shop, trade = self.paying(f"U{number + 5:04}")
                self.notify(trade.attempts[0].tenders[0].tender_no, **amount)
                trade = shop.get(trade.trade_no)
                self.assertEqual("CONFLICTED", state_of(trade.attempts[0].tenders[0]))
                self.assertEqual([], list(trade.ledger))

    def test_a_smaller_amount_is_kept_apart(self):
        shop, trade = self.paying("U0011")
        self.notify(trade.attempts[0].tenders[0].tender_no, amount=money(1))
        postings = shop.get(trade.trade_no).ledger
        self.assertEqual({1, -1}, {posting.amount.minor_units for posting in postings})

    def test_absurd_shares_and_texts_do_no_harm(self):
        shop, trade = self.paying("U0012")
        paid = trade.attempts[0].tenders[0]
        self.notify(paid.tender_no, amount=money(paid.amount.minor_units), payerAmount=money(-FAR - 1),
                    gatewayDiscount=money(FAR), settlementAmount=money(FAR), paidAt="9999-12-31T23:59:59Z",
                    code="油" * 100, gatewayNo="油" * 200)
        self.assertEqual("PAID", state_of(shop.until(trade.trade_no, "COMPLETED").attempts[0].tenders[0]))


if __name__ == "__main__":
    harness.run()
