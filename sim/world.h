// The rows of every system: what the control service and the seed put into the world, and what the systems keep.
// Each system's file has the table of its rows; the enums are the places of its sets.
#ifndef TXC_SIM_WORLD_H
#define TXC_SIM_WORLD_H

#include "sim/pool.h"
#include "sim/records.h"
#include "sim/rule.h"

extern const struct store_table sim_users_table, sim_prices_table, sim_nozzles_table, sim_pump_records_table,
    sim_orders_table, sim_tenders_table, sim_refunds_table, sim_notes_table, sim_cards_table, sim_holds_table,
    sim_coupons_table, sim_templates_table, sim_issue_rules_table, sim_points_table, sim_point_holds_table,
    sim_point_trades_table, sim_awards_table, sim_accounts_table, sim_recorded_table, sim_shifts_table,
    sim_recharges_table, sim_goods_table, sim_activities_table, sim_levels_table, sim_members_table, sim_invoiced_table,
    sim_gifts_table, sim_spend_rules_table, sim_os_orders_table;

// The row takes the place of the one with its key, or is new. The key is the table's first column.
void sim_world_put(struct sim_change *change, unsigned set, const void *row);

// ---- user ------------------------------------------------------------------------------------------------------

enum { SIM_USERS };

struct sim_user_row {
    sim_name user_id;
    sim_name name;
    sim_id card_no, plate_no;
    int32_t frozen;
};

// ---- oil -------------------------------------------------------------------------------------------------------

enum { SIM_PRICES, SIM_NOZZLES, SIM_PUMP_RECORDS };

struct sim_price_row {
    char place[2 * SIM_ID_MAX + 2]; // station/oil code
    sim_id oil_code;
    sim_name name;
    char currency[4];
    int64_t unit_price;
};

struct sim_nozzle_row {
    char place[2 * SIM_ID_MAX + 2]; // station/nozzle
    sim_id oil_code, last_serial;
    int32_t state; // PumpState; 0: IDLE
};

struct sim_pump_record_row {
    char place[3 * SIM_ID_MAX + 3]; // station/nozzle/serial
    sim_id oil_code;
    char currency[4];
    int64_t volume_centi, unit_price, amount;
};

// ---- order -----------------------------------------------------------------------------------------------------

enum { SIM_ORDERS };

enum sim_order_state {
    SIM_ORDER_OPEN = 1,
    SIM_ORDER_PAID,
    SIM_ORDER_CLOSED,
    SIM_ORDER_PARTIALLY_REFUNDED,
    SIM_ORDER_REFUNDED,
};

struct sim_order_row {
    sim_id order_no;
    sim_id trade_no, station_id;
    sim_name user_id;
    char currency[4];
    int32_t state;
    int64_t payable, list_price, paid, refunded, created_ms;
};

// ---- payment ---------------------------------------------------------------------------------------------------

enum { SIM_TENDERS, SIM_REFUNDS, SIM_NOTES };

struct sim_tender_row {
    sim_id tender_no;
    sim_key made_by; // key of its creation
    sim_key gid;
    sim_id trade_no, merchant_id, gateway_no;
    sim_name payer;
    sim_code code; // why it failed
    char currency[4];
    int32_t method, state; // PaymentMethod, PaymentState
    int64_t amount, gateway_discount, merchant_discount;
    int64_t refunded, refunding; // done; accepted and not done yet
    int64_t created_ms, paid_ms, expires_ms;
    int64_t pay_ms; // when it pays itself; 0: it doesn't
    int32_t pay_result;
    int64_t pay_gateway_discount, pay_merchant_discount;
    sim_code pay_code;
    int32_t notified; // notifications made so far
};

struct sim_refund_row {
    sim_id refund_no;
    sim_key made_by, gid;
    sim_id tender_no, trade_no;
    sim_code code, fails; // `fails`: it will, with this code
    char currency[4];
    int32_t state; // RefundState
    int64_t amount, payer_amount, gateway_discount, done_ms;
};

