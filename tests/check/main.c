// txcheck: do the center and every participant agree, to the unit?
//   txcheck --center TARGET --sim TARGET [--open-is-fine] [--settled] [--caller NAME] [-o json]
// Exit codes: 0 they agree, 1 they don't (each fault is a line), 2 usage.
#include "tests/check/ledgers.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static void step(void *ctx) {
    rpc_loop_once(ctx, 1000);
}

static void fault(void *ctx, const char *trade_no, const char *text) {
    (void)ctx;
    printf("%s%s%s\n", trade_no, trade_no[0] ? ": " : "", text);
}

static int usage(void) {
    fprintf(stderr,
            "usage: txcheck --center TARGET --sim TARGET [--open-is-fine] [--settled] [--caller NAME] [-o json]\n");
    return 2;
}

static void print(const struct check_counts *counts, bool json) {
    const struct {
        const char *name;
        int64_t n;
    } rows[] = {{"trades", counts->trades},       {"paid", counts->paid},     {"refunded", counts->refunded},
                {"unpaid", counts->unpaid},       {"open", counts->open},     {"postings", counts->postings},
                {"entries", counts->entries},     {"money", counts->money},   {"notified", counts->notified},
                {"adjusted", counts->adjusted},   {"edited", counts->edited}, {"fuellings", counts->fuellings},
                {"recharges", counts->recharges}, {"issued", counts->issued}, {"matters", counts->matters},
                {"faults", counts->faults}};
    for (size_t i = 0; json && i < sizeof rows / sizeof rows[0]; i++)
        printf("%s\"%s\": %" PRId64, i ? ", " : "{", rows[i].name, rows[i].n);
    if (json) {
        printf("}\n");
        return;
    }
    printf("%" PRId64 " trades (%" PRId64 " paid, %" PRId64 " of them refunded whole; %" PRId64 " unpaid; %" PRId64
           " open), %" PRId64 " postings here, %" PRId64 " entries there, %" PRId64 " minor units held, %" PRId64
           " notifications: %" PRId64 " faults\n",
           counts->trades, counts->paid, counts->refunded, counts->unpaid, counts->open, counts->postings,
           counts->entries, counts->money, counts->notified, counts->faults);
}

int main(int argc, char **argv) {
    static const struct option long_options[] = {{"center", required_argument, NULL, 'c'},
                                                 {"sim", required_argument, NULL, 's'},
                                                 {"open-is-fine", no_argument, NULL, 'f'},
                                                 {"caller", required_argument, NULL, 'n'},
                                                 {"settled", no_argument, NULL, 'm'},
                                                 {"output", required_argument, NULL, 'o'},
                                                 {0}};
    struct check_options options = {.step = step, .fault = fault, .caller = "check"};
    const char *center = NULL, *sim = NULL;
    bool json = false;
    struct error error = {0};
    for (int c; (c = getopt_long(argc, argv, "o:", long_options, NULL)) != -1;) {
        switch (c) {
        case 'c': center = optarg; break;
        case 's': sim = optarg; break;
        case 'f': options.open_is_fine = true; break;
        case 'm': options.settled = true; break;
        case 'n': options.caller = optarg; break;
        case 'o': json = strcmp(optarg, "json") == 0; break;
        default: return usage();
        }
    }
    if (!center || !sim || optind != argc)
        return usage();
    struct rpc_loop *loop = rpc_loop_new();
    const struct rpc_channel_options large = {.message_max = 64 << 20};
    options.step_ctx = loop;
    options.center = rpc_channel_open(loop, center, &large, &error);
    options.sim = rpc_channel_open(loop, sim, &large, &error);
    if (!options.center || !options.sim) {
        fprintf(stderr, "txcheck: %s\n", error.text);
        return 1;
    }
    struct check_counts counts;
    bool agree = check_ledgers(&options, &counts);
    print(&counts, json);
    rpc_channel_close(options.center);
    rpc_channel_close(options.sim);
    rpc_loop_free(loop);
    return agree ? 0 : 1;
}
