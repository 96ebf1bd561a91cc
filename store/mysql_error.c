#include "store/mysql_error.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <string.h>

// Codes of servers that the library's header does not name.
enum {
    MYSYS_WRITE = 3, // of its own library, passed on
    MYSYS_DISK_FULL = 20,
    MYSQL_QUERY_TIMEOUT = 3024,
    MYSQL_ROLLED_BACK_AT_COMMIT = 3101, // by the other members of its group
    MYSQL_IDLE_TOO_LONG = 4031,
    TIDB_TRY_AGAIN = 8022,
    TIDB_SCHEMA_OUTDATED = 8027,
    TIDB_SCHEMA_CHANGED = 8028,
    TIDB_PD_TIMEOUT = 9001,
    TIDB_STORE_TIMEOUT = 9002,
    TIDB_STORE_BUSY = 9003,
    TIDB_LOCK_TIMEOUT = 9004,
    TIDB_REGION_UNAVAILABLE = 9005,
    TIDB_TOO_OLD_TO_READ = 9006,
    TIDB_WRITE_CONFLICT = 9007,
};

enum { NO_SPACE = 28 }; // ENOSPC, on the server

bool mysql_error_is_lost(unsigned code) {
    switch (code) {
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case ER_FORCING_CLOSE:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
    case ER_NET_ERROR_ON_WRITE:
    case ER_NET_WRITE_INTERRUPTED:
    case ER_NET_PACKETS_OUT_OF_ORDER:
    case ER_NET_UNCOMPRESS_ERROR:
    case ER_CONNECTION_KILLED:
    case ER_NEW_ABORTING_CONNECTION:
    case ER_ABORTING_CONNECTION:
    case ER_CON_COUNT_ERROR:
    case ER_HOST_IS_BLOCKED:
    case ER_ACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_UNKNOWN_STMT_HANDLER: // the connection is not the one that prepared: a proxy changed servers
    case ER_UNKNOWN_COM_ERROR:    // Galera: the node is not in the cluster's quorum; another may be
    case ER_OPTION_PREVENTS_STATEMENT:
    case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
    case MYSQL_IDLE_TOO_LONG:
    case ER_READ_ONLY_MODE: // a server that was demoted
        return true;
    default:
        return code >= CR_MIN_ERROR && code <= CR_MAX_ERROR; // the client library's own: gone away, lost, refused, …
    }
}

bool mysql_error_is_overtime(unsigned code) {
    return code == ER_STATEMENT_TIMEOUT || code == MYSQL_QUERY_TIMEOUT;
}

// The number of the operating system's error, as servers write it: "Error writing file 'x' (Errcode: 28 …)", "(errno:",
// "(OS errno", "Got error 28 …". Not a number elsewhere in the text, as in the file's name. 0: there is none.
static int64_t os_error(const char *text) {
    static const char *const before[] = {"(Errcode: ", "(errno: ", "(OS errno ", "Got error "};
    int64_t number = 0;
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
        for (const char *at = text; (at = strstr(at, before[i]));) {
            at += strlen(before[i]);
            str_to_i64(str_n(at, strspn(at, "0123456789")), &number);
        }
    return number;
}

enum backend_result mysql_error_meaning(unsigned code, const char *text) {
    if (mysql_error_is_lost(code))
        return BACKEND_AGAIN;
    switch (code) {
    case ER_DUP_ENTRY:
    case ER_TABLE_EXISTS_ERROR:
    case ER_DUP_FIELDNAME:
    case ER_DUP_KEYNAME: return BACKEND_CONFLICT;
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK:
    case ER_QUERY_INTERRUPTED:
    case ER_STATEMENT_TIMEOUT:
    case MYSQL_QUERY_TIMEOUT:
    case ER_NEED_REPREPARE:
    case ER_TABLE_DEF_CHANGED:
    case ER_CHECKREAD:
    case ER_LOCK_TABLE_FULL:
    case ER_TOO_MANY_CONCURRENT_TRXS:
    case MYSQL_ROLLED_BACK_AT_COMMIT:
    case ER_OUT_OF_SORTMEMORY:
    case ER_OUTOFMEMORY:
    case ER_OUT_OF_RESOURCES:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
    case ER_MAX_PREPARED_STMT_COUNT_REACHED:
    // What an operator can mend, while the batch waits for it.
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_NO_SUCH_TABLE_IN_ENGINE:
    case ER_TABLE_CORRUPT:
    case TIDB_WRITE_CONFLICT:
    case TIDB_SCHEMA_OUTDATED:
    case TIDB_SCHEMA_CHANGED:
    case TIDB_TRY_AGAIN:
    case TIDB_PD_TIMEOUT:
    case TIDB_STORE_TIMEOUT:
    case TIDB_STORE_BUSY:
    case TIDB_LOCK_TIMEOUT:
    case TIDB_TOO_OLD_TO_READ:
    case TIDB_REGION_UNAVAILABLE: return BACKEND_AGAIN;
    case MYSYS_DISK_FULL:
    case ER_RECORD_FILE_FULL:
    case ER_DISK_FULL: return BACKEND_FULL;
    case MYSYS_WRITE:
    case ER_ERROR_ON_WRITE:
    case ER_GET_ERRNO: return os_error(text) == NO_SPACE ? BACKEND_FULL : BACKEND_AGAIN;
    default: return BACKEND_REFUSED;
    }
}

enum err mysql_error_code(enum backend_result result) {
    switch (result) {
    case BACKEND_CONFLICT: return ERR_STORE_CONFLICT;
    case BACKEND_FULL: return ERR_STORE_FULL;
    case BACKEND_AGAIN:
    case BACKEND_COMMIT_UNKNOWN: return ERR_STORE_UNAVAILABLE;
    default: return ERR_STORE_REFUSED;
    }
}
