#include "store/errand.h"

#include "store/thread.h"

#include <assert.h>
#include <stdlib.h>

struct errand {
    errand_fn *run;
    void *ctx;
    pthread_t thread;
    pthread_mutex_t mutex; // of what follows
    pthread_cond_t asked_for, ended;
    bool asked, closing;
    enum backend_result result;
    struct error error;
};

static void *work(void *arg) {
    struct errand *errand = arg;
    pthread_mutex_lock(&errand->mutex);
    while (errand->asked || !errand->closing) {
        if (!errand->asked) {
            pthread_cond_wait(&errand->asked_for, &errand->mutex);
            continue;
        }
        pthread_mutex_unlock(&errand->mutex);
        struct error error = {0};
        enum backend_result result = errand->run(errand->ctx, &error);
        pthread_mutex_lock(&errand->mutex);
        errand->result = result;
        errand->error = error;
        errand->asked = false;
        pthread_cond_broadcast(&errand->ended);
    }
    pthread_mutex_unlock(&errand->mutex);
    return NULL;
}

static void release(struct errand *errand) {
    pthread_cond_destroy(&errand->asked_for);
    pthread_cond_destroy(&errand->ended);
    pthread_mutex_destroy(&errand->mutex);
    free(errand);
}

struct errand *errand_new(errand_fn *run, void *ctx, const char *name, struct error *error) {
    struct errand *errand = calloc(1, sizeof *errand);
    if (errand) {
        *errand = (struct errand){.run = run, .ctx = ctx, .result = BACKEND_OK};
        pthread_mutex_init(&errand->mutex, NULL);
        pthread_cond_init(&errand->asked_for, NULL);
        pthread_cond_init(&errand->ended, NULL);
        if (thread_start(&errand->thread, work, errand, name))
            return errand;
        release(errand);
    }
    error_set(error, ERR_INTERNAL, "no memory or no thread");
    return NULL;
}

void errand_start(struct errand *errand) {
    pthread_mutex_lock(&errand->mutex);
    assert(!errand->asked);
    errand->asked = true;
    pthread_cond_signal(&errand->asked_for);
    pthread_mutex_unlock(&errand->mutex);
}

bool errand_ended(struct errand *errand, enum backend_result *ret_result, struct error *error) {
    pthread_mutex_lock(&errand->mutex);
    bool ended = !errand->asked;
    if (ended) {
        *ret_result = errand->result;
        *error = errand->error;
    }
    pthread_mutex_unlock(&errand->mutex);
    return ended;
}

void errand_wait(struct errand *errand) {
    if (!errand)
        return;
    pthread_mutex_lock(&errand->mutex);
    while (errand->asked)
        pthread_cond_wait(&errand->ended, &errand->mutex);
    pthread_mutex_unlock(&errand->mutex);
}

void errand_free(struct errand *errand) {
    if (!errand)
        return;
    pthread_mutex_lock(&errand->mutex);
    errand->closing = true;
    pthread_cond_signal(&errand->asked_for);
    pthread_mutex_unlock(&errand->mutex);
    pthread_join(errand->thread, NULL);
    release(errand);
}
