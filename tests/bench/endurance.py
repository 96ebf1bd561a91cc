"""What lasts: recovery with very many sagas under way, very many that wait, very many whose time is over, and more load than can
be served."""

import shutil
import threading
import time

import aged
import harness
from harness import resident_kb
from table import Table
from two_step import PATH, Ceiling, Center, Sqlite, Steps, alternating, definition, load, ratios, run, submit_request

# In flight at one target; what would stand in line before one that holds its answers is refused. The sagas of a recovery
# are spread over as many targets as that takes.
CALLS_A_TARGET = 2000
SAGAS_MAX = 64 * CALLS_A_TARGET  # as bench_load takes turns with so many targets
LIST_PAGES, PAGE = 300, 50
WAITING_MIN = LIST_PAGES * PAGE + 1
OLD_DAYS = 40  # older than sagas that succeeded are kept
DELETING_COLUMNS = (("pair", "pair", "{:.0f}"), ("sagas/s", "per_second", "{:.0f}"), ("p99 ms", "p99_ms", "{:.1f}"),
                    ("deleting/s", "deleting_per_second", "{:.0f}"), ("its p99 ms", "deleting_p99_ms", "{:.1f}"),
                    ("deleted rows", "rows", "{:.0f}"))
NORMAL_MS = 100  # a second is as usual when its p99 is no more than this, and nothing was refused in it
PATIENT = {"first_ms": 1000, "max_ms": 1000}  # a participant that holds its answers is asked again and again


class Resident:
    """The greatest resident memory of a process, sampled until it is stopped."""

    def __init__(self, pid):
        self.pid, self.most_kb, self.stopped = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.sample)
        self.thread.start()

    def sample(self):
        while not self.stopped.wait(0.2):
            self.most_kb = max(self.most_kb, resident_kb(self.pid))

    def stop(self):
        self.stopped.set()
        self.thread.join()
        return self.most_kb


