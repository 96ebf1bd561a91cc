#include "flows/trade/moved.h"

#include "base/money.h"
#include "participant/card/v1/card.pb-c.h"
#include "participant/points/v1/points.pb-c.h"

#include <string.h>

// ---- Cards ----------------------------------------------------------------------------------------------------------

// The one field of its kind; NULL when it is not there.
static const Participant__Card__V1__CardAmount *moved(const ProtobufCMessage *answer) {
    const ProtobufCMessageDescriptor *type = answer->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].descriptor == &participant__card__v1__card_amount__descriptor)
            return *(const Participant__Card__V1__CardAmount *const *)(const void *)((const char *)answer +
                                                                                     type->fields[i].offset);
    return NULL;
}

// False when it is none: negative, too large, of another currency.
static bool part_of(const Txcenter__Type__V1__Money *part, const char *currency, int64_t *ret_minor) {
    bool is_money = !part || part->minor_units == 0 ||
                    (part->minor_units > 0 && part->minor_units <= MONEY_MAX && strcmp(part->currency, currency) == 0);
    *ret_minor = is_money && part ? part->minor_units : 0;
    return is_money;
}

static bool parts_of(const ProtobufCMessage *answer, const char *currency, int64_t *ret_principal, int64_t *ret_bonus) {
    const Participant__Card__V1__CardAmount *amount = moved(answer);
    *ret_principal = *ret_bonus = 0;
    return !amount ||
           (part_of(amount->principal, currency, ret_principal) && part_of(amount->bonus, currency, ret_bonus));
}

bool moved_all(const ProtobufCMessage *answer, int64_t amount, const char *currency) {
    int64_t principal, bonus;
    return parts_of(answer, currency, &principal, &bonus) && principal + bonus == amount;
}

bool moved_principal(const ProtobufCMessage *answer, int64_t amount, const char *currency) {
    int64_t principal, bonus;
    return parts_of(answer, currency, &principal, &bonus) && principal == amount;
}

// ---- Points ---------------------------------------------------------------------------------------------------------

static bool are_points(int64_t points) {
    return points >= 0 && points <= MONEY_MAX;
}

bool moved_award(const ProtobufCMessage *answer, int64_t points, const char *currency) {
    const Participant__Points__V1__AwardPointsResponse *response = (const void *)answer;
    (void)points, (void)currency;
    return are_points(response->points);
}

bool moved_cancelled(const ProtobufCMessage *answer, int64_t points, const char *currency) {
    const Participant__Points__V1__CancelAwardResponse *response = (const void *)answer;
    (void)points, (void)currency;
    return are_points(response->points) && are_points(response->shortfall);
}

bool moved_back(const ProtobufCMessage *answer, int64_t points, const char *currency) {
    const Participant__Points__V1__ClawBackPointsResponse *response = (const void *)answer;
    (void)currency;
    return are_points(response->points) && are_points(response->shortfall) &&
           response->points + response->shortfall == points;
}
