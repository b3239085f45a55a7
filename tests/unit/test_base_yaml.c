/* YAML as a tree: what libyaml lets pass and we do not, the typed readers, the way through JSON. */
#include "base/yaml.h"

#include "base/buf.h"
#include "tests/unit/unit.h"

struct parsed {
    struct diag_list diags;
    struct yaml_node *root;
};

static struct parsed parse_bytes(const char *text, size_t len)
{
    struct parsed p;
    CLEANUP_FREE char *copy = mem_strndup(text, len);
    diag_init(&p.diags, "f", copy);
    p.root = yaml_parse(text, len, &p.diags);
    return p;
}

static struct parsed parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void parsed_free(struct parsed *p)
{
    yaml_node_free(p->root);
    diag_free(&p->diags);
}

/* The text has exactly these errors, as "line:column: words", one a line. */
static void assert_errors(struct parsed *p, const char *expected)
{
    struct buf told;
    buf_init(&told, 1 << 16);
    CLEANUP_FREE char *sorted = diag_format(&p->diags);
    ck_assert_ptr_nonnull(sorted);
    for (size_t i = 0; i < p->diags.count; i++)
        buf_printf(&told, "%d:%d: %s\n", p->diags.items[i].line, p->diags.items[i].column,
                   p->diags.items[i].text);
    ck_assert_str_eq(buf_text(&told), expected);
    buf_free(&told);
}

static void assert_parse_errors(const char *text, const char *expected)
{
    struct parsed p = parse(text);
    assert_errors(&p, expected);
    parsed_free(&p);
}

static void assert_json(const char *text, const char *expected)
{
    struct parsed p = parse(text);
    assert_errors(&p, "");
    json_t *json = yaml_json(p.root);
    json_t *wanted = unit_json(expected);
    CLEANUP_FREE char *line = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    ck_assert_msg(json_equal(json, wanted), "%s", line);
    json_decref(json);
    json_decref(wanted);
    parsed_free(&p);
}

START_TEST(a_tree_knows_its_places)
{
    struct parsed p = parse("a: x\nb:\n  - 'null'\n  - null\n  - {c: ~, d: }\n");
    assert_errors(&p, "");
    ck_assert_int_eq(p.root->kind, YAML_MAP);
    ck_assert_str_eq(yaml_get(p.root, "a")->text, "x");
    const struct yaml_node *list = yaml_get(p.root, "b");
    ck_assert_int_eq(list->kind, YAML_LIST);
    ck_assert_uint_eq(list->count, 3);
    ck_assert_int_eq(list->items[0]->kind, YAML_TEXT);
    ck_assert(list->items[0]->quoted);
    ck_assert_int_eq(list->items[0]->line, 3);
    ck_assert_int_eq(list->items[0]->column, 5);
    ck_assert_int_eq(list->items[1]->kind, YAML_NULL);
    ck_assert_int_eq(yaml_get(list->items[2], "c")->kind, YAML_NULL);
    ck_assert_int_eq(yaml_get(list->items[2], "d")->kind, YAML_NULL);
    ck_assert_ptr_null(yaml_get(p.root, "A"));
    ck_assert_ptr_null(yaml_get(list, "a"));
    ck_assert_ptr_null(yaml_get(NULL, "a"));
    parsed_free(&p);
}
END_TEST

START_TEST(scalars_are_not_guessed)
{
    assert_json("[no, 1:30, 1e3, 0x10, 010, 2026-01-01, .inf, true]",
                "['no', '1:30', '1e3', '0x10', '010', '2026-01-01', '.inf', 'true']");
    assert_json("a: |\n  two\n  lines\nb: >-\n  folded\n  text\n",
                "{'a': 'two\\nlines\\n', 'b': 'folded text'}");
}
END_TEST

START_TEST(an_empty_document_is_nothing)
{
    static const char *const empty[] = {"", "\n\n", "# a comment\n", "---\n", "null"};
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        struct parsed p = parse(empty[i]);
        assert_errors(&p, "");
        ck_assert_ptr_nonnull(p.root);
        ck_assert_int_eq(p.root->kind, YAML_NULL);
        ck_assert_str_eq(yaml_kind_name(p.root), "nothing");
        parsed_free(&p);
    }
}
END_TEST

