/* The sample that `supervisorctl init` prints: every setting, commented, and the built-in policies
 * and playbooks as they are. A test loads it. */
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
    "#pgbouncer:\n"
    "#  # How to log in to the console of the stack's PgBouncer; by default its container's "
    "address\n"
    "#  # and its admin, else as the database is logged in to. The user wants to be in "
    "admin_users.\n"
    "#  connect: user=supervisor\n"
    "#  passfile: /etc/stack-supervisor/pgpass\n"
    "\n"
    "#control:\n"
    "#  # Who may act without being root, and who may ask only. The daemon must be a member of "
    "both.\n"
    "#  group: ops\n"
    "#  read_group: dev\n"
    "\n"
    "# A page and metrics for everybody on this machine.\n"
    "#status:\n"
    "#  listen: 127.0.0.1:9496\n"
    "\n"
    "# What the labels of the containers do not say. Roles: app, database, pooler, ignore.\n"
    "#services:\n"
    "#  worker:\n"
    "#    depends_on:\n"
    "#      backend: {condition: service_healthy}\n"
    "#  adminer:\n"
    "#    role: ignore\n"
    "\n"
    "# No policy does more than this: act, ask, observe, off.\n"
    "#mode: act\n"
    "# How often all policies together may stop or restart something.\n"
    "#recoveries: 6 per 1h\n"
    "# How long nothing is done after the host was started.\n"
    "#settle: 30s\n"
    "\n"
    "#watch:\n"
    "#  calm: 15s\n"
    "#  pressed: 2s\n"
    "#  timeout: 5s\n"
    "\n"
    "# Who is told. Formats of a webhook: json, slack, alertmanager.\n"
    "#notify:\n"
    "#  - name: ops\n"
    "#    url_file: /etc/stack-supervisor/webhook-url\n"
    "#    format: slack\n"
    "#  - name: mail\n"
    "#    mail: {server: 'smtp://mail.example.org:587', from: a@example.org, to: ops@example.org}\n"
    "#  - name: pager\n"
    "#    exec: [/usr/local/bin/page]\n"
    "#    on: [handed-over, healed]\n"
    "\n"
    "# An Alertmanager on this host may trigger policies (on_alert).\n"
    "#alerts:\n"
    "#  listen: 127.0.0.1:9497\n"
    "#  token_file: /etc/stack-supervisor/alerts-token\n"
    "\n"
    "# More patterns for the containers' logs, for conditions: log(NAME).rate.\n"
    "#logs:\n"
    "#  - name: payment-refused\n"
    "#    match: 'card_gateway: (timeout|refused)'\n"
    "#    services: [backend]\n"
    "\n"
    "# Checks of your own, for conditions: check(NAME).state.\n"
    "#checks:\n"
    "#  - name: shop-up\n"
    "#    http: http://backend:8000/healthz\n"
    "\n"
    "# The built-in policies, as they are. One of the same name here takes its place.\n"
    "#policies:\n";

static const char sample_playbooks[] =
    "\n"
    "# The built-in playbooks, as they are. One of the same name here takes its place.\n"
    "#playbooks:\n";

/* A built-in policy as a commented item of `policies:`. */
static void add_policy(struct buf *out, const char *text)
{
    bool begun = false;
    for (const char *line = text; *line;) {
        int len = (int)strcspn(line, "\n");
        bool comment = *line == '#';
        buf_printf(out, comment || begun ? "#    %.*s\n" : "#  - %.*s\n", len, line);
        begun = begun || !comment;
        line += len + (line[len] == '\n');
    }
}

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
    for (size_t i = 0; policy_builtin(i, &name, &text); i++)
        add_policy(&out, text);
    buf_puts(&out, sample_playbooks);
    for (size_t i = 0; playbook_builtin(i, &name, &text); i++)
        add_playbook(&out, name, text);
    return buf_take(&out);
}
