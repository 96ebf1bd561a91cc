// Pages whose pictures and tables are made from the code. On the page each stands between
//   <!-- picture NAME: PROGRAM --write -->   and   <!-- end -->
// and a program of tests compares it with what the code says, or, with --write, puts that there.
#ifndef TXC_TESTS_PAGES_PAGE_H
#define TXC_TESTS_PAGES_PAGE_H

#include "base/buf.h"

enum { PICTURE_MAX = 1 << 16 };

struct page_picture {
    const char *name;
    const char *language; // of the block that it stands in; NULL: as it is
    void (*draw)(struct buf *out);
};

struct page {
    const char *path;    // from the root of the tree
    const char *program; // as CTest names it
    const struct page_picture *pictures;
    size_t n_pictures;
};

// The whole of main(): the exit code.
int page_main(int argc, char **argv, const struct page *page);

#endif
