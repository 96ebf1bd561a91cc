"""Where the instructions go: the center under callgrind, which counts them, by the rooms of this tree and the libraries.

Counts of instructions hardly depend on what else the machine does. Waiting is not in them, nor is the kernel.
"""

import collections
import glob
import os
import re
import shutil
import subprocess
import time

import harness
import purchases
from two_step import Ceiling, Center, Sqlite, load, side_of

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
IN_FLIGHT, WARM, SAGAS = 64, 300, 3000
PURCHASES_AT_ONCE, PURCHASES_S = 4, 40  # more at once would be slower than their participants' deadlines
ROOMS = sorted(name for name in os.listdir(ROOT) if os.path.isdir(os.path.join(ROOT, name)) and name != "build")
LIBRARY = re.compile(r"(lib[a-zA-Z_-]+[a-zA-Z]|ld)[-.0-9_]*\.so")
LEAST_PERCENT = 1  # what has less is in the line of the others


def valgrind(folder):
    return ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "--compress-strings=yes",
            "--callgrind-out-file=" + os.path.join(folder, "callgrind.out")]


def counting(pid, on):
    """Switches it; callgrind_control answers before it is done, or not at all when it is asked too early."""
    for _ in range(50):
        done = subprocess.run(["callgrind_control", "-i", "on" if on else "off", str(pid)], capture_output=True, text=True, check=False)
        if "OK" in done.stdout:
            return
        time.sleep(0.2)
    raise AssertionError(f"callgrind does not answer: {done.stdout} {done.stderr}")


def place_of(file, library):
    """The library that the instructions are in; of our own program the room of the source file."""
    found = LIBRARY.match(os.path.basename(library))
    if found:
        return found.group(1)
    folders = file.split("/")[:-1]  # from the root of whatever tree the compiler's cache has it from
    if "gen" in folders:
        return "messages (made of proto/)"
    return next((folder + "/" for folder in reversed(folders) if folder in ROOMS), os.path.basename(library))


def counts_of(path):
    """{place: instructions} of one thread's file."""
    names, counts = {}, collections.Counter()
    library = file = ""
    callee = False
    name = re.compile(r"(ob|fl|fi|fe|fn|cob|cfi|cfl|cfn)=(?:\((\d+)\))?(?: ?(.*))?$")
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            named = name.match(line)
            if named:
                kind, number, text = named.groups()
                key = ("ob" if kind in ("ob", "cob") else "fn" if kind in ("fn", "cfn") else "fl", number)
                if text:
                    names[key] = text
                if kind == "ob":
                    library = names.get(key, "")
                elif kind in ("fl", "fi", "fe"):
                    file = names.get(key, "")
            elif line.startswith("calls="):
                callee = True  # the next line is what was called, which counts where it is
            elif line[:1].isdigit() or line[:1] in "+-*":
                if not callee:
                    counts[place_of(file, library)] += int(line.split()[1])
                callee = False
    return counts


def threads_of(folder):
    """(of the loop, of all other threads together)"""
    loop, others = collections.Counter(), collections.Counter()
    for path in glob.glob(os.path.join(folder, "callgrind.out*")):
        if re.search(r"-\d+$", path):
            (loop if path.endswith("-01") else others).update(counts_of(path))
    return loop, others


def saga_side(make):
    """One side with sagas of two steps; its counts for one saga."""
    with side_of(make, Sqlite()) as (folder, _, side):
        program = side.world.center if isinstance(side, Center) else side
        program.prefix = valgrind(folder)
        side.start()
        load(folder, side.target, [side.request], "--seconds", 3600, "--count", WARM, "--in-flight", IN_FLIGHT)
        counting(program.pid, True)
        row = load(folder, side.target, [side.request], "--seconds", 3600, "--count", SAGAS, "--in-flight", IN_FLIGHT)
        counting(program.pid, False)
        side.finish()
        return [{place: n / row["calls"] for place, n in counts.items()} for counts in threads_of(folder)]


def purchase_side(kind):
    folder = harness.scratch()
    try:
        number = purchases.counted(kind, PURCHASES_AT_ONCE, PURCHASES_S, valgrind(folder), counting)
        return [{place: n / number for place, n in counts.items()} for counts in threads_of(folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(title, columns, figures):
    """`columns`: {name: {place: instructions}}"""
    totals = {name: sum(counts.values()) for name, counts in columns.items()}
    print(f"\n{title}: thousands of instructions for each\n  {'':28}" + "".join(f"{name:>22}" for name in columns))
    places = sorted({place for counts in columns.values() for place in counts},
                    key=lambda place: -max(counts.get(place, 0) for counts in columns.values()))
    shown = [place for place in places
             if any(100 * counts.get(place, 0) >= LEAST_PERCENT * totals[name] > 0 for name, counts in columns.items())]
    rows = {place: [counts.get(place, 0) for counts in columns.values()] for place in shown}
    rows["the others"] = [totals[name] - sum(counts.get(place, 0) for place in shown) for name, counts in columns.items()]
    rows["all"] = list(totals.values())
    for place, cells in rows.items():
        print(f"  {place:28}" + "".join(f"{cell / 1000:>22.1f}" for cell in cells))
    figures.update({f"profile.{title}.{name}.k_instructions".replace(" ", "_"): total / 1000 for name, total in totals.items()})


def measure(figures):
    loop, others = saga_side(Center)
    bare_loop, bare_others = saga_side(Ceiling)
    show("saga of two steps on SQLite", {"center, loop": loop, "center, other threads": others, "ceiling, loop": bare_loop,
                                         "ceiling, others": bare_others}, figures)
    loop, others = purchase_side("full")
    show("full purchase on SQLite", {"center, loop": loop, "center, other threads": others}, figures)
