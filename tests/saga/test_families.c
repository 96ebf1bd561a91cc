// Which parents have no child among all that is unfinished, pass by pass, however many there are.
#include "saga/families.h"
#include "tests/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

enum { MANY = 70000, CHILDLESS_EACH = 7 }; // every seventh has no child

static const char *gid_of(int i) {
    static char gid[SAGA_GID_MAX + 1];
    snprintf(gid, sizeof gid, "parent-%d", i);
    return gid;
}

// One pass over `n` parents, of which those that are not told to be childless have a child. Counts who was found.
static void pass(struct families *families, int n, uint8_t *found) {
    families_begin(families, 0);
    for (int i = 0; i < n; i++) {
        families_note_parent(families, gid_of(i));
        if (i % CHILDLESS_EACH != 0)
            families_note_child(families, gid_of(i));
    }
    const char *gid;
    for (size_t i = 0; (gid = families_childless(families, &i)); i++) {
        int64_t number;
        assert_true(str_to_i64(str_c(gid + strlen("parent-")), &number));
        assert_int_equal(number % CHILDLESS_EACH, 0);
        found[number] = 1;
    }
}

static int count(const uint8_t *found, int n) {
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += found[i];
    return sum;
}

static void test_a_few_are_known_in_one_pass(void **state) {
    (void)state;
    struct families families = {0};
    uint8_t found[FAMILIES_PARENTS_MAX] = {0};
    pass(&families, FAMILIES_PARENTS_MAX, found);
    assert_int_equal(families_passes(&families), 1);
    assert_int_equal(count(found, FAMILIES_PARENTS_MAX), (FAMILIES_PARENTS_MAX + CHILDLESS_EACH - 1) / CHILDLESS_EACH);
    families_release(&families);
}

// [E5] more parents and more children than a pass keeps: each childless one is found, and no other, in two turns
static void test_of_many_each_is_known_in_its_turn(void **state) {
    (void)state;
    struct families families = {0};
    uint8_t *found = calloc(MANY, 1);
    int passes = 0;
    assert_non_null(found);
    do {
        pass(&families, MANY, found);
        passes++;
    } while (count(found, MANY) < (MANY + CHILDLESS_EACH - 1) / CHILDLESS_EACH && passes < 1000);
    assert_in_range(families_passes(&families), 64, 256);
    assert_in_range(passes, 64, 2 * families_passes(&families));
    free(found);
    families_release(&families);
}

// When they have become few, a pass is about all of them again.
static void test_when_they_are_few_again_one_pass_is_enough(void **state) {
    (void)state;
    struct families families = {0};
    uint8_t *found = calloc(MANY, 1);
    assert_non_null(found);
    for (int i = 0; i < 8; i++)
        pass(&families, 20000, found);
    assert_true(families_passes(&families) > 4);
    for (int i = 0; i < 1000 && families_passes(&families) > 1; i++)
        pass(&families, 100, found);
    assert_int_equal(families_passes(&families), 1);
    memset(found, 0, MANY);
    families_begin(&families, 0); // what was noted before is forgotten
    size_t i = 0;
    assert_null(families_childless(&families, &i));
    pass(&families, 100, found);
    assert_int_equal(count(found, MANY), 15);
    free(found);
    families_release(&families);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_few_are_known_in_one_pass),
        cmocka_unit_test(test_of_many_each_is_known_in_its_turn),
        cmocka_unit_test(test_when_they_are_few_again_one_pass_is_enough),
    };
    return cmocka_run_group_tests_name("saga/families", tests, NULL, NULL);
}
