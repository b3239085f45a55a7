/* Building the tree: libyaml's document to our nodes. The typed readers are in yaml_read.c. */
#include "base/yaml.h"

#include "base/mem.h"

#include <string.h>
#include <yaml.h>

enum { YAML_DEPTH_MAX = 40, YAML_NODES_MAX = 100000, YAML_BYTES_MAX = 1 << 20 };

struct builder {
    yaml_document_t *document;
    struct diag_list *diags;
    size_t nodes; /* made so far, aliases expanded */
    bool failed;  /* a limit was met: everything after it is noise */
};

static struct yaml_node *build(struct builder *b, int index, int depth);

static struct yaml_node *node_new(enum yaml_kind kind, const yaml_node_t *from)
{
    struct yaml_node *node = mem_new(sizeof *node);
    node->kind = kind;
    node->line = (int)from->start_mark.line + 1;
    node->column = (int)from->start_mark.column + 1;
    return node;
}

void yaml_node_free(struct yaml_node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->count; i++) {
        yaml_node_free(node->items[i]);
        if (node->keys)
            yaml_node_free(node->keys[i]);
    }
    free(node->items);
    free(node->keys);
    free(node->text);
    free(node);
}

static bool is_null_word(const char *text)
{
    return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

static struct yaml_node *build_scalar(struct builder *b, const yaml_node_t *from)
{
    const char *text = (const char *)from->data.scalar.value;
    bool quoted = from->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!quoted && is_null_word(text))
        return node_new(YAML_NULL, from);
    struct yaml_node *node = node_new(YAML_TEXT, from);
    node->quoted = quoted;
    node->text = mem_strdup(text);
    if (strlen(text) != from->data.scalar.length)
        yaml_error(b->diags, node, "a text must not hold a NUL");
    return node;
}

static struct yaml_node *build_list(struct builder *b, const yaml_node_t *from, int depth)
{
    struct yaml_node *node = node_new(YAML_LIST, from);
    for (yaml_node_item_t *item = from->data.sequence.items.start;
         item < from->data.sequence.items.top && !b->failed; item++) {
        struct yaml_node *child = build(b, *item, depth + 1);
        if (child)
            *MEM_PUSH(node->items, node->count) = child;
    }
    return node;
}

/* Takes key and value over. */
static void map_add(struct yaml_node *map, struct yaml_node *key, struct yaml_node *value)
{
    size_t keys = map->count;
    *MEM_PUSH(map->keys, keys) = key;
    *MEM_PUSH(map->items, map->count) = value;
}

/* The entries of a merged map that `map` does not have itself move over; the rest is freed. */
static void merge_map(struct yaml_node *map, struct yaml_node *from)
{
    for (size_t i = 0; i < from->count; i++) {
        if (yaml_get(map, from->keys[i]->text))
            continue;
        map_add(map, from->keys[i], from->items[i]);
        from->keys[i] = NULL;
        from->items[i] = NULL;
    }
}

static void merge(struct builder *b, struct yaml_node *map, struct yaml_node *value)
{
    if (value->kind == YAML_MAP)
        merge_map(map, value);
    else if (value->kind == YAML_LIST)
        for (size_t i = 0; i < value->count; i++)
            if (value->items[i]->kind == YAML_MAP)
                merge_map(map, value->items[i]);
            else
                yaml_error(b->diags, value->items[i], "'<<' wants a map or a list of maps");
    else
        yaml_error(b->diags, value, "'<<' wants a map or a list of maps");
}

static bool check_duplicate(struct builder *b, const struct yaml_node *map,
                            const struct yaml_node *key)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->keys[i]->text, key->text) == 0)
            return yaml_error(b->diags, key, "duplicate key '%s' (first at line %d)", key->text,
                              map->keys[i]->line);
    return true;
}

static void build_pair(struct builder *b, struct yaml_node *map, const yaml_node_pair_t *pair,
                       struct yaml_node **merges, int depth)
{
    struct yaml_node *key = build(b, pair->key, depth + 1);
    struct yaml_node *value = key ? build(b, pair->value, depth + 1) : NULL;
    if (!key || !value) {
        yaml_node_free(key);
        return;
    }
    if (key->kind != YAML_TEXT) {
        yaml_error(b->diags, key, "a key must be a text, not %s", yaml_kind_name(key));
    } else if (strcmp(key->text, "<<") == 0 && !key->quoted) {
        *MEM_PUSH((*merges)->items, (*merges)->count) = value;
        yaml_node_free(key);
        return;
    } else if (check_duplicate(b, map, key)) {
        map_add(map, key, value);
        return;
    }
    yaml_node_free(key);
    yaml_node_free(value);
}

