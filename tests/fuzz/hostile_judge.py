"""Whether an answer is the right one: precise when it refuses, and OK only for what may be accepted."""

from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.message import DecodeError

from harness import PROTOS
from hostile_seeds import CALLERS, WAIT_MAX_MS

# A refusal is one of these, with a reason. UNAVAILABLE only says that a participant could not be asked.
PRECISE = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
           "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "UNAUTHENTICATED"}
# INVALID_ARGUMENT names fields; these reasons say themselves what is wrong, and so does a message that is none.
TELLING = {"COMBINATION_UNKNOWN", "TENDERS_UNEQUAL", "PUMP_AMOUNT_MISMATCH"}
WHOLE = ("the message ", "the call carries no message")
# The standard services answer without google.rpc.Status.
PLAIN = ("grpc.health.", "grpc.reflection.")
MONEY_MAX = 10**15

# What an accepted field is at most: texts in bytes, lists in entries, numbers from..to.
TEXT_MAX = {"request_id": 64, "trade_no": 26, "order_no": 64, "refund_no": 32, "tenant_id": 64, "user_id": 64, "station_id": 64,
            "oil_code": 32, "nozzle": 32, "account": 128, "gid": 128, "nonce": 64, "key_id": 64, "flow": 40, "name": 64,
            "target": 255, "method": 159, "value": 512, "from_step": 40}
LIST_MAX = {"lines": 32, "tenders": 16, "split": 16, "excluded_coupon_ids": 32, "required_coupon_ids": 32, "indexes": 32,
            "excluded_activity_ids": 32, "required_activity_ids": 32, "tender_kinds": 16,
            "steps": 64, "parts": 16, "headers": 8}
RANGE = {"wait_ms": (0, WAIT_MAX_MS), "page_size": (0, 2**31 - 1), "max_combinations": (0, 10), "volume_centi": (0, 10**8),
         "expires_in_seconds": (0, 86400), "after_version": (0, 2**63 - 1), "quote_version": (1, 2**31 - 1),
         "time_limit_ms": (0, 30 * 86400000), "step_id": (0, 65535), "stage": (0, 255), "deadline_ms": (0, 60000),
         "field_number": (1, 536870911), "timeout_ms": (1, 30 * 86400000), "first_ms": (1, 3600000), "max_ms": (1, 3600000),
         "attempts": (0, 2**31 - 1), "jitter_percent": (0, 100)}
TENANTS = {caller["name"]: caller["tenants"] for caller in CALLERS}


def _entries(message, field):
    value = getattr(message, field.name)
    return list(value) if field.label == F.LABEL_REPEATED else [value]


def _wrong_field(message, field):
    name, values = field.name, _entries(message, field)
    if field.label == F.LABEL_REPEATED and len(values) > LIST_MAX.get(name, 1 << 30):
        return f"{name} has {len(values)} entries"
    for value in values:
        if field.cpp_type == F.CPPTYPE_STRING and len(value if isinstance(value, bytes) else value.encode()) > TEXT_MAX.get(name, 1 << 30):
            return f"{name} is too long"
        if field.cpp_type == F.CPPTYPE_ENUM and value not in field.enum_type.values_by_number:
            return f"{name} is {value}, which is none"
        if name in RANGE and field.label != F.LABEL_REPEATED and not RANGE[name][0] <= value <= RANGE[name][1]:
            return f"{name} is {value}"
    return None


def _wrong_message(message):
    kind = message.DESCRIPTOR.full_name
    if kind == "txcenter.type.v1.Money" and (message.currency != "CNY" or abs(message.minor_units) > MONEY_MAX):
        return f"money is {message.minor_units} {message.currency!r}"
    if kind == "google.protobuf.Timestamp" and not (-62135596800 <= message.seconds <= 253402300799 and
                                                    0 <= message.nanos <= 999999999):
        return "a timestamp is none"
    return None


def wrong_in(message):
    """What of a request can't be acceptable; None when nothing is known to be wrong."""
    wrong = _wrong_message(message)
    for field in message.DESCRIPTOR.fields:
        if wrong:
            break
        if not field.message_type:
            wrong = _wrong_field(message, field)
            continue
        if field.label != F.LABEL_REPEATED and not message.HasField(field.name):
            continue
        wrong = _wrong_field(message, field) if field.label == F.LABEL_REPEATED else None
        for entry in _entries(message, field):
            wrong = wrong or wrong_in(entry)
    return wrong


def _parse(descriptor, data):
    message = PROTOS.prototype(descriptor)()
    message.ParseFromString(data)
    return message


def judge_ok(method, case, answers):
    """What is wrong with an OK; None when nothing is."""
    if case.compressed:
        return "OK for a compressed message"
    try:
        request = _parse(method.descriptor.input_type, case.data)
    except DecodeError:
        return "OK for what is no message"
    wrong = wrong_in(request)
    named = "SubmitSaga" in method.path and request.gid
    if not wrong and "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id and not named:
        wrong = "without a request_id"
    if wrong and not method.path.startswith(PLAIN):
        return "OK, though " + wrong
    try:
        parsed = [_parse(method.descriptor.output_type, answer) for answer in answers]
    except DecodeError:
        return "the answer can't be read"
    return next(filter(None, (_wrong_answer(request, answer, case.caller) for answer in parsed)), None)


def _wrong_answer(request, answer, caller):
    saga = getattr(answer, "saga", None)
    if caller == "submitter" and saga is not None and saga.subject != "caller/submitter":
        return f"shows a saga of {saga.subject} to {caller}"
    trade = getattr(answer, "trade", None)
    trades = ([trade] if trade is not None and answer.HasField("trade") else []) + list(getattr(answer, "trades", ()))
    allowed = TENANTS.get(caller, ())
    for one in trades:
        if "*" not in allowed and one.context.tenant_id not in allowed:
            return f"shows a trade of {one.context.tenant_id} to {caller}"
        if trade is not None and getattr(request, "trade_no", "") not in ("", one.trade_no):
            return f"answers with {one.trade_no} for {request.trade_no}"
    return None


def judge_refusal(method, case, refused):
    """What is wrong with a refusal; None when nothing is."""
    if case.alone and refused.code == "UNAVAILABLE":
        return None  # gRPC ends the connection of who sends too much metadata
    if refused.code not in PRECISE and not (refused.code == "UNAVAILABLE" and refused.reason == "PRICE_UNAVAILABLE"):
        return f"{refused.code} {refused.reason}: {refused.text}"
    if method.path.startswith(PLAIN) or case.by_core or refused.text.startswith("Received message larger than max"):
        return None  # gRPC itself refuses what is far too large
    if not refused.reason or refused.domain != "txcenter":
        return f"{refused.code} without a reason: {refused.text}"
    if refused.code == "INVALID_ARGUMENT" and not refused.fields and refused.reason not in TELLING and \
            not refused.text.startswith(WHOLE):
        return f"INVALID_ARGUMENT without a field: {refused.text}"
    return None
