#!/usr/bin/python3
"""txctl as its help says: every example is typed against the real programs."""

import json
import os
import re
import shlex
import subprocess

import harness
from harness import BIN
from shop import SAGA, Shop, Sim, money, tender

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TXCTL = os.path.join(BIN, "txctl")


class Help(harness.Case):
    def setUp(self):
        self.center = self.world({"submit": {"targets": ["nobody:1"]}}, sim=["--auto-pay", "20"]).start()
        self.shop = Shop(self.center.client())

    def txctl(self, *words):
        return subprocess.run([TXCTL, "--server", self.center.center_target, *words], capture_output=True, text=True,
                              timeout=harness.READY_S, check=False, cwd=self.center.folder)

    def waiting_saga(self):
        """Of a caller, that awaits the signal `paid`; order.json has it."""
        definition = {"flow": "shop.wait", "steps": [{"name": "paid", "signal": {"name": "paid", "timeoutMs": 3600000}}]}
        with open(os.path.join(self.center.folder, "order.json"), "w", encoding="utf-8") as file:
            json.dump(definition, file)
        done = self.center.client().call(SAGA + "SubmitSaga", {"gid": "waiting", "saga": definition})
        return done.saga.gid

    def json(self, *words):
        done = self.txctl("-o", "json", *words)
        self.assertEqual(0, done.returncode, done.stderr)
        return json.loads(done.stdout)

    def examples(self):
        """(command, example) of every help text."""
        commands = re.findall(r"^  ([a-z][a-z -]*?)(?: [\[A-Z]\S*| bash)?(?:  .*)?$", self.txctl("help").stdout, re.M)
        for command in commands:
            shown = self.txctl("help", *command.split()).stdout
            self.assertIn(f"usage: txctl {command}", shown)
            yield from ((command, line) for line in shown.splitlines() if line.startswith("txctl " + command + " "))

    def trade_for(self, command):
        """A trade that this command may be called with."""
        if command in ("trade order", "trade order-pay"):
            return self.shop.quote().trade_no
        if command == "trade adjust":
            return self.filled_up()
        short = command == "matter settle"
        shop = Shop(self.center.client(), user="U0007") if short else self.shop  # who still has coupons
        if short:
            Sim(self.center.sim_client()).fault("REJECT", "coupon", "UseCoupons", count=1, code="COUPON_UNAVAILABLE")
        trade = shop.order(mode="ORDER_MODE_DEDUCT_LATER" if short else "ORDER_MODE_LOCK_FIRST")
        if short or command == "trade refund":
            shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
            shop.until(trade.trade_no, "COMPLETED")
        return trade.trade_no

    def filled_up(self):
        """A fill-up for at most 200.00 is paid."""
        line = {"fuel": {"oilCode": "95#", "nozzle": "2", "amount": money(20000), "authorised": True}}
        trade = self.shop.place(self.shop.quote(lines=[line]))
        self.shop.pay(trade, waitFor="WAIT_FOR_OUTCOME")
        return trade.trade_no

    def test_every_example_works(self):
        examples = list(self.examples())
        self.assertLessEqual({"trade quote", "trade order", "trade pay", "trade order-pay", "trade quote-order-pay",
                              "trade refund", "trade list", "saga list", "saga submit", "saga signal", "saga count"}, {command for command, _ in examples})
        gid = self.waiting_saga()
        for command, example in examples:
            with self.subTest(example):
                words = shlex.split(example)[1:]
                if "TRADE" in words:
                    words[words.index("TRADE")] = self.trade_for(command)
                if "GID" in words:
                    words[words.index("GID")] = gid
                done = self.txctl(*words)
                expected = 4 if command == "saga submit" else 0  # it waits for its signal
                self.assertEqual((expected, ""), (done.returncode, done.stderr))

    def test_what_must_be_there_is_marked(self):
        shown = self.txctl("help", "trade", "quote-order-pay").stdout
        for option in ("tenant", "station"):
            self.assertRegex(shown, rf"--{option} .*; needed\n")
        for option in ("fuel", "goods", "recharge"):
            self.assertRegex(shown, rf"--{option} [^-]*; needed: one of --fuel\|--goods\|--recharge\n")
        self.assertRegex(self.txctl("help", "trade", "refund").stdout, r"--whole +.*; needed: one of --whole\|--amount\|--line")

    def test_a_tender_without_an_amount_pays_the_rest(self):
        trade = self.shop.order()
        self.json("trade", "pay", trade.trade_no, "--tender", "card=50.00:C0001", "--tender", "wechat:me")
        done = self.shop.until(trade.trade_no, "COMPLETED")
        self.assertEqual([5000, trade.payable.minor_units - 5000], [t.amount.minor_units for t in done.attempts[0].tenders])
        quoted = self.shop.quote()
        last = quoted.quote.combinations[-1]
        self.json("trade", "order-pay", quoted.trade_no, "--version", "1", "--combination", last.combination_id, "--tender",
                  "wechat:me")
        self.assertEqual(last.payable, self.shop.until(quoted.trade_no, "COMPLETED").paid)

    def test_goods_and_fuel_are_bought_by_nobody_in_particular_and_rounded_off(self):
        place = ("--tenant", "T001", "--station", "S001")
        quoted = self.json("trade", "quote", *place, "--goods", "OIL4L=2", "--fuel", "92#:amount=10.40")
        self.assertEqual(["goods", "fuel"], [line["kind"] for line in quoted["quote"]["lines"]])
        payable = int(quoted["quote"]["combinations"][0]["payable"]["minorUnits"])
        trade = quoted["tradeNo"]
        self.json("trade", "order", trade, "--version", "1")
        self.json("trade", "pay", trade, "--tender", "cash", "--rounding-off", "0.40")
        self.assertEqual(payable - 40, self.shop.until(trade, "COMPLETED").paid.minor_units)
        self.json("trade", "quote", *place, "--user", "U0001", "--recharge", "C0001=100.00")

    def test_a_rest_that_can_not_be_is_refused_before_anything_is_paid(self):
        trade = self.shop.order()
        for tenders in (["card:C0001", "wechat:me"], ["card=9999.00:C0001", "wechat:me"]):
            words = [word for each in tenders for word in ("--tender", each)]
            self.assertEqual(2, self.txctl("trade", "pay", trade.trade_no, *words).returncode, tenders)
        self.assertEqual(0, len(self.shop.get(trade.trade_no).attempts))
        done = self.txctl("trade", "pay", "01J0000000000000000000000A", "--tender", "wechat:me")
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, r"^txctl: TRADE_NOT_FOUND: [^\n]+\n$")

    def test_a_refusal_says_amounts_as_they_are_typed(self):
        quoted = self.shop.quote()
        best = quoted.quote.combinations[0].payable.minor_units
        done = self.txctl("trade", "order", quoted.trade_no, "--version", "1", "--expect", "1.00")
        self.assertEqual(1, done.returncode)
        self.assertIn(f"{best // 100}.{best % 100:02} CNY", done.stderr)
        self.assertIn("1.00 CNY", done.stderr)
        self.assertEqual(1, done.stderr.count("\n"), "said once")

    def test_a_refusal_is_an_object_where_json_is_wanted(self):
        done = self.txctl("-o", "json", "trade", "quote", "--tenant", "", "--user", "U0001", "--station", "S001", "--fuel",
                          "95#:volume=30.00")
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        said = json.loads(done.stderr)
        self.assertEqual(("INVALID_ARGUMENT", "INVALID_REQUEST"), (said["status"], said["reason"]))
        self.assertEqual(["context.tenant_id"], [violation["field"] for violation in said["violations"]])
        self.assertIn("context.tenant_id", next(line for line in self.center.center.lines()
                                                if line["msg"] == "call refused")["cause"])

    def test_flows_are_completed_by_their_names(self):
        script = ('source <("$0" completion bash); COMP_WORDS=("$0" flow graph trade.p); COMP_CWORD=3; _txctl; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, TXCTL], capture_output=True, text=True, check=True,
                              env={**os.environ, "TXCENTER_SERVER": self.center.center_target})
        self.assertEqual({"trade.purchase", "trade.payment"}, set(done.stdout.split()))


