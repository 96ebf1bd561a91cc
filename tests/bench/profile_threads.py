"""Where the microseconds go: CPU time of each thread for one saga, in the program itself and in the kernel."""

import glob
import os

from table import Table
from two_step import Ceiling, Center, load, side_of

IN_FLIGHT, SECONDS, WARM_S = 64, 10, 2
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
COLUMNS = (("what", "what", "{}"), ("thread", "thread", "{}"), ("program µs", "user", "{:.1f}"), ("kernel µs", "kernel", "{:.1f}"),
           ("% of a core", "share", "{:.0f}"))


def times_of(pid):
    """{thread's name: (user, kernel)}, in ticks; threads of one name together."""
    times = {}
    for path in glob.glob(f"/proc/{pid}/task/*/stat"):
        with open(path, encoding="ascii", errors="replace") as file:
            head, tail = file.read().rsplit(")", 1)
        name, fields = head.split("(", 1)[1], tail.split()
        user, kernel = times.get(name, (0, 0))
        times[name] = (user + int(fields[11]), kernel + int(fields[12]))
    return times


def side(make, store, what, table, figures):
    with side_of(make, store) as (folder, _, one):
        one.start()
        words = ["--in-flight", IN_FLIGHT, "--seconds"]
        load(folder, one.target, [one.request], *words, WARM_S)
        pids = {what: one.pid, **store.pids}
        before = {name: times_of(pid) for name, pid in pids.items()}
        row = load(folder, one.target, [one.request], *words, SECONDS)
        for name, pid in pids.items():
            show(name, before[name], times_of(pid), row["calls"], table, figures, store.name)
        one.finish()


def show(what, before, after, sagas, table, figures, store):
    for thread, times in sorted(after.items(), key=lambda item: -sum(item[1])):
        user, kernel = (TICK_US * (now - then) / sagas for now, then in zip(times, before.get(thread, (0, 0))))
        if user + kernel < 0.5:
            continue
        table.row({"what": what, "thread": thread.removeprefix("store-"), "user": user, "kernel": kernel,
                   "share": (user + kernel) * sagas / SECONDS / 1e4})
        figures[f"profile.{store}.{what}.{thread}.user_us"], figures[f"profile.{store}.{what}.{thread}.kernel_us"] = user, kernel


def measure(store, figures):
    table = Table(f"CPU time of one saga of two steps on {store.name}, {IN_FLIGHT} in flight", COLUMNS)
    side(Center, store, "center", table, figures)
    side(Ceiling, store, "ceiling", table, figures)
