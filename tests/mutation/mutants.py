"""The list of mutants: small changes of the code, each of which breaks a promise, and the tests that must notice.

A row of tests/mutation/mutants/*.toml:

    [[mutant]]
    name = "the-row-comes-behind-the-call"
    rules = ["E1"]                 # of docs/requirements.txt; may be empty
    what = "what is wrong with it, in a line"
    file = "saga/commit.c"
    find = '''…'''                 # text that stands in the file exactly once
    put = '''…'''                  # what it becomes
    killed_by = ["saga.engine_order: test_…"]
    quick = true                   # it is one of ./dev mutate --quick; may be left out
"""

import glob
import os
import re
import sys
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.join(ROOT, "tests", "scripts"))

import named  # noqa: E402, beside cases.py

KEYS = {"name": str, "rules": list, "what": str, "file": str, "find": str, "put": str, "killed_by": list}


class Mutant:
    def __init__(self, row, source):
        self.source = source
        self.faults = [f"{key} is missing or no {kind.__name__}" for key, kind in KEYS.items()
                       if not isinstance(row.get(key), kind)]
        self.faults += [f"{key} means nothing" for key in row if key not in {*KEYS, "quick"}]
        for key, kind in KEYS.items():
            setattr(self, key, row.get(key, kind()))
        self.quick = row.get("quick", False)
        self.tests = [tuple(test.split(": ", 1)) for test in self.killed_by if ": " in test]
        if len(self.tests) != len(self.killed_by) or not self.tests:
            self.faults.append('killed_by has no "program: case"')

    def text_in(self, root):
        """The file as it is, or None."""
        try:
            with open(os.path.join(root, self.file), encoding="utf-8") as file:
                return file.read()
        except (OSError, UnicodeDecodeError):
            return None

    def mutated(self, root):
        """The file as the mutant has it."""
        return self.text_in(root).replace(self.find, self.put)

    def check(self, root):
        """Everything that keeps it from being applied."""
        text = self.text_in(root)
        faults = list(self.faults)
        if text is None:
            faults.append(f"there is no file {self.file}")
        elif not self.find or text.count(self.find) != 1:
            faults.append(f"what it looks for stands {text.count(self.find) if self.find else 0} times in {self.file}")
        if self.find == self.put:
            faults.append("it changes nothing")
        faults += [fault for fault in (named.missing(root, *test) for test in self.tests) if fault]
        return [f"{self.name or '?'} ({self.source}): {fault}" for fault in faults]


def load(folder=os.path.join(HERE, "mutants")):
    mutants = []
    for path in sorted(glob.glob(os.path.join(folder, "*.toml"))):
        with open(path, "rb") as file:
            rows = tomllib.load(file).get("mutant", [])
        mutants += [Mutant(row, os.path.basename(path)) for row in rows]
    return mutants


def check(mutants, root):
    """Every fault of the list as it stands beside the tree."""
    faults = [fault for mutant in mutants for fault in mutant.check(root)]
    names = [mutant.name for mutant in mutants]
    faults += [f"there are two mutants {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    with open(os.path.join(root, "docs", "requirements.txt"), encoding="utf-8") as file:
        known = set(re.findall(r"^((?:E|A|S3-)\d+) ", file.read(), re.M))
    faults += [f"{mutant.name}: {rule} is no requirement" for mutant in mutants for rule in mutant.rules
               if rule not in known]
    return faults
