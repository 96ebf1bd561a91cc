// The engine's tables, described once. Every flow's tables stand beside them in the same store.
#ifndef TXC_SAGA_TABLES_H
#define TXC_SAGA_TABLES_H

#include "saga/machine.h"

// One saga: its state and its journal in one row. It is written when the saga starts and ends, and whenever a decision,
// an await, a child, a failure or the pivot moves it; calls that succeed go on without a write.
struct saga_row {
    char gid[SAGA_GID_MAX + 1];
    char flow[SAGA_NAME_MAX + 1];
    int32_t flow_version;
    int32_t status;     // enum saga_status
    int32_t parked;     // 1: some step waits for an operator
    int32_t paused;     // 1: an operator has paused it
    int32_t slot;       // partition that owns it
    int64_t due_ms;     // saga_instance_due()
    int64_t written_by; // the process that wrote it last, by name and incarnation: slot_mark()
    int32_t resume_count;
    char subject[SAGA_SUBJECT_MAX + 1];
    char parent_gid[SAGA_GID_MAX + 1];
    int32_t parent_step, parent_leg;
    int64_t created_ms, updated_ms, ended_ms;
    char reason[SAGA_CODE_MAX];
    char text[SAGA_TEXT_MAX];
    struct str input;
    struct str journal;
};
extern const struct store_table saga_table;
// So many of these rows one read can answer, however large they are. Who asks for more may never get them.
enum { SAGA_ROWS_MAX = 128 };
_Static_assert(SAGA_ROWS_MAX *(SAGA_INPUT_MAX + SAGA_RECORD_MAX + 4 * sizeof(struct saga_row)) <= STORE_READ_BYTES_MAX,
               "with the rows' own array, which is doubled as it grows");
enum { SAGA_BY_DUE }; // index of saga_table

// One failed attempt, for the operators' timeline.
struct attempt_row {
    char gid[SAGA_GID_MAX + 1];
    int64_t ended_ms;
    int32_t step_id, leg;
    int32_t op; // enum saga_op
    int32_t number;
    int64_t started_ms;
    int32_t outcome; // enum outcome
    char reason[SAGA_CODE_MAX];
    char text[SAGA_TEXT_MAX];
};
extern const struct store_table attempt_table;

// A step that is in trouble: it failed and is tried again, is parked, or is why its saga turned round. These rows
// follow from the saga's own, and are written with it (saga/trouble.c); a saga that goes well has none. They are for
// lists by participant and by reason.
struct trouble_row {
    char gid[SAGA_GID_MAX + 1];
    int32_t step_id, leg;
    char participant[SAGA_PARTICIPANT_MAX + 1]; // a row each, where the step has several; empty: none
    char reason[SAGA_CODE_MAX];
    int64_t created_ms; // of the saga
};
extern const struct store_table trouble_table;
enum { TROUBLE_BY_PARTICIPANT, TROUBLE_BY_REASON }; // indexes of trouble_table

// One request that changes something: the same (caller, request_id) acts once.
enum { REQUEST_CALLER_MAX = 128, REQUEST_ID_MAX = 64, REQUEST_REF_MAX = 128, REQUEST_ANSWER_MAX = 262144 };
struct request_row {
    char caller[REQUEST_CALLER_MAX + 1];
    char request_id[REQUEST_ID_MAX + 1];
    char method[65];
    char fingerprint[65];          // SHA-256 of the canonical request, hexadecimal
    char ref[REQUEST_REF_MAX + 1]; // what it made, in the method's own words: trade number, attempt, refund number
    int32_t answered;              // 1: `answer` (or code and text) is the answer that was or will be given
    int32_t code;                  // enum err
    char text[ERR_TEXT_MAX];
    struct str answer; // encoded response
    int64_t created_ms;
};
extern const struct store_table request_table;
enum { REQUEST_BY_CREATED }; // indexes of request_table

