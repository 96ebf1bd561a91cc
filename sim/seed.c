// A small, believable world: what is in it is tabled here and in README.md.
#include "participant/coupon/v1/coupon.pb-c.h"
#include "participant/discount/v1/discount.pb-c.h"
#include "participant/goods/v1/goods.pb-c.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#define CURRENCY "CNY"
#define DAY_MS INT64_C(86400000)

static const struct {
    const char *code, *name;
    int64_t unit_price;
} oils[] = {
    {"92#", "92 gasoline", 768},
    {"95#", "95 gasoline", 818},
    {"98#", "98 gasoline", 918},
    {"0#", "0 diesel", 735},
};

enum { STATIONS = 4, OILS = sizeof oils / sizeof oils[0], N_TEMPLATES = 7, USERS_IN_WRITE = 200 };

// Each station's prices differ by so much from the first one's.
static const int64_t price_steps[STATIONS] = {0, -10, 5, 12};

#define AMOUNT_OFF PARTICIPANT__COUPON__V1__COUPON_KIND__COUPON_KIND_AMOUNT_OFF
#define PERCENT_OFF PARTICIPANT__COUPON__V1__COUPON_KIND__COUPON_KIND_PERCENT_OFF
#define ORIGINAL PARTICIPANT__COUPON__V1__MINIMUM_BASE__MINIMUM_BASE_ORIGINAL
#define DISCOUNTED PARTICIPANT__COUPON__V1__MINIMUM_BASE__MINIMUM_BASE_DISCOUNTED

static const struct sim_template_row templates[N_TEMPLATES] = {
    {.template_id = "fuel-20-off-200",
     .name = "20 off 200 of fuel",
     .kind = AMOUNT_OFF,
     .minimum_base = ORIGINAL,
     .currency = CURRENCY,
     .amount_off = 2000,
     .minimum_spend = 20000,
     .condition_scope = "fuel",
     .benefit_scope = "fuel",
     .exclusive_group = "fuel"},
    {.template_id = "fuel-5-percent",
     .name = "5 % off fuel, at most 15",
     .kind = PERCENT_OFF,
     .minimum_base = ORIGINAL,
     .percent_off_bp = 500,
     .currency = CURRENCY,
     .cap = 1500,
     .condition_scope = "fuel",
     .benefit_scope = "fuel",
     .exclusive_group = "fuel"},
    {.template_id = "any-5-off-100",
     .name = "5 off 100, after other discounts",
     .kind = AMOUNT_OFF,
     .minimum_base = DISCOUNTED,
     .currency = CURRENCY,
     .amount_off = 500,
     .minimum_spend = 10000},
    {.template_id = "95-10-off",
     .name = "10 off 95#, not with the 20 off",
     .kind = AMOUNT_OFF,
     .minimum_base = ORIGINAL,
     .currency = CURRENCY,
     .amount_off = 1000,
     .minimum_spend = 15000,
     .condition_scope = "95#",
     .benefit_scope = "95#",
     .conflicts_with = "fuel"},
    {.template_id = "fuel-saves-goods",
     .name = "buy fuel, 8 off goods",
     .kind = AMOUNT_OFF,
     .minimum_base = ORIGINAL,
     .currency = CURRENCY,
     .amount_off = 800,
     .minimum_spend = 10000,
     .condition_scope = "fuel",
     .benefit_scope = "goods"},
    {.template_id = "expired-50-off",
     .name = "50 off, expired",
     .kind = AMOUNT_OFF,
     .minimum_base = ORIGINAL,
     .currency = CURRENCY,
     .amount_off = 5000},
    {.template_id = "thanks-3-off-100",
     .name = "3 off 100, with thanks",
     .kind = AMOUNT_OFF,
     .minimum_base = ORIGINAL,
     .currency = CURRENCY,
     .amount_off = 300,
     .minimum_spend = 10000,
     .condition_scope = "fuel",
     .benefit_scope = "fuel"},
};

// What every user has of each template: how long it is valid, in days; 0: not given out.
static const int valid_days[N_TEMPLATES] = {30, 30, 7, 14, 60, -1, 0};

static const struct sim_issue_rule_row issue_rule = {
    .rule_id = "thanks", .template_id = "thanks-3-off-100", .currency = CURRENCY, .least = 10000, .valid_days = 30};

