// Any bytes as a configuration file: refused with a report or taken, never a crash; and what is taken prints as a file
// that is taken again. Touches no file.
#include "orchestrator/config.h"

#include <stdlib.h>

enum { TEXT_MAX = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct config config;
    struct buf report, printed;
    buf_init(&report, TEXT_MAX);
    buf_init(&printed, TEXT_MAX);
    if (config_parse("fuzz.yaml", str_n(bytes, n), false, &config, &report)) {
        config_print(&config, &printed);
        bool secrets = config.callback.n_keys > 0; // are not printed
        config_release(&config);
        if (printed.failed || (!secrets && !config_parse("printed.yaml", buf_str(&printed), false, &config, &report)))
            abort();
        if (!secrets)
            config_release(&config);
    } else if (report.len == 0 || report.failed) {
        abort();
    }
    buf_release(&report);
    buf_release(&printed);
    return 0;
}
