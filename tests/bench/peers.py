"""The center and a peer in turns: the same saga, the same participant, the same database; 64 in flight, and one."""

import os

import dtm
from sagas import COLUMNS, median_row
from table import Table
from two_step import Center, MariadbStore, alternating, ratios, run

IN_FLIGHT = 64


def measure(name, folder, scratch, options, figures):
    """`folder` keeps what was built; `scratch` is for the database."""
    program, schema = dtm.build(os.path.join(folder, "peer-" + name))
    store = MariadbStore(scratch, dtm.free_ports(1)[0])

    def turns(in_flight, pairs):
        words = ["--seconds", 3 if options.quick else 10, "--warm", 2, "--in-flight", in_flight]
        return alternating(lambda: run(Center, store, words, in_flight),
                           lambda: run(lambda steps, where: dtm.Dtm(steps, where, program, schema), store, words, in_flight),
                           pairs, lambda mine, other: (table.row({"what": "center", **mine}), table.row({"what": name, **other})))

    try:
        store.start()
        table = Table(f"{name} {dtm.VERSION} and the center on one MariaDB, by turns", COLUMNS)
        ours, theirs = turns(IN_FLIGHT, options.pairs)
        one = turns(1, 1)
    finally:
        store.close()
    for what, rows in (("center", ours), (name, theirs)):
        for figure, value in median_row(rows).items():
            figures[f"peer.{name}.{what}.{figure}"] = value
    figures[f"peer.{name}.one.p50_ratio"] = ratios(*one, "p50_ms")["median"]
    share = ratios(ours, theirs)
    for figure, value in share.items():
        figures[f"peer.{name}.ratio.{figure}"] = value
    print(f"            {share['median']:.1f} times {name} ({share['least']:.1f} … {share['most']:.1f}, {options.pairs} pairs)")