// A notification that was not acknowledged yet.
struct sim_note_row {
    char note_id[SIM_ID_MAX + 17]; // tender_no:n, refund_no:r
    sim_id tender_no, refund_no;   // refund_no empty: of the payment
    int32_t twist;                 // a FaultKind, 0: none
    int64_t send_ms;
    int32_t attempts; // since the start of the process; not stored
};

// ---- card ------------------------------------------------------------------------------------------------------

enum { SIM_CARDS, SIM_HOLDS, SIM_RECHARGES };

struct sim_card_row {
    sim_id card_no;
    sim_name user_id;
    char currency[4];
    int32_t frozen;
    int64_t principal, bonus;           // available
    int64_t held_principal, held_bonus; // frozen by holds
    int64_t freeze_ms;                  // how long a hold lasts; 0: the default
};

enum sim_hold_state {
    SIM_HOLD_FROZEN = 1,
    SIM_HOLD_RELEASED,
    SIM_HOLD_CONFIRMED,
    SIM_HOLD_EXPIRED,
    SIM_HOLD_RETURNED, // confirmed, then given back
};

struct sim_hold_row {
    sim_id tender_no;
    sim_key made_by;
    sim_key gid;
    sim_id card_no, trade_no;
    int32_t state;
    int64_t principal, bonus;
    int64_t refunded; // both parts
    int64_t expires_ms;
};

struct sim_recharge_row {
    sim_key recharge_key;
    sim_id card_no;
    int32_t cancelled;
    int64_t principal, bonus;                   // credited
    int64_t reversed_principal, reversed_bonus; // of these, taken back
};

// ---- coupon ----------------------------------------------------------------------------------------------------

enum { SIM_COUPONS, SIM_TEMPLATES, SIM_ISSUE_RULES };

enum sim_coupon_state {
    SIM_COUPON_USABLE = 1,
    SIM_COUPON_LOCKED,
    SIM_COUPON_USED,
    SIM_COUPON_EXPIRED,
    SIM_COUPON_WITHDRAWN,
};

struct sim_coupon_row {
    char coupon_id[49];
    sim_name user_id;
    char template_id[49];
    int32_t state;
    int64_t expires_ms; // 0: never
    sim_key held_by;    // the key under which it is locked, or was used
    sim_id trade_no;    // that holds it
};

// The rule of a coupon, shared by all of its kind.
struct sim_template_row {
    char template_id[49];
    sim_name name;
    int32_t kind, minimum_base, percent_off_bp; // CouponKind, MinimumBase
    char currency[4];
    int64_t amount_off, cap, minimum_spend;
    char condition_scope[256], benefit_scope[256], conflicts_with[256]; // separated by commas
    sim_id exclusive_group;
};

struct sim_issue_rule_row {
    sim_id rule_id;
    char template_id[49];
    char currency[4];
    int64_t least;
    int32_t valid_days;
};

// ---- points ----------------------------------------------------------------------------------------------------

enum { SIM_POINT_ACCOUNTS, SIM_POINT_HOLDS, SIM_POINT_TRADES, SIM_AWARDS };

struct sim_points_row {
    sim_name user_id;
    int64_t available, frozen;
};

enum sim_point_hold_state { SIM_POINTS_FROZEN = 1, SIM_POINTS_UNFROZEN, SIM_POINTS_DEDUCTED };

struct sim_point_hold_row {
    sim_key hold_key;
    sim_name user_id;
    int32_t state;
    int64_t points;
};

// What a trade has taken and given back.
struct sim_point_trade_row {
    sim_id trade_no;
    sim_name user_id;
    int64_t deducted, given_back;
};

struct sim_award_row {
    sim_key award_key;
    sim_name user_id;
    int32_t cancelled;
    int64_t points, clawed_back;
};

// ---- settlement ------------------------------------------------------------------------------------------------

enum { SIM_ACCOUNTS, SIM_RECORDED, SIM_SHIFTS };