// Events. Those of a slot have rising numbers in the order of their commits, given by the loop (E16): the time in
// milliseconds, or one more than the slot's last. So what is inserted comes near the end of the table, whatever its
// slot.
struct outbox_row {
    int64_t seq;
    int32_t slot;
    char type[41];
    char gid[SAGA_GID_MAX + 1];
    char subject[SAGA_SUBJECT_MAX + 1];
    struct str payload;
    int64_t created_ms;
};
extern const struct store_table outbox_table;

// Who is to look again, because something it waits for has come; gone once it has looked.
struct poke_row {
    int32_t slot; // the saga's
    char gid[SAGA_GID_MAX + 1];
    int64_t created_ms;
};
extern const struct store_table poke_table;

// What came for a slot whose owner was silent, for its next owner; gone once it was acted on.
enum { INBOX_BODY_MAX = 262144 };
struct inbox_row {
    int32_t slot;
    char inbox_no[27];
    char method[41];
    char caller[REQUEST_CALLER_MAX + 1];
    struct str body; // the request, encoded
    int64_t received_ms;
    char about[SAGA_GID_MAX + 1]; // the saga; "": none
};
extern const struct store_table inbox_table;

// What operators did.
struct audit_row {
    char audit_no[27];
    char gid[SAGA_GID_MAX + 1];
    char action[41];
    char caller[REQUEST_CALLER_MAX + 1];
    char reason[201];
    char before[41], after[41]; // the saga's status, or the participant's state
    int64_t at_ms;
    char participant[SAGA_PARTICIPANT_MAX + 1]; // "" where it is about a saga
    char detail[1001];                          // what more is to be known: the step, what was left in mid-air
};
extern const struct store_table audit_table;
enum { AUDIT_BY_GID }; // indexes of audit_table

// A participant that is paused: no call of any saga goes to it.
// All that there are must fit a page, also when several instances pause the last ones at once.
enum { PARTICIPANTS_PAUSED_MAX = 500 };
_Static_assert((int)PARTICIPANTS_PAUSED_MAX < (int)STORE_LIMIT_MAX, "they are read at once");
struct participant_row {
    char participant[SAGA_PARTICIPANT_MAX + 1];
    char caller[REQUEST_CALLER_MAX + 1];
    char reason[201];
    int64_t since_ms;
};
extern const struct store_table participant_table;

// What is wrong with a saga, or with what several are about, and does not mend by itself. Values are stored; never
// renumber. saga/anomaly.c has their names.
enum saga_anomaly {
    ANOMALY_OLD = 1,         // in its status for too long
    ANOMALY_WAITING = 2,     // parked for too long
    ANOMALY_STUCK = 3,       // unfinished, and nobody would ever drive it on (E5)
    ANOMALY_OSCILLATING = 4, // a step fails in the same way again and again
    ANOMALY_AMOUNTS = 5,     // amounts of the subject do not add up
    ANOMALY_UNREADABLE = 6,  // its record can't be read, or its flow is not known here
    ANOMALY_KINDS = 7,
};
// One a saga (or subject) and kind: raised again it is the same row.
struct anomaly_row {
    char about[SAGA_GID_MAX + 1]; // gid, or the subject's key
    int32_t kind;                 // enum saga_anomaly
    int32_t slot;
    int64_t first_ms, last_ms;  // that it was seen to hold, this time
    int64_t cleared_ms;         // when it was seen not to hold any more; ANOMALY_OPEN_MS: it holds
    int64_t times;              // raised so often
    char gid[SAGA_GID_MAX + 1]; // empty: it is about the subject
    char subject[SAGA_SUBJECT_MAX + 1];
    char flow[SAGA_NAME_MAX + 1];
    char step[SAGA_NAME_MAX + 1];
    int32_t status; // enum saga_status; 0: of a subject
    char text[SAGA_TEXT_MAX];
};
extern const struct store_table anomaly_table;
enum { ANOMALY_BY_CLEARED }; // indexes of anomaly_table: what holds comes last
#define ANOMALY_OPEN_MS INT64_MAX

// All of them, ended by NULL.
extern const struct store_table *const saga_tables[];

// Adds `more` to `tables`, both ended by NULL; tables[max] has room for all of them (asserted). For those of one store.
void saga_tables_add(const struct store_table **tables, size_t max, const struct store_table *const *more);

#endif
