// Common parts of messages as text. Whatever a server may have sent gives some text.
#ifndef TXC_ORCHESTRATOR_CTL_READING_H
#define TXC_ORCHESTRATOR_CTL_READING_H

#include "google/protobuf/timestamp.pb-c.h"
#include "orchestrator/ctl/view.h"
#include "txcenter/type/v1/money.pb-c.h"

// Milliseconds since 1970; 0 when absent or out of range.
int64_t reading_ms(const Google__Protobuf__Timestamp *stamp);

// view_time() of it.
void reading_time(const Google__Protobuf__Timestamp *stamp, char out[VIEW_TIME_MAX]);

// "12.34 CNY"; "" when absent; whole units of a currency that we don't know are shown as they are.
enum { READING_MONEY_MAX = 48 };
void reading_money(const Txcenter__Type__V1__Money *money, char out[READING_MONEY_MAX]);

bool reading_is_zero(const Txcenter__Type__V1__Money *money);

// "30.00" of 3000.
enum { READING_VOLUME_MAX = 32 };
void reading_volume(int64_t centi, char out[READING_VOLUME_MAX]);

#endif
