/* See progress.h. The rows hold what is known of each action; progress_lines() turns them into
 * text, and draw() puts that text in the place of the last one. */
#include "supervisorctl/progress.h"

#include "base/buf.h"
#include "base/mem.h"
#include "control/wire.h"

#include <inttypes.h>
#include <string.h>

enum {
    FRAME_MAX = 1 << 20,
    NEWS_EVERY_MS = 10000, /* in a pipe: how often a waiting action says what it waits for */
    NS_PER_MS = 1000000,
};

enum row_state { ROW_WAITING, ROW_RUNNING, ROW_DONE, ROW_FAILED, ROW_SKIPPED, ROW_STATES };

struct row {
    char *id;
    char *text;
    enum row_state state;
    int64_t began_ms;  /* wall clock */
    int64_t took_ms;   /* when it is over; < 0: not told */
    int64_t spoken_ms; /* monotonic: when its last plain line was printed */
    char *news;        /* what it waits for, or how it ended */
};

struct drawn { /* what stands on the terminal */
    size_t *widths;
    size_t count;
    char *text;
};

struct progress {
    FILE *out;
    struct print_style style;
    struct row *rows;
    size_t row_count;
    char *title;
    int64_t began_ms; /* of the run, wall clock; 0: not known */
    int64_t ended_ms; /* 0: it goes on */
    bool quiet;
    size_t left_out; /* lines, since it is */
    struct drawn drawn;
};

/* --- what is known ---------------------------------------------------------------------------- */

static struct row *add_row(struct progress *progress, const char *id, const char *text)
{
    struct row *row = MEM_PUSH(progress->rows, progress->row_count);
    *row = (struct row){.id = mem_strdup(id), .text = mem_strdup(text), .took_ms = -1};
    return row;
}

static struct row *find_row(struct progress *progress, const char *id)
{
    for (size_t i = 0; i < progress->row_count; i++)
        if (strcmp(progress->rows[i].id, id) == 0)
            return &progress->rows[i];
    return add_row(progress, id, id);
}

struct progress *progress_new(FILE *out, const struct print_style *style, const json_t *plan)
{
    struct progress *progress = mem_new(sizeof *progress);
    progress->out = out;
    progress->style = *style;
    progress->title = mem_strdup("run");
    const json_t *actions = json_at(plan, "actions");
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const json_t *action = json_array_get(actions, i);
        const char *id = json_text_at(action, "id", "?");
        add_row(progress, id, json_text_at(action, "text", id));
    }
    return progress;
}

static void forget_drawn(struct progress *progress)
{
    free(progress->drawn.widths);
    free(progress->drawn.text);
    progress->drawn = (struct drawn){0};
}

struct progress *progress_free(struct progress *progress)
{
    if (!progress)
        return NULL;
    for (size_t i = 0; i < progress->row_count; i++) {
        free(progress->rows[i].id);
        free(progress->rows[i].text);
        free(progress->rows[i].news);
    }
    free(progress->rows);
    free(progress->title);
    forget_drawn(progress);
    free(progress);
    return NULL;
}

static int64_t wall_ms_of(const json_t *entry)
{
    int64_t ns;
    return clock_parse_rfc3339_ns(json_text_at(entry, "at", NULL), &ns) ? ns / NS_PER_MS
                                                                        : clock_wall_ms();
}

static enum row_state parse_state(const char *word)
{
    static const char *const words[] = {"waiting", "running", "done", "failed", "skipped"};
    _Static_assert(ARRAY_SIZE(words) == ROW_STATES, "a word for every state");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(words[i], word) == 0)
            return (enum row_state)i;
    return ROW_WAITING;
}

/* How an action ended: its error says more than its text. */
static const char *result_of(const json_t *entry)
{
    return json_text_at(entry, "error/message", json_text_at(entry, "text", ""));
}

