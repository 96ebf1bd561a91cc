#include "flows/trade/sound.h"

enum { THE_TRADE = TRADE_PARTS }; // its own row

static const struct value {
    int part; // enum trade_part, or THE_TRADE
    size_t offset;
    const ProtobufCEnumDescriptor *values;
    const char *name;
} values[] = {
    {THE_TRADE, offsetof(struct trade_row, state), &txcenter__trade__v1__trade_state__descriptor, "its state"},
    {PART_TENDER, offsetof(struct tender_row, state), &txcenter__trade__v1__tender_state__descriptor,
     "a tender's state"},
    {PART_TENDER, offsetof(struct tender_row, kind), &txcenter__trade__v1__tender_kind__descriptor, "a tender's kind"},
    {PART_REFUND, offsetof(struct refund_row, state), &txcenter__trade__v1__refund_state__descriptor,
     "a refund's state"},
    {PART_REFUND_LEG, offsetof(struct refund_leg_row, state), &txcenter__trade__v1__refund_leg_state__descriptor,
     "a refund leg's state"},
};

static bool is_sound(const struct value *value, const struct trade *trade, const void *row, struct error *error) {
    int32_t number;
    memcpy(&number, (const char *)row + value->offset, sizeof number);
    return (number > 0 && protobuf_c_enum_descriptor_get_value(value->values, number)) ||
           error_set(error, ERR_STORE_CORRUPT, "trade %s: %s is %d, which is none", trade->row.trade_no, value->name,
                     number);
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
