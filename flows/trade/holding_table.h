// What an order holds, a row each: locked before the order is made, used once it is paid, let go of when it comes to
// nothing, given back by a refund. The steps of trade.purchase, trade.recall_order and trade.refund, and what operators
// may say of them, are made from these rows; what each step does is in holding_<name>.c (holding.h).
#ifndef TXC_FLOWS_TRADE_HOLDING_TABLE_H
#define TXC_FLOWS_TRADE_HOLDING_TABLE_H

#include "flows/trade/row_step.h"

// NAME, name (of its file, and as its shortfall is called), its bit of enum trade_missed, whom its steps call; the step
// that holds it, uses it (trade.purchase), lets go of it (trade.recall_order), gives it back (trade.refund): each as
// (id, name, text); when it is used, and when a refund gives it back; what comes of not holding it, and of
// not using it or not letting go of it. Bits and ids are stored.
// clang-format off
#define TRADE_HOLDINGS(X)                                                                                              \
    X(COUPONS, coupons, 1, "coupon",                                                                                   \
      (10, "lock_coupons", "Locks the chosen coupons"),                                                                \
      (70, "use_coupons", "Uses the locked coupons"),                                                                  \
      (30, "unlock_coupons", "Unlocks the chosen coupons"),                                                            \
      (50, "give_back_coupons", "Used coupons come back"),                                                             \
      "coupons are used", "coupons were used, or are still held",                                                      \
      "a coupon that isn't locked can be used twice", "the coupons would stay locked")                                 \
    X(POINTS, points, 2, "points",                                                                                     \
      (20, "freeze_points", "Freezes the chosen points"),                                                              \
      (80, "deduct_points", "Deducts the frozen points"),                                                              \
      (40, "unfreeze_points", "Unfreezes the chosen points"),                                                          \
      (60, "give_back_points", "Spent points come back"),                                                              \
      "points are used", "points were used, or are still held",                                                        \
      "points that aren't frozen can be spent twice", "the points would stay frozen")                                  \
    X(STOCK, stock, 8, "goods",                                                                                        \
      (25, "reserve_stock", "Reserves the goods"),                                                                     \
      (82, "deduct_stock", "Deducts the goods"),                                                                       \
      (45, "release_stock", "Releases the reserved goods"),                                                            \
      (65, "return_stock", "Goods come back"),                                                                         \
      "there are goods", "there are goods",                                                                            \
      "goods that aren't reserved can be sold twice", "the goods would stay reserved")                                 \
    X(QUOTA, quota, 64, "discount",                                                                                    \
      (27, "lock_quota", "Locks the quota of activities and limits"),                                                  \
      (88, "use_quota", "Uses the locked quota"),                                                                      \
      (47, "unlock_quota", "Unlocks the quota of activities and limits"),                                              \
      (62, "give_back_quota", "Used quota comes back"),                                                                \
      "quota is used", "quota was used, or is still held",                                                             \
      "quota that isn't locked can be used by others", "the quota would stay locked")
// clang-format on

#endif
