/* What docs/policies.md says of observations and of the state machine is what the code says. Run
 * with UPDATE_DOCS=1 it writes the parts between the markers anew. */
#include "policies/decide.h"

#include "base/buf.h"
#include "base/clock.h"
#include "unit.h"

#include <stdio.h>

static char *read_file(const char *path)
{
    char piece[4096];
    size_t len;
    struct buf text;
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    buf_init(&text, 1 << 20);
    while ((len = fread(piece, 1, sizeof piece, file)) > 0)
        buf_add(&text, piece, len);
    fclose(file);
    return buf_take(&text);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* The text between "<!-- NAME -->\n" and "<!-- /NAME -->" must be `expected`. */
static void expect_part(const char *name, const char *expected)
{
    CLEANUP_FREE char *text = read_file(POLICIES_DOCS);
    CLEANUP_FREE char *begin = mem_printf("<!-- %s -->\n", name);
    CLEANUP_FREE char *end = mem_printf("<!-- /%s -->", name);
    char *from = strstr(text, begin);
    char *to = from ? strstr(from, end) : NULL;
    ck_assert_msg(to != NULL, "docs/policies.md has no part %s", name);
    from += strlen(begin);
    CLEANUP_FREE char *part = mem_strndup(from, (size_t)(to - from));
    if (strcmp(part, expected) == 0)
        return;
    ck_assert_msg(getenv("UPDATE_DOCS") != NULL,
                  "docs/policies.md: the part %s is not what the code says; UPDATE_DOCS=1 "
                  "test_policies_docs writes it anew",
                  name);
    CLEANUP_FREE char *whole = mem_printf("%.*s%s%s", (int)(from - text), text, expected, to);
    write_file(POLICIES_DOCS, whole);
}

static void add_words(const struct observation_kind *kind, struct buf *out)
{
    static const char *const units[UNITS] = {
        [UNIT_COUNT] = "a number",
        [UNIT_SHARE] = "a share: `60%`",
        [UNIT_DURATION] = "a time: `30s`",
        [UNIT_PER_MINUTE] = "a rate: `10/min`",
        [UNIT_WORD] = "a name",
        [UNIT_YES_NO] = "`true`, `false`",
    };
    if (!kind->words[0])
        buf_puts(out, units[kind->unit]);
    for (size_t i = 0; kind->words[i]; i++)
        buf_printf(out, "%s`%s`", i ? ", " : "", kind->words[i]);
}

START_TEST(the_table_of_observations_is_that_of_the_code)
{
    struct buf out;
    char name[OBSERVATION_NAME_MAX];
    char duration[DURATION_MAX];
    buf_init(&out, 1 << 16);
    buf_puts(&out, "| name | is | good for | meaning |\n|--|--|--|--|\n");
    for (size_t i = 0; observation_kind_at(i); i++) {
        const struct observation_kind *kind = observation_kind_at(i);
        CLEANUP_FREE char *parameter = kind->parameter ? mem_printf("%s", kind->parameter) : NULL;
        for (char *c = parameter; c && *c; c++)
            *c = (char)(*c - 'a' + 'A');
        buf_printf(&out, "| `%s` | ", observation_name(kind, parameter, name));
        add_words(kind, &out);
        buf_printf(&out, " | %s | %s |\n",
                   kind->ttl_ms ? duration_text(kind->ttl_ms, duration) : "until it changes",
                   kind->doc);
    }
    expect_part("observations", buf_text(&out));
    buf_free(&out);
}
END_TEST

START_TEST(the_state_machine_is_that_of_the_code)
{
    CLEANUP_FREE char *drawn = decide_mermaid();
    CLEANUP_FREE char *part = mem_printf("```mermaid\n%s```\n", drawn);
    expect_part("machine", part);
}
END_TEST

START_TEST(every_built_in_policy_is_explained)
{
    const char *name;
    const char *text;
    CLEANUP_FREE char *docs = read_file(POLICIES_DOCS);
    for (size_t i = 0; policy_builtin(i, &name, &text); i++) {
        const char *at = strstr(text, "name: ") + strlen("name: ");
        CLEANUP_FREE char *row = mem_printf("| `%.*s` |", (int)strcspn(at, "\n"), at);
        unit_assert_has(docs, row);
    }
}
END_TEST

UNIT_MAIN("policies_docs", the_table_of_observations_is_that_of_the_code,
          the_state_machine_is_that_of_the_code, every_built_in_policy_is_explained)
