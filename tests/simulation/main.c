// ./dev simulate: plays seeds, or one of them again. simulate.sh says what the arguments are.
#include "tests/simulation/campaign.h"
#include "tests/simulation/shrink.h"

#include <getopt.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct wishes {
    struct campaign campaign;
    const char *only;
    bool one, trace, json, coverage, no_shrink, new;
};

_Noreturn static void refuse(const char *what, const char *value) {
    fprintf(stderr, "simulate: %s: %s; ./dev simulate --help lists the options\n", what, value);
    exit(2);
}

static uint64_t number(const char *option, struct str text) {
    int64_t value;
    if (!str_to_i64(text, &value) || value < 0)
        refuse(option, "a whole number is needed");
    return (uint64_t)value;
}

// ---- One seed -----------------------------------------------------------------------------------------------------

static void keep_only(struct plan *plan, const char *items) {
    struct str rest = str_c(items);
    for (uint32_t i = 0; i < plan->n; i++)
        plan->left_out[i] = true;
    while (!str_empty(rest)) {
        uint64_t item = number("--only", str_cut(&rest, ','));
        if (item >= plan->n)
            refuse("--only", "the plan has no such item");
        plan->left_out[item] = false;
    }
}

static void print_items(const struct plan *plan) {
    bool first = true;
    for (uint32_t i = 0; i < plan->n; i++)
        if (!plan->left_out[i]) {
            printf("%s%u", first ? "" : ",", i);
            first = false;
        }
}

static void show_failure(const struct plan *plan, const struct report *report, const char *plant) {
    char text[240];
    printf("seed %llu broke [%s] %s\n\nits plan:\n", (unsigned long long)report->seed, report->rule, report->text);
    for (uint32_t i = 0; i < plan->n; i++)
        if (!plan->left_out[i]) {
            plan_describe(plan, i, text, sizeof text);
            printf("  %s\n", text);
        }
    printf("\nthe last that happened:\n%s\nagain: ./dev simulate --seed %llu --only ", report->tail,
           (unsigned long long)report->seed);
    print_items(plan);
    printf("%s%s --trace\n", plant[0] ? " --plant " : "", plant);
}

static const char *planted(const struct wishes *wishes) {
    return wishes->campaign.plant ? plant_name(wishes->campaign.plant) : "";
}

static int play_one(struct wishes *wishes) {
    struct plan *plan = malloc(sizeof *plan);
    struct report *report = malloc(sizeof *report);
    if (!plan || !report)
        abort();
    plan_make(plan, wishes->campaign.from);
    if (wishes->only)
        keep_only(plan, wishes->only);
    bool well = campaign_try(plan, wishes->campaign.plant, wishes->trace ? stdout : NULL, report);
    if (well)
        printf("seed %llu: every rule held\n", (unsigned long long)plan->seed);
    else if (wishes->trace)
        printf("seed %llu broke [%s] %s\n", (unsigned long long)plan->seed, report->rule, report->text);
    else
        show_failure(plan, report, planted(wishes));
    free(plan);
    free(report);
    return well ? 0 : 1;
}

// ---- Many ---------------------------------------------------------------------------------------------------------

static void show_tally(const struct campaign *campaign) {
    const struct tally *tally = &campaign->tally;
    printf("%llu seeds in %.1f s: %llu sagas (%llu succeeded, %llu failed, %llu terminated), %llu calls, %llu commits, "
           "%llu deaths, "
           "%llu events, %.1f hours of virtual time; digest %016llx\n",
           (unsigned long long)tally->seeds, campaign->seconds, (unsigned long long)tally->sagas,
           (unsigned long long)tally->succeeded, (unsigned long long)tally->failed,
           (unsigned long long)tally->terminated, (unsigned long long)tally->sends, (unsigned long long)tally->commits,
           (unsigned long long)tally->deaths, (unsigned long long)tally->events, (double)tally->virtual_ms / 3600e3,
           (unsigned long long)campaign->digest);
}

static void show_failures(struct wishes *wishes) {
    struct plan *plan = malloc(sizeof *plan);
    if (!plan)
        abort();
    for (unsigned i = 0; i < wishes->campaign.n_failures; i++) {
        struct report *report = &wishes->campaign.failures[i];
        plan_make(plan, report->seed);
        printf("\n");
        if (wishes->no_shrink || i > 0) {
            printf("seed %llu broke [%s] %s\n", (unsigned long long)report->seed, report->rule, report->text);
            if (strncmp(report->rule, "signal", 6) == 0 || strncmp(report->rule, "exit", 4) == 0)
                printf("%s\n", report->tail); // what it said before it ended
            continue;
        }
        uint32_t before = plan->n;
        unsigned tries = shrink(plan, wishes->campaign.plant, report);
        uint32_t after = 0;
        for (uint32_t k = 0; k < plan->n; k++)
            after += !plan->left_out[k];
        printf("made small in %u runs: %u of %u items\n", tries, after, before);
        show_failure(plan, report, planted(wishes));
    }
    free(plan);
}

