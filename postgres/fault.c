/* See fault.h. Tables first, then the few functions that look things up in them.
 *
 * Codes: PostgreSQL manual, appendix A. What a login gets in which situation was tried on a real
 * server; the tests of this folder try it again.
 */
#include "postgres/fault.h"

#include "base/clock.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct meaning {
    enum db_state state;
    enum err_code code;
    const char *words;
    const char *hint; /* "" when there is nothing to say */
};

struct code_row {
    const char *sqlstate; /* five characters, or a class of two */
    struct meaning meaning;
};

static const struct code_row code_table[] = {
    {"53300",
     {DB_EXHAUSTED, ERR_EXHAUSTED, "no connection slot is left",
      "look who holds them: supervisorctl connections; end leaked ones: supervisorctl clean"}},
    {"57P03",
     {DB_STARTING, ERR_UNREACHABLE, "the server takes no logins now",
      "it is starting, recovering or shutting down: wait, and do not kill it"}},
    {"57P01",
     {DB_SHUTTING_DOWN, ERR_UNREACHABLE, "the server ended the session",
      "it shuts down, or somebody ended the session with pg_terminate_backend"}},
    {"57P02",
     {DB_RECOVERING, ERR_UNREACHABLE, "the server ended all sessions after a crash",
      "it recovers by itself: wait, and do not kill it"}},
    {"57P04",
     {DB_UNREACHABLE, ERR_NOT_FOUND, "the database was dropped",
      "check the database name of the connection string"}},
    {"57P05",
     {DB_UNREACHABLE, ERR_UNREACHABLE, "the server ended the session for being idle",
      "set idle_session_timeout to 0 for this role"}},
    {"57014",
     {DB_UNKNOWN, ERR_TIMEOUT, "the server cancelled the statement at its time limit", ""}},
    {"28P01",
     {DB_AUTH_FAILED, ERR_PERMISSION, "password authentication failed",
      "check the user and the password: passfile, PGPASSWORD or the connection string"}},
    {"28000",
     {DB_AUTH_FAILED, ERR_PERMISSION, "the login is not allowed",
      "check that the role exists, may log in, and has a line in pg_hba.conf for this database and "
      "address"}},
    {"3D000",
     {DB_UNREACHABLE, ERR_NOT_FOUND, "there is no such database",
      "check the database name of the connection string"}},
    {"55000",
     {DB_UNREACHABLE, ERR_CONFLICT, "the database does not take connections",
      "datallowconn is off for it: name another database in the connection string"}},
    {"42501",
     {DB_AUTH_FAILED, ERR_PERMISSION, "the role lacks a privilege",
      "GRANT what is missing, for a login CONNECT on the database"}},
    {"08P01",
     {DB_UNREACHABLE, ERR_PROTOCOL, "a pooler or the server refused the request",
      "PgBouncer hides PostgreSQL's own codes: connect to PostgreSQL itself"}},
    {"0A000",
     {DB_UNREACHABLE, ERR_UNSUPPORTED, "the server does not speak our protocol version", ""}},
    {"53100",
     {DB_UNREACHABLE, ERR_FAILED, "the server's disk is full", "make room on the server's disk"}},
    {"53200", {DB_UNREACHABLE, ERR_FAILED, "the server is out of memory", ""}},
    {"25006", {DB_UNKNOWN, ERR_CONFLICT, "the server is read-only", ""}},
    /* Whole classes, after the single codes. */
    {"08", {DB_UNREACHABLE, ERR_UNREACHABLE, "the connection failed", ""}},
    {"28", {DB_AUTH_FAILED, ERR_PERMISSION, "the login is not allowed", ""}},
    {"42", {DB_UNKNOWN, ERR_FAILED, "the server did not accept the statement", ""}},
    {"53", {DB_UNREACHABLE, ERR_FAILED, "the server is short of a resource", ""}},
    {"57P", {DB_UNREACHABLE, ERR_UNREACHABLE, "the server ended the session", ""}},
    {"58", {DB_UNREACHABLE, ERR_FAILED, "the server met an error of its system", ""}},
    {"XX", {DB_UNREACHABLE, ERR_FAILED, "the server met an internal error", "read its log"}},
};

