// The pure machine, row by row: an event, the effects that it must have, and how the saga stands afterwards.
#include "tests/saga/hand.h"
#include "tests/saga/steps.h"

#include "tests/cmocka.h"

// ---- Flows --------------------------------------------------------------------------------------------------------

// a and b in parallel, then c, the pivot, then d beside what nobody waits for, then e.
static const struct saga_step trip_steps[] = {
    {STEP_CALL(1, 1, "a"), .inquire = step_call},
    {STEP_CALL(2, 1, "b")},
    {STEP_CALL(3, 2, "c"), .inquire = step_call},
    {STEP_PIVOT(4, 3, "pivot")},
    {STEP_AFTER(5, 4, "d")},
    {STEP_AFTER(6, 4, "extra"), .tier = SAGA_NON_CORE},
    {STEP_AFTER(7, 5, "e")},
};
static const struct saga_flow trip = {.name = "trip", .version = 1, .steps = trip_steps, .n_steps = 7};

static const struct saga_flow hurried = {
    .name = "trip", .version = 1, .steps = trip_steps, .n_steps = 7, .limit_ms = 900};

static const struct saga_step pair_steps[] = {{STEP_CALL(1, 1, "a")}, {STEP_CALL(2, 2, "b")}};
static const struct saga_flow pair = {.name = "pair", .version = 1, .steps = pair_steps, .n_steps = 2};
static const struct saga_flow hurried_pair = {
    .name = "pair", .version = 1, .steps = pair_steps, .n_steps = 2, .limit_ms = 900};

// Two legs of one step, a step that does not apply, then a question.
static const struct saga_step legs_steps[] = {
    {STEP_CALL(1, 1, "a"), .legs = step_two_legs},
    {STEP_CALL(2, 1, "none"), .legs = step_no_legs},
    {STEP_LOCAL(3, 2, "ask"), .ask = step_call, .deadline_ms = 1000},
};
static const struct saga_flow legs = {.name = "legs", .version = 1, .steps = legs_steps, .n_steps = 3};

// An await beside a call, then a decision that is the pivot, then an await behind it.
static const struct saga_step paid_steps[] = {
    {STEP_CALL(1, 1, "a")},
    {STEP_AWAIT(2, 1, "await", "paid")},
    {STEP_LOCAL(3, 2, "pivot"), .kind = SAGA_PIVOT},
    {STEP_AWAIT(4, 3, "after", "shipped"), .kind = SAGA_RETRIABLE},
};
static const struct saga_flow paid_soon = {
    .name = "paid", .version = 1, .steps = paid_steps, .n_steps = 4, .limit_ms = 900};
static const struct saga_flow paid = {.name = "paid", .version = 1, .steps = paid_steps, .n_steps = 4};

static const struct saga_step family_steps[] = {
    {STEP_CHILD(1, 1, "child"), .undo = step_call, .deadline_ms = 1000},
    {STEP_CALL(2, 2, "b")},
    {STEP_CHILD(3, 3, "late"), .kind = SAGA_PIVOT},
    {STEP_CHILD(4, 4, "last"), .kind = SAGA_RETRIABLE},
};
static const struct saga_flow family = {.name = "family", .version = 1, .steps = family_steps, .n_steps = 4};

// ---- Cases --------------------------------------------------------------------------------------------------------

struct row {
    const char *event;   // see do_event()
    const char *effects; // NULL: whatever they are
    const char *picture; // NULL: whatever it is
};

enum { ROWS_MAX = 20 };

