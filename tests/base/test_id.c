#include "base/id.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t from_seed(void *ctx) {
    return seeded_next(ctx);
}

static void test_an_id_is_well_formed_and_carries_its_slot(void **state) {
    (void)state;
    struct seeded seeded = {81};
    for (unsigned round = 0; round < 20000; round++) {
        char id[ID_LEN + 1];
        int64_t at = (int64_t)seeded_below(&seeded, INT64_C(1) << 50);
        id_make(at, round % SLOT_COUNT, from_seed, &seeded, id);
        assert_int_equal(strlen(id), ID_LEN);
        assert_int_equal(strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), ID_LEN);
        assert_true(id_valid(str_c(id)));
        assert_int_equal(id_slot(str_c(id)), round % SLOT_COUNT);
    }
}

static void test_ids_sort_by_the_time_they_were_made(void **state) {
    (void)state;
    struct seeded seeded = {82};
    for (int round = 0; round < 20000; round++) {
        char earlier[ID_LEN + 1], later[ID_LEN + 1];
        int64_t at = (int64_t)seeded_below(&seeded, INT64_C(1) << 45);
        int64_t step = 1 + (int64_t)seeded_below(&seeded, UINT64_C(1) << seeded_below(&seeded, 45));
        id_make(at, SLOT_COUNT - 1, from_seed, &seeded, earlier);
        id_make(at + step, 0, from_seed, &seeded, later);
        assert_true(str_cmp(str_c(earlier), str_c(later)) < 0);
    }
}

static int by_text(const void *a, const void *b) {
    return memcmp(a, b, ID_LEN);
}

static void test_ids_of_one_moment_and_slot_differ(void **state) {
    (void)state;
    enum { IDS = 5000 };
    char(*ids)[ID_LEN + 1] = calloc(IDS, sizeof *ids);
    assert_non_null(ids);
    for (int i = 0; i < IDS; i++)
        id_make(1, 2, id_random, NULL, ids[i]);
    qsort(ids, IDS, sizeof *ids, by_text);
    for (int i = 1; i < IDS; i++)
        assert_true(memcmp(ids[i - 1], ids[i], ID_LEN) != 0);
    free(ids);
}

static void test_everything_under_a_number_lives_in_its_slot(void **state) {
    (void)state;
    struct seeded seeded = {83};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        char path[ID_LEN + 16];
        id_make(1700000000000, slot, from_seed, &seeded, path);
        static const char *const below[] = {"/1", "/1/pay/2", "/", "//"};
        for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
            memcpy(path + ID_LEN, below[i], strlen(below[i]) + 1);
            assert_int_equal(id_slot(str_c(path)), slot);
            assert_false(id_valid(str_c(path)));
        }
    }
}

static void test_a_number_of_somebody_else_has_a_slot_by_its_whole_text(void **state) {
    (void)state;
    unsigned seen = 0;
    bool slots[SLOT_COUNT] = {0};
    struct seeded seeded = {84};
    for (int round = 0; round < 5000; round++) {
        char text[40];
        struct str id = str_n(text, seeded_below(&seeded, sizeof text));
        seeded_bytes(&seeded, text, id.len);
        unsigned slot = id_slot(id);
        assert_true(slot < SLOT_COUNT);
        assert_int_equal(slot, id_slot(id));
        seen += !slots[slot];
        slots[slot] = true;
    }
    assert_int_equal(seen, SLOT_COUNT);
    assert_true(id_slot(STR_NONE) < SLOT_COUNT);
    assert_int_equal(id_slot(STR("order/1")), str_hash(STR("order/1")) % SLOT_COUNT);
}

static void test_what_is_no_id_is_refused(void **state) {
    (void)state;
    char id[ID_LEN + 1];
    id_make(1700000000000, 255, id_random, NULL, id);
    assert_true(id_valid(str_c(id)));
    assert_false(id_valid(str_n(id, ID_LEN - 1)));
    assert_false(id_valid(str_n(id, ID_LEN + 1))); // with its NUL
    assert_false(id_valid(STR_NONE));
    assert_true(id_valid(STR("01HF7YAT007ZABCDEFGHJKMNPQ")));
    assert_false(id_valid(STR("01HF7YAT0080ABCDEFGHJKMNPQ"))); // slot 256
    for (size_t i = 0; i < ID_LEN; i++) {
        for (int c = -128; c < 128; c++) {
            char changed[ID_LEN + 1];
            memcpy(changed, id, sizeof changed);
            changed[i] = (char)c;
            bool digit = c > 0 && strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", c) != NULL;
            bool slot_too_large = i == 10 && c > '7'; // two digits of base 32 hold up to 1023
            assert_int_equal(id_valid(str_n(changed, ID_LEN)), digit && !slot_too_large);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_id_is_well_formed_and_carries_its_slot),
        cmocka_unit_test(test_ids_sort_by_the_time_they_were_made),
        cmocka_unit_test(test_ids_of_one_moment_and_slot_differ),
        cmocka_unit_test(test_everything_under_a_number_lives_in_its_slot),
        cmocka_unit_test(test_a_number_of_somebody_else_has_a_slot_by_its_whole_text),
        cmocka_unit_test(test_what_is_no_id_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
