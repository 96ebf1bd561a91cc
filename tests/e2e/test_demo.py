#!/usr/bin/python3
"""./dev demo, interrupted."""

import os
import re
import signal
import subprocess

import harness

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def processes_of(folder):
    """The command lines that name the folder, but ours."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue  # ended meanwhile
        if int(pid) != os.getpid() and any(folder in word for word in words):
            found.append(words)
    return found


class Interrupted(harness.Case):
    def test_ctrl_c_stops_what_it_started_and_says_so(self):
        for number, when in ((signal.SIGINT, "run in"), (signal.SIGINT, "txctl trade pay"), (signal.SIGTERM, "1. ")):
            with self.subTest(when):
                demo = subprocess.Popen([os.path.join(ROOT, "tests", "demo", "demo.sh"), "--brief"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
                said = ""
                while when not in said:
                    line = demo.stdout.readline()
                    self.assertTrue(line, said)
                    said += line
                folder = re.search(r"run in (\S+)", said).group(1)
                self.assertTrue(processes_of(folder), "there is something to stop")
                os.killpg(demo.pid, number)  # as a terminal does
                _, errors = demo.communicate(timeout=harness.READY_S)
                self.assertEqual(128 + number, demo.returncode, errors)
                self.assertEqual("interrupted; stopping what was started\n", errors.lstrip("\n"))
                self.assertEqual([], processes_of(folder))
                self.assertFalse(os.path.exists(folder))


if __name__ == "__main__":
    harness.run()