static void print_text(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            printf("\\u%04x", (unsigned)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

static void print_json(const struct campaign *campaign, bool well) {
    const struct tally *tally = &campaign->tally;
    printf("{\"from\":%llu,\"to\":%llu,\"held\":%s,\"seconds\":%.1f,\"digest\":\"%016llx\",\"seeds\":%llu,"
           "\"sagas\":%llu,\"succeeded\":%llu,\"failed\":%llu,\"terminated\":%llu,\"calls\":%llu,\"commits\":%llu,"
           "\"deaths\":%llu,"
           "\"events\":%llu,\"failures\":[",
           (unsigned long long)campaign->from, (unsigned long long)campaign->to, well ? "true" : "false",
           campaign->seconds, (unsigned long long)campaign->digest, (unsigned long long)tally->seeds,
           (unsigned long long)tally->sagas, (unsigned long long)tally->succeeded, (unsigned long long)tally->failed,
           (unsigned long long)tally->terminated, (unsigned long long)tally->sends, (unsigned long long)tally->commits,
           (unsigned long long)tally->deaths, (unsigned long long)tally->events);
    for (unsigned i = 0; i < campaign->n_failures; i++) {
        printf("%s{\"seed\":%llu,\"rule\":", i ? "," : "", (unsigned long long)campaign->failures[i].seed);
        print_text(campaign->failures[i].rule);
        printf(",\"text\":");
        print_text(campaign->failures[i].text);
        printf("}");
    }
    printf("],\"coverage\":[");
    bool first = true;
    for (unsigned status = 0; status < ON_STATUSES; status++)
        for (unsigned state = 1; state < LEG_STATES; state++)
            for (unsigned event = 0; event < AT_EVENTS; event++) {
                if (campaign->coverage.seen[status][state][event] == 0)
                    continue;
                printf("%s{\"status\":\"%s\",\"state\":\"%s\",\"event\":\"%s\",\"count\":%llu}", first ? "" : ",",
                       coverage_status_name(status), leg_state_name((enum leg_state)state), coverage_event_name(event),
                       (unsigned long long)campaign->coverage.seen[status][state][event]);
                first = false;
            }
    printf("]}\n");
}

static int play_many(struct wishes *wishes) {
    struct campaign *campaign = &wishes->campaign;
    if (wishes->new && !wishes->json)
        printf("seeds %llu..%llu\n", (unsigned long long)campaign->from, (unsigned long long)campaign->to);
    campaign_run(campaign);
    bool judged = campaign->from <= 1 && campaign->to >= COVERAGE_SEEDS && campaign->n_failures == 0;
    if (wishes->coverage)
        coverage_print(&campaign->coverage, stdout);
    unsigned faults = coverage_faults(&campaign->coverage, judged, wishes->json ? stderr : stdout);
    bool well = faults == 0 && campaign->n_failures == 0;
    if (wishes->json) {
        print_json(campaign, well);
    } else {
        show_failures(wishes);
        show_tally(campaign);
        if (judged)
            printf("coverage of the machine: %s\n", faults ? "lacks something" : "every pair that can be was seen");
    }
    return well ? 0 : 1;
}

// ---- Arguments ----------------------------------------------------------------------------------------------------

static void set_range(struct campaign *campaign, const char *text) {
    const char *dots = strstr(text, "..");
    if (!dots)
        refuse("--seeds", "it is A..B");
    campaign->from = number("--seeds", str_n(text, (size_t)(dots - text)));
    campaign->to = number("--seeds", str_c(dots + 2));
    if (campaign->to < campaign->from)
        refuse("--seeds", "the last seed is before the first");
}

static void set_new(struct campaign *campaign, uint64_t n) {
    if (n == 0)
        refuse("--new", "a whole number above 0 is needed");
    campaign->from = (uint64_t)time(NULL) * 1000;
    campaign->to = campaign->from + n - 1;
}

static void set_jobs(struct campaign *campaign, uint64_t jobs) {
    if (jobs == 0 || jobs > CAMPAIGN_JOBS_MAX)
        refuse("--jobs", "1..64");
    campaign->jobs = (unsigned)jobs;
}

static void take(struct wishes *wishes, int option) {
    switch (option) {
    case 's': set_range(&wishes->campaign, optarg); break;
    case 'n':
        wishes->new = true;
        set_new(&wishes->campaign, number("--new", str_c(optarg)));
        break;
    case 'o':
        wishes->one = true;
        wishes->campaign.from = number("--seed", str_c(optarg));
        break;
    case 'i': wishes->only = optarg; break;
    case 't': wishes->trace = true; break;
    case 'j': set_jobs(&wishes->campaign, number("--jobs", str_c(optarg))); break;
    case 'k': wishes->campaign.keep_going = true; break;
    case 'x': wishes->no_shrink = true; break;
    case 'c': wishes->coverage = true; break;
    case 'J': wishes->json = true; break;
    case 'p':
        if (!plant_find(optarg, &wishes->campaign.plant))
            refuse("--plant", "there is no such one");
        break;
    default: exit(2);
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 's'}, {"new", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 'o'},  {"only", required_argument, NULL, 'i'},
        {"trace", no_argument, NULL, 't'},       {"jobs", required_argument, NULL, 'j'},
        {"keep-going", no_argument, NULL, 'k'},  {"no-shrink", no_argument, NULL, 'x'},
        {"coverage", no_argument, NULL, 'c'},    {"json", no_argument, NULL, 'J'},
        {"plant", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0},
    };
    static struct wishes wishes; // static: too large for the stack
    wishes.campaign = (struct campaign){.from = 1, .to = COVERAGE_SEEDS};
    wishes.campaign.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        take(&wishes, option);
    if (optind < argc)
        refuse("no such argument", argv[optind]);
    if ((wishes.trace || wishes.only) && !wishes.one)
        refuse("--trace and --only", "are for one --seed");
    wishes.campaign.quiet = wishes.json;
    return wishes.one ? play_one(&wishes) : play_many(&wishes);
}
