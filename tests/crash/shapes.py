"""The sagas that callers define here, and what each of them must come to."""

import base64

METHOD = "/crash.v1.Ledger/"
SUCCEEDED, FAILED = 4, 5
PIVOT, RETRIABLE = "STEP_KIND_PIVOT", "STEP_KIND_RETRIABLE"
NEVER_AWAITED_MS = 600000
DEADLINE_MS = 250  # of each call; what the ledger holds back for longer is not known
RETRY = {"firstMs": 10, "maxMs": 150, "attempts": 0, "jitterPercent": 30}  # tried until it is done


class Shape:
    """A definition without the name of its saga. Steps are undone, unless their kind says that they are never."""

    def __init__(self, name, *steps, ends=(SUCCEEDED,), signalled=False, **fields):
        self.name, self.ends, self.signalled = name, ends, signalled
        self.steps = {step["name"]: step for step in steps}
        self.fields = fields

    def definition(self, target):
        made = [{key: self._call(key, value, target) for key, value in step.items()} for step in self.steps.values()]
        return {"flow": "crash." + self.name, "steps": made, **self.fields}

    @staticmethod
    def _call(key, value, target):
        return {"target": target, "deadlineMs": DEADLINE_MS, **value} if key in ("action", "compensation", "inquiry") else value

    def acts(self):
        """The names of the steps that call."""
        return [name for name, step in self.steps.items() if "action" in step]

    def refuses(self, step):
        return self.steps[step]["action"]["method"] == METHOD + "Refuse"

    def is_behind_the_pivot(self, step):
        return self.steps[step].get("kind") == RETRIABLE


def call(method, name, **fields):
    return {"method": METHOD + method, "payload": base64.b64encode(name.encode()).decode(), **fields}


def step(name, method="Act", ask=True, parts=(), **fields):
    """`parts`: the steps whose answers its request takes."""
    taken = [{"fromStep": earlier, "fieldNumber": 2 + i} for i, earlier in enumerate(parts)]
    made = {"name": name, "action": call(method, name, parts=taken), "retry": RETRY, "compensationRetry": RETRY, **fields}
    if "kind" not in fields:
        made["compensation"] = call("Undo", name, parts=[{"fromStep": name, "fieldNumber": 9}] + taken)
    if ask:
        made["inquiry"] = call("Ask", name)
    return made


def signal(timeout_ms=NEVER_AWAITED_MS):
    return {"name": "paid", "signal": {"name": "paid", "timeoutMs": str(timeout_ms)}}


def behind(name, **fields):
    return step(name, kind=RETRIABLE, **fields)


FEW = {**RETRY, "attempts": 2}

SHAPES = (
    Shape("plain", step("reserve"), step("charge", parts=["reserve"])),
    Shape("unasked", step("reserve", ask=False), step("charge", ask=False, parts=["reserve"])),
    Shape("wide", *(step(f"reserve{i}", stage=1) for i in range(3)), step("charge", stage=2, parts=["reserve0", "reserve2"])),
    Shape("pivot", step("reserve"), step("charge", kind=PIVOT), behind("ship", stage=3), behind("tell", stage=3, ask=False)),
    Shape("refused", step("reserve0", stage=1), step("reserve1", stage=1, ask=False), step("charge", "Refuse", stage=2),
          ends=(FAILED,)),
    Shape("beside", step("reserve"), step("hold", stage=2), step("charge", "Refuse", stage=2), ends=(FAILED,)),
    Shape("unpaid", step("reserve"), step("charge", "Refuse", kind=PIVOT), behind("ship"), ends=(FAILED,)),
    Shape("signalled", step("reserve"), signal(), step("charge", parts=["paid"]), signalled=True),
    Shape("unsignalled", step("reserve"), signal(150), step("charge"), ends=(FAILED,)),
    Shape("hurried", step("reserve"), step("charge"), step("ship"), ends=(SUCCEEDED, FAILED), timeLimitMs="60"),
    Shape("impatient", step("reserve", retry=FEW), step("charge", retry=FEW, ask=False), ends=(SUCCEEDED, FAILED)),
)
BY_FLOW = {"crash." + shape.name: shape for shape in SHAPES}
