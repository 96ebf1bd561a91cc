#!/usr/bin/python3
"""Which lines and branches of the engine (saga/) and the store (store/) their tests reach.

usage: ./dev coverage [--again] [--missing]

Builds the tests of both rooms, the simulation, and the trade flows that go through what is kept and shown, with gcc's
counters (build/coverage), runs them, and prints a table. Every line that none of them reaches must stand in
tests/coverage/unreached.txt with the reason; the exit code is 1 when one does not, or when what stands there is
reached, but for what some runs reach by chance. --missing prints each line that is not reached, and each branch that is
not taken, with its reason.
--again only reads the last run's counts.
"""

import argparse
import fnmatch
import importlib.machinery
import importlib.util
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "tests", "scripts"))

import named  # noqa: E402, beside cases.py

BUILD = os.path.join("build", "coverage")
ROOMS = ("saga", "store")
TESTS = re.compile(r"(saga|store|simulation)\..*|fuzz\.journal|flow\.virtual\.(kept|submit|read|callback|operator)")
LIST = os.path.join("tests", "coverage", "unreached.txt")
WAYS = "ways:"  # before the file: a row about branches
CHANCE = "by chance:"  # a reason of what some runs reach, and others don't


def load_style():
    """scripts/style, which knows where functions begin and end."""
    loader = importlib.machinery.SourceFileLoader("style", os.path.join(ROOT, "scripts", "style"))
    style = importlib.util.module_from_spec(importlib.util.spec_from_loader("style", loader))
    loader.exec_module(style)
    return style


def run_tests():
    """Builds and runs everything, from counts of zero. Gives the names of tests that fail."""
    subprocess.run(["scripts/build", "coverage", "build.ninja"], check=True)
    targets = {target for name, target in named.programs_in(BUILD).items() if TESTS.fullmatch(name)}
    subprocess.run(["scripts/build", "coverage", "simulate", *sorted(targets)], check=True)
    for folder, _, names in os.walk(BUILD):
        for name in names:
            if name.endswith(".gcda"):
                os.remove(os.path.join(folder, name))
    done = subprocess.run(["ctest", "--test-dir", BUILD, "-R", f"^({TESTS.pattern})$", "-LE", "^(slow|tidb)$",
                           "-j", str(os.cpu_count() or 1), "--output-on-failure", "--no-label-summary"],
                          capture_output=True, text=True, check=False)
    failed = re.findall(r"^\s+\d+ - (\S+) \((?:Failed|Timeout|SEGFAULT|Subprocess \w+)\)", done.stdout, re.M)
    if done.returncode != 0 and not failed:
        sys.exit(f"coverage: ctest failed\n{done.stdout[-4000:]}")
    return failed


