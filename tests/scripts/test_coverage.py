#!/usr/bin/python3
"""What tests/coverage/unreached.txt excuses is in the tree."""

import os
import sys
import unittest

import cases

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.append(os.path.join(ROOT, "tests", "coverage"))

import coverage  # noqa: E402


class OfTheTree(unittest.TestCase):
    def setUp(self):
        os.chdir(ROOT)
        self.lines = list(coverage.room_lines())

    def test_every_row_fits_a_line(self):
        with open(coverage.LIST, encoding="utf-8") as file:
            self.assertEqual(coverage.Reasons(file.read()).stale(self.lines), [])

    def test_a_row_that_fits_none_is_told(self):
        rows = ("saga/patrol.c:no_such_function | * | why\n"
                "saga/patrol.c:* | no_such_line(); | by chance: why\n"
                "no/such/file.c:* | * | why\n"
                "*:* | abort(); | why\n")
        told = coverage.Reasons(rows).stale(self.lines)
        self.assertEqual([line.split(":")[1] for line in told], ["1", "2", "3"])


if __name__ == "__main__":
    cases.run()