static const struct {
    const char *what;
    const struct saga_flow *flow;
    struct row rows[ROWS_MAX];
} cases[] = {
    {"stages run one after the other, their steps in parallel, to the end",
     &trip,
     {
         {"start", "call a call b commit", "running a=running b=running"},
         {"ok b", "", "running a=running b=done"},
         {"ok a", "call c", "running a=done b=done c=running"},
         {"ok c", "call pivot", "running a=done b=done c=done pivot=running"},
         {"ok pivot", "call d call extra commit", "forward a=done b=done c=done pivot=done d=running extra=running"},
         {"ok d", "call e", NULL},
         {"ok e", "", "forward a=done b=done c=done pivot=done d=done extra=running e=done"},
         {"ok extra", "ended commit", "succeeded a=done b=done c=done pivot=done d=done extra=done e=done"},
     }},
    {"without a pivot the last answer is the end",
     &pair,
     {{"start", "call a commit", NULL}, {"ok a", "call b", NULL}, {"ok b", "ended commit", "succeeded a=done b=done"}}},
    {"a step has as many legs as it says, and one that doesn't apply is skipped",
     &legs,
     {
         {"start", "call a call a.1 commit", "running a=running a.1=running none=skipped"},
         {"ok a.1", "", NULL},
         {"decides ask done", NULL, NULL},
         {"ok a", "decide ask ended commit", "succeeded a=done a.1=done none=skipped ask=done"},
     }},
    // [E3] reverse order of stages
    {"a rejection turns the saga round, and stages are undone in reverse",
     &trip,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"no pivot", "attempt pivot reversed undo c commit", "compensating a=done b=done c=undoing pivot=rejected"},
         {"ok c", "undo b undo a", "compensating a=undoing b=undoing c=undone pivot=rejected"},
         {"ok a", "", NULL},
         {"ok b", "ended commit", "failed a=undone b=undone c=undone pivot=rejected"},
     }},
    // [E3] what is in flight is awaited, and undone when it took effect; [E11] its late answer is durable before that
    {"a sibling in flight is awaited before anything of it is undone",
     &trip,
     {
         {"start", NULL, NULL},
         {"no a", "attempt a reversed commit", "compensating a=rejected b=running"},
         {"ok b", "undo b commit", "compensating a=rejected b=undoing"},
         {"ok b", "ended commit", "failed a=rejected b=undone"},
     }},
    {"a sibling in flight that was refused has nothing to undo",
     &trip,
     {{"start", NULL, NULL}, {"no a", NULL, NULL}, {"no b", "attempt b ended commit", "failed a=rejected b=rejected"}}},
    {"a sibling in flight that did nothing is not sent again",
     &trip,
     {{"start", NULL, NULL},
      {"no a", NULL, NULL},
      {"again b", "attempt b ended commit", "failed a=rejected b=rejected"}}},
    {"a sibling that waits for its next attempt, every one of which did nothing, has nothing to undo",
     &trip,
     {{"start", NULL, NULL},
      {"again b", NULL, "running a=running b=retrying"},
      {"no a", "attempt a reversed ended commit", "failed a=rejected b=rejected"}}},
    // [E3] UNKNOWN is inquired first where that can be …
    {"what is not known is inquired before it is undone",
     &trip,
     {
         {"start", NULL, NULL},
         {"unknown a", "attempt a commit", "running a=retrying b=running"},
         {"no b", "attempt b reversed inquire a commit", "compensating a=inquiring b=rejected"},
         {"ok a", "undo a commit", "compensating a=undoing b=rejected"},
         {"ok a", "ended commit", "failed a=undone b=rejected"},
     }},
    {"what turns out to have been refused is not undone",
     &trip,
     {{"start", NULL, NULL},
      {"unknown a", NULL, NULL},
      {"no b", NULL, NULL},
      {"no a", "attempt a ended commit", "failed a=rejected b=rejected"}}},
    // [E3] [E4] … and compensated anyway
    {"what was never seen is compensated after the turn, for it may still come",
     &trip,
     {{"start", NULL, NULL},
      {"unknown a", NULL, NULL},
      {"no b", NULL, NULL},
      {"unseen a", "undo a", "compensating a=undoing b=rejected"},
      {"ok a", "ended commit", "failed a=undone b=rejected"}}},
    {"what can't be inquired is compensated at once",
     &trip,
     {{"start", NULL, NULL},
      {"unknown b", NULL, NULL},
      {"no a", "attempt a reversed undo b commit", "compensating a=rejected b=undoing"}}},
    {"an inquiry that gets no answer is not repeated: the compensation is sent",
     &trip,
     {{"start", NULL, NULL},
      {"unknown a", NULL, NULL},
      {"no b", NULL, NULL},
      {"unknown a", "attempt a undo a commit", "compensating a=undoing b=rejected"}}},
    {"a sibling in flight whose answer gets lost is inquired, then undone",
     &trip,
     {{"start", NULL, NULL},
      {"no b", NULL, NULL},
      {"unknown a", "attempt a inquire a commit", "compensating a=inquiring b=rejected"},
      {"again a", "attempt a undo a commit", "compensating a=undoing b=rejected"}}},
    {"what was never seen is sent again before the turn, under the same key",
     &trip,
     {{"start", NULL, NULL},
      {"unknown a", NULL, NULL},
      {"time 1100", "inquire a", "running a=inquiring b=running"},
      {"unseen a", "call a", "running a=running b=running"},
      {"ok a", "", "running a=done b=running"}}},
    {"what an inquiry finds done is done",
     &trip,
     {{"start", NULL, NULL},
      {"unknown a", NULL, NULL},
      {"time 1100", NULL, NULL},
      {"ok a", "", "running a=done b=running"}}},
    {"what can't be inquired is sent again, under the same key",
     &trip,
     {{"start", NULL, NULL}, {"unknown b", NULL, NULL}, {"time 1100", "call b", "running a=running b=running"}}},
    // [E6]
    {"attempts back off, doubling, and when they are exhausted before the pivot the saga turns round",
     &pair,
     {
         {"start", NULL, NULL},
         {"again a", "attempt a commit", "running a=retrying"},
         {"due", "1100", NULL},
         {"time 1099", "", "running a=retrying"},
         {"time 1100", "call a", "running a=running"},
         {"again a", "attempt a commit", NULL},
         {"due", "1300", NULL},
         {"time 1300", "call a", NULL},
         {"again a", "attempt a reversed ended commit", "failed a=rejected"},
     }},
    {"exhausted and not known: compensated",
     &pair,
     {{"start", NULL, NULL},
      {"unknown a", NULL, NULL},
      {"time 1100", NULL, NULL},
      {"again a", NULL, NULL},
      {"time 1300", NULL, NULL},
      {"again a", "attempt a reversed undo a commit", "compensating a=undoing"}}},
    {"exhausted behind the pivot: parked, and an operator's retry starts over",
     &trip,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"ok pivot", NULL, NULL},
         {"ok extra", NULL, NULL},
         {"unknown d", NULL, NULL},
         {"time 1200", "call d", NULL},
         {"unknown d", "attempt d parked d commit", "forward a=done b=done c=done pivot=done d=parked extra=done"},
         {"due", "parked", NULL},
         {"time 99000", "", NULL},
         {"poke", "", NULL},
         {"retry", "call d commit", "forward a=done b=done c=done pivot=done d=running extra=done"},
         {"generation d", "1", NULL},
         {"unknown d", "attempt d commit", "forward a=done b=done c=done pivot=done d=retrying extra=done"},
     }},
    {"exhausted in a compensation: parked, and undone after an operator's retry",
     &pair,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"no b", "attempt b reversed undo a commit", NULL},
         {"again a", "attempt a commit", "compensating a=undo-retrying b=rejected"},
         {"time 1200", "undo a", NULL},
         {"unknown a", "attempt a parked a commit", "compensating a=undo-parked b=rejected"},
         {"due", "parked", NULL},
         {"retry", "undo a commit", "compensating a=undoing b=rejected"},
         {"ok a", "ended commit", "failed a=undone b=rejected"},
     }},
    // [E12]
    {"a compensation that is refused parks",
     &pair,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"no b", NULL, NULL},
      {"no a", "attempt a parked a commit", "compensating a=undo-parked b=rejected"}}},
    {"a rejection behind the pivot parks, and is tried again under the next key",
     &trip,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"ok pivot", NULL, NULL},
         {"no d", "attempt d parked d commit", "forward a=done b=done c=done pivot=done d=parked extra=running"},
         {"generation d", "1", NULL},
         {"retry", "call d commit", NULL},
         {"generation d", "2", NULL},
         {"ok d", "call e", NULL},
     }},
    {"an unknown pivot is inquired until it is definite",
     &trip,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"unknown pivot", "attempt pivot commit", NULL},
         {"time 1100", "inquire pivot", NULL},
         {"unknown pivot", NULL, NULL},
         {"time 1300", "inquire pivot", NULL},
         {"ok pivot", "call d call extra commit", NULL},
     }},
    {"a pivot that stays unknown parks and is never compensated",
     &trip,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"unknown pivot", NULL, NULL},
         {"time 1100", "inquire pivot", NULL},
         {"again pivot", NULL, NULL},
         {"time 1300", "inquire pivot", NULL},
         {"again pivot", "attempt pivot parked pivot commit", "running a=done b=done c=done pivot=parked"},
         {"retry", "inquire pivot commit", NULL},
         {"no pivot", "attempt pivot reversed undo c commit", NULL},
     }},
    {"a pivot that was never seen, then not done, may still come: it parks",
     &trip,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"unknown pivot", NULL, NULL},
         {"time 1100", NULL, NULL},
         {"unseen pivot", "call pivot", NULL},
         {"again pivot", NULL, NULL},
         {"time 1300", "call pivot", NULL},
         {"again pivot", "attempt pivot parked pivot commit", "running a=done b=done c=done pivot=parked"},
     }},
    {"a pivot that surely did nothing lets the saga turn round when it is exhausted",
     &trip,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"again pivot", NULL, NULL},
         {"time 1100", "call pivot", NULL},
         {"again pivot", NULL, NULL},
         {"time 1300", "call pivot", NULL},
         {"again pivot", "attempt pivot reversed undo c commit", "compensating a=done b=done c=undoing pivot=rejected"},
     }},
    {"a step that nobody waits for neither fails nor delays the others",
     &trip,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"ok b", NULL, NULL},
         {"ok c", NULL, NULL},
         {"ok pivot", NULL, NULL},
         {"no extra", "attempt extra parked extra commit", NULL},
         {"ok d", "call e", NULL},
         {"ok e", "", "forward a=done b=done c=done pivot=done d=done extra=parked e=done"},
         {"due", "parked", NULL},
         {"retry", "call extra commit", NULL},
         {"ok extra", "ended commit", NULL},
     }},
    {"a decision waits, is looked at when poked or due, asks, and is done",
     &legs,
     {
         {"start", NULL, NULL},
         {"ok a", NULL, NULL},
         {"decides ask wait 3000", NULL, NULL},
         {"ok a.1", "decide ask commit", "running a=done a.1=done none=skipped ask=waiting"},
         {"due", "3000", NULL},
         {"poke", "decide ask", NULL},
         {"decides ask ask", NULL, NULL},
         {"time 3000", "decide ask ask ask commit", "running a=done a.1=done none=skipped ask=asking"},
         {"poke", "", NULL},
         {"decides ask wait 4000", NULL, NULL},
         {"again ask", "attempt ask decide ask commit", NULL},
         {"attempts ask", "1", NULL},
         {"decides ask ask", NULL, NULL},
         {"time 4000", NULL, NULL},
         {"decides ask done", NULL, NULL},
         {"ok ask", "decide ask ended commit", NULL},
     }},
    {"a decision that asks to be looked at in the past is looked at a moment later",
     &legs,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"decides ask wait 0", NULL, NULL},
      {"ok a.1", "decide ask commit", NULL},
      {"due", "1001", NULL}}},
    {"a decision that rejects turns the saga round",
     &legs,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"decides ask reject", NULL, NULL},
      {"ok a.1", "decide ask attempt ask reversed undo a.1 undo a commit",
       "compensating a=undoing a.1=undoing none=skipped ask=rejected"}}},
    {"a decision that parks is looked at again after an operator's retry",
     &legs,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"decides ask park", NULL, NULL},
      {"ok a.1", "decide ask parked ask commit", "running a=done a.1=done none=skipped ask=parked"},
      {"decides ask done", NULL, NULL},
      {"retry", "decide ask ended commit", NULL}}},
    // [E10]
    {"a signal that comes early is there when its step begins to wait",
     &paid,
     {
         {"signal shipped 1", NULL, NULL},
         {"start", "call a commit", "running a=running await=waiting"},
         {"signal paid 1", NULL, NULL},
         {"poke", "commit", "running a=running await=done"},
         {"decides pivot done", NULL, NULL},
         {"ok a", "decide pivot ended commit", "succeeded a=done await=done pivot=done after=done"},
     }},
    {"a signal that is awaited makes the saga due at once until it was looked at",
     &paid,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"due", "6000", NULL},
      {"signal paid 1", NULL, NULL},
      {"due", "0", NULL},
      {"decides pivot wait 9000", NULL, NULL},
      {"poke", "decide pivot commit", NULL},
      {"due", "9000", NULL}}},
    {"a signal that does not come is a rejection",
     &paid,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"time 5999", "", NULL},
      {"time 6000", "attempt await reversed undo a commit", "compensating a=undoing await=rejected"},
      {"signal paid 1", NULL, NULL},
      {"poke", "", "compensating a=undoing await=rejected"}}},
    {"what is awaited behind the pivot and does not come parks, and is awaited anew after a retry",
     &paid,
     {
         {"start", NULL, NULL},
         {"signal paid 1", NULL, NULL},
         {"poke", NULL, NULL},
         {"decides pivot done", NULL, NULL},
         {"ok a", "decide pivot commit", "forward a=done await=done pivot=done after=waiting"},
         {"time 6000", "attempt after parked after commit", NULL},
         {"retry", "commit", "forward a=done await=done pivot=done after=waiting"},
         {"due", "11000", NULL},
         {"signal shipped 1", NULL, NULL},
         {"poke", "ended commit", NULL},
     }},
    {"a child's end is its step's",
     &family,
     {
         {"start", "child child commit", "running child=waiting"},
         {"child child ok", "call b commit", "running child=done b=running"},
         {"ok b", "child late commit", NULL},
         {"child late ok", "child last commit", "forward child=done b=done late=done last=waiting"},
         {"due", "child", NULL},
         {"child last ok", "ended commit", NULL},
     }},
    {"a child that fails is a rejection, one that succeeded is undone",
     &family,
     {
         {"start", NULL, NULL},
         {"child child ok", NULL, NULL},
         {"ok b", NULL, NULL},
         {"child late failed", "attempt late reversed undo b commit", NULL},
         {"ok b", "undo child", "compensating child=undoing b=undone late=rejected"},
         {"ok child", "ended commit", NULL},
     }},
    {"a child that fails behind the pivot parks, and another one is started after a retry",
     &family,
     {
         {"start", NULL, NULL},
         {"child child ok", NULL, NULL},
         {"ok b", NULL, NULL},
         {"child late ok", NULL, NULL},
         {"child last refused", "attempt last parked last commit", NULL},
         {"poke", "", NULL},
         {"retry", "child last commit", NULL},
         {"generation last", "2", NULL},
         {"child last failed", "attempt last parked last commit", NULL},
     }},
    // [E14] [E13]
    {"what was under way too often is parked, and goes on after a retry",
     &trip,
     {
         {"start", NULL, NULL},
         {"unknown b", NULL, NULL},
         {"suspected", "parked a parked b commit", "running a=parked b=parked"},
         {"due", "parked", NULL},
         {"poke", "", NULL},
         {"retry", "inquire a call b commit", "running a=inquiring b=running"},
     }},
    {"what may have been sent behind what is parked is undone all the same when the saga turns round",
     &trip,
     {
         {"start", NULL, NULL},
         {"suspected", "parked a parked b commit", NULL},
         {"retry", "inquire a call b commit", NULL},
         {"no a", "attempt a reversed inquire c commit", "compensating a=rejected b=running c=inquiring"},
         {"unseen c", "undo c", NULL},
         {"ok b", "commit", NULL},
         {"ok c", "undo b", NULL},
         {"ok b", "ended commit", "failed a=rejected b=undone c=undone"},
     }},
    {"a compensation under way too often is parked, too",
     &pair,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"no b", NULL, NULL},
      {"suspected", "parked a commit", "compensating a=undo-parked b=rejected"},
      {"retry", "undo a commit", NULL}}},
    {"what is parked when the saga turns round is undone, not left",
     &trip,
     {
         {"start", NULL, NULL},
         {"big a", "parked a commit", "running a=parked b=running"},
         {"no b", "attempt b reversed undo a commit", "compensating a=undoing b=rejected"},
         {"ok a", "ended commit", NULL},
     }},
    {"an answer too large to be kept parks; once turned round nobody needs it",
     &trip,
     {
         {"start", NULL, NULL},
         {"no b", NULL, NULL},
         {"big a", "undo a", "compensating a=undoing b=rejected"},
     }},
    // [E3] from every state that a record may show, the next process goes on
    {"resumed, what was running is sent again under the same key",
     &trip,
     {{"start", NULL, NULL},
      {"resume", "call a call b", "running a=running b=running"},
      {"generation a", "1", NULL},
      {"ok a", "", NULL}}},
    {"resumed, what is not done now may have been done before",
     &trip,
     {{"start", NULL, NULL},
      {"resume", NULL, NULL},
      {"again b", NULL, NULL},
      {"no a", "attempt a reversed inquire c commit", "compensating a=rejected b=retrying c=inquiring"},
      {"time 9000", "", NULL},
      {"no c", "attempt c undo b", NULL}}},
    {"resumed, every step that the record lets one reach may have run; behind an open wait none",
     &paid,
     {{"start", NULL, NULL}, {"resume", "call a", "running a=running await=waiting"}, {"due", "0", NULL}}},
    {"resumed while it retries: again when it is due",
     &trip,
     {{"start", NULL, NULL},
      {"again a", NULL, NULL},
      {"resume", "call b", "running a=retrying b=running"},
      {"time 1100", "inquire a", NULL}}},
    {"resumed while it inquired: inquired again",
     &trip,
     {{"start", NULL, NULL},
      {"unknown a", NULL, NULL},
      {"time 1100", "inquire a", NULL},
      {"unknown b", NULL, NULL},
      {"resume", "inquire a", "running a=inquiring b=retrying"}}},
    {"resumed while it waited: looked at again",
     &legs,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"decides ask wait 5000", NULL, NULL},
      {"ok a.1", NULL, NULL},
      {"resume", "decide ask", "running a=done a.1=done none=skipped ask=waiting"},
      {"due", "5000", NULL}}},
    {"resumed while it asked: decided again",
     &legs,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"decides ask ask", NULL, NULL},
      {"ok a.1", NULL, NULL},
      {"resume", "decide ask ask ask commit", "running a=done a.1=done none=skipped ask=asking"}}},
    {"resumed while it was undone: undone again",
     &pair,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"no b", NULL, NULL},
      {"resume", "undo a", "compensating a=undoing b=rejected"},
      {"again a", NULL, NULL},
      {"resume", "", "compensating a=undo-retrying b=rejected"},
      {"time 1200", "undo a", NULL}}},
    {"resumed when it had turned round: what was running is inquired or undone, never sent again",
     &trip,
     {{"start", NULL, NULL},
      {"no b", NULL, NULL},
      {"resume", "inquire a", "compensating a=inquiring b=rejected"},
      {"unseen a", "undo a", NULL}}},
    {"resumed when it was parked: it stays so",
     &trip,
     {{"start", NULL, NULL},
      {"suspected", NULL, NULL},
      {"resume", "", "running a=parked b=parked"},
      {"due", "parked", NULL}}},
    {"resumed behind the pivot: forward",
     &trip,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"ok b", NULL, NULL},
      {"ok c", NULL, NULL},
      {"ok pivot", NULL, NULL},
      {"ok d", NULL, NULL},
      {"resume", "call d call extra", "forward a=done b=done c=done pivot=done d=running extra=running"}}},
    {"resumed with a child: its end is awaited",
     &family,
     {{"start", NULL, NULL}, {"resume", "", "running child=waiting"}, {"child child ok", "call b commit", NULL}}},
    // [E12] a pivot that may have been sent before the process died
    {"tried often enough after a resumption, a step before the pivot proves nothing: it parks",
     &trip,
     {
         {"start", NULL, NULL},
         {"resume", NULL, NULL},
         {"ok b", NULL, NULL},
         {"again a", NULL, NULL},
         {"time 1100", NULL, NULL},
         {"again a", NULL, NULL},
         {"time 1300", NULL, NULL},
         {"again a", "attempt a parked a commit", "running a=parked b=done"},
         {"retry", "inquire a commit", NULL},
         {"ok a", "call c", NULL},
     }},
    {"refused after a resumption, it proves that the pivot was never sent",
     &trip,
     {{"start", NULL, NULL},
      {"resume", NULL, NULL},
      {"ok b", NULL, NULL},
      {"no a", "attempt a reversed inquire c commit", "compensating a=rejected b=done c=inquiring"}}},
    // The time limit
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
         {"ok c", "call pivot", NULL},
         {"time 1950", "", "running a=done b=done c=done pivot=running"},
         {"ok pivot", NULL, "forward a=done b=done c=done pivot=done d=running extra=running"},
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
    {"a saga without a pivot that is late has succeeded when nothing is left to do",
     &hurried_pair,
     {{"start", NULL, NULL},
      {"ok a", NULL, NULL},
      {"clock 1950", NULL, NULL},
      {"ok b", "ended commit", "succeeded a=done b=done"}}},
};