START_TEST(duplicate_keys_are_all_told)
{
    assert_parse_errors("a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n",
                        "2:11: duplicate key 'c' (first at line 2)\n"
                        "3:1: duplicate key 'a' (first at line 1)\n"
                        "4:1: duplicate key 'a' (first at line 1)\n");
    assert_parse_errors("a: 1\n\"a\": 2\n", "2:1: duplicate key 'a' (first at line 1)\n");
}
END_TEST

START_TEST(keys_are_texts)
{
    assert_parse_errors("? [a, b]\n: 1\n", "1:3: a key must be a text, not a list\n");
    assert_parse_errors("~: 1\n", "1:1: a key must be a text, not nothing\n");
    assert_parse_errors("{a: 1}: 2\n", "1:1: a key must be a text, not a map\n");
}
END_TEST

START_TEST(merges_give_way_to_a_maps_own_keys)
{
    assert_json("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3, z: 4}\n",
                "{'base': {'x': '1', 'y': '2'}, 'use': {'y': '3', 'z': '4', 'x': '1'}}");
    assert_json("use: {<<: {x: 1}, x: 2}", "{'use': {'x': '2'}}");
    assert_json("use: {x: 2, <<: {x: 1}}", "{'use': {'x': '2'}}");
    /* the first of a list wins, and a merged map may merge itself */
    assert_json("use: {<<: [{a: 1}, {a: 2, b: 2}]}", "{'use': {'a': '1', 'b': '2'}}");
    assert_json("use: {<<: {<<: {a: 1}, b: 2}}", "{'use': {'a': '1', 'b': '2'}}");
    assert_json("use: {'<<': text}", "{'use': {'<<': 'text'}}");
}
END_TEST

START_TEST(a_merge_of_something_else_is_refused)
{
    assert_parse_errors("a: {<<: text}\n", "1:9: '<<' wants a map or a list of maps\n");
    assert_parse_errors("a: {<<: [{b: 1}, text]}\n", "1:18: '<<' wants a map or a list of maps\n");
    assert_parse_errors("a: {<<: [[{b: 1}]]}\n", "1:10: '<<' wants a map or a list of maps\n");
}
END_TEST

START_TEST(aliases_are_expanded)
{
    assert_json("a: &x [1, 2]\nb: *x\nc: [*x, *x]\n",
                "{'a': ['1', '2'], 'b': ['1', '2'], 'c': [['1', '2'], ['1', '2']]}");
    assert_parse_errors("a: *none\n", "1:4: found undefined alias\n");
}
END_TEST

START_TEST(an_alias_bomb_is_an_error)
{
    struct buf bomb;
    buf_init(&bomb, 1 << 16);
    buf_puts(&bomb, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&bomb, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            buf_printf(&bomb, "%s*a%d", k ? ", " : "", i - 1);
        buf_puts(&bomb, "]\n");
    }
    struct parsed p = parse(buf_text(&bomb));
    ck_assert_ptr_null(p.root);
    ck_assert_uint_eq(p.diags.count, 1);
    ck_assert_str_eq(p.diags.items[0].text, "too large once its aliases are expanded");
    ck_assert_int_gt(p.diags.items[0].line, 0);
    parsed_free(&p);
    buf_free(&bomb);
}
END_TEST

START_TEST(a_merge_bomb_is_an_error)
{
    struct buf bomb;
    buf_init(&bomb, 1 << 16);
    buf_puts(&bomb, "a0: &a0 {x: 1}\n");
    for (int i = 1; i < 30; i++)
        buf_printf(&bomb, "a%d: &a%d {<<: [*a%d, *a%d]}\n", i, i, i - 1, i - 1);
    struct parsed p = parse(buf_text(&bomb));
    ck_assert_ptr_null(p.root);
    ck_assert_uint_eq(p.diags.count, 1);
    parsed_free(&p);
    buf_free(&bomb);
}
END_TEST

