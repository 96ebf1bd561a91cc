// The connection on which a store writes to MariaDB and its kin.
#ifndef TXC_STORE_MYSQL_WRITE_H
#define TXC_STORE_MYSQL_WRITE_H

#include "store/mysql_conn.h"

// Connects. `options` and `weakness` are borrowed from the backend.
bool mysql_write_open(const struct store_mariadb_options *options, mysql_weakness *weakness,
                      struct backend_conn **ret_conn, struct error *error);

#endif
