"""Tests by their names, as pages and lists write them: `program: case`.

The program is CTest's name of it (`saga.engine_order`, `flow.virtual.callback`, `e2e.submit`), the case a function
(`test_…`) or the words that cmocka prints for it, without the numbers of requirements in brackets and without what a
suite that runs over several databases puts before it.
"""

import glob
import os
import re

# Programs whose cases stand elsewhere than in tests/<room>/test_<what>.c (or .py).
ELSEWHERE = {
    r"flow\.(virtual|process)\.(\w+)": r"tests/flow/cases_\2.c",
    r"store\.contract_\w+": "tests/store/contract_*.c",
    r"participants\.contract_\w+": "tests/participants/contract_cases.c",
}
ADD_TEST = re.compile(r'add_test\(\[=\[(\S+)\]=\] "([^"]+)"')
MARKS = re.compile(r"\[(?:E|A|S3-)\d+\] ?")
NAME = re.compile(r"`([a-z][\w.]*\.\w+): ([^`]+)`")


def names_in(text):
    """Every (program, case) that a page names."""
    return NAME.findall(text.replace("\n", " "))


def sources_of(root, program):
    """Where the program's cases stand; empty when there is no such program."""
    room, _, what = program.partition(".")
    own = [os.path.join(root, "tests", room, f"test_{what}{end}") for end in (".c", ".py")]
    own = [path for path in own if os.path.exists(path)]
    for pattern, files in ELSEWHERE.items():
        match = re.fullmatch(pattern, program)
        if match and (own or "flow" in files):
            return glob.glob(os.path.join(root, match.expand(files) if "\\" in files else files))
    return own


def is_case(text, case):
    """Whether the text of a program has the case."""
    if re.fullmatch(r"\w+", case):
        return re.search(rf"\b{case}\(", text) is not None
    texts = re.sub(r'"\s*\n\s*"', "", text)  # one that goes over several lines
    return any(MARKS.sub("", said).strip() == case for said in re.findall(r'"((?:[^"\\\n]|\\.)*)"', texts))


def missing(root, program, case):
    """Why there is no such test; None when there is."""
    sources = sources_of(root, program)
    if not sources:
        return f"there is no program {program}"
    for path in sources:
        with open(path, encoding="utf-8") as file:
            if is_case(file.read(), case):
                return None
    return f"{program} has no case {case}"


def programs_in(build):
    """{program: the target that builds it}, as CTest has them in a folder that was configured; not those of scripts."""
    inside = os.path.join(os.path.abspath(build), "")
    with open(os.path.join(build, "tests", "CTestTestfile.cmake"), encoding="utf-8") as file:
        return {name: os.path.basename(path) for name, path in ADD_TEST.findall(file.read()) if path.startswith(inside)}


def is_named(printed, case):
    """Whether a case, as cmocka prints it, is the one that is named."""
    printed = MARKS.sub("", printed).strip()
    return printed == case or printed.endswith(": " + case)