START_TEST(an_alias_that_holds_itself_is_an_error)
{
    assert_parse_errors("&a [*a]\n", "1:1: nested too deeply (an alias that holds itself?)\n");
    assert_parse_errors("a: &a {b: *a}\n",
                        "1:8: nested too deeply (an alias that holds itself?)\n");
    assert_parse_errors("a: &a {<<: *a}\n",
                        "1:8: nested too deeply (an alias that holds itself?)\n");
}
END_TEST

START_TEST(depth_is_limited)
{
    char deep[600];
    memset(deep, '[', 40);
    memset(deep + 40, ']', 40);
    struct parsed fine = parse_bytes(deep, 80);
    assert_errors(&fine, "");
    parsed_free(&fine);
    memset(deep, '[', 300);
    memset(deep + 300, ']', 300);
    struct parsed p = parse_bytes(deep, 600);
    ck_assert_ptr_null(p.root);
    assert_errors(&p, "1:42: nested too deeply (an alias that holds itself?)\n");
    parsed_free(&p);
}
END_TEST

START_TEST(a_text_that_is_too_large_is_not_read)
{
    size_t len = (1 << 20) + 1;
    char *large = mem_new(len + 1);
    memset(large, '#', len);
    struct parsed p = parse_bytes(large, len);
    ck_assert_ptr_null(p.root);
    assert_errors(&p, "0:0: larger than 1 MiB\n");
    parsed_free(&p);
    p = parse_bytes(large, len - 1);
    assert_errors(&p, "");
    parsed_free(&p);
    free(large);
}
END_TEST

START_TEST(bytes_that_are_not_utf_8_are_found_at_their_place)
{
    assert_parse_errors("a: 1\nb: x\xffy\n", "2:5: invalid leading UTF-8 octet\n");
    assert_parse_errors("größe: \xc3(\n", "1:9: invalid trailing UTF-8 octet\n");
    struct parsed p = parse_bytes("a: 1\nb: \0\n", 10);
    ck_assert_ptr_null(p.root);
    assert_errors(&p, "2:4: control characters are not allowed\n");
    parsed_free(&p);
}
END_TEST

START_TEST(a_nul_by_escape_does_not_cut_a_text)
{
    assert_parse_errors("a: \"b\\0c\"\n", "1:4: a text must not hold a NUL\n");
    assert_parse_errors("\"role\\0x\": b\n", "1:1: a text must not hold a NUL\n");
}
END_TEST

START_TEST(syntax_errors_are_found_at_their_place)
{
    assert_parse_errors("a: 'x\n", "2:1: found unexpected end of stream, while scanning a quoted "
                                   "scalar\n");
    assert_parse_errors("a: [1, 2\nb: 3\n",
                        "2:2: did not find expected ',' or ']', while parsing a flow sequence\n");
    assert_parse_errors("a:\n\tb: 1\n",
                        "2:1: found character that cannot start any token, while scanning for the "
                        "next token\n");
    assert_parse_errors("a: 1\n---\nb: 2\n",
                        "2:1: a second document begins here; one file is one document\n");
    assert_parse_errors("a: 1\n...\n%nonsense\n",
                        "3:10: found unknown directive name, while scanning a directive\n");
}
END_TEST

/* --- readers ---------------------------------------------------------------------------------- */

static const struct yaml_node *only(const struct parsed *p)
{
    return yaml_get(p->root, "v");
}