// ---- Doing --------------------------------------------------------------------------------------------------------

static const struct {
    const char *word;
    enum outcome outcome;
    bool never_seen;
} answers[] = {{"ok", OUTCOME_OK, false},       {"no", OUTCOME_REJECTED, false},
               {"again", OUTCOME_RETRY, false}, {"unknown", OUTCOME_UNKNOWN, false},
               {"unseen", OUTCOME_OK, true},    {"big", OUTCOME_OK, false}}; // an answer that is too large to be kept

static void set_verdict(struct hand *hand, uint8_t leg, struct str verdict, struct str until) {
    static const struct {
        const char *word;
        struct saga_verdict verdict;
    } verdicts[] = {{"done", {.answer = SAGA_DONE}},
                    {"reject", {.answer = SAGA_REJECT, .code = ERR_TRADE_ENDED}},
                    {"wait", {.answer = SAGA_WAIT}},
                    {"ask", {.answer = SAGA_ASK}},
                    {"park", {.answer = SAGA_PARK, .code = ERR_TRADE_ENDED}}};
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (str_eq_c(verdict, verdicts[i].word))
            hand->verdicts[leg] = verdicts[i].verdict;
    if (until.ptr)
        assert_true(str_to_i64(until, &hand->verdicts[leg].until_ms));
}

