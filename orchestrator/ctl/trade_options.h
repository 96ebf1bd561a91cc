// The options of the commands about trades, for their rows in commands.c.
#ifndef TXC_ORCHESTRATOR_CTL_TRADE_OPTIONS_H
#define TXC_ORCHESTRATOR_CTL_TRADE_OPTIONS_H

#include "orchestrator/ctl/command.h"

// An option that takes a text.
#define TEXT(option_name, value_name, field_path, about)                                                               \
    { .name = (option_name), .kind = OPTION_TEXT, .value = (value_name), .field = (field_path), .text = (about) }

// Options that stand together.
#define SET(array)                                                                                                     \
    { (array), sizeof(array) / sizeof((array)[0]) }

extern const struct option_set trade_options_context, trade_options_line, trade_options_quote, trade_options_version,
    trade_options_order, trade_options_pay, trade_options_number, trade_options_refund, trade_options_adjust,
    trade_options_list;

#endif
