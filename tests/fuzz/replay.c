// Feeds the files of folders to a fuzz target: the program of a fuzz target where there is no libFuzzer.
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_MAX = 1 << 20 };

static void replay(const char *path) {
    printf("%s\n", path); // the last one is the one that crashed
    fflush(stdout);
    FILE *file = fopen(path, "rb");
    uint8_t *read_into = malloc(INPUT_MAX);
    if (!file || !read_into)
        abort();
    size_t size = fread(read_into, 1, INPUT_MAX, file);
    fclose(file);
    // In memory of exactly its size, so that reading beyond it is found.
    uint8_t *data = realloc(read_into, size ? size : 1);
    if (!data)
        abort();
    LLVMFuzzerTestOneInput(size ? data : NULL, size);
    free(data);
}

int main(int argc, char **argv) {
    int replayed = 0;
    for (int i = 1; i < argc; i++) {
        struct dirent **entries;
        int n = scandir(argv[i], &entries, NULL, alphasort);
        if (n < 0) {
            perror(argv[i]);
            return 1;
        }
        for (int k = 0; k < n; k++) {
            char path[1024];
            snprintf(path, sizeof path, "%s/%s", argv[i], entries[k]->d_name);
            if (entries[k]->d_name[0] != '.') {
                replay(path);
                replayed++;
            }
            free(entries[k]);
        }
        free(entries);
    }
    printf("%d inputs\n", replayed);
    return replayed > 0 ? 0 : 1;
}
