// A proxy between a client and a server on unix sockets that cuts connections at the worst moments: when a COMMIT is on
// its way, before the server has seen it or after the server has answered it; in the middle of a long answer. Or it
// keeps a COMMIT back, as a client does that is stopped before it; or the answers, for whoever does not wait for them.
// Runs on a thread of its own.
#ifndef TXC_TESTS_SERVERS_CUTTER_H
#define TXC_TESTS_SERVERS_CUTTER_H

struct cutter;

enum cut {
    CUT_NOTHING,
    CUT_BEFORE_COMMIT,
    CUT_AFTER_COMMIT,
    CUT_IN_ANSWER,
    CUT_KEEP_COMMIT,
    CUT_KEEP_ANSWERS,
    CUT_AMONG_ANSWERS, // once as many are there it gets half of them, and is cut off
};
enum { CUTTER_KEPT_ANSWERS = 4 };

// Listens at `path` and passes everything on to `server`. Ends the program when it can't.
struct cutter *cutter_start(const char *path, const char *server);

// The next COMMIT on any connection, or the next answer that is long, is cut like this; then nothing more. Of the next
// connection whose server answers the answers are kept until there are CUTTER_KEPT_ANSWERS, each of one packet; or
// until no more have come for two seconds, which is not counted.
void cutter_cut(struct cutter *cutter, enum cut cut);

// The client whose COMMIT was kept goes on: it learns that its connection is lost, and not before, whatever the server
// did meanwhile.
void cutter_let_go(struct cutter *cutter);

// How many connections were cut, or kept waiting.
int cutter_count(const struct cutter *cutter);

// Closes every connection, too.
void cutter_stop(struct cutter *cutter);

#endif
