#!/usr/bin/python3
"""scripts/results counts every case once, and nothing that failed as passed."""

import os
import subprocess
import tempfile
import unittest
from xml.sax.saxutils import escape

import cases

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def program(name, output, status="run"):
    return f'<testcase name="{name}" status="{status}"><system-out>{escape(output)}</system-out></testcase>'


class Results(unittest.TestCase):
    def results(self, *programs, label=""):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(f"<testsuite>{''.join(programs)}</testsuite>")
            file.flush()
            command = [os.path.join(ROOT, "scripts", "results"), label + file.name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.stderr, "")
            return done.returncode, done.stdout.splitlines()

    def test_functions_are_counted_not_programs(self):
        output = "[ RUN      ] test_a\n[       OK ] test_a\nnoise [ RUN      ] test_b\n[       OK ] test_b\n"
        self.assertEqual(self.results(program("x.y", output)), (0, ["2 passed, 0 failed"]))

    def test_a_name_may_be_a_sentence(self):
        output = "[ RUN      ] order: kept\n[       OK ] order: kept\n[ RUN      ] order: lost\n[  FAILED  ] order: lost\n"
        code, lines = self.results(program("x.y", output, "fail"))
        self.assertEqual((code, lines), (1, ["failed: x.y: order: lost", "1 passed, 1 failed"]))

    def test_a_program_without_lines_of_its_own_is_one_case(self):
        self.assertEqual(self.results(program("x.y", "fine"), program("x.z", "")), (0, ["2 passed, 0 failed"]))

    def test_a_failure_is_counted_once_though_it_is_listed_again(self):
        output = ("[ RUN      ] test_a\n[  ERROR   ] --- 1 != 2\n[  FAILED  ] test_a\n[ RUN      ] test_b\n"
                  "[       OK ] test_b\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] test_a\n")
        code, lines = self.results(program("x.y", output, "fail"), label="TSan=")
        self.assertEqual((code, lines), (1, ["failed: x.y: test_a [TSan]", "1 passed, 1 failed"]))

    def test_a_case_that_did_not_end_failed(self):
        output = "[ RUN      ] test_a\n[       OK ] test_a\n[ RUN      ] test_b\nSegmentation"
        code, lines = self.results(program("x.y", output, "fail"))
        self.assertEqual((code, lines), (1, ["failed: x.y: test_b did not end", "1 passed, 1 failed"]))
        output = "[ RUN      ] test_a\nCould not run test: Test setup failed\n[ RUN      ] test_b\n[       OK ] test_b\n"
        code, lines = self.results(program("x.y", output, "fail"))
        self.assertEqual((code, lines), (1, ["failed: x.y: test_a did not end", "1 passed, 1 failed"]))

    def test_a_skipped_case_failed(self):
        code, lines = self.results(program("x.y", "[ RUN      ] test_a\n[  SKIPPED ] test_a\n"))
        self.assertEqual((code, lines), (1, ["failed: x.y: test_a was skipped", "0 passed, 1 failed"]))

    def test_a_program_that_fails_after_its_cases_failed(self):
        output = "[ RUN      ] test_a\n[       OK ] test_a\nLeakSanitizer: detected memory leaks"
        code, lines = self.results(program("x.y", output, "fail"))
        self.assertEqual((code, lines), (1, ["failed: x.y (failed)", "1 passed, 1 failed"]))

    def test_a_program_that_did_not_run_failed(self):
        code, lines = self.results(program("x.y", "Unable to find executable", "notrun"))
        self.assertEqual((code, lines), (1, ["failed: x.y (did not run)", "0 passed, 1 failed"]))

    def test_no_case_at_all_is_no_success(self):
        self.assertEqual(self.results(), (1, ["0 passed, 0 failed"]))


if __name__ == "__main__":
    cases.run()
