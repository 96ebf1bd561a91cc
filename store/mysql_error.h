// What the error codes of MariaDB, MySQL and their client library mean for a batch.
#ifndef TXC_STORE_MYSQL_ERROR_H
#define TXC_STORE_MYSQL_ERROR_H

#include "store/backend.h"

// The connection is of no use any more.
bool mysql_error_is_lost(unsigned code);

// For an error that came before COMMIT, when nothing is done yet.
enum backend_result mysql_error_meaning(unsigned code, const char *text);

// What the callers of the store hear.
enum err mysql_error_code(enum backend_result result);

// A read that the server has ended because it took as long as one may.
bool mysql_error_is_overtime(unsigned code);

#endif