// ---- Goods, activities, levels ---------------------------------------------------------------------------------

static const struct {
    const char *sku, *name;
    bool item;
    int64_t unit_price, stock;
} goods[] = {
    {"W500", "water 0.5 l", false, 300, 10000},
    {"COLA", "cola", false, 500, 10000},
    {"OIL4L", "engine oil 4 l", false, 28800, 20},
    {"WHEEL", "a turn of the lucky wheel", true, 100, 0},
};

#define RULE(name) PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_##name
#define ON_ORIGINAL PARTICIPANT__TYPE__V1__DISCOUNT_BASE__DISCOUNT_BASE_ORIGINAL
#define ON_DISCOUNTED PARTICIPANT__TYPE__V1__DISCOUNT_BASE__DISCOUNT_BASE_DISCOUNTED
#define BY_RULE PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_RULE
#define LIMIT PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_LIMIT
#define TIMES PARTICIPANT__DISCOUNT__V1__QUOTA_UNIT__QUOTA_UNIT_TIMES
#define VOLUME PARTICIPANT__DISCOUNT__V1__QUOTA_UNIT__QUOTA_UNIT_VOLUME
#define IN_APP "app" // the channel in which they run

static const struct {
    struct sim_activity_row activity;
    struct sim_rule_row rule; // its id is the activity's
} activities[] = {
    {{.activity_id = "fuel-020-a-litre", .name = "0.20 off each litre", .channels = IN_APP, .kind = BY_RULE},
     {.kind = RULE(UNIT_OFF),
      .minimum_base = ON_ORIGINAL,
      .currency = CURRENCY,
      .per_unit = 20,
      .condition_scope = "fuel",
      .benefit_scope = "fuel",
      .exclusive_group = "price",
      .bearers = "group//10000"}},
    {{.activity_id = "fuel-8-each-200",
      .name = "8 off each 200 of fuel, three times",
      .channels = IN_APP,
      .kind = BY_RULE,
      .stacks = 1},
     {.kind = RULE(AMOUNT_OFF),
      .minimum_base = ON_ORIGINAL,
      .max_per_order = 3,
      .currency = CURRENCY,
      .amount_off = 800,
      .minimum_spend = 20000,
      .condition_scope = "fuel",
      .benefit_scope = "fuel",
      .bearers = "group//6000,station//4000"}},
    {{.activity_id = "fuel-goods-10",
      .name = "buy fuel, 10 % off goods",
      .channels = IN_APP,
      .kind = BY_RULE,
      .stacks = 1},
     {.kind = RULE(PERCENT_OFF),
      .minimum_base = ON_ORIGINAL,
      .percent_off_bp = 1000,
      .currency = CURRENCY,
      .cap = 2000,
      .minimum_spend = 10000,
      .condition_scope = "fuel",
      .benefit_scope = "goods",
      .bearers = "station//10000"}},
    {{.activity_id = "wechat-5-off-100",
      .name = "5 off 100 by WeChat, once a day",
      .channels = IN_APP,
      .kind = BY_RULE,
      .stacks = 1,
      .quota_unit = TIMES,
      .quota = 100000,
      .quota_each = 1,
      .quota_daily = 1},
     {.kind = RULE(AMOUNT_OFF),
      .minimum_base = ON_DISCOUNTED,
      .currency = CURRENCY,
      .amount_off = 500,
      .minimum_spend = 10000,
      .tender_kinds = "WECHAT",
      .bearers = "third_party/wechat/10000"}},
    {{.activity_id = "plate-300-litres",
      .name = "300 litres a day for each plate",
      .channels = IN_APP,
      .kind = LIMIT,
      .quota_unit = VOLUME,
      .quota_each = 30000,
      .quota_by = SIM_QUOTA_BY_PLATE,
      .quota_daily = 1},
     {.condition_scope = "fuel"}},
};