class Parked(harness.Case):
    def test_a_list_of_what_is_parked_says_which_step_and_why(self):
        world = self.world(sim=["--auto-pay", "20"]).start()
        shop, sim = Shop(world.client()), Sim(world.sim_client())
        sim.fault("REJECT", "settlement", count=1, code="SHIFT_CLOSED")
        trade = shop.order()
        shop.pay(trade, [tender("WECHAT", trade.payable.minor_units)], waitFor="WAIT_FOR_OUTCOME")
        next(line for line in world.center.follow() if line["msg"].startswith("saga parked"))
        done = subprocess.run([TXCTL, "--server", world.center_target, "saga", "list", "--parked"], capture_output=True,
                              text=True, timeout=harness.READY_S, check=False)
        self.assertRegex(done.stdout, rf"{trade.trade_no}\S* +trade\.\S+ v\d+ +\w+ +PARKED .* record_settlement +SHIFT_CLOSED")


class Practice(harness.Case):
    """The parked saga of docs/OPERATIONS.md, typed as it stands there."""

    def typed(self, line, **names):
        words = [names.get(word, word) for word in shlex.split(re.sub(r"\s# *.*", "", line))]
        server = {"txsim": ("--sim", self.center.sim_target), "txctl": ("--server", self.center.center_target)}[words[0]]
        done = subprocess.run([os.path.join(BIN, words[0]), *words[1:], *server], capture_output=True, text=True,
                              timeout=harness.READY_S, check=False)
        self.assertEqual("", done.stderr, line)
        self.assertIn(done.returncode, (0, 4), line)  # nobody has paid yet: still processing
        return done.stdout

    def test_the_page_leads_to_a_parked_saga_and_out_of_it(self):
        with open(os.path.join(ROOT, "docs", "OPERATIONS.md"), encoding="utf-8") as page:
            practice = page.read().partition("To practise:")[2]
        fault, buy, paying, get, pay, parked, retry = re.findall(r"^ {4}(tx.*)$", practice, re.M)[:7]
        self.center = self.world().start()
        self.assertRegex(self.typed(fault), r"^fault \d+ is set")
        self.typed(buy)
        trade = re.search(r"^(\w{26}) ", self.typed(paying), re.M).group(1)
        tender_no = re.search(rf"{trade}\S*", self.typed(get, TRADE=trade).partition("Payment attempt")[2]).group()
        self.assertIn("is paid", self.typed(pay, TENDER=tender_no))
        next(line for line in self.center.center.follow() if line["msg"].startswith("saga parked"))
        gid = re.search(rf"^({trade}\S*) .*SHIFT_CLOSED", self.typed(parked), re.M).group(1)
        self.typed(retry, GID=gid)
        Shop(self.center.client()).until(trade, "COMPLETED")

    def test_a_command_line_of_txsim_that_means_nothing_is_answered_in_words(self):
        for words in (("dance",), ("fault", "NONSENSE", "order"), ("serve", "--users", "x")):
            done = subprocess.run([os.path.join(BIN, "txsim"), *words], capture_output=True, text=True, check=False)
            self.assertEqual(2, done.returncode)
            self.assertRegex(done.stderr, r"^txsim: [^{]+\n$")


if __name__ == "__main__":
    harness.run()
