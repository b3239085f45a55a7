/* A request to the control API: "METHOD path?query" in the first line, the body behind it. A path
 * that is found has a number in it or none; what is let through has no unknown field. */
#include "fuzz.h"

#include "base/mem.h"
#include "control/routes.h"

#include <assert.h>
#include <string.h>

/* "a=b&c" to {"a":"b","c":""}, as the HTTP library hands it over. */
static json_t *query_object(char *text)
{
    json_t *query = json_object();
    char *place;
    for (char *pair = strtok_r(text, "&", &place); pair; pair = strtok_r(NULL, "&", &place)) {
        char *value = strchr(pair, '=');
        if (value)
            *value++ = '\0';
        json_object_set_new(query, pair,
                            json_lossy_string(value ? value : "", value ? strlen(value) : 0));
    }
    return query;
}

static void ask(const char *method, char *path, const char *body, size_t len)
{
    const struct route *route;
    int64_t number = -1;
    char allow[ROUTE_METHODS_MAX];
    struct err e;
    char *query_text = strchr(path, '?');
    if (query_text)
        *query_text++ = '\0';
    int refused = control__route_find(method, path, &route, &number, allow, &e);
    assert(refused == 0 || refused == 404 || (refused == 405 && *allow));
    if (refused)
        return;
    assert(number == -1 || number > 0);
    CLEANUP_JSON json_t *query = query_text ? query_object(query_text) : json_object();
    CLEANUP_JSON json_t *object = len ? json_parse(body, len, "body", &e) : json_object();
    if (json_is_object(object) && control__route_check(route, query, object, &e) == 0)
        control__route_is_stream(route);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    size_t line = strcspn(text, "\n");
    size_t body = line + (text[line] == '\n');
    text[line] = '\0';
    char *path = strchr(text, ' ');
    if (!path)
        return 0;
    *path++ = '\0';
    ask(text, path, text + body, strlen(text + body));
    return 0;
}