static const struct {
    struct sim_level_row level;
    struct sim_rule_row rule; // kind 0: none
} levels[] = {
    {{.level_code = "BRONZE", .name = "bronze"}, {.kind = 0}},
    {{.level_code = "SILVER", .name = "silver", .least = 1000},
     {.kind = RULE(PERCENT_OFF),
      .minimum_base = ON_ORIGINAL,
      .percent_off_bp = 100,
      .currency = CURRENCY,
      .condition_scope = "fuel",
      .benefit_scope = "fuel",
      .bearers = "group//10000"}},
    {{.level_code = "GOLD", .name = "gold", .least = 5000},
     {.kind = RULE(UNIT_OFF),
      .minimum_base = ON_ORIGINAL,
      .currency = CURRENCY,
      .per_unit = 15,
      .condition_scope = "fuel",
      .benefit_scope = "fuel",
      .bearers = "group//10000"}},
};

static const struct sim_spend_rule_row spend_rule = {
    .rule_id = "water", .name = "a bottle of water", .currency = CURRENCY, .least = 20000};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

// ---- Writing ---------------------------------------------------------------------------------------------------

// All that is written at once, and what is still to be heard of.
struct seed {
    unsigned waiting;
    bool failed;
    sim_durable_fn *done;
    void *ctx;
};

static void landed(void *ctx, bool durable) {
    struct seed *seed = ctx;
    seed->failed |= !durable;
    if (--seed->waiting > 0)
        return;
    seed->done(seed->ctx, !seed->failed);
    free(seed);
}

static void commit(struct seed *seed, struct sim_change *change) {
    seed->waiting++;
    sim_change_commit(change, landed, seed);
}

static void begin(struct sim *sim, enum sim_system_index index, struct sim_change *change) {
    sim_change_begin(change, &sim->systems[index], (struct sim_about){0});
}

static void seed_oil(struct sim *sim, struct seed *seed) {
    struct sim_change change;
    begin(sim, SIM_OIL, &change);
    for (int station = 0; station < STATIONS; station++)
        for (int oil = 0; oil < OILS; oil++) {
            struct sim_price_row price = {.currency = CURRENCY,
                                          .unit_price = oils[oil].unit_price + price_steps[station]};
            snprintf(price.place, sizeof price.place, "S%03d/%s", station + 1, oils[oil].code);
            SIM_COPY(price.oil_code, oils[oil].code);
            SIM_COPY(price.name, oils[oil].name);
            sim_world_put(&change, SIM_PRICES, &price);
            struct sim_nozzle_row nozzle = {0};
            snprintf(nozzle.place, sizeof nozzle.place, "S%03d/%d", station + 1, oil + 1);
            SIM_COPY(nozzle.oil_code, oils[oil].code);
            sim_world_put(&change, SIM_NOZZLES, &nozzle);
        }
    commit(seed, &change);
}

static void seed_rules(struct sim *sim, struct seed *seed) {
    struct sim_change change;
    begin(sim, SIM_COUPON, &change);
    for (int i = 0; i < N_TEMPLATES; i++)
        sim_world_put(&change, SIM_TEMPLATES, &templates[i]);
    sim_world_put(&change, SIM_ISSUE_RULES, &issue_rule);
    commit(seed, &change);
}

static void seed_goods(struct sim *sim, struct seed *seed) {
    struct sim_change change;
    begin(sim, SIM_GOODS, &change);
    for (int station = 0; station < STATIONS; station++)
        for (size_t i = 0; i < COUNT_OF(goods); i++) {
            struct sim_goods_row row = {
                .kind = goods[i].item ? PARTICIPANT__GOODS__V1__GOODS_KIND__GOODS_KIND_ITEM
                                      : PARTICIPANT__GOODS__V1__GOODS_KIND__GOODS_KIND_STOCKED,
                .currency = CURRENCY,
                .unit_price = goods[i].unit_price,
                .stock = goods[i].stock,
            };
            snprintf(row.place, sizeof row.place, "S%03d/%s", station + 1, goods[i].sku);
            SIM_COPY(row.name, goods[i].name);
            sim_world_put(&change, SIM_GOODS_LIST, &row);
        }
    commit(seed, &change);
}

static void seed_activities(struct sim *sim, struct seed *seed) {
    struct sim_change change;
    begin(sim, SIM_DISCOUNT, &change);
    for (size_t i = 0; i < COUNT_OF(activities); i++) {
        struct sim_rule_row rule = activities[i].rule;
        SIM_COPY(rule.rule_id, activities[i].activity.activity_id);
        sim_world_put(&change, SIM_ACTIVITIES, &activities[i].activity);
        sim_world_put(&change, SIM_ACTIVITY_RULES, &rule);
    }
    commit(seed, &change);
    begin(sim, SIM_ACTIVITY, &change);
    sim_world_put(&change, SIM_SPEND_RULES, &spend_rule);
    commit(seed, &change);
}

