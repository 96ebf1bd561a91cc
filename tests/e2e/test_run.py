#!/usr/bin/python3
"""./dev run as a person would use it."""

import os
import re
import shutil
import signal
import socket
import subprocess

import harness
from harness import BIN, PROTOS
from shop import Shop, tender

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def free_ports():
    """Two that nobody uses now."""
    with socket.socket() as one, socket.socket() as other:
        for sock in (one, other):
            sock.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


class Run(harness.Case):
    def setUp(self):
        self.folder = harness.scratch()
        self.addCleanup(shutil.rmtree, self.folder)
        self.port, self.sim_port = free_ports()
        self.auto_pay, self.tender = "20", ""

    def command(self, *more):
        return [os.path.join(ROOT, "scripts", "run"), "--data", self.folder + "/data", "--port", str(self.port),
                "--sim-port", str(self.sim_port), "--auto-pay", self.auto_pay, *more]

    def start(self):
        self.log = open(self.folder + "/log", "a+", encoding="utf-8")
        self.addCleanup(self.log.close)
        run = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=self.log, text=True,
                               start_new_session=True, env={**os.environ, "TXC_BIN": BIN})
        self.addCleanup(run.stdout.close)
        self.addCleanup(self.end, run)
        said = []
        for line in run.stdout:
            said.append(line)
            if line.startswith("The world:"):
                return run, "".join(said)
        raise AssertionError("it did not start:\n" + "".join(said))

    def end(self, run):
        """Whatever became of the test: only the script can stop what it started."""
        if run.poll() is None:
            run.terminate()
            run.wait(harness.READY_S)

    def test_it_serves_purchases_and_ctrl_c_stops_both_programs(self):
        run, said = self.start()
        self.assertIn(f"127.0.0.1:{self.port}", said)
        client = harness.Client(PROTOS, f"127.0.0.1:{self.port}", "e2e")
        self.addCleanup(client.close)
        shop = Shop(client)
        trade = shop.order()
        shop.pay(trade, [tender("WECHAT", trade.payable.minor_units)], waitFor="WAIT_FOR_OUTCOME")
        shop.until(trade.trade_no, "COMPLETED")
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        self.assertEqual(0, run.wait(harness.READY_S))
        self.log.seek(0)
        self.assertNotIn("ending at once", self.log.read())
        for port in (self.port, self.sim_port):
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()

    def shown(self, command, said):
        """The command that it shows, run."""
        line = re.search(rf"^  (\S*{command}.*)$", said, re.M).group(1)
        done = subprocess.run(["bash", "-c", line.replace("TENDER", self.tender)], cwd=ROOT, capture_output=True, text=True,
                              timeout=harness.READY_S, check=False)
        self.assertEqual(0, done.returncode, line + ": " + done.stderr)
        return done.stdout

    def test_a_payer_who_does_not_pay_by_himself_is_told_to(self):
        self.auto_pay = "off"
        run, said = self.start()
        trade = self.shown("txctl.* trade quote-order-pay", said)
        self.tender = re.search(r"\b(\S+-1-0)\b", trade).group(1)
        self.shown("txsim.* pay", said)
        run.send_signal(signal.SIGTERM)
        self.assertEqual(0, run.wait(harness.READY_S))

    def test_a_port_that_is_taken_is_said_at_once(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            done = subprocess.run(self.command(), capture_output=True, text=True, timeout=harness.READY_S, check=False)
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, rf"port {self.port}\b")

    def test_the_command_that_it_shows_is_one_of_txctl(self):
        run, said = self.start()
        self.shown("txctl.* trade list", said)
        run.send_signal(signal.SIGTERM)
        self.assertEqual(0, run.wait(harness.READY_S))


if __name__ == "__main__":
    harness.run()
