#include "tests/pages/page.h"

#include "tests/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_page(const struct page *page, struct buf *text) {
    char bytes[4096];
    size_t n;
    FILE *file = fopen(page->path, "rb");
    if (!file)
        fail_msg("%s can't be read", page->path);
    while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
        assert_true(buf_append(text, str_n(bytes, n)));
    fclose(file);
}

// The page with what stands between the picture's marks replaced; fails where these are not there.
static void put_picture(const struct page *page, const struct page_picture *picture, struct buf *text) {
    char begin[120];
    struct buf drawing, made;
    buf_init(&drawing, PICTURE_MAX);
    buf_init(&made, 4 * PICTURE_MAX);
    snprintf(begin, sizeof begin, "<!-- picture %s: %s --write -->\n", picture->name, page->program);
    const char *from = strstr(text->ptr, begin), *to = from ? strstr(from, "<!-- end -->\n") : NULL;
    if (!to)
        fail_msg("%s has no place for the picture %s", page->path, picture->name);
    picture->draw(&drawing);
    buf_append(&made, str_n(text->ptr, (size_t)(from - text->ptr) + strlen(begin)));
    if (picture->language)
        buf_printf(&made, "```%s\n%.*s```\n%s", picture->language, STR_FMT(buf_str(&drawing)), to);
    else
        buf_printf(&made, "%.*s%s", STR_FMT(buf_str(&drawing)), to);
    buf_clear(text);
    buf_append(text, buf_str(&made));
    buf_release(&drawing);
    buf_release(&made);
}

static void draw_page(const struct page *page, struct buf *text) {
    buf_init(text, 4 * PICTURE_MAX);
    read_page(page, text);
    for (size_t i = 0; i < page->n_pictures; i++)
        put_picture(page, &page->pictures[i], text);
}

static void test_the_page_is_what_the_code_says(void **state) {
    const struct page *page = *state;
    struct buf text, made;
    buf_init(&text, 4 * PICTURE_MAX);
    read_page(page, &text);
    draw_page(page, &made);
    if (!str_eq(buf_str(&text), buf_str(&made)))
        fail_msg("%s has other pictures than the code: %s --write", page->path, page->program);
    buf_release(&text);
    buf_release(&made);
}

static int write_page(const struct page *page) {
    struct buf made;
    draw_page(page, &made);
    FILE *file = fopen(page->path, "wb");
    bool written = file && fwrite(made.ptr, 1, made.len, file) == made.len;
    buf_release(&made);
    return file && fclose(file) == 0 && written ? EXIT_SUCCESS : EXIT_FAILURE;
}

int page_main(int argc, char **argv, const struct page *page) {
    if (argc > 1 && strcmp(argv[1], "--write") == 0)
        return write_page(page);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_the_page_is_what_the_code_says, (void *)(uintptr_t)page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
