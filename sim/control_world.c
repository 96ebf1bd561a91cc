// The control service's ways to change the world: each puts rows in the place of what is there, and answers when they
// are durable.
#include "google/protobuf/timestamp.pb-c.h"
#include "participant/sim/v1/sim.pb-c.h"
#include "sim/control.h"
#include "sim/coupon.h"

#include <assert.h>
#include <stdio.h>

#define PB(name) Participant__Sim__V1__##name
#define TYPE(name) &participant__sim__v1__##name##__descriptor

// Each method checks first and changes afterwards: with an error nothing has changed.

static void set_user(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetUserRequest) *request = (const void *)message;
    if (!*request->user_id) {
        error_field(error, "user_id", "is missing");
        return;
    }
    struct sim_user_row row = {.frozen = request->frozen};
    SIM_COPY(row.user_id, request->user_id);
    SIM_COPY(row.name, request->name);
    SIM_COPY(row.card_no, request->card_no);
    SIM_COPY(row.plate_no, request->plate_no);
    sim_world_put(change, SIM_USERS, &row);
}

static void set_card(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetCardRequest) *request = (const void *)message;
    const struct sim_card_row *known = sim_find(change->system, SIM_CARDS, request->card_no);
    if (!*request->card_no || !request->principal || request->principal->minor_units < 0 ||
        (request->bonus &&
         (request->bonus->minor_units < 0 || strcmp(request->bonus->currency, request->principal->currency) != 0))) {
        error_field(error, "principal", "and card_no must be there, bonus in the same currency, none negative");
        return;
    }
    if (request->freeze_ms < 0 || request->freeze_ms > INT64_C(31536000000)) {
        error_field(error, "freeze_ms", "is out of range");
        return;
    }
    struct sim_card_row row = {
        .frozen = request->frozen,
        .principal = request->principal->minor_units,
        .bonus = request->bonus ? request->bonus->minor_units : 0,
        .held_principal = known ? known->held_principal : 0,
        .held_bonus = known ? known->held_bonus : 0,
        .freeze_ms = request->freeze_ms,
    };
    SIM_COPY(row.card_no, request->card_no);
    SIM_COPY(row.user_id, request->user_id);
    SIM_COPY(row.currency, request->principal->currency);
    sim_world_put(change, SIM_CARDS, &row);
}

static void set_points(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetPointsRequest) *request = (const void *)message;
    const struct sim_points_row *known = sim_find(change->system, SIM_POINT_ACCOUNTS, request->user_id);
    if (!*request->user_id || request->available < 0 || request->available > MONEY_MAX) {
        error_field(error, "available", "must not be negative, and user_id be there");
        return;
    }
    struct sim_points_row row = {.available = request->available, .frozen = known ? known->frozen : 0};
    SIM_COPY(row.user_id, request->user_id);
    sim_world_put(change, SIM_POINT_ACCOUNTS, &row);
}

static void set_oil_price(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetOilPriceRequest) *request = (const void *)message;
    if (!*request->station_id || !*request->oil_code || !request->unit_price || request->unit_price->minor_units <= 0) {
        error_field(error, "unit_price", "must be more than 0, station_id and oil_code be there");
        return;
    }
    struct sim_price_row row = {.unit_price = request->unit_price->minor_units};
    snprintf(row.place, sizeof row.place, "%s/%s", request->station_id, request->oil_code);
    SIM_COPY(row.oil_code, request->oil_code);
    SIM_COPY(row.name, request->name);
    SIM_COPY(row.currency, request->unit_price->currency);
    sim_world_put(change, SIM_PRICES, &row);
}

static void set_nozzle(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetNozzleRequest) *request = (const void *)message;
    struct sim_nozzle_row row = {.state = (int32_t)request->state};
    if (!*request->station_id || !*request->nozzle ||
        !protobuf_c_enum_descriptor_get_value(&participant__oil__v1__pump_state__descriptor, (int)request->state)) {
        error_field(error, "nozzle", "and station_id must be there, and the state be known");
        return;
    }
    snprintf(row.place, sizeof row.place, "%s/%s", request->station_id, request->nozzle);
    const struct sim_nozzle_row *known = sim_find(change->system, SIM_NOZZLES, row.place);
    SIM_COPY(row.last_serial, known ? known->last_serial : "");
    SIM_COPY(row.oil_code, request->oil_code);
    sim_world_put(change, SIM_NOZZLES, &row);
}

