// The time limit of a saga, row by row as in test_machine.c: it is over at 1900.
#include "tests/saga/hand_rows.h"
#include "tests/saga/steps.h"

// ---- Flows --------------------------------------------------------------------------------------------------------

static const struct saga_step trip_steps[] = {
    {STEP_CALL(1, 1, "a"), .inquire = step_call},
    {STEP_CALL(2, 1, "b")},
    {STEP_CALL(3, 2, "c"), .inquire = step_call},
    {STEP_PIVOT(4, 3, "pivot")},
    {STEP_AFTER(5, 4, "d")},
};
static const struct saga_flow hurried = {
    .name = "trip", .version = 1, .steps = trip_steps, .n_steps = 5, .limit_ms = 900};

static const struct saga_step pair_steps[] = {{STEP_CALL(1, 1, "a")}, {STEP_CALL(2, 2, "b")}};
static const struct saga_flow hurried_pair = {
    .name = "pair", .version = 1, .steps = pair_steps, .n_steps = 2, .limit_ms = 900};

static const struct saga_step paid_steps[] = {
    {STEP_CALL(1, 1, "a")},
    {STEP_AWAIT(2, 1, "await", "paid")},
    {STEP_LOCAL(3, 2, "pivot"), .kind = SAGA_PIVOT},
};
static const struct saga_flow paid_soon = {
    .name = "paid", .version = 1, .steps = paid_steps, .n_steps = 3, .limit_ms = 900};

// ---- Cases --------------------------------------------------------------------------------------------------------

static const struct hand_case cases[] = {
    {"what is on its way when the time is over is waited for, then undone",
     &hurried,
     {
         {"start", NULL, NULL},
         {"due", "0", NULL},
         {"ok b", "", NULL},
         {"time 1899", "", "running a=running b=done"},
         {"time 1900", "reversed undo b commit", "compensating a=running b=undoing"},
         {"ok a", "undo a commit", "compensating a=undoing b=undoing"},
     }},
    {"what waits for its next attempt when the time is over is not tried again",
     &hurried,
     {
         {"start", NULL, NULL},
         {"ok b", NULL, NULL},
         {"again a", NULL, NULL},
         {"due", "1100", NULL},
         {"time 1900", "reversed undo b commit", "compensating a=rejected b=undoing"},
         {"ok b", "ended commit", "failed a=rejected b=undone"},
     }},
    {"a stage that would begin too late doesn't",
     &hurried,
     {{"start", NULL, NULL},
      {"ok b", NULL, NULL},
      {"clock 1950", NULL, NULL},
      {"ok a", "reversed undo b undo a commit", "compensating a=undoing b=undoing"}}},
    {"a pivot on its way when the time is over decides",
     &hurried,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", "call pivot commit", NULL},
         {"time 1950", "", "running a=done b=done c=done pivot=running"},
         {"ok pivot", NULL, "forward a=done b=done c=done pivot=done d=running"},
         {"time 5000", "", NULL},
     }},
    {"a pivot that is known to have done nothing gives way",
     &hurried,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"clock 1950", NULL, NULL},
         {"again pivot", NULL, "running a=done b=done c=done pivot=retrying"},
         {"time 1950", "reversed undo c commit", "compensating a=done b=done c=undoing pivot=rejected"},
     }},
    {"a pivot that may have taken effect doesn't, however late it is",
     &hurried,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"clock 1950", NULL, NULL},
         {"unknown pivot", NULL, NULL},
         {"due", "2050", NULL},
         {"time 2050", "inquire pivot", NULL},
     }},
    {"resumed when the time is over, it turns round at once",
     &paid_soon,
     {{"start", "call a commit", "running a=running await=waiting"},
      {"clock 1950", NULL, NULL},
      {"resume", "reversed undo a commit", "compensating a=undoing await=skipped"}}},
    {"resumed before its pivot was sent, which is known, it still turns round",
     &hurried,
     {{"start", NULL, NULL},
      {"ok b", NULL, NULL},
      {"again a", NULL, NULL},
      {"clock 1950", NULL, NULL},
      {"resume", "reversed inquire c commit", "compensating a=retrying b=done c=inquiring"}}},
    {"a saga without a pivot that is late has succeeded when nothing is left to do",
     &hurried_pair,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"clock 1950", NULL, NULL},
      {"ok b", "ended commit", "succeeded a=done b=done"}}},
};

int main(void) {
    return hand_run_cases("saga/machine limit", cases, sizeof cases / sizeof cases[0]);
}