START_TEST(maps_tell_their_unknown_keys)
{
    static const char *const known[] = {"timeout", "grace", NULL};
    struct parsed p = parse("timeuot: 1\nx-mine: 2\ngrace: 3\nbananas: 4\n");
    ck_assert(!yaml_expect_map(p.root, "step", known, &p.diags));
    assert_errors(&p, "1:1: step: unknown key 'timeuot'; did you mean 'timeout'?\n"
                      "4:1: step: unknown key 'bananas'\n");
    parsed_free(&p);
    p = parse("v: [1]\nw: text\n");
    ck_assert(!yaml_expect_map(only(&p), "step", known, &p.diags));
    ck_assert(!yaml_expect_map(yaml_get(p.root, "w"), "step", known, &p.diags));
    ck_assert(!yaml_expect_list(yaml_get(p.root, "w"), "steps", &p.diags));
    ck_assert(yaml_expect_list(only(&p), "steps", &p.diags));
    assert_errors(&p, "1:4: step: expected a map, found a list\n"
                      "2:4: step: 'text' is not a map\n"
                      "2:4: steps: 'text' is not a list\n");
    parsed_free(&p);
}
END_TEST

static bool read_int(const char *yaml, int64_t *ret, const char *expected)
{
    struct parsed p = parse(yaml);
    bool fine = yaml_read_int(only(&p), "n", -5, 100, ret, &p.diags);
    assert_errors(&p, expected);
    parsed_free(&p);
    return fine;
}

START_TEST(whole_numbers_are_read_within_their_bounds)
{
    int64_t n = 77;
    ck_assert(read_int("v: 100", &n, "") && n == 100);
    ck_assert(read_int("v: -5", &n, "") && n == -5);
    ck_assert(read_int("v: '7'", &n, "") && n == 7);
    ck_assert(!read_int("v: 101", &n, "1:4: n: 101 is not between -5 and 100\n"));
    ck_assert(!read_int("v: 99999999999999999999", &n,
                        "1:4: n: 99999999999999999999 is not between -5 and 100\n"));
    ck_assert(!read_int("v: 1.5", &n, "1:4: n: '1.5' is not a whole number\n"));
    ck_assert(!read_int("v: 0x10", &n, "1:4: n: '0x10' is not a whole number\n"));
    ck_assert(!read_int("v: ''", &n, "1:4: n: '' is not a whole number\n"));
    ck_assert(!read_int("v: ' 7'", &n, "1:4: n: ' 7' is not a whole number\n"));
    ck_assert(!read_int("v:", &n, "1:3: n: expected a whole number, found nothing\n"));
    ck_assert(!read_int("v: {}", &n, "1:4: n: expected a whole number, found a map\n"));
    ck_assert_int_eq(n, 7);
}
END_TEST

START_TEST(truth_has_three_words_each)
{
    static const struct {
        const char *yaml;
        int value; /* -1: none */
    } words[] = {{"v: true", 1},  {"v: yes", 1}, {"v: on", 1},    {"v: false", 0},
                 {"v: no", 0},    {"v: off", 0}, {"v: 'yes'", 1}, {"v: \"false\"", 0},
                 {"v: True", -1}, {"v: y", -1},  {"v: 1", -1},    {"v:", -1},
                 {"v: ''", -1},   {"v: []", -1}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        struct parsed p = parse(words[i].yaml);
        bool value = false;
        bool fine = yaml_read_bool(only(&p), "b", &value, &p.diags);
        ck_assert_msg(fine == (words[i].value >= 0), "%s", words[i].yaml);
        ck_assert(!fine || value == (words[i].value == 1));
        ck_assert_uint_eq(p.diags.count, fine ? 0 : 1);
        parsed_free(&p);
    }
}
END_TEST

START_TEST(durations_texts_and_choices_are_read)
{
    static const char *const words[] = {"continue", "fail", NULL};
    struct parsed p = parse("d: 90s\nt: text\nc: fail\n");
    int64_t ms = 0;
    size_t index = 9;
    const char *text = NULL;
    ck_assert(yaml_read_duration(yaml_get(p.root, "d"), "d", 0, 90000, &ms, &p.diags));
    ck_assert(yaml_read_text(yaml_get(p.root, "t"), "t", &text, &p.diags));
    ck_assert(yaml_read_choice(yaml_get(p.root, "c"), "c", words, &index, &p.diags));
    ck_assert_int_eq(ms, 90000);
    ck_assert_str_eq(text, "text");
    ck_assert_uint_eq(index, 1);
    assert_errors(&p, "");
    parsed_free(&p);
}
END_TEST