static void add_pump_record(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(AddPumpRecordRequest) *request = (const void *)message;
    if (!request->unit_price || !request->amount ||
        strcmp(request->unit_price->currency, request->amount->currency) != 0) {
        error_field(error, "amount", "and unit_price must be there, in one currency");
        return;
    }
    struct sim_pump_record_row row = {
        .volume_centi = request->volume_centi,
        .unit_price = request->unit_price->minor_units,
        .amount = request->amount->minor_units,
    };
    snprintf(row.place, sizeof row.place, "%s/%s/%s", request->station_id, request->nozzle, request->serial);
    SIM_COPY(row.oil_code, request->oil_code);
    SIM_COPY(row.currency, request->amount->currency);
    sim_world_put(change, SIM_PUMP_RECORDS, &row);
    char place[sizeof((struct sim_nozzle_row *)NULL)->place];
    snprintf(place, sizeof place, "%s/%s", request->station_id, request->nozzle);
    struct sim_nozzle_row *nozzle = sim_find(change->system, SIM_NOZZLES, place);
    if (nozzle) {
        SIM_COPY(nozzle->last_serial, request->serial);
        sim_put(change, nozzle);
    }
}

static void add_coupon(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(AddCouponRequest) *request = (const void *)message;
    struct sim_template_row rule;
    struct sim_coupon_row row = {.state = SIM_COUPON_USABLE};
    const Participant__Coupon__V1__Coupon *coupon = request->coupon;
    if (!coupon || !*request->user_id || !*coupon->coupon_id ||
        !str_copy(str_c(coupon->coupon_id), row.coupon_id, sizeof row.coupon_id) ||
        sim_find(change->system, SIM_COUPONS, row.coupon_id)) {
        error_field(error, "coupon.coupon_id", "and user_id must be there, at most 48 bytes, and new");
        return;
    }
    if (!sim_template_from(coupon, &rule, error))
        return;
    const Google__Protobuf__Timestamp *expires = coupon->expires_at;
    if (expires && (expires->seconds < 0 || expires->seconds > INT64_C(253402300799))) {
        error_field(error, "coupon.expires_at", "is out of range");
        return;
    }
    if (expires)
        row.expires_ms = expires->seconds * 1000 + expires->nanos / 1000000;
    SIM_COPY(row.user_id, request->user_id);
    SIM_COPY(row.template_id, row.coupon_id);
    SIM_COPY(rule.template_id, row.coupon_id);
    sim_world_put(change, SIM_TEMPLATES, &rule);
    sim_world_put(change, SIM_COUPONS, &row);
}

static void set_issue_rule(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetIssueRuleRequest) *request = (const void *)message;
    struct sim_issue_rule_row row = {.valid_days = request->valid_days};
    struct sim_template_row rule;
    if (!*request->rule_id || !str_copy(str_c(request->rule_id), row.template_id, sizeof row.template_id) ||
        !request->least || !request->coupon || request->valid_days < 0 || request->valid_days > 36500) {
        error_field(error, "rule_id", "at most 48 bytes, least and coupon must be there, valid_days 0 to 36500");
        return;
    }
    if (!sim_template_from(request->coupon, &rule, error))
        return;
    row.least = request->least->minor_units;
    SIM_COPY(row.rule_id, request->rule_id);
    SIM_COPY(row.currency, request->least->currency);
    SIM_COPY(rule.template_id, row.template_id);
    sim_world_put(change, SIM_TEMPLATES, &rule);
    sim_world_put(change, SIM_ISSUE_RULES, &row);
}

static void set_goods(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetGoodsRequest) *request = (const void *)message;
    bool stocked = request->kind == PARTICIPANT__GOODS__V1__GOODS_KIND__GOODS_KIND_STOCKED;
    if (!*request->station_id || !*request->sku || strlen(request->sku) > SIM_LISTED_ID_MAX ||
        strchr(request->sku, ',') || !request->unit_price || request->unit_price->minor_units < 0 ||
        (!stocked && request->kind != PARTICIPANT__GOODS__V1__GOODS_KIND__GOODS_KIND_ITEM)) {
        error_field(error, "unit_price", "must be 0 or more; station_id, kind and sku (at most 48 bytes) be there");
        return;
    }
    if (request->available < 0 || request->available > SIM_QUANTITY_MAX) {
        error_field(error, "available", "must be 0 to 1000000000");
        return;
    }
    struct sim_goods_row row = {
        .kind = (int32_t)request->kind,
        .unit_price = request->unit_price->minor_units,
        .stock = request->available,
    };
    snprintf(row.place, sizeof row.place, "%s/%s", request->station_id, request->sku);
    row.stock -= sim_pool_free(change->system, row.place, 0);
    SIM_COPY(row.name, request->name);
    SIM_COPY(row.currency, request->unit_price->currency);
    sim_world_put(change, SIM_GOODS_LIST, &row);
}

