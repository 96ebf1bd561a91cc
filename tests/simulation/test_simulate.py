#!/usr/bin/python3
"""The simulation holds what its README says: seeds pass, a seed replays exactly, and what is broken on purpose is noticed.

usage: test_simulate.py PROGRAM
"""

import json
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "scripts"))
import cases  # noqa: E402

PROGRAM = None


def play(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class Simulation(unittest.TestCase):
    # [E1] [E2] [E3] [E5] [E6] [E7] [E8] [E9] [E10] [E11] [E12] [E13] [E14] [E15] [E16] each rule is checked in each world
    def test_every_rule_holds_in_every_world(self):
        code, output, _ = play("--seeds", "1..40")
        self.assertEqual(code, 0, output)

    def test_a_seed_is_played_again_exactly(self):
        first, again = (json.loads(play("--seeds", "41..48", "--json", "--jobs", jobs)[1]) for jobs in "12")
        self.assertTrue(first["held"])
        self.assertEqual({**first, "seconds": 0}, {**again, "seconds": 0})
        trace = play("--seed", "41", "--trace")
        self.assertEqual(trace, play("--seed", "41", "--trace"))
        self.assertGreater(len(trace[1].splitlines()), 100)

    # what lurkers do is an item like any other: without it the rest of the plan goes its way, and with it alone nothing happens
    def test_a_lurker_is_an_item_that_can_be_left_out(self):
        seed, trace = next((seed, trace) for seed in range(1, 60) for trace in [play("--seed", str(seed), "--trace")[1]]
                           if "a lurker strikes" in trace)
        items = [int(number) for number in re.findall(r"plan +(\d+) +at ", trace)]
        lurkers = [int(number) for number in re.findall(r"plan +(\d+) +at [\d.]+ +a lurker ", trace)]
        others = ",".join(str(item) for item in items if item not in lurkers)
        code, output, _ = play("--seed", str(seed), "--only", others, "--trace")
        self.assertEqual(code, 0, output[-2000:])
        self.assertNotIn("lurker", output)
        code, output, _ = play("--seed", str(seed), "--only", ",".join(map(str, lurkers)), "--trace")
        self.assertEqual(code, 0, output[-2000:])
        self.assertNotIn("strikes", output)

    def test_what_is_broken_on_purpose_is_noticed(self):
        for plant, rules in (("forgetful", {"once"}), ("rollback", {"E2", "E10", "E1", "E13", "E16", "E5", "E6", "books", "money"}),
                             ("unfenced", {"E7"}), ("torn", {"E13"}), ("amnesia", {"E10"}), ("reordered", {"E16"}),
                             ("mute", {"liveness"}), ("boundless", {"bound"})):
            with self.subTest(plant):
                code, output, _ = play("--seeds", "1..60", "--plant", plant, "--no-shrink", "--jobs", "1")
                broken = re.search(r"^seed \d+ broke \[(.*?)\]", output, re.MULTILINE)
                self.assertEqual(code, 1)
                self.assertIn(broken.group(1), rules)

    def test_a_failure_is_made_small_and_can_be_played_again(self):
        code, output, _ = play("--seeds", "1..9", "--plant", "forgetful", "--jobs", "1")
        self.assertEqual(code, 1)
        small = re.search(r"^made small in \d+ runs: (\d+) of (\d+) items$", output, re.MULTILINE)
        self.assertLess(int(small.group(1)), int(small.group(2)) / 4)
        again = re.search(r"^again: \./dev simulate (.*) --trace$", output, re.MULTILINE).group(1).split()
        code, output, _ = play(*again)
        self.assertEqual(code, 1)
        self.assertIn("broke [once]", output)

    def test_arguments_that_make_no_sense_are_refused(self):
        for words in (("--seeds", "9..1"), ("--seeds", "x"), ("--new", "0"), ("--plant", "nonsense"), ("--trace",),
                      ("--only", "1"), ("--jobs", "0"), ("--seed", "1", "--only", "9999"), ("--nonsense",), ("extra",)):
            with self.subTest(words):
                code, output, errors = play(*words)
                self.assertEqual((code, output), (2, ""))
                self.assertNotEqual(errors, "")


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    cases.run()