// What a question about the saga brings; false when the word is no question.
static bool ask(const struct hand *hand, struct str word, struct str rest, struct buf *out) {
    if (str_eq_c(word, "due")) {
        int64_t due = saga_instance_due(&hand->saga);
        if (due == SAGA_DUE_PARKED || due == SAGA_DUE_CHILD)
            return buf_printf(out, "%s", due == SAGA_DUE_CHILD ? "child" : "parked");
        return buf_printf(out, "%lld", (long long)due);
    }
    if (str_eq_c(word, "generation"))
        return buf_printf(out, "%u", hand->saga.legs[hand_leg(hand, rest)].generation);
    if (str_eq_c(word, "attempts"))
        return buf_printf(out, "%u", hand->saga.legs[hand_leg(hand, rest)].attempts);
    return false;
}

static bool answer(struct hand *hand, struct str word, struct str leg) {
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (str_eq_c(word, answers[i].word)) {
            static const char large[SAGA_ANSWER_MAX + 1];
            hand_answer(hand, hand_leg(hand, leg), answers[i].outcome, answers[i].never_seen,
                        str_eq_c(word, "big") ? str_n(large, sizeof large) : STR("answer"));
            return true;
        }
    return false;
}

static void do_event(struct hand *hand, struct str event) {
    static const struct {
        const char *word;
        enum saga_event_kind kind;
        bool reload;
    } plain[] = {{"start", SAGA_EV_STARTED, false},
                 {"poke", SAGA_EV_POKED, false},
                 {"retry", SAGA_EV_RETRY, false},
                 {"resume", SAGA_EV_RESUMED, true},
                 {"suspected", SAGA_EV_SUSPECTED, true}};
    struct str rest = event, word = str_cut(&rest, ' ');
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (str_eq_c(word, plain[i].word)) {
            (plain[i].reload ? hand_reload : hand_apply)(hand, plain[i].kind);
            return;
        }
    buf_clear(&hand->effects);
    if (answer(hand, word, rest) || ask(hand, word, rest, &hand->effects))
        return;
    struct str second = str_cut(&rest, ' '), third = str_cut(&rest, ' ');
    struct error error;
    bool duplicate;
    if (str_eq_c(word, "time")) {
        assert_true(str_to_i64(second, &hand->now_ms));
        hand_apply(hand, SAGA_EV_TIMER);
    } else if (str_eq_c(word, "clock")) {
        assert_true(str_to_i64(second, &hand->now_ms));
    } else if (str_eq_c(word, "signal")) {
        assert_true(saga_instance_signal(&hand->saga, second, third, STR("payload"), &duplicate, &error));
    } else if (str_eq_c(word, "decides")) {
        set_verdict(hand, hand_leg(hand, second), third, rest);
    } else if (str_eq_c(word, "child")) {
        hand_child(hand, hand_leg(hand, second),
                   str_eq_c(third, "ok")       ? CHILD_SUCCEEDED
                   : str_eq_c(third, "failed") ? CHILD_FAILED
                                               : CHILD_REFUSED);
    } else {
        fail_msg("what is %.*s?", STR_FMT(event));
    }
}