class Endurance:
    def __init__(self, options, figures):
        self.options, self.figures = options, figures
        self.store, self.folder = Sqlite().start(), harness.scratch()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self, center, requests, count):
        """Submits so many sagas; whether they are waited for is in the requests."""
        done = 0

        def tell(row):
            nonlocal done
            done += row["calls"]
            print(f"  {done} submitted", flush=True)

        row = load(self.folder, center.target, requests, "--seconds", 36000, "--in-flight", 256, "--count", count,
                   "--every-ms", 10000, path=PATH, each=tell)
        if row["failed"] or row["calls"] != count:
            raise AssertionError(f"{count} sagas were to be submitted: {row}")

    # ---- Recovery -------------------------------------------------------------------------------------------------------

    def recovery(self):
        count = self.options.sagas
        n_targets = -(-count // CALLS_A_TARGET)
        print(f"\nrecovery of {count} sagas under way at kill -9", flush=True)
        holding = Steps(self.folder, 3600000, [0] * n_targets).start()
        center = Center(holding, self.store, {"targets": {"in_flight_max": CALLS_A_TARGET}}).start()
        steps = Steps(self.folder, 0, holding.ports)
        try:
            requests = [submit_request(definition(target, PATIENT, deadline_ms=60000), 0) for target in holding.targets]
            self.fill(center, requests, count)
            self.figures["recovery.sagas"] = count
            self.figures["recovery.full_resident_kb"] = resident_kb(center.pid)
            center.world.kill_center()
            holding.kill()
            steps.start()
            self.resume(center, steps, count)
        finally:
            center.kill()
            holding.kill()
            steps.kill()

    def resume(self, center, steps, count):
        begun = time.monotonic()
        center.world.center.start()
        self.figures["recovery.ready_ms"] = (time.monotonic() - begun) * 1000
        resident = Resident(center.pid)
        try:
            self.figures["recovery.first_s"] = steps.await_first(60) - begun
            client, ended, told = center.client(), 0, 0
            while ended < count:
                time.sleep(0.1)  # the passing of time is what is measured
                ended = center.stats(client)["sagas.ended"]
                if time.monotonic() - begun > told + 2:
                    told = time.monotonic() - begun
                    print(f"  {ended} ended after {told:.0f} s", flush=True)
                if time.monotonic() - begun > 600:
                    raise AssertionError(f"{ended} of {count} sagas ended")
            self.figures["recovery.all_s"] = time.monotonic() - begun
        finally:
            self.figures["recovery.most_resident_kb"] = resident.stop()
        print("  ready after {:.0f} ms, first call after {:.2f} s, all ended after {:.1f} s, at most {:.0f} MB resident".format(
            self.figures["recovery.ready_ms"], self.figures["recovery.first_s"], self.figures["recovery.all_s"],
            self.figures["recovery.most_resident_kb"] / 1024))

    # ---- Waiting --------------------------------------------------------------------------------------------------------

    def waiting(self):
        count, first = self.options.waiting, self.options.waiting // 10
        saga = {"flow": "bench.waiting", "steps": [{"name": "wait", "signal": {"name": "go", "timeout_ms": 2505600000}}]}
        print(f"\n{count} waiting sagas", flush=True)
        steps = Steps(self.folder).start()
        center = Center(steps, self.store).start()
        try:
            self.fill(center, [submit_request(saga, 0)], first)
            before = resident_kb(center.pid)
            self.fill(center, [submit_request(saga, 0)], count - first)
            self.figures.update({"waiting.sagas": count, "waiting.first_resident_kb": before,
                                 "waiting.resident_kb": resident_kb(center.pid),
                                 "waiting.growth_percent": (resident_kb(center.pid) / before - 1) * 100})
            self.pages(center)
            center.world.center.stop()
            begun = time.monotonic()
            center.world.center.start()
            self.figures["waiting.ready_ms"] = (time.monotonic() - begun) * 1000
            print("  {:.1f} MB resident with {}, {:.1f} MB with {} ({:+.1f} %); ready {:.0f} ms after a restart".format(
                before / 1024, first, self.figures["waiting.resident_kb"] / 1024, count,
                self.figures["waiting.growth_percent"], self.figures["waiting.ready_ms"]))
        finally:
            center.kill()
            steps.kill()

    def pages(self, center):
        """Pages of the list of what is unfinished, one after the other, as an operator's page asks for them."""
        client, token, took = center.client(), "", []
        for _ in range(LIST_PAGES):
            begun = time.monotonic()
            page = client.call("txcenter.saga.v1.SagaService/ListSagas",
                               {"filter": {"unfinished": True}, "page_size": PAGE, "page_token": token})
            took.append((time.monotonic() - begun) * 1000)
            token = page.next_page_token
            if len(page.sagas) != PAGE or not token:
                raise AssertionError("the list ended")
        took.sort()
        self.figures["waiting.page_p50_ms"], self.figures["waiting.page_p99_ms"] = took[len(took) // 2], took[len(took) * 99 // 100]
        print("  a page of {} takes {:.1f} ms, p99 {:.1f} ms".format(
            PAGE, self.figures["waiting.page_p50_ms"], self.figures["waiting.page_p99_ms"]), flush=True)

    # ---- Retention ------------------------------------------------------------------------------------------------------

    def retention(self):
        """Load by turns while many whose time is over are deleted, and while they are left alone."""
        quick = self.options.quick
        count = 10000 if quick else 100000
        print(f"\nload beside the deletion of {count} sagas whose time is over", flush=True)
        steps = Steps(self.folder).start()
        center = Center(steps, self.store).start()
        try:
            self.fill(center, [center.request], count)
            center.world.center.stop()
            aged.age(aged.Sqlite(center.world.folder), OLD_DAYS)
            table, pair = Table("two-step sagas on sqlite, 64 in flight", DELETING_COLUMNS), 0

            def beside(interval_s):
                center.configure({"retention": {"interval_s": interval_s}})
                center.world.center.start()
                row = load(self.folder, center.target, [center.request], "--seconds", 2 if quick else 5, "--warm", 2, "--in-flight", 64)
                row["deleted"] = center.stats()["retention.deleted_rows"]
                center.world.center.stop()
                return row

            def tell(deleting, calm):
                nonlocal pair
                pair += 1
                table.row({"pair": pair, **calm, "deleting_per_second": deleting["per_second"], "deleting_p99_ms": deleting["p99_ms"],
                           "rows": deleting["deleted"]})
                if not deleting["deleted"] or calm["deleted"]:
                    raise AssertionError(f"{deleting['deleted']} rows were deleted, and {calm['deleted']} where none should be")

            rows = alternating(lambda: beside(1), lambda: beside(86400), self.options.pairs, tell)
            self.figures.update({"retention.throughput_ratio": ratios(*rows)["median"], "retention.p99_ratio": ratios(*rows, "p99_ms")["median"],
                                 "retention.rows_per_run": min(row["deleted"] for row in rows[0])})
            print("  with it {:.2f} times the throughput, {:.2f} times the p99 (medians of {} pairs)".format(
                self.figures["retention.throughput_ratio"], self.figures["retention.p99_ratio"], self.options.pairs))
        finally:
            center.kill()
            steps.kill()

    # ---- Overload -------------------------------------------------------------------------------------------------------

    def overload(self):
        quick = self.options.quick
        print("\noverload on sqlite", flush=True)
        steps = Steps(self.folder).start()
        center = Center(steps, self.store).start()

        def run(what, *options):
            rows = []
            row = load(self.folder, center.target, [center.request], *options, "--every-ms", 1000, "--quiet",
                       pids={"center": center.pid}, each=rows.append)
            print(f"  {what}: {row['per_second']:.0f}/s answered, p99 {row['p99_ms']:.1f} ms, {row['failed']} refused or failed",
                  flush=True)
            return row, rows

        try:
            most = run("greatest throughput", "--seconds", 3 if quick else 60, "--warm", 1, "--in-flight", 256)[0]["per_second"]
            self.figures["overload.most_per_second"] = most
            rate = f"{0.7 * most:.0f}"
            run("70 %, to warm up", "--seconds", 2 if quick else 10, "--rate", rate)
            before = resident_kb(center.pid)
            row, _ = run("70 %", "--seconds", 5 if quick else 300, "--rate", rate)
            self.figures.update({"overload.70.p99_ms": row["p99_ms"], "overload.70.failed": row["failed"] + row["unsent"],
                                 "overload.70.growth_percent": (resident_kb(center.pid) / before - 1) * 100})
            seconds = 5 if quick else 60
            row, _ = run("150 %", "--seconds", seconds, "--rate", f"{1.5 * most:.0f}")
            others = row["failed"] - row.get("status_8", 0)
            self.figures.update({"overload.150.admitted_share": row["per_second"] / most, "overload.150.refused": row.get("status_8", 0),
                                 "overload.150.refused_p99_ms": row["failed_p99_ms"], "overload.150.otherwise_failed": others,
                                 "overload.150.offered_share": (row["calls"] + row["failed"]) / seconds / most})
            _, rows = run("70 % again", "--seconds", 5 if quick else 15, "--rate", rate)
            usual = [row["failed"] == 0 and row["p99_ms"] <= NORMAL_MS for row in rows]
            self.figures["overload.normal_again_s"] = len(usual) - next((i for i, fine in enumerate(reversed(usual)) if not fine), len(usual))
            print("  150 %: {:.0%} of the greatest throughput offered, {:.0%} admitted, refusals within {:.1f} ms (p99), normal again after "
                  "{} s".format(self.figures["overload.150.offered_share"], self.figures["overload.150.admitted_share"],
                                self.figures["overload.150.refused_p99_ms"], self.figures["overload.normal_again_s"]))
        finally:
            center.kill()
            steps.kill()
        self.ceiling_beside()

    def ceiling_beside(self):
        """What the machine lets the bare ceiling reach, at the same share of its own greatest throughput."""
        words = ["--warm", 1, "--quiet"]
        most = run(Ceiling, self.store, ["--seconds", 3 if self.options.quick else 10, "--in-flight", 256, *words])["per_second"]
        row = run(Ceiling, self.store, ["--seconds", 5 if self.options.quick else 60, "--rate", f"{0.7 * most:.0f}", *words])
        self.figures.update({"overload.ceiling.most_per_second": most, "overload.ceiling.70.p99_ms": row["p99_ms"]})
        print(f"  the bare ceiling: {most:.0f}/s, at 70 % of that p99 {row['p99_ms']:.1f} ms", flush=True)
