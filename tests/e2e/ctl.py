"""`txctl` as an operator types it, and what its sagas come to."""

import json
import os
import subprocess

import harness
from shop import SAGA


def state_of_saga(saga):
    return saga.DESCRIPTOR.fields_by_name["status"].enum_type.values_by_number[saga.status].name.partition("_STATUS_")[2]


def run_txctl(center, words):
    return subprocess.run([os.path.join(harness.BIN, "txctl"), "--server", center.center_target, *words], capture_output=True, text=True,
                          timeout=harness.READY_S, check=False)


def txctl(case, center, *words):
    """Its exit code; what it says of a success is nothing bad."""
    done = run_txctl(center, words)
    case.assertEqual(done.returncode == 0, done.stderr == "", done.stderr)
    return done.returncode


def told(case, center, *words):
    """What it answers as JSON."""
    done = run_txctl(center, (*words, "-o", "json"))
    case.assertEqual((0, ""), (done.returncode, done.stderr))
    return json.loads(done.stdout)


def until_ended(client, gid):
    """The saga once it has ended."""
    for response in client.stream(SAGA + "WatchSaga", {"gid": gid}, timeout=60):
        saga = response.saga
    return saga