def read_counts():
    """Files as gcovr has them: [{"file": …, "lines": [{"line_number", "count", "branches"}]}]"""
    command = ["gcovr", "--root", ".", "--json", "-", "--gcov-ignore-parse-errors"]
    for room in ROOMS:
        command += ["--filter", f"{room}/"]
    done = subprocess.run([*command, BUILD], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"coverage: gcovr failed\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)["files"]


def fits(code, pattern):
    """Whether the line is like the row's, in which only * is special."""
    return fnmatch.fnmatchcase(code, "*".join(part.replace("[", "[[]").replace("?", "[?]") for part in pattern.split("*")))


def functions_in(path, style):
    """The file's lines, and (name, first line, last line) of its functions."""
    with open(path, encoding="utf-8") as source:
        text = source.read()
    return text.split("\n"), style.functions_of(style.code_of(text))[0]


def room_lines():
    """(file, function, code) of every line within a function of both rooms."""
    style = load_style()
    for room in ROOMS:
        for name in sorted(os.listdir(room)):
            if not name.endswith((".c", ".h")):
                continue
            path = f"{room}/{name}"
            lines, functions = functions_in(path, style)
            for function, first, last in functions:
                for code in lines[first - 1:last]:
                    yield path, function, code.strip()


class Reasons:
    """tests/coverage/unreached.txt: `file:function | line | why`, the line as it stands there, with * for anything."""

    def __init__(self, text):
        self.rows, self.used = [], set()
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = [part.strip() for part in line.split(" | ", 2)]
            if len(parts) != 3 or not all(parts) or ":" not in parts[0]:
                sys.exit(f"{LIST}:{number}: not a row: {line}")
            self.rows.append((number, *parts))

    def why(self, place, code):
        """The first row that fits counts, and is used; None without one."""
        for number, places, pattern, reason in self.rows:
            if fnmatch.fnmatchcase(place, places) and fits(code, pattern):
                self.used.add(number)
                return reason
        return None

    def stale(self, files):
        """Rows that fit no line of the tree, whether or not a test reaches it. `files`: what room_lines() gives."""
        lines = [(f"{file}:{function}", code) for file, function, code in files]
        found = []
        for number, places, pattern, _ in self.rows:
            rows = [code for place, code in lines if fnmatch.fnmatchcase(WAYS + place if places.startswith(WAYS) else place, places)]
            if not any(fits(code, pattern) for code in rows):
                found.append(f"{LIST}:{number}: no line is like this: {places} | {pattern}")
        return found

    def unused(self):
        return [f"{LIST}:{number}: everything like this is reached: {pattern}"
                for number, places, pattern, reason in self.rows
                if number not in self.used and not reason.startswith(CHANCE) and not places.startswith(WAYS)]


def percent(part, whole):
    return f"{100 * part / whole:6.2f} %" if whole else "     – "


def row(name, lines, branches):
    print(f"  {name:<28} {lines[0]:>6} of {lines[1]:>6} lines {percent(*lines)}"
          f" {branches[0]:>6} of {branches[1]:>6} branches {percent(*branches)}")


def show(files):
    """The table, a room's sum behind its files."""
    for room in ROOMS:
        sums = [0, 0, 0, 0]
        for file in files:
            if not file["file"].startswith(room + "/"):
                continue
            lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
            branches = [branch for line in lines for branch in line.get("branches", [])]
            counts = [sum(line["count"] > 0 for line in lines), len(lines),
                      sum(branch["count"] > 0 for branch in branches), len(branches)]
            sums = [a + b for a, b in zip(sums, counts)]
            row(file["file"], counts[:2], counts[2:])
        row(f"{room}/ together", sums[:2], sums[2:])


def unreached(file, style):
    """(line, function, code) of what no test reaches in a file; lines that are nothing but brackets don't count."""
    lines, functions = functions_in(file["file"], style)
    for line in file["lines"]:
        number = line["line_number"]
        code = lines[number - 1].strip()
        if line.get("gcovr/noncode") or line["count"] > 0 or re.fullmatch(r"[{}();]*", code):
            continue
        yield number, next((name for name, first, last in functions if first <= number <= last), ""), code


def print_ways(file, style, reasons):
    """The branches that no test takes, of lines that some test reaches."""
    lines, functions = functions_in(file["file"], style)
    for line in file["lines"]:
        branches = line.get("branches", [])
        missed = sum(branch["count"] == 0 for branch in branches)
        if line.get("gcovr/noncode") or line["count"] == 0 or missed == 0:
            continue
        number = line["line_number"]
        code = lines[number - 1].strip()
        function = next((name for name, first, last in functions if first <= number <= last), "")
        reason = reasons.why(f"{WAYS}{file['file']}:{function}", code)
        print(f"{file['file']}:{number}: {missed} of {len(branches)} ways: {code}" + (f"    # {reason}" if reason else ""))


def judge(files, reasons, print_all):
    """What no test reaches and no reason excuses."""
    bare, style = [], load_style()
    for file in files:
        for number, function, code in unreached(file, style):
            reason = reasons.why(f"{file['file']}:{function}", code)
            if reason is None:
                bare.append(f"{file['file']}:{number}: no test reaches, in {function}(): {code}")
            elif print_all:
                print(f"{file['file']}:{number}: {code}    # {reason}")
        if print_all:
            print_ways(file, style, reasons)
    return bare


def main():
    parser = argparse.ArgumentParser(prog="./dev coverage", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="read the counts of the last run")
    parser.add_argument("--missing", action="store_true", help="print every line that is not reached")
    args = parser.parse_args()
    os.chdir(ROOT)
    failed = [] if args.again else run_tests()
    files = read_counts()
    if not files:
        sys.exit("coverage: nothing was counted; run it without --again")
    with open(LIST, encoding="utf-8") as file:
        reasons = Reasons(file.read())
    show(files)
    faults = judge(files, reasons, args.missing) + reasons.unused() + [f"the test {name} fails" for name in failed]
    for fault in faults:
        print(fault)
    print("every line that no test reaches has its reason" if not faults else f"{len(faults)} to look at")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
