"""What must hold of the store, the ledger and the callers: after each death, and when everything has ended."""

import concurrent.futures

from load import SIGNAL, SUBMIT
from scenarios import STATUSES, Stuck
from shapes import BY_FLOW, FAILED, SUCCEEDED
from shop import TRADE
from wire import Refused

ASKED_AT_ONCE = 16
OTHERWISE = 8  # one of so many requests is repeated with another body, too
UNFINISHED = (1, 2, 3)
FORWARD, COMPENSATING = (2, SUCCEEDED), (3, FAILED)
NEXT = {1: (1, 2, 3, 4, 5), 2: (2, 4), 3: (3, 5), 4: (4,), 5: (5,), 6: (6,)}  # what a status may become


class Row:
    """A saga as it stands in the store."""

    def __init__(self, flow, status, updated_ms, parked, slot, reason):
        self.flow, self.reason = flow, reason
        self.status, self.updated_ms, self.parked, self.slot = int(status), int(updated_ms), int(parked), int(slot)
        self.is_unfinished = self.status in UNFINISHED


class Judge:
    """Of one world. `books` are the ledger's."""

    def __init__(self, load, books):
        self.load, self.books, self.rows, self.faults = load, books, {}, []
        self.batch_nos = {}  # by instance and incarnation

    def fault(self, text):
        self.faults.append(text)

    # ---- After each death -------------------------------------------------------------------------------------------

    def look(self, acked, ended, rows, heard):
        """What callers were told and the ledger had heard before the store was read; `rows` by gid: all that may have
        changed since the last time."""
        for gid, row in rows.items():
            self._compare(gid, self.rows.get(gid), row)
        self.rows.update(rows)
        for gid in acked:
            if gid not in self.rows:
                self.fault(f"lost: {gid} was acknowledged and is not in the store")
        for gid, _ in ended:
            self._ended_alike(gid)
        for gid in heard:
            self._durable_first(gid)

    def _compare(self, gid, before, now):
        if not before:
            return
        if now.status not in NEXT[before.status] or now.updated_ms < before.updated_ms:
            self.fault(f"stale write: {gid} was {STATUSES[before.status]} at {before.updated_ms}, now it is "
                       f"{STATUSES[now.status]} of {now.updated_ms}")
        elif not before.is_unfinished and now.updated_ms != before.updated_ms:
            self.fault(f"stale write: {gid} had ended at {before.updated_ms} and was written at {now.updated_ms}")

    def _ended_alike(self, gid):
        told, row = self.load.ended[gid], self.rows.get(gid)
        if not row or row.status != told:
            self.fault(f"forgotten: {gid} was answered as {STATUSES[told]}, now it is {STATUSES[row.status] if row else 'gone'}")

    def _durable_first(self, gid):
        """[E1] [E2] Nothing is sent before what it follows from is durable."""
        row = self.rows.get(gid)
        if not row:
            self.fault(f"not durable: the ledger was asked for {gid}, which is not in the store")
            return
        shape = BY_FLOW[row.flow]
        for key in self.books.of(gid):
            if "compensate" in key.ops and row.status not in COMPENSATING:
                self.fault(f"not durable: {key.step} of {gid} was undone, but the saga is {STATUSES[row.status]}")
            if shape.is_behind_the_pivot(key.step) and row.status not in FORWARD:
                self.fault(f"not durable: {key.step} of {gid} went on, but the saga is {STATUSES[row.status]}")

    def fenced(self, instances):
        """[E7] `instances`: (name, incarnation, batch_no) as they stand: neither goes back."""
        for name, incarnation, batch_no in instances:
            before = self.batch_nos.get(name, (0, 0))
            if (incarnation, batch_no) < before:
                self.fault(f"stale write: {name} was at batch {before[1]} of incarnation {before[0]}, now at {batch_no} of "
                           f"{incarnation}")
            self.batch_nos[name] = (incarnation, batch_no)

    # ---- When everything has ended ----------------------------------------------------------------------------------

    def close(self, front):
        """With the whole store in `rows`; `front` answers."""
        for gid, row in self.rows.items():
            if row.is_unfinished:
                self.fault(f"not ended: {gid} ({row.flow}) is {STATUSES[row.status]}{' and parked' * row.parked}: {row.reason}")
            elif row.flow in BY_FLOW:
                self._effects(gid, row, BY_FLOW[row.flow])
        for name in self.books.twice:
            self.fault(f"effect twice: {name}")
        with concurrent.futures.ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            for repeated in [pool.submit(self._repeat, front, n, one) for n, one in enumerate(self.load.submissions)]:
                repeated.result()
            for repeated in [pool.submit(self._purchase, front, one) for one in self.load.purchases]:
                repeated.result()

    def _effects(self, gid, row, shape):
        """The ledger against the saga's end."""
        keys = self.books.of(gid)
        for key in keys:
            for operation, bodies in key.bodies.items():
                if len(bodies) > 1:
                    self.fault(f"another request: the {operation} of {key.step} of {gid} was not the same each time")
            if key.effects > 1:
                self.fault(f"effect twice: {key.step} of {gid}")
        if row.status not in shape.ends:
            self.fault(f"wrong outcome: {gid} ({shape.name}) is {STATUSES[row.status]}: {row.reason}")
        elif row.status == SUCCEEDED:
            self._all_done(gid, keys, shape)
        else:
            self._all_undone(gid, keys, shape)

    def _all_done(self, gid, keys, shape):
        for name in shape.acts():
            states = [key.state for key in keys if key.step == name]
            if states != ["applied"]:
                self.fault(f"missed: {gid} ({shape.name}) is done, but its step {name} is {states}")
        for key in keys:
            if "compensate" in key.ops:
                self.fault(f"undone: {key.step} of {gid} ({shape.name}), which is done")

    def _all_undone(self, gid, keys, shape):
        for key in keys:
            if shape.is_behind_the_pivot(key.step):
                self.fault(f"too far: {key.step} of {gid} ({shape.name}), which is undone")
            if key.state == "applied":
                self.fault(f"compensation missed: {key.step} of {gid} ({shape.name})")
            if key.state == "never" and key.bodies.keys() == {"action"}:
                self.fault(f"compensation missed: {key.step} of {gid} ({shape.name}) may have run and was neither asked for "
                           "nor undone")

    def _repeat(self, front, number, submission):
        """The same request has the same answer, and its id is used up."""
        self.load.heard(submission, front.patiently(SUBMIT, submission.request))
        if number % OTHERWISE:
            return
        if submission.shape.signalled:
            self._other_body(front, SIGNAL, {"requestId": "s-" + submission.request_id, "gid": submission.gid, "name": "paid",
                                             "payload": "b3RoZXI="})
        other = submission.waiting(0)
        other.saga.time_limit_ms += 1
        self._other_body(front, SUBMIT, other)

    def _other_body(self, front, path, request):
        try:
            front.patiently(path, request)
            self.fault(f"forgotten: the id of {path} can be used for another body: {request}")
        except Refused as refused:
            if refused.reason != "IDEMPOTENCY_KEY_REUSED":
                self.fault(f"forgotten: another body for {path} is refused with {refused}")

    def _purchase(self, front, purchase):
        try:
            found = front.patiently(TRADE + "ListTrades", {"filter": {"userId": purchase.user}}).trades
            if len(found) > 1 or (purchase.trade_no and [trade.trade_no for trade in found] != [purchase.trade_no]):
                self.fault(f"lost: {purchase.user} bought {purchase.trade_no}, there are {[trade.trade_no for trade in found]}")
            elif found:
                trade = front.patiently(TRADE + "GetTrade", {"tradeNo": found[0].trade_no}).trade
                self.faults += [f"{purchase.user}: {fault}" for fault in purchase.witness.faults(front, trade)]
        except (Refused, Stuck) as error:
            self.fault(f"{purchase.user}: {type(error).__name__}: {error}")