struct sim_account_row {
    char account[5 * SIM_ID_MAX + 16]; // tenant/station/date/shift/account/currency
    int64_t amount, postings;
};

// What was recorded of a trade on one account, and reversed.
struct sim_recorded_row {
    char place[5 * SIM_ID_MAX + 16]; // trade_no/account/currency, or trade_no/line/source/benefit/bearer/id/currency
    int64_t recorded, reversed;
};

// A shift that is closed, and the one after it.
struct sim_shift_row {
    char place[2 * SIM_ID_MAX + 16]; // station/date/shift
    sim_id next_shift_id, next_business_date;
    int32_t closed;
};

// ---- goods -----------------------------------------------------------------------------------------------------

enum { SIM_GOODS_LIST = SIM_POOL_SETS }; // after those of pool.h

struct sim_goods_row {
    char place[2 * SIM_ID_MAX + 2]; // station/SKU
    sim_name name;
    int32_t kind; // GoodsKind
    char currency[4];
    int64_t unit_price;
    int64_t stock; // of a STOCKED one: all that there ever was; what was taken of it is in its pool
};

// ---- discount --------------------------------------------------------------------------------------------------

enum { SIM_ACTIVITIES = SIM_POOL_SETS, SIM_ACTIVITY_RULES };

enum sim_quota_by { SIM_QUOTA_BY_USER, SIM_QUOTA_BY_CARD, SIM_QUOTA_BY_PLATE };

struct sim_activity_row {
    char activity_id[SIM_LISTED_ID_MAX + 1]; // also of its rule
    sim_name name;
    int32_t kind, stacks, quota_unit;                    // ActivityKind, …, QuotaUnit
    char stations[256], channels[256], level_codes[256]; // separated by commas; empty: all
    int64_t quota, quota_each;                           // in all, and of each buyer; 0: none
    int32_t quota_by, quota_daily;                       // who a buyer is; whether quota_each is one of each day
    int64_t starts_ms, ends_ms;                          // 0: always
};

// ---- level -----------------------------------------------------------------------------------------------------

enum { SIM_LEVELS = SIM_RECORD_SETS, SIM_LEVEL_RULES, SIM_MEMBERS };

struct sim_level_row {
    char level_code[SIM_LISTED_ID_MAX + 1]; // also of its rule; without one it makes nothing cheaper
    sim_name name;
    int64_t least; // growth
};

struct sim_member_row {
    sim_name user_id;
    int64_t growth;
};

// ---- invoice ---------------------------------------------------------------------------------------------------

enum { SIM_INVOICED = SIM_RECORD_SETS };

// Counts money: of a tender on all invoices, of a tender on one invoice, and of a card's recharges and uses; and what
// one invoice has of a code, and the money of that.
typedef char sim_invoiced_place[SIM_KEY_MAX + SIM_ID_MAX + 8];
struct sim_invoiced_row {
    sim_invoiced_place place;
    sim_invoiced_place card; // of a tender on one invoice: where it counts for its card, too
    int64_t amount;
};

// ---- activity --------------------------------------------------------------------------------------------------

enum { SIM_GIFTS, SIM_SPEND_RULES };

enum sim_gift_state { SIM_GIFT_GIVEN = 1, SIM_GIFT_USED, SIM_GIFT_TAKEN_BACK };

struct sim_gift_row {
    char gift_id[SIM_LISTED_ID_MAX + 1];
    sim_name name, user_id;
    sim_id trade_no;
    int32_t state;
};

// A trade that paid at least `least` earns its payer one such gift.
struct sim_spend_rule_row {
    sim_id rule_id;
    sim_name name;
    char currency[4];
    int64_t least;
};

// ---- os --------------------------------------------------------------------------------------------------------

enum { SIM_OS_ORDERS };

typedef char sim_os_place[3 * SIM_ID_MAX + 16];
struct sim_os_order_row {
    sim_os_place place; // of the center: its trade; of a station: station/terminal/serial
    sim_id order_no, state;
    int64_t version;
};

#endif
