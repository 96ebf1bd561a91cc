// A step as a row of TRADE_HOLDINGS or AFTER_TABLE holds it, (id, name, text), for the tables that are made of rows:
// ROW_STEP_ID step; and in a flow's table {ROW_STEP step, .stage = 1, …}.
#ifndef TXC_FLOWS_TRADE_ROW_STEP_H
#define TXC_FLOWS_TRADE_ROW_STEP_H

#define ROW_STEP_ID(id_, name_, text_) id_
#define ROW_STEP(id_, name_, text_) .id = id_, .name = name_, .text = text_

#endif
