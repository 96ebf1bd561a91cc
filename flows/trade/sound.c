#include "flows/trade/sound.h"

enum { THE_TRADE = TRADE_PARTS }; // its own row

// clang-format off
static const struct value {
    int part; // enum trade_part, or THE_TRADE
    size_t offset;
    const ProtobufCEnumDescriptor *values; // but the unspecified one; NULL: 0 to `last`
    const char *name;
    int32_t last;
} values[] = {
#define NAMED(part, row, field, type, name) {part, offsetof(struct row, field), &txcenter__trade__v1__##type##__descriptor, name, 0},
#define OURS(part, row, field, last, name) {part, offsetof(struct row, field), NULL, name, last},
    NAMED(THE_TRADE, trade_row, state, trade_state, "its state")
    NAMED(PART_TENDER, tender_row, state, tender_state, "a tender's state")
    NAMED(PART_TENDER, tender_row, kind, tender_kind, "a tender's kind")
    NAMED(PART_REFUND, refund_row, state, refund_state, "a refund's state")
    NAMED(PART_REFUND_LEG, refund_leg_row, state, refund_leg_state, "a refund leg's state")
    OURS(THE_TRADE, trade_row, closing, CLOSING_TAKEN, "why it is closed")
    OURS(THE_TRADE, trade_row, stopped, STOPPED_ABANDONED, "how it was stopped")
    OURS(THE_TRADE, trade_row, adjust, ADJUST_DONE, "how it is adjusted")
    OURS(PART_ATTEMPT, pay_attempt_row, state, ATTEMPT_FAILED, "a payment attempt's state")
    OURS(PART_TENDER, tender_row, undo, UNDO_REVERSED, "how a tender is undone")
    OURS(PART_REFUND, refund_row, kind, REFUND_UNUSED, "a refund's kind")
    OURS(PART_REFUND, refund_row, recharge, RECHARGE_NEVER, "how a refund stands with a recharge")
#define X(NAME, name, ...) OURS(THE_TRADE, trade_row, after[AFTER_##NAME].state, AFTER_UNSURE, "the state of " #name)
    AFTER_TABLE(X)
#undef X
};
// clang-format on

static bool is_value(const struct value *value, int32_t number) {
    if (!value->values)
        return number >= 0 && number <= value->last;
    return number > 0 && protobuf_c_enum_descriptor_get_value(value->values, number);
}

static bool is_sound(const struct value *value, const struct trade *trade, const void *row, struct error *error) {
    int32_t number;
    memcpy(&number, (const char *)row + value->offset, sizeof number);
    return is_value(value, number) || error_set(error, ERR_STORE_CORRUPT, "trade %s: %s is %d, which is none",
                                                trade->row.trade_no, value->name, number);
}

// Amounts that are packed into bytes: so many together, and no more than so many.
static bool fits(const struct trade *trade, struct str packed, size_t together, size_t most, const char *name,
                 struct error *error) {
    size_t unit = together * sizeof(int64_t);
    return (packed.len % unit == 0 && packed.len <= most * sizeof(int64_t)) ||
           error_set(error, ERR_STORE_CORRUPT, "trade %s: %s have %zu bytes, which can't be", trade->row.trade_no, name,
                     packed.len);
}

static bool parts_fit(const struct trade *trade, struct error *error) {
    const struct refund_row *refund;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++)
        if (!fits(trade, refund->line_parts, 1, TRADE_LINES_MAX, "a refund's parts of lines", error) ||
            !fits(trade, refund->invoice_parts, TRADE_INVOICES_MAX, TRADE_INVOICES_MAX * TRADE_TENDERS_MAX,
                  "a refund's parts of invoices", error))
            return false;
    return true;
}

bool sound_check(const struct trade *trade, struct error *error) {
    bool sound = true;
    for (size_t i = 0; sound && i < STORE_COUNT(values); i++) {
        const struct value *value = &values[i];
        if (value->part == THE_TRADE) {
            sound = is_sound(value, trade, &trade->row, error);
            continue;
        }
        const struct trade_items *items = &trade->parts[value->part];
        for (size_t k = 0; sound && k < items->n; k++)
            sound = is_sound(value, trade, items->list[k]->row, error);
    }
    return sound && parts_fit(trade, error);
}
