#!/usr/bin/python3
"""./dev failover, shortly: whatever happens to one of three instances, nothing is lost."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import failover  # noqa: E402
import harness  # noqa: E402


class Failover(unittest.TestCase):
    # [E5] [E7] [S3-12] Figures are for ./dev failover: here other tests run beside it.
    def test_nothing_is_lost_whatever_dies_is_stopped_restarted_or_given_another_time(self):
        self.assertTrue(failover.run(["--kills", "7", "--seconds", "1", "--callers", "3", "--longest", "60", "--handover", "60"]))


if __name__ == "__main__":
    harness.run()
