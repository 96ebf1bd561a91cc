// SQL from descriptions: every statement that a backend runs on a described table is made here, so that none is written
// twice. All names are quoted.
//
// How columns are kept:
//   I64, I32  BIGINT, INT (SQLite: INTEGER).
//   TEXT      SQLite: TEXT with its default BINARY order. MySQL and its kin: VARBINARY(max), since every order of a
//             character set either pads ("a" = "a ") or differs between MariaDB, MySQL and TiDB, while VARBINARY
//             compares bytes everywhere, counts `max` in bytes as the description does, and costs an index one byte a
//             byte. That it is UTF-8 is checked before (row_check).
//   BLOB      BLOB (MySQL: MEDIUMBLOB above 65,535 bytes).
// Every column is NOT NULL. Without blobs SQLite tables are WITHOUT ROWID: they are kept in the order of their key, as
// InnoDB's are. With blobs they are kept in the order in which their rows came, beside a tree of the keys. In either
// case every index ends with the key, which is what paging by index and key needs; where TiDB is to see that, it is
// said.
#ifndef TXC_STORE_SQL_H
#define TXC_STORE_SQL_H

#include "base/buf.h"
#include "store/query.h"

enum sql_dialect { SQL_SQLITE, SQL_MYSQL };

// One value to bind.
struct sql_param {
    bool is_text;
    int64_t integer;
    struct str text;
};
enum { SQL_PARAMS_MAX = 2 * STORE_CONDS_MAX + 2 * QUERY_ORDER_MAX + 1 }; // the limit is one
struct sql_params {
    struct sql_param list[SQL_PARAMS_MAX];
    size_t n;
};

// Each appends one statement. They create nothing that exists: the caller looks first.
void sql_create_table(struct buf *sql, enum sql_dialect dialect, const struct store_table *table);
void sql_create_index(struct buf *sql, enum sql_dialect dialect, const struct store_table *table,
                      const struct store_index *index);
void sql_add_column(struct buf *sql, enum sql_dialect dialect, const struct store_table *table,
                    const struct store_column *column);

// The database's own clock as an expression: milliseconds since 1970.
const char *sql_now_ms(enum sql_dialect dialect);

// A write of `rows` rows at once (SQLite: more than one only for STORE_INSERT, which may leave some of them behind when
// it fails). Parameters, row by row: every column in order; for STORE_DELETE the key's.
void sql_write(struct buf *sql, enum sql_dialect dialect, const struct store_table *table, enum store_verb verb,
               size_t rows);

// SQLite: replaces every column (but the fixed ones, of which not all may be) of the row that has this key, if there is
// one. Parameters have the numbers of their columns, from 1.
void sql_update(struct buf *sql, const struct store_table *table);

// A SELECT of every column in order, or of COUNT(*). The parameters borrow from the query and from `arena`, where
// ends of prefixes are made; false when it is full.
bool sql_select(struct buf *sql, enum sql_dialect dialect, const struct store_query *query, struct arena *arena,
                struct sql_params *ret_params);

#endif
