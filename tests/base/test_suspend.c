// A machine that was suspended: its monotonic clock stood still meanwhile, and leases have ended all the same. The
// clocks are this program's for that.
#include "base/clock.h"
#include "tests/cmocka.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t suspended_s;

int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time) {
    if (syscall(SYS_clock_gettime, id, ret_time) != 0)
        return -1;
    if (id == CLOCK_BOOTTIME || id == CLOCK_REALTIME)
        ret_time->tv_sec += suspended_s;
    return 0;
}

static void test_time_goes_on_while_the_machine_is_suspended(void **state) {
    (void)state;
    int64_t before_ms = clock_now_ms(clock_system());
    suspended_s = 3600;
    int64_t passed_ms = clock_now_ms(clock_system()) - before_ms;
    assert_true(passed_ms >= 3600000 && passed_ms < 3700000);
    assert_true(clock_drift_ms() > -1000 && clock_drift_ms() < 1000); // that is no jump of the wall clock
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_time_goes_on_while_the_machine_is_suspended)};
    return cmocka_run_group_tests_name("base suspend", tests, NULL, NULL);
}
