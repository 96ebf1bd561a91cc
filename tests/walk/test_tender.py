#!/usr/bin/python3
"""What docs/HACKING.md says of adding a tender is done to a copy of the tree, built, and its test run."""

import os
import re
import sys
import unittest

sys.path[1:1] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("scripts", "mutation")]
sys.dont_write_bytecode = True

import cases  # noqa: E402
import workplace  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PROGRAM, CASE = "flow.virtual.pay", "test_the_digital_yuan_pays_and_comes_back"
PLACES_MAX = 3  # besides the test


def walk_of_the_page():
    """{file: [(old lines, new lines), …]} of the page's diff; a hunk is found by what it says stands there."""
    with open(os.path.join(ROOT, "docs", "HACKING.md"), encoding="utf-8") as file:
        diff = re.search(r"```diff\n(.*?)```", file.read(), re.S).group(1)
    walk = {}
    for part in re.split(r"^--- a/.*\n", diff, flags=re.M)[1:]:
        name, *hunks = re.split(r"^@@\n", part, flags=re.M)
        walk[name.strip().removeprefix("+++ b/")] = [
            tuple("".join(line[1:] for line in hunk.splitlines(True) if line[0] in kept) for kept in (" -", " +")) for hunk in hunks]
    return walk


class Walk(unittest.TestCase):
    def test_a_tender_takes_three_places_and_then_pays_and_is_refunded(self):
        walk = walk_of_the_page()
        self.assertLessEqual(len([name for name in walk if not name.startswith("tests/")]), PLACES_MAX)
        place = workplace.Workplace(ROOT, os.path.join(ROOT, "build", "walk"), 2)
        place.copy()
        for name, hunks in walk.items():
            with open(os.path.join(place.tree, name), encoding="utf-8") as file:
                text = file.read()
            for old, new in hunks:
                self.assertEqual(text.count(old), 1, f"{name} does not have once what the page says:\n{old}")
                text = text.replace(old, new)
            place.write(name, text)
        place.configure()
        place.make([PROGRAM])
        place.read_tests()
        run = place.run(PROGRAM)
        self.assertTrue(run.passed, run.output[-3000:])
        self.assertIn(CASE, [case for what, case in workplace.LINE.findall(run.output) if what == "OK"])


if __name__ == "__main__":
    cases.run()
