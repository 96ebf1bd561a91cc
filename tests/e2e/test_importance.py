#!/usr/bin/python3
"""A system that nobody waits for answers in half a minute: paying does not notice. The bench has the figures."""

import os
import sys

import harness

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))

import importance  # noqa: E402

FEW = 8
RATIO_MAX = 5  # two short pairs, beside other tests; `.ci/run` holds ten to the goal, `./dev bench --importance` at full length


class SlowSystem(harness.Case):
    # [S3-12] [S3-14] the permits that core steps need are never taken by it: 0, counted
    def test_it_takes_no_permit_that_core_steps_need_and_paying_goes_on_as_before(self):
        figures = importance.measure(2, 2, {}, in_flight_max=FEW)
        self.assertEqual(0, figures["importance.crowded_out"])
        self.assertLessEqual(figures["importance.held_share"], 0.5)
        self.assertLess(figures["importance.ratio"], RATIO_MAX)


if __name__ == "__main__":
    harness.run()
