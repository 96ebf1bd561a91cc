// Any bytes as a configuration file: refused with a report or taken, never a crash; and what is taken prints as a file
// that is taken again. Touches no file.
#include "orchestrator/config.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_MAX = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config config;
    struct buf report, printed;
    buf_init(&report, TEXT_MAX);
    buf_init(&printed, TEXT_MAX);
    if (config_parse("fuzz.yaml", str_n(data, size), false, &config, &report)) {
        config_print(&config, &printed);
        assert(!printed.failed);
        bool secrets = config.callback.n_keys > 0; // are not printed, and so are missing when it is read again
        config_release(&config);
        if (!secrets) {
            bool again = config_parse("printed.yaml", buf_str(&printed), false, &config, &report);
            assert(again);
            config_release(&config);
        }
    } else {
        assert(report.len > 0 && !report.failed);
    }
    buf_release(&report);
    buf_release(&printed);
    return 0;
}
