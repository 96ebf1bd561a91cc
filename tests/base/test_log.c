#include "base/buf.h"
#include "base/log.h"
#include "tests/base/seeded.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

// Standard error goes to a file between capture_start() and capture_end().
static struct { int saved, file; } capture;

static void capture_start(void) {
    char path[] = "/tmp/txc-log-XXXXXX";
    fflush(stderr);
    capture.saved = dup(STDERR_FILENO);
    capture.file = mkstemp(path);
    assert_true(capture.saved >= 0 && capture.file >= 0);
    unlink(path);
    fcntl(capture.file, F_SETFL, O_APPEND);
    dup2(capture.file, STDERR_FILENO);
}

// What was written, NUL-terminated; the caller frees it.
static char *capture_end(void) {
    dup2(capture.saved, STDERR_FILENO);
    close(capture.saved);
    off_t size = lseek(capture.file, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(capture.file, text, (size_t)size, 0), size);
    close(capture.file);
    return text;
}

// The one JSON object that `text` holds, followed by exactly one line feed.
static json_t *one_line(char *text) {
    struct str rest = str_c(text), line = str_cut(&rest, '\n');
    assert_non_null(rest.ptr);
    assert_int_equal(rest.len, 0);
    json_error_t error;
    json_t *json = json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, &error);
    if (!json)
        fail_msg("%s: %s", error.text, text);
    free(text);
    return json;
}

static void assert_field(const json_t *json, const char *name, struct str expected) {
    const json_t *value = json_object_get(json, name);
    assert_true(str_eq(str_n(json_string_value(value), json_string_length(value)), expected));
}

static void test_a_line_is_one_json_object_with_time_level_message_and_fields(void **state) {
    (void)state;
    log_setup(LOG_INFO, LOG_JSON);
    capture_start();
    LOG(LOG_WARN, "saga ended", LOG_STR("gid", STR("a\0b")), LOG_INT("steps", INT64_MIN), LOG_C("none", NULL));
    json_t *json = one_line(capture_end());
    assert_field(json, "level", STR("warn"));
    assert_field(json, "msg", STR("saga ended"));
    assert_field(json, "gid", STR("a\0b"));
    assert_field(json, "none", STR(""));
    assert_int_equal(json_integer_value(json_object_get(json, "steps")), INT64_MIN);
    const char *time = json_string_value(json_object_get(json, "time"));
    assert_int_equal(strlen(time), 24);
    assert_int_equal(time[23], 'Z');
    json_decref(json);
}

static void test_lines_below_the_level_are_not_written(void **state) {
    (void)state;
    log_setup(LOG_WARN, LOG_JSON);
    capture_start();
    LOG(LOG_DEBUG, "hidden");
    LOG(LOG_INFO, "hidden");
    LOG(LOG_ERROR, "shown");
    json_t *json = one_line(capture_end());
    assert_field(json, "msg", STR("shown"));
    json_decref(json);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARN));
}

static void test_hostile_text_stays_within_its_json_value(void **state) {
    (void)state;
    log_setup(LOG_INFO, LOG_JSON);
    struct seeded seeded = {111};
    for (int round = 0; round < 500; round++) {
        char bytes[200], message[41];
        struct str value = str_n(bytes, seeded_below(&seeded, sizeof bytes));
        seeded_bytes(&seeded, bytes, value.len);
        seeded_bytes(&seeded, message, 40);
        message[40] = '\0';
        capture_start();
        LOG(LOG_INFO, message, LOG_STR("before", STR("1")), LOG_STR("value", value), LOG_INT("after", round));
        json_t *json = one_line(capture_end());
        assert_int_equal(json_object_size(json), 6);
        assert_int_equal(json_integer_value(json_object_get(json, "after")), round);
        if (str_is_utf8(value))
            assert_field(json, "value", value);
        json_decref(json);
    }
}

