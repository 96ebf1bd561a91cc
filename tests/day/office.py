"""The operators of the day: they retry what is parked, one by one and in batches, and pause systems and let them go on."""

import random
import threading

from shop import OPERATOR, SAGA
from wire import Refused

PAUSABLE = ("points", "invoice", "push", "notify", "marketing", "settlement", "os", "activity")
FITS_NO_LONGER = ("SAGA_STATE", "SAGA_NOT_FOUND")
EVERY_S = 2.0


class Office:
    def __init__(self, client, seed):
        self.client, self.random = client, random.Random(f"{seed}/office")
        self.counts = {"retried": 0, "retried in batches": 0, "no longer fitting": 0, "systems paused": 0}
        self.actions = 0
        self.faults = []
        self.paused = None
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)

    def open(self):
        self.thread.start()

    def close(self):
        self.closing.set()
        self.thread.join()
        if self.paused:
            self._resume()

    def _act(self, method, fields):
        """Repeated under its id until it is answered; None when it does not fit any more."""
        self.actions += 1
        request = {"requestId": f"office-{self.actions}", "reason": "the day's work", **fields}
        while True:
            try:
                return self.client.call(OPERATOR + method, request, timeout=10)
            except Refused as refused:
                if refused.reason in FITS_NO_LONGER:
                    self.counts["no longer fitting"] += 1
                    return None
                if not refused.is_passing:
                    raise
                self.closing.wait(0.2)

    def retry_parked(self):
        """Returns how many were parked."""
        try:
            parked = self.client.call(SAGA + "ListSagas", {"filter": {"parked": True}, "pageSize": 50}).sagas
        except Refused as refused:
            if not refused.is_passing:
                raise
            return 0
        if len(parked) > 10 and self.random.random() < 0.5:
            self._batch()
        else:
            for saga in parked:
                if self._act("Retry", {"gid": saga.gid}):
                    self.counts["retried"] += 1
        return len(parked)

    def _batch(self):
        self.actions += 1
        request = {"requestId": f"office-{self.actions}", "reason": "the day's work", "filter": {"parked": True},
                   "action": "OPERATOR_ACTION_RETRY", "ratePerS": 200}
        try:
            for progress in self.client.stream(OPERATOR + "Batch", request, timeout=60):
                done = progress.done
            self.counts["retried in batches"] += done
        except Refused as refused:
            if not refused.is_passing:
                raise

    def _resume(self):
        self._act("ResumeParticipant", {"participant": self.paused})
        self.paused = None

    def _pause_now_and_then(self):
        if self.paused:
            self._resume()
        elif self.random.random() < 0.2:
            self.paused = self.random.choice(PAUSABLE)
            self._act("PauseParticipant", {"participant": self.paused})
            self.counts["systems paused"] += 1

    def _work(self):
        try:
            while not self.closing.wait(EVERY_S):
                self.retry_parked()
                self._pause_now_and_then()
        except Exception as error:  # noqa: BLE001 # told with the day's faults
            self.faults.append(f"the office: {type(error).__name__}: {error}")