static struct row *learn_action(struct progress *progress, const json_t *entry)
{
    struct row *row = find_row(progress, json_text_at(entry, "action", "?"));
    row->state = parse_state(json_text_at(entry, "state", ""));
    row->took_ms = json_int_at(entry, "took_ms", -1);
    if (row->state == ROW_RUNNING)
        row->began_ms = wall_ms_of(entry);
    mem_replace(&row->news, result_of(entry));
    return row;
}

static void learn_begin(struct progress *progress, const json_t *entry)
{
    free(progress->title);
    progress->title =
        mem_printf("run %" PRId64 ": %s on %s", json_int_at(entry, "run", 0),
                   json_text_at(entry, "playbook", "?"), json_text_at(entry, "project", "?"));
    progress->began_ms = wall_ms_of(entry);
}

/* --- the view as lines ------------------------------------------------------------------------ */

static const char *mark_of(const struct progress *progress, enum row_state state)
{
    static const char *const plain[] = {".", ">", "+", "!", "-"};
    static const char *const pretty[] = {"·", "▸", "✓", "✗", "–"};
    return progress->style.unicode ? pretty[state] : plain[state];
}

static enum print_tone tone_of(enum row_state state)
{
    static const enum print_tone tones[] = {TONE_DIM, TONE_BOLD, TONE_GOOD, TONE_BAD, TONE_DIM};
    return tones[state];
}

static size_t text_width(const struct progress *progress, int columns)
{
    size_t width = 0;
    size_t limit = (size_t)columns * 2 / 3; /* the rest is for time and news */
    for (size_t i = 0; i < progress->row_count; i++)
        if (print_width(progress->rows[i].text) > width)
            width = print_width(progress->rows[i].text);
    return width < limit ? width : limit;
}

static const char *time_of(const struct row *row, int64_t now_ms, char out[static DURATION_MAX])
{
    int64_t ms = row->state == ROW_RUNNING ? now_ms - row->began_ms : row->took_ms;
    if (row->state == ROW_WAITING || ms < 0)
        return "";
    return duration_text(ms, out);
}

static char *row_line(const struct progress *progress, const struct row *row, int64_t now_ms,
                      int columns)
{
    char time[DURATION_MAX];
    size_t width = text_width(progress, columns);
    CLEANUP_FREE char *text = print_clipped(row->text, width, progress->style.unicode);
    int padding = (int)(width - print_width(text));
    CLEANUP_FREE char *line =
        mem_printf("%s %s%*s %8s  %s", mark_of(progress, row->state), text, padding, "",
                   time_of(row, now_ms, time), row->news ? row->news : "");
    size_t len = strlen(line);
    while (len > 0 && line[len - 1] == ' ')
        line[--len] = '\0';
    /* One column stays free: a full line would wrap on some terminals. */
    return print_clipped(line, (size_t)columns - 1, progress->style.unicode);
}

static char *title_line(const struct progress *progress, int64_t now_ms, int columns)
{
    char time[DURATION_MAX] = "";
    if (progress->began_ms)
        duration_text((progress->ended_ms ? progress->ended_ms : now_ms) - progress->began_ms,
                      time);
    CLEANUP_FREE char *line = mem_printf("%s  %s", progress->title, time);
    return print_clipped(line, (size_t)columns - 1, progress->style.unicode);
}

/* The first row to show when only `room` fit: what runs stays in sight. */
static size_t first_row(const struct progress *progress, size_t room)
{
    size_t first = 0;
    while (first < progress->row_count && progress->rows[first].state > ROW_RUNNING)
        first++;
    if (first > 0)
        first--; /* and what was done last */
    size_t last_start = progress->row_count > room ? progress->row_count - room : 0;
    return first < last_start ? first : last_start;
}