static bool in_range(const Google__Protobuf__Timestamp *at) {
    return !at || (at->seconds >= 0 && at->seconds <= INT64_C(253402300799));
}

static int64_t ms_of(const Google__Protobuf__Timestamp *at) {
    return at ? at->seconds * 1000 + at->nanos / 1000000 : 0;
}

static bool activity_from(const PB(SetActivityRequest) * request, struct sim_activity_row *row,
                          struct sim_rule_row *rule, struct error *error) {
    const Participant__Discount__V1__Activity *activity = request->activity;
    if (!activity || !*activity->activity_id || strlen(activity->activity_id) > SIM_LISTED_ID_MAX ||
        strchr(activity->activity_id, ',') || !activity->rule) {
        error_field(error, "activity", "must be there with rule and activity_id, which has at most 48 bytes");
        return false;
    }
    bool benefit = activity->kind != PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_LIMIT;
    if (!sim_rule_from(activity->rule, benefit, rule, error))
        return false;
    *row = (struct sim_activity_row){
        .kind = (int32_t)activity->kind,
        .stacks = activity->stacks,
        .quota_unit = (int32_t)activity->quota_unit,
        .quota = request->quota,
        .quota_each = request->quota_each,
        .quota_by = (int32_t)request->quota_by,
        .quota_daily = request->quota_daily,
        .starts_ms = ms_of(request->starts_at),
        .ends_ms = ms_of(activity->ends_at),
    };
    SIM_COPY(row->activity_id, activity->activity_id);
    SIM_COPY(rule->rule_id, activity->activity_id);
    SIM_COPY(row->name, activity->name);
    sim_list_join(request->station_ids, request->n_station_ids, row->stations, sizeof row->stations, "station_ids",
                  error);
    sim_list_join(request->channels, request->n_channels, row->channels, sizeof row->channels, "channels", error);
    sim_list_join(request->level_codes, request->n_level_codes, row->level_codes, sizeof row->level_codes,
                  "level_codes", error);
    if (request->quota < 0 || request->quota > MONEY_MAX || request->quota_each < 0 ||
        request->quota_each > MONEY_MAX || !in_range(request->starts_at) || !in_range(activity->ends_at))
        error_field(error, "quota", "and the times must be within their ranges");
    return !error_is(error);
}

static void set_activity(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    struct sim_activity_row row;
    struct sim_rule_row rule;
    if (!activity_from((const void *)message, &row, &rule, error))
        return;
    sim_world_put(change, SIM_ACTIVITIES, &row);
    sim_world_put(change, SIM_ACTIVITY_RULES, &rule);
}

static void set_level(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetLevelRequest) *request = (const void *)message;
    struct sim_level_row row = {.least = request->least};
    struct sim_rule_row rule;
    if (!*request->level_code || !str_copy(str_c(request->level_code), row.level_code, sizeof row.level_code)) {
        error_field(error, "level_code", "must be there, at most 48 bytes");
        return;
    }
    if (request->rule && !sim_rule_from(request->rule, true, &rule, error))
        return;
    SIM_COPY(row.name, request->name);
    SIM_COPY(rule.rule_id, request->level_code);
    sim_world_put(change, SIM_LEVELS, &row);
    if (request->rule)
        sim_world_put(change, SIM_LEVEL_RULES, &rule);
}

static void set_growth(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetGrowthRequest) *request = (const void *)message;
    if (!*request->user_id || request->growth < 0 || request->growth > MONEY_MAX) {
        error_field(error, "growth", "must not be negative, and user_id be there");
        return;
    }
    struct sim_member_row row = {.growth = request->growth};
    SIM_COPY(row.user_id, request->user_id);
    sim_world_put(change, SIM_MEMBERS, &row);
}

