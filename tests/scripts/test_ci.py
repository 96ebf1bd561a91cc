#!/usr/bin/python3
""".ci/run adds up what its stages say, with a stand-in for ./dev."""

import os
import shutil
import subprocess
import tempfile
import unittest

import cases

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DEV = """#!/bin/bash
echo "$*" >>calls
cat "answers/$1" 2>/dev/null
exit "$(cat "codes/$1" 2>/dev/null || echo 0)"
"""


class Ci(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for path in (".ci/run", "scripts/say.sh"):
            os.makedirs(os.path.dirname(os.path.join(self.root, path)), exist_ok=True)
            shutil.copy(os.path.join(ROOT, path), os.path.join(self.root, path))
        self.write("dev", DEV, 0o755)
        self.answer("test", "much noise\n100 passed, 0 failed\n")
        self.answer("fuzz", "3 passed, 0 failed\n")

    def write(self, path, text, mode=0o644):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(full, mode)

    def answer(self, command, text, code=0):
        self.write("answers/" + command, text)
        self.write("codes/" + command, f"{code}\n")

    def run_it(self):
        """Exit code and last line."""
        done = subprocess.run([os.path.join(self.root, ".ci/run")], capture_output=True, text=True, check=False, cwd="/")
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout.splitlines()[-1]

    def calls(self):
        with open(os.path.join(self.root, "calls"), encoding="utf-8") as calls:
            return calls.read().splitlines()

    def test_all_green(self):
        code, last = self.run_it()
        others = len(self.calls()) - 2  # all but the tests and the fuzz targets count as one
        self.assertEqual((code, last), (0, f"{103 + others} passed, 0 failed"))
        words = [call.split()[0] for call in self.calls()]
        for command in ("setup", "build", "lint", "test", "simulate", "mutate", "fuzz", "demo", "storm", "day", "crash", "failover"):
            self.assertIn(command, words)
        self.assertIn("simulate --new 500", self.calls())
        self.assertIn("crash --kills 50", self.calls())

    def test_failed_cases_add_up(self):
        self.answer("test", "98 passed, 2 failed\n", 1)
        self.answer("fuzz", "2 passed, 1 failed\n", 1)
        done = self.run_it()
        self.assertEqual(done, (1, f"{100 + len(self.calls()) - 2} passed, 3 failed"))

    def test_a_stage_that_fails_does_not_stop_the_others(self):
        self.answer("build", "no\n", 1)
        done = self.run_it()
        self.assertEqual(done, (1, f"{103 + len(self.calls()) - 4} passed, 2 failed"))

    def test_a_stage_that_fails_against_its_own_count_failed(self):
        self.answer("test", "100 passed, 0 failed\n", 1)
        done = self.run_it()
        self.assertEqual(done, (1, f"{103 + len(self.calls()) - 2} passed, 1 failed"))

    def test_a_count_in_the_middle_is_no_result(self):
        self.answer("test", "100 passed, 0 failed\nthen it crashed\n", 139)
        done = self.run_it()
        self.assertEqual(done, (1, f"{3 + len(self.calls()) - 2} passed, 1 failed"))


if __name__ == "__main__":
    cases.run()
