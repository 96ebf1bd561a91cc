// A disk of a size of its own: a tmpfs that only this program sees.
#ifndef TXC_TESTS_STORE_SMALL_DISK_H
#define TXC_TESTS_STORE_SMALL_DISK_H

#include "tests/scratch.h"

// Before any thread is started: from here on the program has mounts of its own. It needs to be root, or a kernel that
// lets anybody have that; else the program ends with a message.
void small_disk_prepare(void);

// Makes and mounts it; `folder` is where.
void small_disk_make(unsigned megabytes, char folder[SCRATCH_PATH_MAX]);

// Leaves `kilobytes` of what is free, and gives it back.
void small_disk_fill(const char *folder, unsigned kilobytes);
void small_disk_clear(const char *folder);

void small_disk_remove(const char *folder);

#endif