static void set_spend_rule(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(SetSpendRuleRequest) *request = (const void *)message;
    if (!*request->rule_id || !request->least || request->least->minor_units < 0) {
        error_field(error, "least", "must not be negative, and rule_id be there");
        return;
    }
    struct sim_spend_rule_row row = {.least = request->least->minor_units};
    SIM_COPY(row.rule_id, request->rule_id);
    SIM_COPY(row.name, request->name);
    SIM_COPY(row.currency, request->least->currency);
    sim_world_put(change, SIM_SPEND_RULES, &row);
}

static void close_shift(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(CloseShiftRequest) *request = (const void *)message;
    bool same = strcmp(request->shift_id, request->next_shift_id) == 0 &&
                strcmp(request->business_date, request->next_business_date) == 0;
    if (!*request->station_id || !*request->next_shift_id || !*request->next_business_date || same) {
        error_field(error, "next_shift_id", "must be there, with its date, and another than the one that is closed");
        return;
    }
    struct sim_shift_row row = {.closed = 1};
    snprintf(row.place, sizeof row.place, "%s/%s/%s", request->station_id, request->business_date, request->shift_id);
    SIM_COPY(row.next_shift_id, request->next_shift_id);
    SIM_COPY(row.next_business_date, request->next_business_date);
    sim_world_put(change, SIM_SHIFTS, &row);
}

static void use_gift(struct sim_change *change, const ProtobufCMessage *message, struct error *error) {
    const PB(UseGiftRequest) *request = (const void *)message;
    const struct sim_gift_row *gift = sim_find(change->system, SIM_GIFTS, request->gift_id);
    if (!gift || gift->state != SIM_GIFT_GIVEN) {
        error_field(error, "gift_id", "is none that can be used");
        return;
    }
    struct sim_gift_row row = *gift;
    row.state = SIM_GIFT_USED;
    sim_world_put(change, SIM_GIFTS, &row);
}

// ---- Calls -----------------------------------------------------------------------------------------------------

static const struct world_method {
    const ProtobufCMessageDescriptor *request, *response;
    enum sim_system_index system;
    void (*change)(struct sim_change *change, const ProtobufCMessage *message, struct error *error);
} methods[] = {
#define METHOD(name, SYSTEM)                                                                                           \
    { TYPE(name##_request), TYPE(name##_response), SIM_##SYSTEM, name }
    METHOD(set_user, USER),          METHOD(set_card, CARD),           METHOD(set_points, POINTS),
    METHOD(set_oil_price, OIL),      METHOD(set_nozzle, OIL),          METHOD(add_pump_record, OIL),
    METHOD(add_coupon, COUPON),      METHOD(set_issue_rule, COUPON),   METHOD(set_goods, GOODS),
    METHOD(set_activity, DISCOUNT),  METHOD(set_level, LEVEL),         METHOD(set_growth, LEVEL),
    METHOD(close_shift, SETTLEMENT), METHOD(set_spend_rule, ACTIVITY), METHOD(use_gift, ACTIVITY),
#undef METHOD
};

// A call that is answered with an empty message when its change is durable.
struct waiting {
    struct rpc_inbound *in;
    const ProtobufCMessageDescriptor *response;
};

static void changed(void *ctx, bool durable) {
    struct waiting *waiting = ctx;
    struct error error;
    if (durable) {
        sim_control_reply(waiting->in, waiting->response);
    } else {
        error_set(&error, ERR_INTERNAL, "the change is not known to be durable");
        rpc_fail(waiting->in, &error, NULL);
    }
}

static const struct world_method *method_of(const ProtobufCMessage *request) {
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].request == request->descriptor)
            return &methods[i];
    return NULL;
}

void sim_world_change(void *service, struct rpc_inbound *in, const ProtobufCMessage *request) {
    struct sim *sim = service;
    const struct world_method *method = method_of(request);
    struct error error = {0};
    struct sim_change change;
    if (!sim_control_begin(sim, in, request))
        return;
    assert(method); // a route's
    struct waiting *waiting = arena_alloc(rpc_inbound_arena(in), sizeof *waiting);
    sim_change_begin(&change, &sim->systems[method->system], (struct sim_about){0});
    if (waiting)
        method->change(&change, request, &error);
    else
        error_set(&error, ERR_OVERLOADED, NULL);
    if (error_is(&error)) {
        rpc_fail(in, &error, NULL);
        return;
    }
    *waiting = (struct waiting){in, method->response};
    sim_change_commit(&change, changed, waiting);
}
