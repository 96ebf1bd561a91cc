#include "orchestrator/ctl/moment.h"

#include <stdio.h>
#include <time.h>

enum { TEXT_MAX = 40, FIRST_YEAR = 1970, LAST_YEAR = 9999 };

static bool parse_ago(struct str text, int64_t now_ms, int64_t *ret_ms) {
    static const struct {
        char letter;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    int64_t count, ms;
    if (text.len < 2 || !str_to_i64(str_n(text.ptr, text.len - 1), &count) || count < 0)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text.ptr[text.len - 1] != units[i].letter)
            continue;
        if (__builtin_mul_overflow(count, units[i].ms, &ms) || ms > now_ms)
            return false;
        *ret_ms = now_ms - ms;
        return true;
    }
    return false;
}

// Exactly `n` digits at the start of *rest, which moves behind them.
static bool digits(struct str *rest, size_t n, int *ret_number) {
    int number = 0;
    if (rest->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (rest->ptr[i] < '0' || rest->ptr[i] > '9')
            return false;
        number = number * 10 + (rest->ptr[i] - '0');
    }
    *rest = str_n(rest->ptr + n, rest->len - n);
    *ret_number = number;
    return true;
}

static bool sign(struct str *rest, const char *signs, char *ret_sign) {
    if (rest->len == 0 || !strchr(signs, rest->ptr[0]))
        return false;
    *ret_sign = rest->ptr[0];
    *rest = str_n(rest->ptr + 1, rest->len - 1);
    return true;
}

static bool parse_date(struct str *rest, struct tm *tm) {
    char c;
    return digits(rest, 4, &tm->tm_year) && sign(rest, "-", &c) && digits(rest, 2, &tm->tm_mon) &&
           sign(rest, "-", &c) && digits(rest, 2, &tm->tm_mday) && tm->tm_year >= FIRST_YEAR &&
           tm->tm_year <= LAST_YEAR && tm->tm_mon >= 1 && tm->tm_mon <= 12;
}

static bool parse_clock(struct str *rest, struct tm *tm, int *ret_ms) {
    char c;
    int ms = 0;
    if (!sign(rest, "Tt ", &c) || !digits(rest, 2, &tm->tm_hour) || !sign(rest, ":", &c) ||
        !digits(rest, 2, &tm->tm_min) || !sign(rest, ":", &c) || !digits(rest, 2, &tm->tm_sec) || tm->tm_hour > 23 ||
        tm->tm_min > 59 || tm->tm_sec > 59)
        return false;
    if (sign(rest, ".", &c)) {
        int weight = 100, digit;
        for (size_t n = 0; digits(rest, 1, &digit); n++, weight /= 10) {
            if (n == 9)
                return false;
            ms += digit * weight;
        }
    }
    *ret_ms = ms;
    return true;
}

static bool parse_zone(struct str *rest, int *ret_minutes) {
    char c;
    int hours, minutes;
    if (sign(rest, "Zz", &c)) {
        *ret_minutes = 0;
        return rest->len == 0;
    }
    char direction;
    if (!sign(rest, "+-", &direction) || !digits(rest, 2, &hours) || !sign(rest, ":", &c) ||
        !digits(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_minutes = (hours * 60 + minutes) * (direction == '-' ? -1 : 1);
    return rest->len == 0;
}

// The day must exist: timegm would make the 1st of March of a 30th of February.
static bool exists(struct tm tm) {
    struct tm again = tm;
    timegm(&again);
    return again.tm_mday == tm.tm_mday && again.tm_mon == tm.tm_mon;
}

bool moment_parse(struct str text, int64_t now_ms, int64_t *ret_unix_ms) {
    if (parse_ago(text, now_ms, ret_unix_ms))
        return true;
    struct tm tm = {.tm_isdst = -1};
    if (!parse_date(&text, &tm))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (!exists(tm))
        return false;
    if (text.len == 0) {
        *ret_unix_ms = (int64_t)mktime(&tm) * 1000;
        return true;
    }
    int ms, minutes;
    if (!parse_clock(&text, &tm, &ms) || !parse_zone(&text, &minutes))
        return false;
    *ret_unix_ms = ((int64_t)timegm(&tm) - minutes * 60) * 1000 + ms;
    return true;
}
