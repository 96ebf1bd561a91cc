"""Waiting for what only asking tells. Where somebody says when it is so (a stream, a log, a participant), that is waited for instead."""

import time

PATIENCE_S = 120
SERVES_S = 60
AGAIN_S = 0.05


def until(holds, what, seconds=PATIENCE_S, wrong=AssertionError):
    """Asks until it holds; returns what it said. When it does not in time, `wrong` is raised: with a text, or what makes one."""
    end = time.monotonic() + seconds
    while not (said := holds()):
        if time.monotonic() > end:
            raise wrong(what() if callable(what) else what)
        time.sleep(AGAIN_S)
    return said


def until_serves(process, serves, what):
    """The same of a server that was just started, and may end instead."""
    until(lambda: serves() or process.poll() is not None, what, SERVES_S)
    if process.poll() is not None:
        raise AssertionError(what)
