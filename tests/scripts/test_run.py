#!/usr/bin/python3
"""./dev run starts the real programs, and stops them.

usage: test_run.py FOLDER, the one with the programs
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import cases

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROGRAMS = sys.argv[1]


class Run(unittest.TestCase):
    def setUp(self):
        self.data = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.data)

    def start(self, programs=PROGRAMS):
        process = subprocess.Popen([os.path.join(ROOT, "scripts", "run"), "--data", self.data, "--port", "0"],
                                   env={**os.environ, "TXC_BIN": programs}, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def serve_and_stop(self):
        """Starts both, asks the center for its health, stops both; what they logged."""
        process = self.start()
        said = re.search(r"txcenterd on 127\.0\.0\.1:(\d+), txsim on 127\.0\.0\.1:\d+", process.stdout.readline())
        self.assertIsNotNone(said)
        healthy = subprocess.run([os.path.join(PROGRAMS, "txctl"), "--server", "127.0.0.1:" + said.group(1), "health"],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(healthy.returncode, 0, healthy.stderr)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, log)
        return log

    def test_the_center_serves_until_it_is_told_to_stop_and_goes_on_in_the_same_folder(self):
        self.assertIn('"stopped"', self.serve_and_stop())
        first = os.stat(os.path.join(self.data, "txcenter.db")).st_ino
        self.assertIn("there is a world already", self.serve_and_stop())
        self.assertEqual(os.stat(os.path.join(self.data, "txcenter.db")).st_ino, first)
        self.assertEqual(os.stat(os.path.join(self.data, "callback.secret")).st_mode & 0o077, 0)

    def programs_with(self, name, command):
        """A folder with the real programs, but for one."""
        folder = os.path.join(self.data, "programs")
        os.mkdir(folder)
        for program in ("txsim", "txcenterd"):
            os.symlink(command if program == name else os.path.join(PROGRAMS, program), os.path.join(folder, program))
        return folder

    def test_a_program_that_does_not_start_is_an_error_and_the_other_is_stopped(self):
        for name in ("txsim", "txcenterd"):
            process = self.start(self.programs_with(name, "/bin/false"))
            _, log = process.communicate(timeout=60)
            with self.subTest(name):
                self.assertEqual(process.returncode, 1)
                self.assertIn(name + " did not start", log)
            shutil.rmtree(os.path.join(self.data, "programs"))


if __name__ == "__main__":
    cases.run()