/* Where no server spoke, libpq quotes the kernel. It asks strerror(), so comparing with strerror()
 * holds in every language. */
struct errno_row {
    int number;
    bool is_absent;
    struct meaning meaning;
};

static const struct errno_row errno_table[] = {
    {ECONNREFUSED,
     true,
     {DB_REFUSED, ERR_UNREACHABLE, "nobody listens there",
      "start PostgreSQL, or check host and port"}},
    {ENOENT,
     true,
     {DB_REFUSED, ERR_UNREACHABLE, "its Unix socket does not exist",
      "start PostgreSQL, or check host (the socket's folder) and port"}},
    {EHOSTUNREACH,
     true,
     {DB_UNREACHABLE, ERR_UNREACHABLE, "no route to the host", "check the network"}},
    {ENETUNREACH,
     true,
     {DB_UNREACHABLE, ERR_UNREACHABLE, "no route to its network", "check the network"}},
    {ETIMEDOUT,
     true,
     {DB_UNREACHABLE, ERR_UNREACHABLE, "the host does not answer", "check the network"}},
    {EADDRNOTAVAIL,
     true,
     {DB_UNREACHABLE, ERR_UNREACHABLE, "this machine has no address of that kind",
      "check host, or whether IPv6 is meant to be off"}},
    {EACCES,
     false,
     {DB_UNREACHABLE, ERR_PERMISSION, "the kernel does not let us connect",
      "check the permissions of the socket"}},
    {ECONNRESET,
     false,
     {DB_UNREACHABLE, ERR_UNREACHABLE, "the connection was reset",
      "something stands there that does not keep connections: check host and port"}},
    {EAGAIN,
     false,
     {DB_HUNG, ERR_TIMEOUT, "the queue of its Unix socket is full",
      "the server is stopped or overloaded: it takes no connections"}},
    {EPIPE,
     false,
     {DB_UNREACHABLE, ERR_UNREACHABLE, "the connection was closed while we wrote", ""}},
};

/* libpq's own sentences. They are English as long as nobody calls setlocale(), and the daemon does
 * not: its log is for machines too. An unknown sentence is quoted as it is. */
struct phrase_row {
    const char *phrase;
    struct meaning meaning;
};

static const struct phrase_row phrase_table[] = {
    {"could not fork new process", /* English unless the server's lc_messages says otherwise */
     {DB_UNREACHABLE, ERR_FAILED, "the server cannot start a process for the session",
      "its container or host is out of processes or memory: look at its limits (pids, memory)"}},
    {"no password supplied",
     {DB_AUTH_FAILED, ERR_PERMISSION, "the server asks for a password and there is none",
      "put it into the passfile (~/.pgpass, mode 0600) or PGPASSWORD"}},
    {"expected authentication request",
     {DB_UNREACHABLE, ERR_PROTOCOL, "what answers there is not PostgreSQL", "check host and port"}},
    {"received invalid response to SSL negotiation",
     {DB_UNREACHABLE, ERR_PROTOCOL, "what answers there is not PostgreSQL", "check host and port"}},
    {"does not support SSL",
     {DB_UNREACHABLE, ERR_UNSUPPORTED, "the server does not speak TLS", "check sslmode"}},
    {"certificate verify failed",
     {DB_UNREACHABLE, ERR_PERMISSION, "the server's certificate is not trusted",
      "check sslrootcert and sslmode"}},
    {"SSL error",
     {DB_UNREACHABLE, ERR_PROTOCOL, "the TLS handshake failed", "check sslmode and certificates"}},
    {"read-only", {DB_UNREACHABLE, ERR_CONFLICT, "no server there fits target_session_attrs", ""}},
    {"hot standby mode",
     {DB_UNREACHABLE, ERR_CONFLICT, "no server there fits target_session_attrs", ""}},
    {"invalid port number",
     {DB_UNREACHABLE, ERR_INVALID, "the port is not a port number", "check the connection string"}},
    {"server closed the connection unexpectedly",
     {DB_UNREACHABLE, ERR_UNREACHABLE, "the connection was closed without a word",
      "it may be no PostgreSQL, or one that is going down: check host and port, read its log"}},
};