static struct yaml_node *build_map(struct builder *b, const yaml_node_t *from, int depth)
{
    struct yaml_node *map = node_new(YAML_MAP, from);
    /* Merged keys come last, whatever their place in the text: the map's own entries win. */
    struct yaml_node *merges = node_new(YAML_LIST, from);
    for (yaml_node_pair_t *pair = from->data.mapping.pairs.start;
         pair < from->data.mapping.pairs.top && !b->failed; pair++)
        build_pair(b, map, pair, &merges, depth);
    for (size_t i = 0; i < merges->count; i++)
        merge(b, map, merges->items[i]);
    yaml_node_free(merges);
    return map;
}

static struct yaml_node *build(struct builder *b, int index, int depth)
{
    const yaml_node_t *from = yaml_document_get_node(b->document, index);
    if (b->failed || !from)
        return NULL;
    if (depth > YAML_DEPTH_MAX || ++b->nodes > YAML_NODES_MAX) {
        b->failed = true;
        diag_add(b->diags, (int)from->start_mark.line + 1, (int)from->start_mark.column + 1,
                 depth > YAML_DEPTH_MAX ? "nested too deeply (an alias that holds itself?)"
                                        : "too large once its aliases are expanded");
        return NULL;
    }
    switch (from->type) {
    case YAML_SCALAR_NODE:
        return build_scalar(b, from);
    case YAML_SEQUENCE_NODE:
        return build_list(b, from, depth);
    case YAML_MAPPING_NODE:
        return build_map(b, from, depth);
    default:
        return node_new(YAML_NULL, from);
    }
}

static void report_syntax(const yaml_parser_t *parser, const char *text, struct diag_list *diags)
{
    int line = (int)parser->problem_mark.line + 1;
    int column = (int)parser->problem_mark.column + 1;
    if (parser->error == YAML_READER_ERROR) {
        /* The reader leaves the mark at 1:1 and tells the byte instead. */
        line = column = 1;
        for (size_t i = 0; i < parser->problem_offset && text[i]; i++) {
            column = text[i] == '\n' ? 1 : column + (((unsigned char)text[i] & 0xC0) != 0x80);
            line += text[i] == '\n';
        }
    }
    diag_add(diags, line, column, "%s%s%s", parser->problem ? parser->problem : "not YAML",
             parser->context ? ", " : "", parser->context ? parser->context : "");
}

static struct yaml_node *build_document(yaml_document_t *document, struct diag_list *diags)
{
    struct builder b = {.document = document, .diags = diags};
    const yaml_node_t *root = yaml_document_get_root_node(document);
    if (!root) {
        struct yaml_node *empty = mem_new(sizeof *empty);
        empty->line = empty->column = 1;
        return empty;
    }
    struct yaml_node *tree = build(&b, 1, 0);
    if (b.failed) {
        yaml_node_free(tree);
        return NULL;
    }
    return tree;
}

/* What stands behind the first document would be ignored without a word. */
static bool is_the_only_document(yaml_parser_t *parser, const char *text, struct diag_list *diags)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document)) {
        report_syntax(parser, text, diags);
        return false;
    }
    bool more = yaml_document_get_root_node(&document) != NULL;
    if (more)
        diag_add(diags, (int)document.start_mark.line + 1, (int)document.start_mark.column + 1,
                 "a second document begins here; one file is one document");
    yaml_document_delete(&document);
    return !more;
}

struct yaml_node *yaml_parse(const char *text, size_t len, struct diag_list *diags)
{
    if (len > YAML_BYTES_MAX) {
        diag_add(diags, 0, 0, "larger than 1 MiB");
        return NULL;
    }
    yaml_parser_t parser;
    yaml_document_t document;
    struct yaml_node *tree = NULL;
    if (!yaml_parser_initialize(&parser)) {
        diag_add(diags, 0, 0, "the YAML parser could not be started");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (yaml_parser_load(&parser, &document)) {
        tree = build_document(&document, diags);
        yaml_document_delete(&document);
        if (!is_the_only_document(&parser, text, diags)) {
            yaml_node_free(tree);
            tree = NULL;
        }
    } else {
        report_syntax(&parser, text, diags);
    }
    yaml_parser_delete(&parser);
    return tree;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (map && map->kind == YAML_MAP)
        for (size_t i = 0; i < map->count; i++)
            if (strcmp(map->keys[i]->text, key) == 0)
                return map->items[i];
    return NULL;
}

json_t *yaml_json(const struct yaml_node *node)
{
    json_t *value;
    switch (node->kind) {
    case YAML_TEXT:
        return json_string(node->text);
    case YAML_LIST:
        value = json_array();
        for (size_t i = 0; i < node->count; i++)
            json_array_append_new(value, yaml_json(node->items[i]));
        return value;
    case YAML_MAP:
        value = json_object();
        for (size_t i = 0; i < node->count; i++)
            json_object_set_new(value, node->keys[i]->text, yaml_json(node->items[i]));
        return value;
    default:
        return json_null();
    }
}