static void run_case(size_t i) {
    struct hand hand;
    struct buf picture;
    hand_init(&hand, cases[i].flow);
    buf_init(&picture, 4096);
    for (const struct row *row = cases[i].rows; row < cases[i].rows + ROWS_MAX && row->event; row++) {
        do_event(&hand, str_c(row->event));
        buf_clear(&picture);
        hand_picture(&hand, &picture);
        if (row->effects && !str_eq_c(buf_str(&hand.effects), row->effects))
            fail_msg("%s: %s: expected \"%s\", got \"%.*s\"", cases[i].what, row->event, row->effects,
                     STR_FMT(buf_str(&hand.effects)));
        if (row->picture && !str_eq_c(buf_str(&picture), row->picture))
            fail_msg("%s: %s: expected \"%s\", got \"%.*s\"", cases[i].what, row->event, row->picture,
                     STR_FMT(buf_str(&picture)));
    }
    buf_release(&picture);
    hand_release(&hand);
}

static void test_case(void **state) {
    run_case((size_t)(uintptr_t)*state);
}

int main(void) {
    enum { N = sizeof cases / sizeof cases[0] };
    struct CMUnitTest tests[N];
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){cases[i].what, test_case, NULL, NULL, (void *)(uintptr_t)i};
    return cmocka_run_group_tests_name("saga/machine", tests, NULL, NULL);
}