char **progress_lines(const struct progress *progress, int64_t now_ms, int columns, int rows,
                      size_t *ret_count)
{
    char **lines = NULL;
    size_t count = 0;
    columns = columns > 8 ? columns : 8;
    size_t room = rows > 4 ? (size_t)rows - 3 : 1; /* title, a line for the rest, the cursor */
    size_t first = first_row(progress, room);
    size_t end = first + room < progress->row_count ? first + room : progress->row_count;
    *MEM_PUSH(lines, count) = title_line(progress, now_ms, columns);
    for (size_t i = first; i < end; i++)
        *MEM_PUSH(lines, count) = row_line(progress, &progress->rows[i], now_ms, columns);
    if (end - first < progress->row_count) {
        CLEANUP_FREE char *rest =
            mem_printf("  (%zu above, %zu below)", first, progress->row_count - end);
        *MEM_PUSH(lines, count) = print_clipped(rest, (size_t)columns - 1, progress->style.unicode);
    }
    *ret_count = count;
    return lines;
}

/* --- drawing in place ------------------------------------------------------------------------- */

/* Rows of the terminal that the last picture takes now: a narrower one has wrapped its lines. */
static size_t rows_taken(const struct drawn *drawn, int columns)
{
    size_t rows = 0;
    for (size_t i = 0; i < drawn->count; i++)
        rows +=
            drawn->widths[i] == 0 ? 1 : (drawn->widths[i] + (size_t)columns - 1) / (size_t)columns;
    return rows;
}

static void go_to_start(struct progress *progress, struct buf *out, int columns)
{
    size_t rows = rows_taken(&progress->drawn, columns);
    if (rows)
        buf_printf(out, "\r\033[%zuA", rows);
}

/* The tone of a line: that of the row whose mark it begins with. */
static enum print_tone tone_of_line(const struct progress *progress, const char *line, size_t index)
{
    if (index == 0)
        return TONE_BOLD;
    for (int state = 0; state < ROW_STATES; state++) {
        const char *mark = mark_of(progress, (enum row_state)state);
        if (strncmp(line, mark, strlen(mark)) == 0)
            return tone_of((enum row_state)state);
    }
    return TONE_DIM;
}

static void remember(struct drawn *drawn, char **lines, size_t count, char *text)
{
    free(drawn->widths);
    free(drawn->text);
    drawn->widths = mem_new(count * sizeof *drawn->widths);
    for (size_t i = 0; i < count; i++)
        drawn->widths[i] = print_width(lines[i]);
    drawn->count = count;
    drawn->text = text;
}

static void draw(struct progress *progress)
{
    int columns;
    int rows;
    size_t count;
    struct buf frame;
    print_size(&columns, &rows);
    char **lines = progress_lines(progress, clock_wall_ms(), columns, rows, &count);
    buf_init(&frame, FRAME_MAX);
    for (size_t i = 0; i < count; i++) {
        enum print_tone tone = tone_of_line(progress, lines[i], i);
        buf_printf(&frame, "%s%s%s\033[K\n", print_tone_on(&progress->style, tone), lines[i],
                   print_tone_off(&progress->style, tone));
    }
    if (!progress->drawn.text || strcmp(progress->drawn.text, buf_text(&frame)) != 0) {
        struct buf move;
        buf_init(&move, 64);
        go_to_start(progress, &move, columns);
        fprintf(progress->out, "%s%s\033[J", buf_text(&move), buf_text(&frame));
        fflush(progress->out);
        buf_free(&move);
        remember(&progress->drawn, lines, count, buf_take(&frame));
    }
    buf_free(&frame);
    for (size_t i = 0; i < count; i++)
        free(lines[i]);
    free(lines);
}

void progress_break(struct progress *progress)
{
    if (!progress || !progress->drawn.text)
        return;
    int columns;
    int rows;
    struct buf move;
    print_size(&columns, &rows);
    buf_init(&move, 64);
    go_to_start(progress, &move, columns);
    fprintf(progress->out, "%s\033[J", buf_text(&move));
    fflush(progress->out);
    buf_free(&move);
    forget_drawn(progress);
}

/* --- plain lines ------------------------------------------------------------------------------ */

static double seconds_into_run(const struct progress *progress, const json_t *entry)
{
    int64_t ms = json_int_at(entry, "elapsed_ms", -1);
    if (ms < 0)
        ms = progress->began_ms ? wall_ms_of(entry) - progress->began_ms : 0;
    return (double)(ms > 0 ? ms : 0) / 1000;
}

