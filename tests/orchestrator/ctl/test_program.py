#!/usr/bin/python3
"""txctl as a process: colours only on a terminal, the environment, and what bash completes.

usage: test_program.py TXCTL
"""

import json
import os
import pty
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "scripts"))
import cases

TXCTL = os.path.abspath(sys.argv[1])
NOWHERE = "127.0.0.1:1"  # nobody listens on port 1


def run(*words, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TXCENTER_SERVER")}
    return subprocess.run([TXCTL, *words], capture_output=True, text=True, env=env | environment, timeout=60)


def on_terminal(*words, **environment):
    """What is written to a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.pop("NO_COLOR", None)
        os.environ.update(environment)
        os.execv(TXCTL, [TXCTL, *words])
    written = b""
    while True:
        try:
            chunk = os.read(fd, 4096)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        written += chunk
    os.waitpid(pid, 0)
    os.close(fd)
    return written.decode()


def complete(*words):
    """The completions of the last word, by the script itself."""
    script = (
        f'txctl() {{ "{TXCTL}" "$@"; }}\nsource <(txctl completion bash)\n'
        "COMP_WORDS=(\"$@\")\nCOMP_CWORD=$(($# - 1))\n_txctl\nprintf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(["bash", "-euc", script, "bash", "txctl", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


class Terminal(unittest.TestCase):
    def test_colours_come_only_on_a_terminal(self):
        self.assertIn("\033[1m", on_terminal("help"))
        self.assertNotIn("\033", run("help").stdout)

    def test_no_color_and_its_option_switch_colours_off(self):
        self.assertNotIn("\033", on_terminal("help", NO_COLOR="1"))
        self.assertNotIn("\033", on_terminal("help", "--no-color"))
        self.assertIn("\033", on_terminal("help", NO_COLOR=""))


class Output(unittest.TestCase):
    def test_output_that_can_not_be_written_is_no_success(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([TXCTL, "help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (5, "txctl: the output could not be written whole\n"))


class Environment(unittest.TestCase):
    def test_the_server_comes_from_the_environment_and_the_option_goes_before_it(self):
        done = run("trade", "get", "T", "--timeout", "2", TXCENTER_SERVER=NOWHERE)
        self.assertEqual(done.returncode, 3)
        self.assertIn(f"txctl: no answer from {NOWHERE}: ", done.stderr)
        done = run("trade", "get", "T", "--timeout", "2", "--server", "localhost:1", TXCENTER_SERVER=NOWHERE)
        self.assertIn("txctl: no answer from localhost:1: ", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_a_channel_that_can_not_be_made_is_said(self):
        done = run("health", "--tls-ca", "/nonexistent/ca.pem")
        self.assertEqual(done.returncode, 3)
        self.assertIn("/nonexistent/ca.pem", done.stderr)


class Asked(unittest.TestCase):
    def test_the_version_is_said_as_every_program_says_it(self):
        self.assertEqual(run("--version").stdout, run("version").stdout)
        self.assertTrue(run("version").stdout)

    def test_a_server_that_can_not_be_is_refused(self):
        for server in ("host:99999", "host:0", "host:", "host:x", "[::1]:65536"):
            done = run("health", "--server", server)
            self.assertEqual(done.returncode, 2, server)
            self.assertIn("--server: expected HOST:PORT", done.stderr)
        done = run("health", TXCENTER_SERVER="host:99999")
        self.assertEqual((done.returncode, done.stderr.split(":")[1]), (2, " TXCENTER_SERVER"))

    def test_errors_are_objects_where_json_is_wanted(self):
        for words in (("trade", "gte", "-o", "json"), ("help", "nothing", "--output", "json"),
                      ("trade", "refund", "T", "--amount", "x", "--output=json")):
            done = run(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            said = json.loads(done.stderr)
            self.assertEqual((said["status"], said["reason"], said["violations"]), ("INVALID_ARGUMENT", "COMMAND_LINE", []))
        done = run("trade", "order", "T", "--version", "1", "--timeout", "2", "--server", NOWHERE, "--request-id", "my-id",
                   "-o", "json")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        said = json.loads(done.stderr)
        self.assertEqual((said["status"], said["reason"], said["request_id"]), ("UNAVAILABLE", "", "my-id"))


class Completion(unittest.TestCase):
    def test_the_script_is_sound(self):
        done = subprocess.run(["bash", "-n"], input=run("completion", "bash").stdout, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_words_options_and_choices_are_completed(self):
        self.assertEqual(complete(""), {"trade", "saga", "anomaly", "matter", "stray", "batch", "participant", "audit", "cache", "flow", "health", "stats", "completion", "version", "help"})
        self.assertEqual(complete("sa"), {"saga"})
        self.assertEqual(complete("trade", "quo"), {"quote", "quote-order-pay"})
        self.assertEqual(complete("trade", "order", "--accept-d"), {"--accept-degraded"})
        self.assertEqual(complete("trade", "pay", "T1", "--on-failure", ""), {"keep", "fail-trade"})
        self.assertEqual(complete("saga", "list", "--status", "comp"), {"compensating"})
        self.assertEqual(complete("flow", "list", "-o", ""), {"human", "json"})
        self.assertEqual(complete("saga", "re"), {"retry", "resolve", "resume"})
        self.assertEqual(complete("saga", "resolve", "G", "--outcome", ""), {"ok", "rejected"})
        self.assertEqual(complete("batch", "re"), {"retry", "resume"})
        self.assertEqual(complete("batch", "retry", "--dry"), {"--dry-run"})
        self.assertEqual(complete("participant", ""), {"list", "pause", "resume"})
        self.assertEqual(complete("completion", "ba"), {"bash"})
        self.assertEqual(complete("help", "s"), {"saga", "stats", "stray"})
        self.assertEqual(complete("matter", "settle", "T1", "--as", "wr"), {"written-off"})
        self.assertEqual(complete("stray", "settle", "N1", "--as", ""), {"matched", "given-back", "ignored"})
        self.assertEqual(complete("help", "flow", ""), {"list", "graph"})

    def test_the_values_of_options_are_not_taken_for_words(self):
        self.assertEqual(complete("--server", "trade", "sa"), {"saga"})
        self.assertEqual(complete("--no-color", "trade", "wat"), {"watch"})
        self.assertEqual(complete("--server=x", "-o", "json", "trade", "wat"), {"watch"})


if __name__ == "__main__":
    cases.run()
