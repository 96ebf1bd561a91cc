#include "tests/saga/hand_rows.h"

#include "tests/cmocka.h"

#include <stdlib.h>

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

static const struct {
    const char *word;
    enum saga_event_kind kind;
    bool reload;
} plain[] = {{"start", SAGA_EV_STARTED, false},       {"poke", SAGA_EV_POKED, false},
             {"retry", SAGA_EV_RETRY, false},         {"compensate", SAGA_EV_COMPENSATE, false},
             {"pause", SAGA_EV_PAUSE, false},         {"go-on", SAGA_EV_RESUME, false},
             {"terminate", SAGA_EV_TERMINATE, false}, {"skip", SAGA_EV_SKIP, false},
             {"resolve", SAGA_EV_RESOLVE, false},     {"resume", SAGA_EV_RESUMED, true},
             {"suspected", SAGA_EV_SUSPECTED, true}};

static enum saga_event_kind kind_of(struct str word) {
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (str_eq_c(word, plain[i].word))
            return plain[i].kind;
    fail_msg("what is %.*s?", STR_FMT(word));
    return SAGA_EV_STARTED;
}

static bool do_plain(struct hand *hand, struct str word, struct str rest) {
    for (size_t i = 0; i < sizeof plain / sizeof plain[0] && str_empty(rest); i++)
        if (str_eq_c(word, plain[i].word)) {
            (plain[i].reload ? hand_reload : hand_apply)(hand, plain[i].kind);
            return true;
        }
    return false;
}

static enum leg_child child_of(struct str word) {
    static const char *const words[] = {"ok", "failed", "refused", "terminated"};
    for (int i = 0; i < 4; i++)
        if (str_eq_c(word, words[i]))
            return (enum leg_child)(CHILD_SUCCEEDED + i);
    fail_msg("how does a child end %.*s?", STR_FMT(word));
    return CHILD_NONE;
}

// "refuses compensate", "refuses skip a", "refuses resolve a no": why, or nothing.
static void ask_refusal(struct hand *hand, struct str what, struct str leg, struct str outcome) {
    const char *why = hand_refusal(hand, kind_of(what), leg.ptr ? hand_leg(hand, leg) : 0,
                                   str_eq_c(outcome, "no") ? OUTCOME_REJECTED : OUTCOME_OK);
    buf_printf(&hand->effects, "%s", why ? why : "");
}

static void do_event(struct hand *hand, struct str event) {
    struct str rest = event, word = str_cut(&rest, ' ');
    if (do_plain(hand, word, rest))
        return;
    buf_clear(&hand->effects);
    if (answer(hand, word, rest) || ask(hand, word, rest, &hand->effects))
        return;
    struct str second = str_cut(&rest, ' '), third = str_cut(&rest, ' ');
    struct error error;
    bool duplicate;
    int64_t number = 0;
    str_to_i64(third, &number);
    if (str_eq_c(word, "time")) {
        assert_true(str_to_i64(second, &hand->now_ms));
        hand_apply(hand, SAGA_EV_TIMER);
    } else if (str_eq_c(word, "signal")) {
        assert_true(saga_instance_signal(&hand->saga, second, third, STR("payload"), &duplicate, &error));
    } else if (str_eq_c(word, "decides")) {
        set_verdict(hand, hand_leg(hand, second), third, rest);
    } else if (str_eq_c(word, "child")) {
        hand_child(hand, hand_leg(hand, second), child_of(third));
    } else if (str_eq_c(word, "clock")) {
        assert_true(str_to_i64(second, &hand->now_ms));
    } else if (str_eq_c(word, "skip")) {
        hand_skip(hand, hand_leg(hand, second));
    } else if (str_eq_c(word, "resolve")) {
        hand_resolve(hand, hand_leg(hand, second), str_eq_c(third, "ok") ? OUTCOME_OK : OUTCOME_REJECTED);
    } else if (str_eq_c(word, "held")) {
        hand_held(hand, hand_leg(hand, second), number);
    } else if (str_eq_c(word, "tried")) {
        hand_tried(hand, hand_leg(hand, second), str_eq_c(rest, "unknown") ? OUTCOME_UNKNOWN : OUTCOME_RETRY, number);
    } else if (str_eq_c(word, "refuses")) {
        ask_refusal(hand, second, third, rest);
    } else {
        fail_msg("what is %.*s?", STR_FMT(event));
    }
}

static void test_case(void **state) {
    const struct hand_case *one = *state;
    struct hand hand;
    struct buf picture;
    hand_init(&hand, one->flow);
    buf_init(&picture, 4096);
    for (const struct hand_row *row = one->rows; row < one->rows + HAND_ROWS_MAX && row->event; row++) {
        do_event(&hand, str_c(row->event));
        buf_clear(&picture);
        hand_picture(&hand, &picture);
        if (row->effects && !str_eq_c(buf_str(&hand.effects), row->effects))
            fail_msg("%s: %s: expected \"%s\", got \"%.*s\"", one->what, row->event, row->effects,
                     STR_FMT(buf_str(&hand.effects)));
        if (row->picture && !str_eq_c(buf_str(&picture), row->picture))
            fail_msg("%s: %s: expected \"%s\", got \"%.*s\"", one->what, row->event, row->picture,
                     STR_FMT(buf_str(&picture)));
    }
    buf_release(&picture);
    hand_release(&hand);
}

int hand_run_cases(const char *group, const struct hand_case *cases, size_t n) {
    struct CMUnitTest *tests = calloc(n, sizeof *tests);
    if (!tests)
        abort();
    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){cases[i].what, test_case, NULL, NULL, (void *)(uintptr_t)&cases[i]};
    int failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
    free(tests);
    return failed;
}