// U0001 is silver; growth comes by itself for the others.
static void seed_levels(struct sim *sim, struct seed *seed) {
    struct sim_member_row silver = {.user_id = "U0001", .growth = 1200};
    struct sim_change change;
    begin(sim, SIM_LEVEL, &change);
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        struct sim_rule_row rule = levels[i].rule;
        SIM_COPY(rule.rule_id, levels[i].level.level_code);
        sim_world_put(&change, SIM_LEVELS, &levels[i].level);
        if (rule.kind != 0)
            sim_world_put(&change, SIM_LEVEL_RULES, &rule);
    }
    sim_world_put(&change, SIM_MEMBERS, &silver);
    commit(seed, &change);
}

// U0001 is rich, U0002 has only bonus, U0003 is frozen, U0004 has little; the rest are like U0001.
static void seed_user(struct sim_change change[3], uint32_t number) {
    struct sim_user_row user = {.frozen = number == 3};
    snprintf(user.user_id, sizeof user.user_id, "U%04u", number);
    snprintf(user.name, sizeof user.name, "User %u", number);
    snprintf(user.card_no, sizeof user.card_no, "C%04u", number);
    snprintf(user.plate_no, sizeof user.plate_no, "A%05u", number);
    sim_world_put(&change[0], SIM_USERS, &user);
    struct sim_card_row card = {.currency = CURRENCY, .principal = 100000, .bonus = 20000};
    if (number == 2)
        card.principal = 0;
    if (number == 4)
        card.principal = card.bonus = 500;
    SIM_COPY(card.card_no, user.card_no);
    SIM_COPY(card.user_id, user.user_id);
    sim_world_put(&change[1], SIM_CARDS, &card);
    struct sim_points_row points = {.available = number == 4 ? 50 : 5000};
    SIM_COPY(points.user_id, user.user_id);
    sim_world_put(&change[2], SIM_POINT_ACCOUNTS, &points);
}

static void seed_coupons(struct sim_change *change, uint32_t number, int64_t now_ms) {
    for (int i = 0; i < N_TEMPLATES; i++) {
        if (valid_days[i] == 0)
            continue;
        struct sim_coupon_row coupon = {.state = SIM_COUPON_USABLE, .expires_ms = now_ms + valid_days[i] * DAY_MS};
        snprintf(coupon.coupon_id, sizeof coupon.coupon_id, "K%04u-%d", number, i + 1);
        snprintf(coupon.user_id, sizeof coupon.user_id, "U%04u", number);
        SIM_COPY(coupon.template_id, templates[i].template_id);
        sim_world_put(change, SIM_COUPONS, &coupon);
    }
}

static void seed_users(struct sim *sim, struct seed *seed, uint32_t first, uint32_t last) {
    static const enum sim_system_index systems[] = {SIM_USER, SIM_CARD, SIM_POINTS};
    struct sim_change changes[3], coupons;
    for (int i = 0; i < 3; i++)
        begin(sim, systems[i], &changes[i]);
    begin(sim, SIM_COUPON, &coupons);
    for (uint32_t number = first; number <= last; number++) {
        seed_user(changes, number);
        seed_coupons(&coupons, number, sim_now(sim));
    }
    for (int i = 0; i < 3; i++)
        commit(seed, &changes[i]);
    commit(seed, &coupons);
}

bool sim_seed(struct sim *sim, uint32_t users, sim_durable_fn *done, void *ctx) {
    if (!sim->ready || sim_count(&sim->systems[SIM_USER], SIM_USERS) > 0)
        return false;
    struct seed *seed = calloc(1, sizeof *seed);
    if (!seed)
        abort();
    *seed = (struct seed){.done = done, .ctx = ctx};
    seed_oil(sim, seed);
    seed_rules(sim, seed);
    seed_goods(sim, seed);
    seed_activities(sim, seed);
    seed_levels(sim, seed);
    for (uint32_t first = 1; first <= users; first += USERS_IN_WRITE)
        seed_users(sim, seed, first, users - first < USERS_IN_WRITE ? users : first + USERS_IN_WRITE - 1);
    return true;
}