static void test_a_long_value_is_cut_and_the_others_stay(void **state) {
    (void)state;
    log_setup(LOG_INFO, LOG_JSON);
    for (size_t lead = 0; lead < 4; lead++) {
        char long_text[3 * LOG_VALUE_MAX + 1] = "xxxx";
        for (size_t at = lead; at + 3 < sizeof long_text; at += 3)
            memcpy(long_text + at, "油", 4);
        capture_start();
        LOG(LOG_INFO, "m", LOG_C("long", long_text), LOG_C("gid", "kept"));
        json_t *json = one_line(capture_end());
        assert_field(json, "gid", STR("kept"));
        const char *value = json_string_value(json_object_get(json, "long"));
        size_t len = strlen(value);
        assert_true(len > LOG_VALUE_MAX - 4 && len <= LOG_VALUE_MAX + 3);
        assert_memory_equal(value, long_text, len - 3);
        assert_string_equal(value + len - 3, "…");
        assert_null(strstr(value, "\xEF\xBF\xBD"));
        json_decref(json);
    }
    char exact[LOG_VALUE_MAX + 1] = "";
    memset(exact, 'e', LOG_VALUE_MAX);
    capture_start();
    LOG(LOG_INFO, "m", LOG_C("exact", exact));
    json_t *json = one_line(capture_end());
    assert_field(json, "exact", str_c(exact));
    json_decref(json);
}

static void test_a_line_that_grows_too_long_keeps_its_message(void **state) {
    (void)state;
    log_setup(LOG_INFO, LOG_JSON);
    char controls[LOG_VALUE_MAX];
    memset(controls, 1, sizeof controls); // six bytes each once escaped
    struct log_field fields[13] = {0};
    for (int i = 0; i < 12; i++)
        fields[i] = LOG_STR("field", str_n(controls, sizeof controls));
    capture_start();
    log_fields(LOG_ERROR, "what happened", fields);
    json_t *json = one_line(capture_end());
    assert_field(json, "msg", STR("what happened"));
    assert_field(json, "level", STR("error"));
    assert_field(json, "fields", STR("too long"));
    json_decref(json);
}

static void test_text_is_one_line_for_people(void **state) {
    (void)state;
    log_setup(LOG_INFO, LOG_TEXT);
    capture_start();
    LOG(LOG_INFO, "two\nlines\x1b[0m", LOG_C("gid", "x\ny"), LOG_INT("n", 7), LOG_C("empty", ""));
    char *text = capture_end();
    assert_non_null(strstr(text, "two lines [0m"));
    assert_non_null(strstr(text, "gid="));
    assert_non_null(strstr(text, "\"x\\ny\""));
    assert_non_null(strstr(text, "n="));
    assert_null(strstr(text, "empty"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}

enum { THREADS = 4, LINES = 200 };

static void *write_lines(void *name) {
    for (int i = 0; i < LINES; i++)
        LOG(LOG_INFO, "line", LOG_C("thread", name), LOG_INT("i", i));
    return NULL;
}

static void test_lines_of_several_threads_do_not_mix(void **state) {
    (void)state;
    log_setup(LOG_INFO, LOG_AUTO); // a file is no terminal: JSON
    capture_start();
    log_setup(LOG_INFO, LOG_AUTO);
    char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *text = capture_end();
    struct str rest = str_c(text);
    int64_t next[THREADS] = {0};
    for (int i = 0; i < THREADS * LINES; i++) {
        struct str line = str_cut(&rest, '\n');
        json_t *json = json_loadb(line.ptr, line.len, 0, NULL);
        assert_non_null(json);
        int thread = json_string_value(json_object_get(json, "thread"))[0] - 'a';
        assert_int_equal(json_integer_value(json_object_get(json, "i")), next[thread]++);
        json_decref(json);
    }
    assert_int_equal(rest.len, 0);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_is_one_json_object_with_time_level_message_and_fields),
        cmocka_unit_test(test_lines_below_the_level_are_not_written),
        cmocka_unit_test(test_hostile_text_stays_within_its_json_value),
        cmocka_unit_test(test_a_long_value_is_cut_and_the_others_stay),
        cmocka_unit_test(test_a_line_that_grows_too_long_keeps_its_message),
        cmocka_unit_test(test_text_is_one_line_for_people),
        cmocka_unit_test(test_lines_of_several_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
