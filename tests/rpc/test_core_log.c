// gRPC's own lines go where the program wants them, and peers that provoke many can't flood it.
#include "base/clock.h"
#include "rpc/loop.h"
#include "tests/cmocka.h"

#include <grpc/support/log.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)

static struct {
    size_t lines, warnings;
    int64_t left_out;
    char last[256];
} heard;

static void hear(enum log_level level, const char *text) {
    heard.lines++;
    heard.warnings += level == LOG_WARN;
    if (strstr(text, " lines before this one were left out")) {
        struct str rest = str_c(text);
        assert_true(str_to_i64(str_cut(&rest, ' '), &heard.left_out));
    }
    snprintf(heard.last, sizeof heard.last, "%s", text);
}

static void a_line_comes_with_its_level(void **state) {
    (void)state;
    rpc_set_core_log(hear);
    struct rpc_loop *loop = rpc_loop_new(); // it reads how much gRPC is to say
    gpr_log(GPR_ERROR, "a handshake failed with %d", 7);
    assert_int_equal(heard.lines, 1);
    assert_int_equal(heard.warnings, 1);
    assert_string_equal(heard.last, "a handshake failed with 7");
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_INFO);
    gpr_log(GPR_INFO, "by the way");
    assert_int_equal(heard.lines, 2);
    assert_int_equal(heard.warnings, 1);
    rpc_loop_free(loop);
}

static void a_flood_is_cut_and_counted(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    int64_t begin_ns = clock_monotonic_ns();
    memset(&heard, 0, sizeof heard);
    int64_t n = 0;
    for (; !heard.left_out; n++) {
        assert_true(clock_monotonic_ns() - begin_ns < 60 * SECOND_NS);
        gpr_log(GPR_ERROR, "again");
    }
    int64_t seconds = (clock_monotonic_ns() - begin_ns) / SECOND_NS + 2;
    assert_in_range(heard.lines, 1, seconds * (RPC_CORE_LINES_MAX + 1));
    assert_true(heard.left_out <= n);
    assert_string_equal(heard.last, "again"); // the one that came next is said too
    rpc_loop_free(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_comes_with_its_level),
        cmocka_unit_test(a_flood_is_cut_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
