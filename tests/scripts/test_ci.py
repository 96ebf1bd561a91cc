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

    def test_all_green(self):
        # packages, two builds, lint; two simulations, mutants; demo, two storms, crash
        self.assertEqual(self.run_it(), (0, "114 passed, 0 failed"))
        with open(os.path.join(self.root, "calls"), encoding="utf-8") as calls:
            self.assertEqual(calls.read().splitlines(), ["setup", "build release", "build clang", "lint --all",
                                                         "test --all", "simulate --new 500", "simulate --coverage",
                                                         "mutate --quick", "fuzz --seconds 10", "demo --brief",
                                                         "storm --trades 80 --kills 4 --least 20",
                                                         "storm --store mariadb --trades 80 --kills 4 --least 20",
                                                         "crash --quick"])

    def test_failed_cases_add_up(self):
        self.answer("test", "98 passed, 2 failed\n", 1)
        self.answer("fuzz", "2 passed, 1 failed\n", 1)
        self.assertEqual(self.run_it(), (1, "111 passed, 3 failed"))

    def test_a_stage_that_fails_does_not_stop_the_others(self):
        self.answer("build", "no\n", 1)
        self.assertEqual(self.run_it(), (1, "112 passed, 2 failed"))

    def test_a_stage_that_fails_against_its_own_count_failed(self):
        self.answer("test", "100 passed, 0 failed\n", 1)
        self.assertEqual(self.run_it(), (1, "114 passed, 1 failed"))

    def test_a_count_in_the_middle_is_no_result(self):
        self.answer("test", "100 passed, 0 failed\nthen it crashed\n", 139)
        self.assertEqual(self.run_it(), (1, "14 passed, 1 failed"))


if __name__ == "__main__":
    cases.run()
