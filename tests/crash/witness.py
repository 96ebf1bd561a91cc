"""What the center said to its callers, and whether it still says so: nothing that was answered or shown may be forgotten."""

from shop import TRADE, STATES
from wire import Refused

# Another body under the same request_id.
OTHERWISE = {"Quote": {"maxCombinations": 7}, "PlaceOrder": {"expiresInSeconds": 777}, "Pay": {"onFailure": "ON_FAILURE_KEEP"},
             "QuoteOrderPay": {"expiresInSeconds": 777}, "Cancel": {"reason": "another"}, "Refund": {"reason": "another"}}


def history_of(trade):
    return [(STATES[change.state].name.partition("_STATE_")[2], change.at.ToNanoseconds()) for change in trade.history]


def facts_of(answer):
    """What of an answer stays as it is for ever, as {name: value}."""
    if isinstance(answer, Refused):
        return {"refused": answer.reason}
    facts = {}
    if hasattr(answer, "quote"):
        facts.update(trade_no=answer.trade_no, quote=answer.quote.SerializeToString(deterministic=True))
        return facts
    facts["trade_no"] = answer.trade.trade_no
    if answer.trade.order_no:
        facts["order_no"] = answer.trade.order_no
    if getattr(answer, "attempt", None) and answer.attempt.attempt_no:
        facts["attempt"] = answer.attempt.attempt_no
        facts["tenders"] = [(tender.tender_no, tender.kind, tender.amount.minor_units, tender.account)
                            for tender in answer.attempt.tenders]
    if getattr(answer, "refund", None) and answer.refund.refund_no:
        facts["refund"] = (answer.refund.refund_no, answer.refund.amount.minor_units)
    return facts


class Witness:
    """Of one trade."""

    def __init__(self):
        self.answered = []  # (method, request, facts, whether it was still under way)
        self.shown = {}  # version: history, as it was shown

    def heard(self, method, request, answer):
        under_way = getattr(answer, "processing", False)
        self.answered.append((method, request, facts_of(answer), under_way))
        if hasattr(answer, "trade"):
            self.saw(answer.trade)

    def saw(self, trade):
        if trade.trade_no:
            self.shown[trade.version] = history_of(trade)

    def faults(self, client, trade):
        """What was forgotten. `trade` is what is left."""
        return self._forgotten_states(trade) + [fault for asked in self.answered for fault in self._repeat(client, *asked)]

    def _forgotten_states(self, trade):
        final, faults = history_of(trade), []
        for version, history in self.shown.items():
            if version > trade.version or final[:len(history)] != history:
                faults.append(f"forgotten: version {version} of the trade was shown as {history[-1][0]}, now it is version "
                              f"{trade.version}: {' '.join(state for state, _ in final)}")
        return faults

    def _repeat(self, client, method, request, facts, under_way):
        try:
            again = client.call(TRADE + method, request)
            if hasattr(again, "trade"):
                self.saw(again.trade)
        except Refused as refused:
            again = refused
        if under_way and isinstance(again, Refused) and again.metadata.get("trade_no", "") in ("", facts["trade_no"]):
            return  # what was under way has failed since
        now = facts_of(again)
        for name, value in facts.items():
            if now.get(name) != value:
                yield f"forgotten: {method} was answered {name} {value!r}, now {name} {now.get(name)!r} of {now}"
        if "refused" in facts:
            return  # a refusal need not use its id up
        try:
            client.call(TRADE + method, {**request, **OTHERWISE[method]})
            yield f"forgotten: the request_id of {method} can be used for another body"
        except Refused as refused:
            if refused.reason != "IDEMPOTENCY_KEY_REUSED":
                yield f"forgotten: {method} with another body is refused with {refused.reason}: {refused.text}"
