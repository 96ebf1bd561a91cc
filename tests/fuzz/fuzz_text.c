// Every reader of text in base/.
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/money.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

static void numbers(struct str text) {
    int64_t value, again;
    if (!str_to_i64(text, &value))
        return;
    char written[32];
    snprintf(written, sizeof written, "%lld", (long long)value);
    assert(str_to_i64(str_c(written), &again) && again == value);
}

static void amounts(struct str text, struct str currency) {
    struct money money, again;
    if (!money_parse(text, currency, &money))
        return;
    assert(money.minor <= MONEY_MAX && money.minor >= -MONEY_MAX);
    struct str fraction = text;
    str_cut(&fraction, '.');
    assert(fraction.len <= (size_t)money_decimals(currency));
    char written[MONEY_TEXT_MAX];
    money_format(money, written);
    assert(money_parse(str_n(written, strlen(written) - 4), currency, &again) && again.minor == money.minor);
}

static void ids(struct str text) {
    assert(id_slot(text) < SLOT_COUNT);
    struct str rest = text, head = str_cut(&rest, '/');
    if (id_valid(head))
        assert(id_slot(head) == id_slot(text));
}

static void slices(struct str text) {
    struct str trimmed = str_trim(text), rest = text;
    assert(trimmed.len <= text.len && str_eq(str_trim(trimmed), trimmed));
    size_t len = 0;
    do
        len += str_cut(&rest, ',').len + (rest.ptr != NULL);
    while (rest.ptr);
    assert(len == text.len);
    char copy[16];
    assert(!str_copy(text, copy, sizeof copy) || str_eq_c(text, copy));
}

static void written(struct str text) {
    struct buf buf;
    buf_init(&buf, 1 << 20);
    if (buf_json(&buf, text))
        assert(str_is_utf8(buf_str(&buf)) && buf.len >= 2 && buf.ptr[0] == '"' && buf.ptr[buf.len - 1] == '"');
    buf_release(&buf);
    struct error error = {0};
    error_set(&error, ERR_INTERNAL, "%.*s", STR_FMT(text));
    error_within(&error, "%.*s", STR_FMT(text));
    assert(str_is_utf8(str_c(error.text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_n(data, size);
    numbers(text);
    amounts(text, STR("CNY"));
    amounts(text, STR("JPY"));
    amounts(text, STR("KWD"));
    struct str amount = text, currency = str_cut(&amount, ' ');
    amounts(amount, currency);
    ids(text);
    slices(text);
    written(text);
    return 0;
}
