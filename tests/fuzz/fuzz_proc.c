/* The files of /proc, and the kernel's answers about sockets: the first byte chooses which. */
#include "fuzz.h"

#include "base/mem.h"
#include "host/proc_parse.h"
#include "host/unix_parse.h"

static void parse_text(char kind, const char *text)
{
    struct host__connection connection;
    struct host__endpoint endpoint;
    char id[HOST__ID_MAX];
    uint64_t number;
    int pid, depth;
    switch (kind) {
    case 't':
        host__tcp_line(text, &connection, &number);
        break;
    case 'c':
        host__cgroup_parse(text, id);
        break;
    case 's':
        host__status_parse(text, &pid, &depth);
        break;
    case 'p':
        host__stat_parse(text, &number);
        break;
    case 'l':
        host__link_parse(text, &number);
        break;
    default:
        host__endpoint_parse(text, 5432, &endpoint);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 'u') {
        struct host__unix_list list = {0};
        host__unix_parse(data + 1, size - 1, &list);
        free(list.sockets);
    } else {
        CLEANUP_FREE char *text = mem_strndup((const char *)data + 1, size - 1);
        parse_text((char)data[0], text);
    }
    return 0;
}
