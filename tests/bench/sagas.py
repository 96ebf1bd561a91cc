"""Two-step sagas in closed and open loop, beside the bare ceiling of the same minute."""

from table import Table
from two_step import Ceiling, Center, alternating, ratios, run

COLUMNS = (("what", "what", "{}"), ("in flight", "in_flight", "{:.0f}"), ("sagas/s", "per_second", "{:.0f}"), ("p50 ms", "p50_ms", "{:.2f}"),
           ("p99 ms", "p99_ms", "{:.2f}"), ("p99.9 ms", "p999_ms", "{:.2f}"), ("commits", "commits_per_saga", "{:.3f}"),
           ("rows", "rows_per_saga", "{:.2f}"), ("center µs", "center_cpu_us", "{:.0f}"), ("steps µs", "steps_cpu_us", "{:.0f}"),
           ("load µs", "load_cpu_us", "{:.0f}"), ("database µs", "database_cpu_us", "{:.0f}"), ("failed", "failed", "{:.0f}"))
OPEN_SHARES = (50, 70)  # percent of the greatest throughput
COMPARED = 64  # in flight: where the ratio to the ceiling is taken from many pairs
MEDIANS = ("per_second", "p50_ms", "p99_ms", "p999_ms", "commits_per_saga", "rows_per_saga", "center_cpu_us", "steps_cpu_us",
           "load_cpu_us", "database_cpu_us", "failed")


def median_row(rows):
    """Each figure's median over the runs."""
    middle = len(rows) // 2
    return {"in_flight": rows[0]["in_flight"],
            **{name: sorted(row[name] for row in rows)[middle] for name in MEDIANS if name in rows[0]}}


class Sagas:
    def __init__(self, store, options, figures):
        self.store, self.options, self.figures = store, options, figures
        self.seconds = 2 if options.quick else 5
        self.most = 0

    def note(self, prefix, row):
        for name, value in row.items():
            if isinstance(value, (int, float)):
                self.figures[f"saga.{self.store.name}.{prefix}.{name}"] = value

    def closed(self, in_flight, pairs, table):
        words = ["--seconds", self.seconds, "--warm", 1, "--in-flight", in_flight]
        ours, bare = alternating(lambda: run(Center, self.store, words, in_flight),
                                 lambda: run(Ceiling, self.store, words, in_flight), pairs)
        for what, rows, prefix in (("center", ours, ""), ("ceiling", bare, "ceiling.")):
            row = median_row(rows)
            table.row({"what": what, **row})
            self.note(f"{in_flight}.{prefix}".rstrip("."), row)
        self.most = max(self.most, median_row(ours)["per_second"])
        share = ratios(ours, bare)
        for name, value in share.items():
            self.figures[f"saga.{self.store.name}.{in_flight}.ratio.{name}"] = value
        print(f"            {in_flight} in flight: {share['median']:.1%} of the ceiling"
              f" ({share['least']:.1%} … {share['most']:.1%}, {pairs} pairs)", flush=True)

    def open(self, percent, table):
        rate = self.most * percent / 100
        row = run(Center, self.store, ["--seconds", self.seconds * 2, "--warm", 1, "--rate", f"{rate:.0f}"])
        row["failed"] += row["unsent"]  # what the load could not begin in time is no success of ours
        table.row({**row, "what": f"open {percent} %", "in_flight": row["in_flight"]})
        self.note(f"open{percent}", {**row, "rate": rate})

    def measure(self, numbers):
        table = Table(f"two-step sagas on {self.store.name}; open: at a fixed rate, percent of the greatest throughput", COLUMNS)
        for in_flight in numbers:
            self.closed(in_flight, self.options.pairs if in_flight == COMPARED else 1, table)
        for percent in OPEN_SHARES:
            self.open(percent, table)
