// A point in time as people write it.
#ifndef TXC_ORCHESTRATOR_CTL_MOMENT_H
#define TXC_ORCHESTRATOR_CTL_MOMENT_H

#include "base/str.h"

// "2h", "90m", "45s", "3d" ago; "2026-01-31" (its midnight, local); RFC 3339: "2026-01-31T12:00:00.5Z", "…+08:00".
// Years 1970 to 9999. False on anything else.
bool moment_parse(struct str text, int64_t now_ms, int64_t *ret_unix_ms);

#endif
