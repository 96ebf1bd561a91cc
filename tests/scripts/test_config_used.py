#!/usr/bin/python3
"""Every key of the configuration is read by somebody: one that does nothing would be believed."""

import glob
import os
import re
import unittest

import cases

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ROW = re.compile(r"\(config_\w+, (\w+)|offsetof\(struct config\w*, (\w+)\)")


def read(pattern, without=()):
    texts = []
    for path in glob.glob(os.path.join(ROOT, pattern)):
        if os.path.basename(path) not in without:
            with open(path, encoding="utf-8") as file:
                texts.append(file.read())
    return "\n".join(texts)


class ConfigUsed(unittest.TestCase):
    def test_every_key_is_read_outside_of_the_configuration_itself(self):
        rows = read("orchestrator/config_rows.c")
        fields = sorted({a or b for a, b in ROW.findall(rows)})
        self.assertGreater(len(fields), 40)
        # Rules turn secret_file into secret, and check what else is only for them.
        used = read("orchestrator/*.c", without=("config.c", "config_rows.c", "config_print.c"))
        unread = [field for field in fields if not re.search(r"(->|\.)" + field + r"\b(?!\s*=[^=])", used)]
        self.assertEqual(unread, [])


if __name__ == "__main__":
    cases.run()
