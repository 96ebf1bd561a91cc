#include "orchestrator/ctl/txctl.h"

#include "orchestrator/ctl/help.h"

static int run(struct session *session) {
    const struct command *command = session->args->command;
    if (args_flag(session->args, "help") && strcmp(command->words, "help") != 0) {
        help_command(&session->view, command);
        session_flush(session);
        return TXCTL_OK;
    }
    return command->run ? command->run(session) : session_run_call(session);
}

// Of a command line that could not be understood.
static bool asks_for_json(int argc, char *const *argv) {
    for (int i = 1; i < argc; i++) {
        bool option = strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0;
        if (strcmp(argv[i], "--output=json") == 0 || (option && i + 1 < argc && strcmp(argv[i + 1], "json") == 0))
            return true;
    }
    return false;
}

int txctl_main(int argc, char *const *argv, const struct session_env *env) {
    struct args args;
    struct session session;
    struct error error = {0};
    if (!args_parse(argc, argv, &args, &error) || !session_init(&session, &args, env, &error))
        return session_usage(env, asks_for_json(argc, argv), error.text);
    int code = run(&session);
    if (session.cut) {
        fprintf(env->err, "txctl: the output could not be written whole\n");
        code = TXCTL_OUTPUT;
    }
    session_release(&session);
    return code;
}
