#!/usr/bin/python3
"""scripts/requirements finds what is tested, what is not, and what is no requirement."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import cases

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def mark(number):
    """In brackets; written so that this file carries no number itself."""
    return "[" + number + "]"


class Requirements(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.write("docs/requirements.txt", "# list\n\nE1 First.\nE13 Second.\nA25 Third.\nS3-21 Fourth.\n")
        self.write("tests/x/test_a.c", "int x;\n")

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def run_it(self, *options):
        command = [os.path.join(ROOT, "scripts", "requirements"), "--root", self.root, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_each_kind_is_counted_and_what_has_no_test_is_listed(self):
        self.write("tests/x/test_a.c", f"// {mark('E13')}{mark('A25')} this and that\n// {mark('E13')} again\n// E1, (E1)\n")
        code, output, errors = self.run_it()
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("engine rules: 1 of 2 have a test\n", output)
        self.assertIn("trade cases: 1 of 1 have a test\n", output)
        self.assertIn("product requirements: 0 of 1 have a test\n", output)
        missing = [line.split()[2] for line in output.splitlines() if line.startswith("  no test")]
        self.assertEqual(missing, ["E1", "S3-21"])

    def test_json_names_the_places(self):
        self.write("tests/x/test_a.py", f"x\n# {mark('S3-21')}\n")
        code, output, _ = self.run_it("--json")
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(output)["S3-21"], {"statement": "Fourth.", "reason": "", "tests": ["tests/x/test_a.py:2"]})
        self.assertEqual(json.loads(output)["E1"]["tests"], [])

    def test_only_tests_count(self):
        self.write("base/a.c", f"// {mark('E1')}\n")
        self.write("tests/README.md", f"{mark('E1')}\n")
        self.assertIn("engine rules: 0 of 2", self.run_it()[1])

    def test_short_names_those_without_a_test_on_few_lines(self):
        *counts, last = self.run_it("--short")[1].splitlines()
        self.assertTrue(all("have a test" in line for line in counts), counts)
        self.assertRegex(last, r"^  no test: \S+(, \S+)*$")

    def test_a_number_that_is_no_requirement_is_an_error(self):
        self.write("tests/x/test_a.c", f"// {mark('E99')}\n")
        code, _, errors = self.run_it()
        self.assertEqual(code, 1)
        self.assertIn("tests/x/test_a.c:1: " + mark("E99") + " is no requirement", errors)

    def test_a_list_with_a_number_twice_is_refused(self):
        self.write("docs/requirements.txt", "E1 First.\nE1 Again.\n")
        self.assertNotEqual(self.run_it()[0], 0)

    def test_a_reason_stands_for_a_test_and_never_beside_one(self):
        listed = "# Later: the console, the moon.\n\nE1 First.\n  later: the moon\nE2 Second.\n  untested: nobody can.\nE3 Third.\n"
        self.write("docs/requirements.txt", listed)
        code, output, errors = self.run_it()
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("engine rules: 0 of 3 have a test, 2 a reason why not\n", output)
        self.assertEqual([line.split()[2] for line in output.splitlines() if line.startswith("  no test")], ["E3"])
        self.write("tests/x/test_a.c", f"// {mark('E1')}\n")
        code, _, errors = self.run_it()
        self.assertEqual(code, 1)
        self.assertIn("a reason to have none", errors)

    def test_only_what_is_listed_may_come_later(self):
        self.write("docs/requirements.txt", "# Later: the console.\nE1 First.\n  later: the moon\n")
        code, _, errors = self.run_it()
        self.assertEqual(code, 1)
        self.assertIn("requirements.txt:3: 'the moon' is not among what comes later", errors)

    def test_a_place_must_be_in_the_tree(self):
        self.write("docs/requirements.txt", "E1 First.\n  in: base/a.c base/b.c\n")
        self.write("base/a.c", "int a;\n")
        code, _, errors = self.run_it()
        self.assertEqual((code, errors), (1, "docs/requirements.txt: E1: there is no base/b.c\n"))

    def test_the_page_has_each_with_where_it_is_done_and_what_shows_it(self):
        self.write("docs/requirements.txt", "E1 First.\n  in: base/a.c\nA2 Second.\n")
        self.write("base/a.c", "int a;\n")
        self.write("tests/x/test_a.c", f"// {mark('E1')} what it says\nstatic void test_it(void **state) {{\n")
        self.assertEqual(self.run_it("--write")[0], 0)
        with open(os.path.join(self.root, "docs", "REQUIREMENTS.md"), encoding="utf-8") as file:
            page = file.read()
        self.assertIn("| E1 | First. | [base/a.c](../base/a.c) | `tests/x/test_a.c` test_it |\n", page)
        self.assertIn("| A2 | Second. |  | **nothing yet** |\n", page)
        self.assertEqual(self.run_it("--check")[0], 0)
        self.write("tests/x/test_b.c", f"// {mark('A2')}\n")
        code, _, errors = self.run_it("--check")
        self.assertEqual(code, 1)
        self.assertIn("docs/REQUIREMENTS.md is not current", errors)

    def test_the_trees_own_list_and_marks_agree(self):
        command = [os.path.join(ROOT, "scripts", "requirements"), "--json", "--check"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for number, requirement in json.loads(done.stdout).items():
            self.assertTrue(requirement["tests"] or requirement["reason"], f"{number} has neither a test nor a reason why not")
        listed = list(json.loads(done.stdout))
        expected = [f"E{n}" for n in range(1, 17)] + [f"A{n}" for n in range(1, 81)] + [f"S3-{n}" for n in range(1, 70)]
        self.assertEqual(listed, expected)


if __name__ == "__main__":
    cases.run()
