#include "tests/store/offered.h"

#include "store/mysql_conn.h"
#include "tests/cmocka.h"

struct offered offered_by(const struct store_mariadb_options *options) {
    struct mysql_conn *conn = mysql_conn_new(options, MYSQL_FOR_WRITING, NULL);
    struct error error = {0};
    if (!mysql_conn_open(conn, &error))
        fail_msg("%s", error.text);
    struct offered offered = {.bulk = conn->bulk, .galera = conn->galera};
    mysql_conn_free(conn);
    return offered;
}
