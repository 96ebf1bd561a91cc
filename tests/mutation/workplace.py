"""A copy of the tree in which one mutant at a time is built and tested."""

import filecmp
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import named

SECONDS_MAX, LOOK_SECONDS, OUTPUT_MAX = 600, 0.5, 16 << 20
SUM = re.compile(r"\d+ test\(s\).*")
# What the tests of the whole programs run, which are scripts.
WHOLE, WHOLE_TARGETS = "e2e.", ("txcenterd", "txctl", "txsim", "txcheck", "clockjump", "e2e_database")
LINE = re.compile(r"^(?:\d+: )?\[ *(RUN|OK|FAILED) *\] (.+?)\s*$", re.M)


class Broken(Exception):
    """What should have worked did not; the text says what."""


class Run:
    """What came of one program: the cases that failed, and the one in which it died."""

    def __init__(self, code, output):
        self.output = output
        self.failed, running = [], None
        for what, case in LINE.findall(output):
            if SUM.fullmatch(case):
                continue
            running = case if what == "RUN" else None
            if what == "FAILED" and case not in self.failed:
                self.failed.append(case)
        self.ended = list(self.failed)
        if running:
            self.failed.append(running)
        self.passed = code == 0 and not self.failed

    def has_failed(self, case, ended=False):
        """Whether the case failed; not `ended`: or is the one in which the program died."""
        return any(named.is_named(printed, case) for printed in (self.ended if ended else self.failed))


class Workplace:
    """One copy, in a folder that is kept, so that the next time little is built."""

    def __init__(self, root, folder, compile_jobs):
        self.root, self.jobs = root, compile_jobs
        self.tree, self.build = os.path.join(folder, "tree"), os.path.join(folder, "build")
        self.environment = dict(os.environ, CCACHE_BASEDIR=folder, CCACHE_NOHASHDIR="1", NINJA_STATUS="")
        os.makedirs(self.tree, exist_ok=True)
        self.targets, self.tests = {}, {}

    def prepare(self):
        self.copy()
        self.configure()

    def configure(self):
        self.run_tool("cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=",
                      "-DCMAKE_C_FLAGS=-O1 -w")
        self.targets = named.programs_in(self.build)

    def read_tests(self):
        """How CTest would run them, which it says of programs that are there."""
        for test in json.loads(self.run_tool("ctest", "--test-dir", self.build, "--show-only=json-v1"))["tests"]:
            properties = {p["name"]: p["value"] for p in test.get("properties", [])}
            self.tests[test["name"]] = (test.get("command"), properties)

    def copy(self):
        """Brings the copy up to date; what is the same keeps its time, so that it is not built again."""
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=self.root,
                                check=True, capture_output=True, text=True).stdout.split("\0")
        wanted = {path for path in listed if path and os.path.isfile(os.path.join(self.root, path))}
        for folder, _, names in os.walk(self.tree):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.tree) not in wanted:
                    os.remove(path)
        for path in wanted:
            here, there = os.path.join(self.root, path), os.path.join(self.tree, path)
            if not os.path.exists(there) or not filecmp.cmp(here, there, shallow=False):
                os.makedirs(os.path.dirname(there), exist_ok=True)
                shutil.copyfile(here, there)
                shutil.copymode(here, there)

    def run_tool(self, *command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Broken(" ".join(command[:3]) + ":\n" + "\n".join((done.stdout + done.stderr).splitlines()[-25:]))
        return done.stdout

    def make(self, programs):
        """Builds what the tests run."""
        targets = set()
        for program in sorted(programs):
            if program in self.targets:
                targets.add(self.targets[program])
            elif program.startswith(WHOLE) and named.sources_of(self.tree, program):
                targets.update(WHOLE_TARGETS)
            else:
                raise Broken(f"CTest has no {program}")
        self.run_tool("cmake", "--build", self.build, "-j", str(self.jobs), "--target", *sorted(targets))

    def run(self, program, until=(), seconds=SECONDS_MAX):
        """Runs it to its end, for so long, or until every case of `until` has failed: what is behind may never end."""
        command, properties = self.tests[program]
        environment = dict(self.environment)
        environment.update(entry.split("=", 1) for entry in properties.get("ENVIRONMENT", []))
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, cwd=properties.get("WORKING_DIRECTORY", self.tree), env=environment,
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                       start_new_session=True)
            run = self.watch(process, output, until, time.monotonic() + seconds)
            try:  # also what it had started
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            return run

    @staticmethod
    def watch(process, output, until, deadline):
        while True:
            try:
                code = process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                code = None
            text = os.pread(output.fileno(), OUTPUT_MAX, 0).decode("utf-8", "replace")
            over = time.monotonic() > deadline
            run = Run(-signal.SIGKILL if code is None else code, text)
            if code is not None or over or (until and all(run.has_failed(case, ended=True) for case in until)):
                return run

    def write(self, path, text):
        with open(os.path.join(self.tree, path), "w", encoding="utf-8") as file:
            file.write(text)
