/* The sample that `supervisorctl init` prints: every setting, commented, and the built-in playbooks
 * as they are. A test loads it. */
#include "base/buf.h"
#include "base/mem.h"
#include "supervisor/config.h"

#include <string.h>

static const char sample_head[] =
    "# stack-supervisor. With nothing in this file it finds the compose project that has a\n"
    "# PostgreSQL, reaches it by what its container tells, and recovers it by the built-in\n"
    "# playbooks. Check a change with: supervisorctl check FILE\n"
    "\n"
    "# The compose project, when there are several with a PostgreSQL.\n"
    "#stack: shop\n"
    "\n"
    "#docker:\n"
    "#  host: unix:///var/run/docker.sock\n"
    "\n"
    "#database:\n"
    "#  # The service that is the database, when it is not found by its image.\n"
    "#  service: postgres\n"
    "#  # How to log in, as libpq has it; by default the address, role, database and password of\n"
    "#  # its container. The role wants pg_monitor and pg_signal_backend. No password here:\n"
    "#  connect: host=127.0.0.1 dbname=shop user=supervisor\n"
    "#  passfile: /etc/stack-supervisor/pgpass\n"
    "\n"
    "#control:\n"
    "#  # Who may use supervisorctl without being root.\n"
    "#  group: docker\n"
    "\n"
    "# What the labels of the containers do not say. Roles: app, database, pooler, ignore.\n"
    "#services:\n"
    "#  worker:\n"
    "#    depends_on:\n"
    "#      backend: {condition: service_healthy}\n"
    "#  adminer:\n"
    "#    role: ignore\n"
    "\n"
    "# The built-in playbooks, as they are. One of the same name here takes its place.\n"
    "#playbooks:\n";

/* A built-in playbook as a commented entry of `playbooks:`. */
static void add_playbook(struct buf *out, const char *name, const char *text)
{
    bool named = false;
    for (const char *line = text; *line;) {
        int len = (int)strcspn(line, "\n");
        if (!named && *line != '#') {
            buf_printf(out, "#  %s:\n", name);
            named = true;
        }
        buf_printf(out, *line == '#' ? "#  %.*s\n" : "#    %.*s\n", len, line);
        line += len + (line[len] == '\n');
    }
}

char *config_sample(void)
{
    struct buf out;
    const char *name;
    const char *text;
    buf_init(&out, 1 << 20);
    buf_puts(&out, sample_head);
    for (size_t i = 0; playbook_builtin(i, &name, &text); i++)
        add_playbook(&out, name, text);
    return buf_take(&out);
}
