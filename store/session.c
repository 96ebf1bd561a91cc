#include "store/session.h"

enum backend_result session_begin(struct sql_session *session, const char *begin, struct error *error) {
    return session->run(session, begin, NULL, 0, NULL, NULL, NULL, error);
}

enum backend_result session_end(struct sql_session *session, enum backend_result result, struct error *error) {
    struct error ignored;
    if (result == BACKEND_OK)
        result = session->run(session, "COMMIT", NULL, 0, NULL, NULL, NULL, error);
    if (result != BACKEND_OK)
        session->run(session, "ROLLBACK", NULL, 0, NULL, NULL, NULL, &ignored);
    return result;
}