bool db__sqlstate_ends_session(const char *sqlstate)
{
    return strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "08", 2) == 0;
}

static bool is_sqlstate(const char *at)
{
    for (size_t i = 0; i < 5; i++)
        if (!isdigit((unsigned char)at[i]) && !(at[i] >= 'A' && at[i] <= 'Z'))
            return false;
    return at[5] == '\0' || isspace((unsigned char)at[5]);
}

bool db__sqlstate_find(const char *message, char out[static DB__SQLSTATE_MAX])
{
    /* "<severity>:  <code>", the severity in the server's language, the two blanks always. */
    out[0] = '\0';
    for (const char *at = message; (at = strstr(at, ":  ")); at += 3)
        if (is_sqlstate(at + 3))
            snprintf(out, DB__SQLSTATE_MAX, "%.5s", at + 3);
    return out[0] != '\0';
}

static const struct meaning *meaning_of_code(const char *sqlstate)
{
    static const struct meaning unknown = {DB_UNREACHABLE, ERR_FAILED,
                                           "the server answered with an error", "read its log"};
    for (size_t i = 0; i < ARRAY_SIZE(code_table); i++) {
        const char *code = code_table[i].sqlstate;
        if (strncmp(sqlstate, code, strlen(code)) == 0)
            return &code_table[i].meaning;
    }
    return &unknown;
}

static const struct meaning *meaning_of_phrase(const char *message)
{
    for (size_t i = 0; i < ARRAY_SIZE(phrase_table); i++)
        if (strstr(message, phrase_table[i].phrase))
            return &phrase_table[i].meaning;
    return NULL;
}

/* The kernel's word on our own connect() follows libpq's "failed: " at once. A server that cannot
 * fork quotes its kernel as well, without a code and behind words of its own, in any language. */
static bool is_of_connect(const char *message, const char *word)
{
    static const char failed[] = "failed: ";
    const size_t len = sizeof failed - 1;
    return word >= message + len && strncmp(word - len, failed, len) == 0;
}

static const struct errno_row *errno_of_message(const char *message)
{
    for (size_t i = 0; i < ARRAY_SIZE(errno_table); i++) {
        const char *word = strstr(message, strerror(errno_table[i].number));
        if (word && (errno_table[i].number != EAGAIN || is_of_connect(message, word)))
            return &errno_table[i];
    }
    return NULL;
}

/* libpq writes a paragraph for each address that it tried. */
struct attempt {
    enum { MET_NOBODY, MET_SOMEBODY, MET_ANSWER } met; /* nobody, too, where no table knows it */
    const struct meaning *meaning;                     /* NULL: no table knows it */
    char sqlstate[DB__SQLSTATE_MAX];
    bool is_absent;
};

static size_t attempt_len(const char *at)
{
    const char *next = *at ? strstr(at + 1, "connection to server") : NULL;
    return next ? (size_t)(next - at) : strlen(at);
}

static struct attempt read_attempt(const char *text)
{
    struct attempt ret = {.met = MET_NOBODY};
    const struct errno_row *row;
    if (db__sqlstate_find(text, ret.sqlstate)) {
        ret.met = MET_ANSWER;
        ret.meaning = meaning_of_code(ret.sqlstate);
    } else if ((ret.meaning = meaning_of_phrase(text))) {
        ret.met = MET_SOMEBODY;
    } else if ((row = errno_of_message(text))) {
        ret.met = row->is_absent ? MET_NOBODY : MET_SOMEBODY;
        ret.meaning = &row->meaning;
        ret.is_absent = row->is_absent;
    }
    return ret;
}

