#!/usr/bin/python3
"""The mutants of tests/mutation fit the tree, and break every rule of the engine in at least two ways."""

import os
import re
import shutil
import sys
import tempfile
import unittest

import cases

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.append(os.path.join(ROOT, "tests", "mutation"))

import mutants  # noqa: E402
import workplace  # noqa: E402

ROW = {"name": "one", "rules": [], "what": "x", "file": "saga/a.c", "find": "one();\n", "put": "two();\n",
       "killed_by": ["saga.a: test_it"]}


class OfTheTree(unittest.TestCase):
    def test_every_mutant_can_be_applied_and_names_a_test(self):
        self.assertEqual(mutants.check(mutants.load(), ROOT), [])

    def test_every_rule_of_the_engine_is_broken_in_two_ways(self):
        with open(os.path.join(ROOT, "docs", "requirements.txt"), encoding="utf-8") as file:
            rules = re.findall(r"^(E\d+) ", file.read(), re.M)
        ways = {rule: sum(rule in mutant.rules for mutant in mutants.load()) for rule in rules}
        self.assertEqual({rule: n for rule, n in ways.items() if n < 2}, {})
        self.assertGreaterEqual(len(mutants.load()), 40)

    def test_some_are_quick(self):
        self.assertIn(sum(mutant.quick for mutant in mutants.load()), range(10, 25))


class OfTheList(unittest.TestCase):
    """That each fault of a list is found."""

    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.write("saga/a.c", "one();\nthree();\nthree();\n")
        self.write("tests/saga/test_a.c", "static void test_it(void **state) {}\n")
        self.write("docs/requirements.txt", "E" + "1 First.\n")

    def write(self, path, text):
        os.makedirs(os.path.dirname(os.path.join(self.root, path)), exist_ok=True)
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)

    def faults(self, *changes):
        return mutants.check([mutants.Mutant({**ROW, **change}, "x.toml") for change in changes], self.root)

    def test_one_that_fits_has_none(self):
        self.assertEqual(self.faults({}), [])
        self.assertEqual(mutants.Mutant(ROW, "x.toml").mutated(self.root), "two();\nthree();\nthree();\n")

    def test_text_that_is_not_there_just_once_is_named(self):
        self.assertIn("0 times in saga/a.c", self.faults({"find": "four();\n"})[0])
        self.assertIn("2 times in saga/a.c", self.faults({"find": "three();\n"})[0])
        self.assertIn("0 times", self.faults({"find": ""})[0])

    def test_every_other_fault_is_named(self):
        for change, words in (({"file": "saga/b.c"}, "no file saga/b.c"), ({"put": "one();\n"}, "changes nothing"),
                              ({"killed_by": ["saga.a: test_that"]}, "no case test_that"),
                              ({"killed_by": ["saga.b: test_it"]}, "no program saga.b"), ({"killed_by": []}, "killed_by"),
                              ({"rules": ["E99"]}, "no requirement"), ({"speed": 1}, "speed means nothing"),
                              ({"find": None}, "find is missing")):
            self.assertIn(words, " ".join(self.faults(change)))
        self.assertIn("two mutants one", self.faults({}, {})[0])


class OfOutput(unittest.TestCase):
    def test_the_case_that_fails_is_the_one_that_noticed(self):
        run = workplace.Run(1, "[ RUN      ] test_a\n[  FAILED  ] test_a\n[ RUN      ] test_b\n[       OK ] test_b\n"
                               "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] test_a\n")
        self.assertEqual(run.failed, ["test_a"])
        self.assertTrue(run.has_failed("test_a") and not run.has_failed("test_b") and not run.passed)

    def test_the_case_in_which_a_program_dies_is_it_too(self):
        run = workplace.Run(-6, "[ RUN      ] test_a\n[       OK ] test_a\n[ RUN      ] memory, inline: it holds\n")
        self.assertTrue(run.has_failed("it holds") and not run.has_failed("test_a"))

    def test_a_program_that_ends_badly_has_not_passed(self):
        self.assertFalse(workplace.Run(1, "[ RUN      ] test_a\n[       OK ] test_a\n").passed)
        self.assertTrue(workplace.Run(0, "[ RUN      ] test_a\n[       OK ] test_a\n").passed)


if __name__ == "__main__":
    cases.run()