START_TEST(durations_texts_and_choices_complain)
{
    static const char *const words[] = {"continue", "fail", NULL};
    struct parsed p = parse("a: 91s\nb: 1.5h\nc: ''\nd: [x]\ne: contineu\nf: bananas\ng: []\n");
    int64_t ms = 77;
    size_t index = 77;
    const char *text = "kept";
    ck_assert(!yaml_read_duration(yaml_get(p.root, "a"), "a", 1000, 90000, &ms, &p.diags));
    ck_assert(!yaml_read_duration(yaml_get(p.root, "b"), "b", 0, 90000, &ms, &p.diags));
    ck_assert(!yaml_read_text(yaml_get(p.root, "c"), "c", &text, &p.diags));
    ck_assert(!yaml_read_text(yaml_get(p.root, "d"), "d", &text, &p.diags));
    ck_assert(!yaml_read_choice(yaml_get(p.root, "e"), "e", words, &index, &p.diags));
    ck_assert(!yaml_read_choice(yaml_get(p.root, "f"), "f", words, &index, &p.diags));
    ck_assert(!yaml_read_choice(yaml_get(p.root, "g"), "g", words, &index, &p.diags));
    assert_errors(&p, "1:4: a: 91s is not between 1.0s and 1m30s\n"
                      "2:4: b: '1.5h' is not a duration such as 30s, 5m or 1h30m\n"
                      "3:4: c: '' is not a text\n"
                      "4:4: d: expected a text, found a list\n"
                      "5:4: e: 'contineu' is none of continue, fail; did you mean 'continue'?\n"
                      "6:4: f: 'bananas' is none of continue, fail\n"
                      "7:4: g: expected a word, found a list\n");
    ck_assert_int_eq(ms, 77);
    ck_assert_uint_eq(index, 77);
    ck_assert_str_eq(text, "kept");
    parsed_free(&p);
}
END_TEST

START_TEST(a_tree_goes_through_json_and_comes_back)
{
    static const char *const texts[] = {
        "a: [1, {b: 'x: y', c: \"tab\\t and \\\"quotes\\\" and \\\\\"}]\nd: ~\ne: ''\n",
        "größe: 日本\nemoji: 😀\nmulti: |\n  a\n\n  b\n",
        "- [[], {}]\n- 'null'\n- '~'\n- '#no comment'\n- '- no list'\n- '{no: map}'\n",
        "k: \"bell \\a escape \\e nbsp \\_\"\n",
        "just a text",
        "'quote ''in'' quote'",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct parsed p = parse(texts[i]);
        assert_errors(&p, "");
        json_t *json = yaml_json(p.root);
        CLEANUP_FREE char *line = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
        struct parsed again = parse(line);
        assert_errors(&again, "");
        json_t *back = yaml_json(again.root);
        ck_assert_msg(json_equal(json, back), "%s", line);
        json_decref(json);
        json_decref(back);
        parsed_free(&p);
        parsed_free(&again);
    }
}
END_TEST

UNIT_MAIN("base_yaml", a_tree_knows_its_places, scalars_are_not_guessed,
          an_empty_document_is_nothing, duplicate_keys_are_all_told, keys_are_texts,
          merges_give_way_to_a_maps_own_keys, a_merge_of_something_else_is_refused,
          aliases_are_expanded, an_alias_bomb_is_an_error, a_merge_bomb_is_an_error,
          an_alias_that_holds_itself_is_an_error, depth_is_limited,
          a_text_that_is_too_large_is_not_read, bytes_that_are_not_utf_8_are_found_at_their_place,
          a_nul_by_escape_does_not_cut_a_text, syntax_errors_are_found_at_their_place,
          maps_tell_their_unknown_keys, whole_numbers_are_read_within_their_bounds,
          truth_has_three_words_each, durations_texts_and_choices_are_read,
          durations_texts_and_choices_complain, a_tree_goes_through_json_and_comes_back)
