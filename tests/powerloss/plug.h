// When the plug is pulled: the process ends by SIGKILL right before or right after a chosen sync.
#ifndef TXC_TESTS_POWERLOSS_PLUG_H
#define TXC_TESTS_POWERLOSS_PLUG_H

// Follows the plan in the file `path`; NULL: there is none. The plan is a line "K before" or "K after", for the Kth
// sync since the file appeared, or was replaced; "0 before" only counts. The count goes to "<path>.count" at every
// sync, with the word "killed" behind it at the last one.
void plug_init(const char *path);

// Around every sync, one at a time. Either may not return.
void plug_before_sync(void);
void plug_after_sync(void);

#endif
