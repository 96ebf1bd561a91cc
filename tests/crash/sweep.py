"""The center is killed with SIGKILL at every durable point of a trade and started again; then everything is compared.

A durable point is a sync of the database or its log. For each scenario the syncs of an undisturbed run are counted; then
the center dies right before and right after each of them, is started again, its callers repeat their requests, and at the
end: the trade has ended as it must, the center and every participant agree to the unit, no key took effect twice, and
nothing that was answered or shown was forgotten.
"""

import collections
import concurrent.futures
import json
import sys
import time

import scenarios
from stage import Stage

ENOUGH = 3  # runs with faults, after which a scenario is given up


class Sweep:
    """One scenario, at each of its points."""

    def __init__(self, name, arguments):
        self.name, self.arguments = name, arguments
        self.points, self.kills, self.missed, self.runs, self.seconds = 0, 0, 0, 0, 0
        self.states = collections.Counter()  # what was durable at the kills
        self.faults, self.faulty = [], 0

    def run(self):
        begun = time.monotonic()
        arguments = self.arguments
        loses = arguments.power_loss or arguments.quick or arguments.forget
        stage = Stage(scenarios.SCENARIOS[self.name], power_loss=loses, skip="wal" if arguments.forget else None)
        try:
            stage.start()
            self.sweep(stage)
        finally:
            stage.close()
            self.seconds = time.monotonic() - begun
        return self

    def sweep(self, stage):
        first = []
        if stage.scenario.killed_before:
            calm = self.one(stage, [], "undisturbed")
            first = [(max(1, calm.count * 6 // 10), "after")]
        calm = self.one(stage, first, "undisturbed")
        self.points = calm.count
        plans = [([*first, (k, side)], f"--at {k} --side {side}") for k in self.ks() for side in self.sides(k)]
        for number, (plan, what) in enumerate(plans):
            if self.faulty == ENOUGH:
                self.fault("sweep", f"given up, with {len(plans) - number} of {len(plans)} runs to go")
                break
            self.one(stage, plan, what)

    def ks(self):
        return range(1, self.points + 1) if self.arguments.at is None else [self.arguments.at]

    def fault(self, what, text):
        self.faults.append(f"{self.name} {what}: {text}")
        print("FAULT", self.faults[-1], flush=True)

    def sides(self, k):
        if self.arguments.side:
            return [self.arguments.side]
        return ["before" if k % 2 else "after"] if self.arguments.quick else ["before", "after"]

    def one(self, stage, plans, what):
        run = stage.run(plans)
        self.runs += 1
        self.kills += len(run.states)
        self.missed += len(plans) - len(run.states)
        self.states.update(run.states)
        self.faulty += bool(run.faults)
        for fault in run.faults:
            self.fault(what, fault)
        return run


def show(sweeps, seconds):
    print(f"\n{'scenario':14}{'points':>8}{'runs':>6}{'kills':>7}{'missed':>8}{'faults':>8}{'s':>6}")
    for sweep in sweeps:
        print(f"{sweep.name:14}{sweep.points:8}{sweep.runs:6}{sweep.kills:7}{sweep.missed:8}{len(sweep.faults):8}"
              f"{sweep.seconds:6.0f}   {scenarios.SCENARIOS[sweep.name].__doc__}")
    states = sum((sweep.states for sweep in sweeps), collections.Counter())
    print("\nwhat was durable when it was killed:")
    for state, n in sorted(states.items()):
        print(f"{n:6}  {state}")
    print(f"\n{sum(sweep.kills for sweep in sweeps)} kills, {sum(len(sweep.faults) for sweep in sweeps)} faults, "
          f"{seconds:.0f} s")
    return states


def write(path, sweeps, states, seconds):
    found = {"crash.points": sum(sweep.points for sweep in sweeps), "crash.kills": sum(sweep.kills for sweep in sweeps),
             "crash.missed": sum(sweep.missed for sweep in sweeps), "crash.seconds": seconds,
             "crash.faults": [fault for sweep in sweeps for fault in sweep.faults], "crash.states": states,
             "crash.scenarios": {sweep.name: {"points": sweep.points, "runs": sweep.runs, "kills": sweep.kills,
                                              "faults": len(sweep.faults)} for sweep in sweeps}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)


def run(arguments):
    for name in set(arguments.scenario or ()) - set(scenarios.SCENARIOS):
        sys.exit(f"there is no scenario {name}; there are {', '.join(scenarios.SCENARIOS)}")
    names = arguments.scenario or (["purchase"] if arguments.forget else list(scenarios.SCENARIOS))
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        sweeps = list(pool.map(lambda name: Sweep(name, arguments).run(), names))
    seconds = time.monotonic() - begun
    states = show(sweeps, seconds)
    if arguments.json:
        write(arguments.json, sweeps, states, seconds)
    faults = [fault for sweep in sweeps for fault in sweep.faults]
    if arguments.forget:
        forgotten = any("forgotten" in fault for fault in faults)
        print("as it must, the run found what was forgotten" if forgotten else "WRONG: nothing was found to be forgotten")
        return 0 if forgotten else 1
    killed = all(sweep.kills for sweep in sweeps)
    print("every crash was survived" if not faults and killed else "NOT survived")
    return 0 if not faults and killed else 1
