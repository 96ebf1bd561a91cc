"""Orders that are edited: another quote and another order under the same trade number, also while the first is paid."""

import concurrent.futures
import time

import plans
from customer import EXPECTED, PAID, Customer
from wire import Refused

# What the edit, or the payment that it races, may be told.
CROSSED = (*EXPECTED, "ALREADY_PAID", "PAYMENT_IN_PROGRESS", "CANCEL_FIRST")


class Editor(Customer):
    ENDINGS = ("edited when it is ordered", "edited while it is paid")

    def act(self):
        self.order()
        first = self.trade().order_no
        if self.plan.ending == "edited while it is paid":
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                paying = pool.submit(self.crossing, self.pay)
                time.sleep(self.random.random() * 1.5)
                edited = self.crossing(self.edit)
                paying.result()
        else:
            if self.random.random() < 0.5:
                self.crossing(self.pay)  # which is closed then, unless the payer is quicker
            edited = self.crossing(self.edit)
        state = self.wait_for_payment()
        again = self.trade().order_no not in ("", first)
        self.happened["edited, and ordered again"] += edited and again
        self.happened["edited too late: it was paid"] += not edited and state in PAID
        if state == "ORDERED":
            self.pay_or_give_up()
        if self.random.random() < 0.2 and self.wait_for_payment() in PAID:
            self.wait_for_end()
            self.refund(whole=True)

    def edit(self):
        """What is in the tank stays."""
        if self.plan.basket != "fuelled already":
            self.plan.lines = plans.draw_lines(self.random, self.plan.basket, self.plan.card)
        self.order()

    def crossing(self, act):
        """Whether it was done."""
        try:
            act()
        except Refused as refused:
            if refused.reason not in CROSSED:
                raise
            return False
        return True