static void tell(struct db__fault *ret, const char *tried, const char *where,
                 const struct meaning *meaning, const char *sqlstate)
{
    memset(ret, 0, sizeof *ret);
    ret->state = meaning->state;
    snprintf(ret->sqlstate, sizeof ret->sqlstate, "%s", sqlstate);
    if (sqlstate[0])
        err_set(&ret->e, meaning->code, "postgres: %s %s: %s (%s)", tried, where, meaning->words,
                sqlstate);
    else
        err_set(&ret->e, meaning->code, "postgres: %s %s: %s", tried, where, meaning->words);
    err_hint(&ret->e, "%s", meaning->hint);
}

/* A sentence that no table knows: its last line, short and printable. */
static void tell_unknown(struct db__fault *ret, const char *where, const char *message)
{
    char line[200];
    snprintf(line, sizeof line, "%s", message);
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    for (size_t len = strlen(line); len > 0 && line[len - 1] == ' ';)
        line[--len] = '\0';
    struct meaning meaning = {DB_UNREACHABLE, ERR_UNREACHABLE, line, "check host and port"};
    tell(ret, "cannot connect to", where, &meaning, "");
}

/* libpq goes on to the next address where nobody was met, and behind a 57P03 or a server that does
 * not fit target_session_attrs. So the last paragraph may be of an address where nobody listens
 * while a server replays its WAL at another one: who was met decides, an answer first of all. */
void db__fault_login(struct db__fault *ret, const char *where, const char *message)
{
    struct attempt decides = {.met = MET_NOBODY};
    CLEANUP_FREE char *text = NULL; /* of the attempt that decides */
    bool all_absent = true;
    const char *at = message;
    do {
        size_t len = attempt_len(at);
        CLEANUP_FREE char *paragraph = mem_strndup(at, len);
        struct attempt attempt = read_attempt(paragraph);
        all_absent = all_absent && attempt.is_absent;
        if (!text || attempt.met >= decides.met) {
            decides = attempt;
            mem_replace(&text, paragraph);
        }
        at += len;
    } while (*at);
    if (decides.meaning)
        tell(ret, "cannot connect to", where, decides.meaning, decides.sqlstate);
    else
        tell_unknown(ret, where, text);
    ret->is_absent = all_absent;
}

void db__fault_loss(struct db__fault *ret, const char *where, const char *sqlstate)
{
    static const struct meaning wordless = {DB_UNREACHABLE, ERR_UNREACHABLE,
                                            "the connection was closed without a word",
                                            "the server crashed, or the network was cut"};
    tell(ret, "lost the session on", where, sqlstate[0] ? meaning_of_code(sqlstate) : &wordless,
         sqlstate);
}

void db__fault_statement(struct db__fault *ret, const char *where, const char *sqlstate)
{
    tell(ret, "a statement failed on", where, meaning_of_code(sqlstate), sqlstate);
}

void db__fault_name(struct db__fault *ret, const char *where, const char *reason)
{
    struct meaning meaning = {DB_UNREACHABLE, ERR_UNREACHABLE, reason,
                              "check the host name and the resolver"};
    tell(ret, "cannot resolve the host of", where, &meaning, "");
}

void db__fault_silence(struct db__fault *ret, const char *where, bool accepted, int64_t waited_ms)
{
    char waited[DURATION_MAX];
    memset(ret, 0, sizeof *ret);
    ret->state = accepted ? DB_HUNG : DB_UNREACHABLE;
    ret->is_absent = !accepted;
    err_set(&ret->e, ERR_TIMEOUT, "postgres: %s %s: %s within %s",
            accepted ? "no answer from" : "cannot connect to", where,
            accepted ? "the connection was taken and nothing was said" : "nobody answered",
            duration_text(waited_ms, waited));
    err_hint(&ret->e, "%s",
             accepted ? "the server is stopped, overloaded, or something else listens there"
                      : "check the network between here and there");
}
