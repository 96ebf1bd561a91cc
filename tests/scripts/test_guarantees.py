#!/usr/bin/python3
"""docs/GUARANTEES.md names tests that exist, and has each rule of the engine."""

import os
import re
import unittest

import cases
import named

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def sections(page):
    """{heading: text} of the promises."""
    parts = re.split(r"^(#{2,3}) (.+)$", page, flags=re.M)
    return {parts[i + 1]: parts[i + 2] for i in range(1, len(parts), 3) if parts[i] == "###"}


class Guarantees(unittest.TestCase):
    def test_every_test_that_is_named_exists(self):
        names = named.names_in(read("docs", "GUARANTEES.md"))
        self.assertGreater(len(names), 80)
        self.assertEqual([f for f in (named.missing(ROOT, *name) for name in names) if f], [])

    def test_every_promise_is_shown_by_a_test(self):
        bare = [head for head, text in sections(read("docs", "GUARANTEES.md")).items() if not named.names_in(text)]
        self.assertEqual(bare, [])

    def test_every_rule_of_the_engine_is_there(self):
        heads = [head.split(".")[0] for head in sections(read("docs", "GUARANTEES.md")) if re.match(r"E\d+\.", head)]
        self.assertEqual(heads, re.findall(r"^(E\d+) ", read("docs", "requirements.txt"), re.M))

    def test_a_name_that_is_wrong_is_found(self):
        for program, case in (("saga.engine_order", "test_nothing_of_the_kind"), ("saga.nobody", "test_x"),
                              ("store.contract_nobody", "the culprit of a batch fails alone"),
                              ("store.contract_memory", "the culprit of a batch fails"), ("e2e.life", "test_versio")):
            self.assertIsNotNone(named.missing(ROOT, program, case), f"{program}: {case}")
        self.assertIsNone(named.missing(ROOT, "store.contract_memory", "the culprit of a batch fails alone"))

    def test_what_cmocka_prints_is_recognised(self):
        self.assertTrue(named.is_named("memory, inline, faulty: [E" + "13] one fails", "one fails"))
        self.assertFalse(named.is_named("memory, inline: not one fails", "one fails"))


if __name__ == "__main__":
    cases.run()
