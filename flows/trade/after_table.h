// What follows payment and a refund takes back, a row each (after.h). Its columns, the step of trade.purchase that
// gives it and that of trade.refund that takes it back, and what callers see of it are made from its row; what the
// steps do is in after_<name>.c.
#ifndef TXC_FLOWS_TRADE_AFTER_TABLE_H
#define TXC_FLOWS_TRADE_AFTER_TABLE_H

#include "flows/trade/row_step.h"

// NAME, name (of its columns <name>_state and <name>_generation, and as callers see it), since (the schema version that
// brought those; 0: with the table), whom its steps call; the step that gives it, as (id, name, text), and when that
// applies; how it goes back: TAKEN_BACK_IN_PARTS, each refund takes its part once it is known whether it came, or
// TAKEN_BACK_AS_A_WHOLE, the refund after which nothing is left withdraws it; the step that takes it back, and when.
// clang-format off
#define AFTER_TABLE(X)                                                                                                 \
    X(AWARD, award, 0, "points",                                                                                       \
      (100, "award_points", "Awards points"), "the buyer is known",                                                    \
      TAKEN_BACK_IN_PARTS, (70, "take_back_points", "Awarded points go back"), "what was bought goes back")            \
    X(ISSUE, issue, 0, "coupon",                                                                                       \
      (110, "issue_coupons", "Issues coupons"), "the buyer is known",                                                  \
      TAKEN_BACK_AS_A_WHOLE, (80, "withdraw_coupons", "Issued coupons go back"), "the buyer is known")                 \
    X(GROWTH, growth, 5, "level",                                                                                      \
      (140, "report_growth", "Reports the user's growth"), "the buyer is known",                                       \
      TAKEN_BACK_IN_PARTS, (110, "reverse_growth", "The user's growth goes back"), "what was bought goes back")        \
    X(MARKETING, marketing, 5, "marketing",                                                                            \
      (150, "record_marketing", "Records what the benefits came to"), "always",                                        \
      TAKEN_BACK_IN_PARTS, (120, "reverse_marketing", "Reverses the benefits' record"), "what was bought goes back")   \
    X(GIFT, gift, 5, "activity",                                                                                       \
      (160, "evaluate_activities", "Gifts for what was spent"), "the buyer is known",                                  \
      TAKEN_BACK_AS_A_WHOLE, (130, "withdraw_gifts", "Gifts go back"), "the buyer is known")                           \
    X(FUEL_INVOICE, fuel_invoice, 5, "invoice",                                                                        \
      (170, "issue_fuel_invoice", "Invoices the fuel"), "there is, or may be, fuel to invoice",                        \
      TAKEN_BACK_IN_PARTS, (140, "reverse_fuel_invoice", "Voids the fuel's invoice, or makes a red-letter one"),       \
      "there is fuel to invoice")                                                                                      \
    X(GOODS_INVOICE, goods_invoice, 5, "invoice",                                                                      \
      (180, "issue_goods_invoice", "Invoices everything else"), "there is, or may be, something else",                 \
      TAKEN_BACK_IN_PARTS, (150, "reverse_goods_invoice", "The same for everything else"),                             \
      "there is something else to invoice")
// clang-format on

#endif
