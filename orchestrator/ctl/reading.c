#include "orchestrator/ctl/reading.h"

#include "base/money.h"

#include <stdio.h>

int64_t reading_ms(const Google__Protobuf__Timestamp *stamp) {
    const int64_t last = INT64_C(253402300799); // of the year 9999
    if (!stamp || stamp->seconds < 0 || stamp->seconds > last || stamp->nanos < 0 || stamp->nanos > 999999999)
        return 0;
    return stamp->seconds * 1000 + stamp->nanos / 1000000;
}

void reading_time(const Google__Protobuf__Timestamp *stamp, char out[VIEW_TIME_MAX]) {
    view_time(reading_ms(stamp), out);
}

void reading_money(const Txcenter__Type__V1__Money *money, char out[READING_MONEY_MAX]) {
    struct money known;
    if (!money) {
        out[0] = '\0';
    } else if (money_decimals(str_c(money->currency)) >= 0 &&
               str_copy(str_c(money->currency), known.currency, sizeof known.currency)) {
        known.minor = money->minor_units;
        money_format(known, out);
    } else {
        snprintf(out, READING_MONEY_MAX, "%lld minor %.8s", (long long)money->minor_units, money->currency);
    }
}

bool reading_is_zero(const Txcenter__Type__V1__Money *money) {
    return !money || money->minor_units == 0;
}

void reading_volume(int64_t centi, char out[READING_VOLUME_MAX]) {
    uint64_t n = centi < 0 ? 0 - (uint64_t)centi : (uint64_t)centi;
    snprintf(out, READING_VOLUME_MAX, "%s%llu.%02u", centi < 0 ? "-" : "", (unsigned long long)(n / 100),
             (unsigned)(n % 100));
}
