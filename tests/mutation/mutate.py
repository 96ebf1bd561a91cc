#!/usr/bin/python3
"""Breaks the code on purpose, one small change at a time, and runs the tests that must notice.

usage: ./dev mutate [--list] [--quick] [--only NAME]… [--jobs N]

Each mutant of tests/mutation/mutants is applied in a copy of the tree (build/mutation), built, and given to the tests
that it names. One that these tests let pass has survived: a test is missing. Before that the same tests must pass on
the code as it is. The exit code is 1 when a mutant survives, or can't be applied or built.
"""

import argparse
import os
import queue
import signal
import sys
import threading
import time

import mutants as listing
import workplace


def arguments():
    parser = argparse.ArgumentParser(prog="./dev mutate", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the mutants, their rules and what kills them")
    parser.add_argument("--quick", action="store_true", help="only those that are marked quick: about a minute's worth")
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="a mutant, or a rule such as E3")
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="copies of the tree at once")
    return parser.parse_args()


def chosen(all_mutants, args):
    picked = [m for m in all_mutants if m.quick] if args.quick else all_mutants
    for name in args.only:
        if not any(name == m.name or name in m.rules for m in picked):
            sys.exit(f"mutate: there is no mutant {name}; ./dev mutate --list names them")
    return [m for m in picked if not args.only or m.name in args.only or set(m.rules) & set(args.only)]


def show(mutants):
    for mutant in mutants:
        print(f"{mutant.name}  [{' '.join(mutant.rules) or '-'}]  {mutant.file}\n    {mutant.what}")
        print("".join(f"    killed by {test}\n" for test in mutant.killed_by), end="")
    print(f"{len(mutants)} mutants")


class Campaign:
    """The work of all copies, and what came of it."""

    def __init__(self, places, mutants):
        self.places, self.mutants = places, mutants
        self.lock = threading.Lock()
        self.done, self.bad = 0, []
        self.seconds = {}  # that a program may take

    def on_each_place(self, work, jobs):
        """Gives the jobs out to the copies; what goes wrong in one ends all."""
        waiting, errors = queue.Queue(), []
        for job in jobs:
            waiting.put(job)

        def go_on(one):
            try:
                while not errors:
                    work(one, waiting.get_nowait())
            except queue.Empty:
                pass
            except workplace.Broken as error:
                errors.append(error)

        threads = [threading.Thread(target=go_on, args=(one,)) for one in self.places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            sys.exit(f"mutate: {errors[0]}")

    def baseline(self, one, program):
        begun = time.monotonic()
        run = one.run(program)
        self.seconds[program] = 15 + 4 * (time.monotonic() - begun)
        if not run.passed:
            raise workplace.Broken(f"{program} fails on the code as it is:\n{run.output[-2000:]}")

    def verdict(self, one, mutant):
        """How the mutant fared, in words, and whether the tests that it names have noticed it."""
        programs = sorted({program for program, _ in mutant.tests})
        try:
            one.make(programs)
        except workplace.Broken as error:
            return f"is no program: {error}", False
        runs = {program: one.run(program, [case for of, case in mutant.tests if of == program], self.seconds[program])
                for program in programs}
        for program, case in mutant.tests:
            if not runs[program].has_failed(case):
                others = ", ".join(runs[program].failed[:3])
                return f"survived {program}: {case}" + (f" (noticed by {others})" if others else ""), False
        return "killed by " + ", ".join(mutant.killed_by), True

    def try_out(self, one, mutant):
        begun = time.monotonic()
        before = mutant.text_in(one.tree)
        one.write(mutant.file, mutant.mutated(one.tree))
        try:
            words, killed = self.verdict(one, mutant)
        finally:
            one.write(mutant.file, before)
        with self.lock:
            self.done += 1
            if not killed:
                self.bad.append(mutant.name)
            print(f"[{self.done}/{len(self.mutants)}] {mutant.name} {words} ({time.monotonic() - begun:.1f} s)", flush=True)

    def run(self):
        programs = sorted({program for mutant in self.mutants for program, _ in mutant.tests})
        print(f"building {len(self.places)} copies of the tree", flush=True)
        for one in self.places:  # one after the other: the second finds in the cache what the first has compiled
            one.prepare()
            one.make(programs)
            one.read_tests()
        for one in self.places:
            one.jobs = 1
        print(f"running {len(programs)} programs on the code as it is", flush=True)
        self.on_each_place(self.baseline, programs)
        self.on_each_place(self.try_out, self.mutants)


def main():
    args = arguments()
    all_mutants = listing.load()
    faults = listing.check(all_mutants, listing.ROOT)
    if faults:
        print("\n".join(faults), file=sys.stderr)
        return 1
    picked = chosen(all_mutants, args)
    if args.list:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # whoever reads it may stop
        show(picked)
        return 0
    begun = time.monotonic()
    folders = [os.path.join(listing.ROOT, "build", "mutation", str(i)) for i in range(max(1, min(args.jobs, len(picked))))]
    campaign = Campaign([workplace.Workplace(listing.ROOT, folder, os.cpu_count() or 1) for folder in folders], picked)
    try:
        campaign.run()
    except workplace.Broken as error:
        sys.exit(f"mutate: {error}")
    for name in sorted(campaign.bad):
        print(f"not killed: {name}")
    print(f"mutants: {len(picked)}, killed {len(picked) - len(campaign.bad)}, {time.monotonic() - begun:.0f} s")
    print(f"{len(picked) - len(campaign.bad)} passed, {len(campaign.bad)} failed")
    return 1 if campaign.bad else 0


if __name__ == "__main__":
    sys.exit(main())
