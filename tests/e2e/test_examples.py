#!/usr/bin/python3
"""The examples, run as examples/README.md says: a participant of theirs, and clients that submit examples/order.json."""

import os
import selectors
import subprocess
import sys

import harness

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
EXAMPLES = os.path.join(ROOT, "examples")
SAGA_PROTO = os.path.join(ROOT, "proto", "txcenter", "saga", "v1", "saga.proto")


class Example(harness.Case):
    """A center, and the examples' participant on a port of its own."""

    def setUp(self):
        self.center = self.world({"submit": {"targets": ["127.0.0.1:*"]}}).start(sim=False)
        self.participant = subprocess.Popen([sys.executable, os.path.join(EXAMPLES, "python", "participant.py"), "0"],
                                            stdout=subprocess.PIPE, bufsize=0)
        self.addCleanup(self.participant.stdout.close)
        self.addCleanup(self.participant.wait)
        self.addCleanup(self.participant.kill)
        word, port = self.line().split()
        self.assertEqual("ready", word)
        self.saga = os.path.join(self.center.folder, "order.json")
        with open(os.path.join(EXAMPLES, "order.json"), encoding="utf-8") as file:
            definition = file.read()
        self.assertIn("127.0.0.1:7800", definition)
        with open(self.saga, "w", encoding="utf-8") as file:
            file.write(definition.replace("127.0.0.1:7800", "127.0.0.1:" + port))
        self.server = "127.0.0.1:%d" % self.center.center.ports[1]

    def line(self):
        """The participant's next."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.participant.stdout, selectors.EVENT_READ)
            self.assertTrue(selector.select(harness.READY_S))
        return self.participant.stdout.readline().decode()

    def run_client(self, *command, code=0, **environment):
        done = subprocess.run(command, capture_output=True, text=True, timeout=harness.READY_S, check=False,
                              env={**os.environ, **environment})
        self.assertEqual(code, done.returncode, done.stderr)
        return done.stdout

    def protoc(self, *options):
        subprocess.run(["protoc", "-I", os.path.join(ROOT, "proto"), *options, SAGA_PROTO], check=True)

    def check_participant(self):
        self.assertEqual(["action reserve", "action charge", "action ship"],
                         [" ".join(self.line().split()[:2]) for _ in range(3)])


class Clients(Example):
    def test_the_python_client_submits_waits_and_tells(self):
        self.protoc("--python_out=" + self.center.folder)
        command = [sys.executable, os.path.join(EXAMPLES, "python", "submit.py"), self.saga, self.server, "order-1"]
        said = self.run_client(*command, PYTHONPATH=self.center.folder)
        self.assertRegex(said, r"^req-\S+ SUCCEEDED \n  reserve DONE done reserve\n  charge DONE done charge\n  ship DONE")
        self.check_participant()
        self.assertEqual(said, self.run_client(*command, PYTHONPATH=self.center.folder), "a repeat is answered alike")

    def test_txctl_submits_watches_counts_and_lists(self):
        def txctl(*words, code=0):
            return self.run_client(os.path.join(harness.BIN, "txctl"), *words, "--server", self.server, code=code)

        self.assertIn("SUCCEEDED", txctl("saga", "submit", self.saga, "--gid", "order:1", "--wait", "20"))
        self.check_participant()
        self.assertRegex(txctl("saga", "watch", "order:1"), r"SUCCEEDED  reserve DONE  charge DONE  ship DONE\n$")
        self.assertEqual("1\n", txctl("saga", "count", "--flow", "shop.order", "--status", "succeeded"))
        self.assertRegex(txctl("saga", "list"), r"order:1 +shop\.order +SUCCEEDED")
        self.assertIn("shop.order  SUCCEEDED", txctl("saga", "get", "order:1"))

    def test_txctl_says_what_is_wrong_with_a_file_and_how_a_saga_failed(self):
        txctl = os.path.join(harness.BIN, "txctl")
        with open(self.saga, encoding="utf-8") as file:
            definition = file.read()

        def submit(text, code):
            done = subprocess.run([txctl, "saga", "submit", "-", "--wait", "20", "--server", self.server], input=text,
                                  capture_output=True, text=True, timeout=harness.READY_S, check=False)
            self.assertEqual(code, done.returncode, done.stdout + done.stderr)
            return done.stdout + done.stderr

        self.assertIn("standard input:4: ", submit("{\n\n\n'", 2))
        self.assertIn("steps[0].action: there is no such field; did you mean 'action'?",
                      submit(definition.replace('"action"', '"acton"', 1), 2).replace("steps[0].acton", "steps[0].action"))
        self.assertIn("steps[1].kind: expected a name such as", submit(definition.replace("STEP_KIND_PIVOT", "PIVOT"), 2))
        self.assertIn("saga.steps[1]: a compensation of a step that is never undone",
                      submit(definition.replace('"inquiry"', '"compensation"'), 1))
        self.assertIn("TIMED_OUT", submit('{"flow": "shop.wait", "steps": [{"name": "paid", "signal": '
                                          '{"name": "paid", "timeoutMs": 10}}]}', 1))


if __name__ == "__main__":
    harness.run()