void progress_quiet(struct progress *progress, bool quiet)
{
    if (!progress)
        return;
    progress->quiet = quiet;
    if (quiet || progress->left_out == 0)
        return;
    progress_break(progress);
    fprintf(progress->out, "(lines left out here, as nobody read them: %zu)\n", progress->left_out);
    progress->left_out = 0;
}

/* "+12.3s " and the rest, without control characters. */
__attribute__((format(printf, 3, 4))) static void say(struct progress *progress,
                                                      const json_t *entry, const char *format, ...)
{
    va_list args;
    progress->left_out += progress->quiet;
    if (progress->quiet)
        return;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    progress_break(progress);
    fprintf(progress->out, "+%.1fs ", seconds_into_run(progress, entry));
    print_text(progress->out, text);
    fputc('\n', progress->out);
    fflush(progress->out); /* somebody may be reading along */
}

/* "stop:shop_worker_1" is read as "stop shop_worker_1". */
static char *spoken_id(const char *id)
{
    char *copy = mem_strdup(id);
    char *colon = strchr(copy, ':');
    if (colon)
        *colon = ' ';
    return copy;
}

static void say_action(struct progress *progress, const json_t *entry, struct row *row)
{
    char took[DURATION_MAX];
    CLEANUP_FREE char *id = spoken_id(row->id);
    bool timed = row->took_ms >= 0 && row->state != ROW_RUNNING;
    row->spoken_ms = clock_mono_ms();
    say(progress, entry, "%s %s%s%s%s%s", id, json_text_at(entry, "state", "?"), timed ? " " : "",
        timed ? duration_text(row->took_ms, took) : "", *row->news ? ": " : "", row->news);
}

static void say_news(struct progress *progress, const json_t *entry, struct row *row)
{
    int64_t now = clock_mono_ms();
    if (row->spoken_ms == 0)
        row->spoken_ms = now;
    if (now - row->spoken_ms < NEWS_EVERY_MS)
        return;
    CLEANUP_FREE char *id = spoken_id(row->id);
    row->spoken_ms = now;
    say(progress, entry, "%s: %s", id, row->news);
}

/* --- entries ---------------------------------------------------------------------------------- */

static bool is_type(const json_t *entry, const char *type)
{
    return strcmp(json_text_at(entry, "type", ""), type) == 0;
}

static void take_action(struct progress *progress, const json_t *entry)
{
    struct row *row = learn_action(progress, entry);
    if (!progress->style.terminal)
        say_action(progress, entry, row);
}

static void take_news(struct progress *progress, const json_t *entry)
{
    struct row *row = find_row(progress, json_text_at(entry, "action", "?"));
    mem_replace(&row->news, json_text_at(entry, "text", ""));
    if (!progress->style.terminal)
        say_news(progress, entry, row);
}

void progress_entry(struct progress *progress, const json_t *entry)
{
    if (!progress)
        return;
    if (is_type(entry, WIRE_ENTRY_BEGIN)) {
        learn_begin(progress, entry);
        if (!progress->style.terminal)
            say(progress, entry, "%s, asked for by %s", progress->title,
                json_text_at(entry, "requester", "nobody known"));
    } else if (is_type(entry, WIRE_ENTRY_ACTION)) {
        take_action(progress, entry);
    } else if (is_type(entry, WIRE_ENTRY_PROGRESS)) {
        take_news(progress, entry);
    } else if (is_type(entry, WIRE_ENTRY_NOTE) || is_type(entry, WIRE_ENTRY_RESUME)) {
        say(progress, entry, "%s: %s", json_text_at(entry, "type", ""),
            json_text_at(entry, "text", ""));
    } else if (is_type(entry, WIRE_ENTRY_ABORT)) {
        say(progress, entry, "abort asked for by %s", json_text_at(entry, "by", "nobody known"));
    } else if (is_type(entry, WIRE_ENTRY_END)) {
        progress->ended_ms = wall_ms_of(entry);
    }
}

void progress_tick(struct progress *progress)
{
    if (progress && progress->style.terminal)
        draw(progress);
}
