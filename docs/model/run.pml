/* The protocol of run, journal and resume, for Spin: see README.md in this folder, which maps every
 * name here to the code.
 *
 * Containers 0 … N-2 are apps, N-1 is the database. The plan is that of `recover`: stop the apps at
 * the same time, then the database, start the database, then the apps. Around it: an Engine that
 * takes its time and loses a start behind a stop, a disk that refuses for a while, a daemon that
 * dies or is told to end at any instant, people who ask and abort at any instant.
 *
 * What is checked
 *   - whatever was stopped is started or reported, when everything has come to rest;
 *   - at most one run at a time, in memory and on disk;
 *   - no action with a result on disk is done again;
 *   - every run comes to its end.
 *
 * How often each thing may go wrong is a number given by -D; M_… breaks one rule of the protocol,
 * and the check has to find that (tests/model/run).
 */
#ifndef N
#define N 2
#endif
#ifndef KILLS
#define KILLS 1 /* the daemon dies */
#endif
#ifndef TERMS
#define TERMS 0 /* it is told to end */
#endif
#ifndef REQUESTS
#define REQUESTS 1
#endif
#ifndef ABORTS
#define ABORTS 0
#endif
#ifndef LATE
#define LATE 0 /* a stop that outlasts its deadline */
#endif
#ifndef REFUSED
#define REFUSED 0 /* a start that the Engine refuses */
#endif
#ifndef FULL
#define FULL 0 /* the disk refuses, until there is room again */
#endif
#ifndef OLD
#define OLD 0 /* a life that comes back too late to carry on */
#endif
#ifndef AWAY
#define AWAY 0 /* an Engine that tells nothing while a run settles */
#endif

#define ACTIONS (2 * N)
#define DB (N - 1)
#define IS_STOP(a) ((a) < N)
#define CONTAINER(a) ((a) % N)
#define STOP_OF(c) (c)
#define START_OF(c) (N + (c))

/* --- states ------------------------------------------------------------------------------------ */

#define NONE 0
#define PENDING 1
#define INTENDED 2
#define RUNNING 3
#define DONE 4
#define FAILED 5
#define SKIPPED 6
#define SETTLED(s) ((s) >= DONE)

#define BOOT 0      /* the journal is asked for an unfinished run */
#define IDLE 1
#define BEGINNING 2 /* the plan is on its way to the disk */
#define ACTING 3
#define LOOKING 4   /* settling: the stack is looked at */
#define STARTING 5  /* settling: what is down is started once more */
#define ENDING 6    /* the end is on its way to the disk */

/* Where a running action is. */
#define AT_BEGIN 0
#define AT_SENT 1
#define AT_LOOK 2
#define AT_WAIT 3

/* Kinds of writes. */
#define W_BEGIN 0
#define W_INTENT 1
#define W_RESULT 2
#define W_ABORT 3
#define W_END 4

/* --- the Engine -------------------------------------------------------------------------------- */

bool up[N] = true;
bool asked[N];    /* a request to stop has been sent and not been taken yet */
bool leaving[N];  /* taken: it will exit */
bool client[N];   /* somebody waits for the answer */
bool answered[N];

/* --- the disk: outlives the daemon ------------------------------------------------------------- */

bool d_unfinished;
byte d_run; /* which run the rest is of */
bool d_planned[N];
bool d_intent[ACTIONS];
byte d_result[ACTIONS];
bool d_abort;
bool refusing;

/* --- the daemon: gone when it dies ------------------------------------------------------------- */

bool alive = true;
bool draining;
byte phase = BOOT;
bool wanted; /* a request that waits until it is known whether a run is carried on */
byte number; /* of the run */
bool planned[N];
byte st[ACTIONS] = PENDING;
byte at[ACTIONS];
bool told[ACTIONS]; /* its intent is on disk, or the disk was waited for long enough */
bool told_run;      /* the same of the run's beginning and end */
bool begun[ACTIONS], begun_before[ACTIONS];
bool changed[ACTIONS], waited[ACTIONS];
bool winding, failed, aborted, resumed;
bool need[N], left[N];
byte rounds;
chan queue = [6 * ACTIONS] of { byte, byte, byte };

/* --- what the check alone knows ---------------------------------------------------------------- */

bool busy;       /* a run */
bool on_disk;      /* its beginning is */
bool touched;      /* it has asked for a stop */
bool reported[N];
bool unlogged;     /* a life ended with a stop under way that no disk knew of: see the page */
bool unknown;      /* a life ended with a run at work that no disk knew of: see the page */
byte kills = KILLS, terms = TERMS, requests = REQUESTS, aborts = ABORTS, late = LATE;
byte refused = REFUSED, fulls = FULL, old = OLD, away = AWAY;

/* --- the journal ------------------------------------------------------------------------------- */

#ifdef M_FORGETS_REFUSED /* what the disk refuses is let go */
#define KEEP !refusing
#else
#define KEEP true
#endif

/* History never blocks recovery: behind a disk that refuses nobody waits. */
inline write(kind, a, value)
{
    if
    :: KEEP -> assert(nfull(queue)); queue!kind, a, value
    :: else
    fi
    if
    :: refusing && kind == W_INTENT -> told[a] = true
    :: refusing && (kind == W_BEGIN || kind == W_END) -> told_run = true
    :: else
    fi
}

inline stored(kind, a, value)
{
    if
    :: kind == W_BEGIN ->
        assert(!d_unfinished); /* at most one run on disk */
        d_unfinished = true;
        d_run = value;
        d_abort = false;
        on_disk = value == number;
        for (i : 0 .. ACTIONS - 1) {
            d_intent[i] = false;
            d_result[i] = NONE
        }
        for (i : 0 .. N - 1) {
            d_planned[i] = (a >> i) & 1
        }
    :: kind == W_INTENT -> d_intent[a] = true
    :: kind == W_RESULT -> d_result[a] = value
    :: kind == W_ABORT -> d_abort = true
    :: kind == W_END ->
        d_unfinished = false;
        for (i : 0 .. N - 1) {
            reported[i] = reported[i] || left[i]
        }
    fi
}

proctype Disk()
{
    byte kind, a, value, i;
end:
    do
    :: atomic {
        alive && !refusing && nempty(queue) ->
        queue?kind, a, value;
        stored(kind, a, value);
        if
        :: kind == W_INTENT && st[a] == INTENDED -> told[a] = true
        :: (kind == W_BEGIN && phase == BEGINNING) || (kind == W_END && phase == ENDING) ->
            told_run = true
        :: else
        fi;
        kind = 0; a = 0; value = 0; i = 0
       }
    :: atomic {
        fulls > 0 && !refusing ->
        fulls--;
        refusing = true;
        for (i : 0 .. ACTIONS - 1) {
            if
            :: st[i] == INTENDED -> told[i] = true
            :: else
            fi
        }
        told_run = alive && (phase == BEGINNING || phase == ENDING);
        i = 0
       }
    :: refusing -> refusing = false
    od
}

/* --- the Engine at work ------------------------------------------------------------------------ */

proctype Engine(byte c)
{
end:
    do
    :: atomic {
        asked[c] ->
        asked[c] = false;
        if
        :: up[c] -> leaving[c] = true
        :: else -> answered[c] = client[c]
        fi
       }
    :: atomic { asked[c] && !client[c] -> asked[c] = false } /* it died before it was heard */
    :: atomic {
        leaving[c] ->
        leaving[c] = false;
        up[c] = false;
        answered[c] = client[c]
       }
    od
}

/* --- one action -------------------------------------------------------------------------------- */

#if N == 2
#define APPS_STOPPED SETTLED(st[0])
#else
#define APPS_STOPPED (SETTLED(st[0]) && SETTLED(st[1]))
#endif

#define FREE(a)                                                                                    \
    ((IS_STOP(a) && a != DB) || (a == DB && APPS_STOPPED) ||                                       \
     (a == START_OF(DB) && SETTLED(st[DB])) || (a > N - 1 && a != START_OF(DB) &&                  \
                                                SETTLED(st[START_OF(DB)])))

#ifdef M_OWES_NOTHING /* a run that winds up starts nothing */
#define OWED(a) false
#else
#define OWED(a) (!IS_STOP(a))
#endif

#ifdef M_TAKEN_IN_THIS_LIFE /* what an earlier life stopped is forgotten */
#define TAKEN(c) (begun[STOP_OF(c)] && !begun_before[STOP_OF(c)])
#else
#define TAKEN(c) begun[STOP_OF(c)]
#endif

#define WHY_SKIP(a)                                                                                \
    (!planned[CONTAINER(a)] || ((winding || failed) && !OWED(a)) ||                                \
     (winding && !TAKEN(CONTAINER(a))))

/* What a stop that failed comes to: `on_error` of its step. The built-in playbooks go on. */
#ifdef GOES_ON
#define TURNS(a) false
#else
#define TURNS(a) IS_STOP(a)
#endif

/* No stop of it can be under way any more. */
#ifdef M_BELIEVES_304
#define STOP_IS_OVER(c) true
#else
#define STOP_IS_OVER(c) (st[STOP_OF(c)] == DONE || st[STOP_OF(c)] == SKIPPED)
#endif

inline settle_action(a, state)
{
    st[a] = state;
    at[a] = AT_BEGIN;
    client[c] = client[c] && !IS_STOP(a);
    answered[c] = answered[c] && !IS_STOP(a);
    if
    :: state == FAILED ->
        failed = failed || TURNS(a) || !IS_STOP(a);
        winding = winding || TURNS(a)
    :: else
    fi;
    write(W_RESULT, a, state)
}

proctype Action(byte a)
{
    byte c = CONTAINER(a);
end:
    do
    :: atomic {
        alive && phase == ACTING && st[a] == PENDING && FREE(a) && !draining ->
        if
        :: WHY_SKIP(a) && begun_before[a] && IS_STOP(a) ->
#ifdef M_SKIPS_WHAT_IT_BEGAN /* a stop of an earlier life counts as none */
            settle_action(a, SKIPPED)
#else
            settle_action(a, FAILED)
#endif
        :: WHY_SKIP(a) && !(begun_before[a] && IS_STOP(a)) -> settle_action(a, SKIPPED)
        :: else ->
            begun[a] = true;
#ifdef M_ACTS_FIRST /* the intent is written, and not waited for */
            told[a] = true;
#endif
            st[a] = INTENDED;
            write(W_INTENT, a, 0)
        fi
       }
    :: atomic {
        alive && st[a] == INTENDED && told[a] ->
        told[a] = false;
        if
        :: draining || WHY_SKIP(a) -> st[a] = PENDING
        :: else ->
            assert(!IS_STOP(a) || !d_abort || !on_disk || d_run != number); /* it winds up */
            st[a] = RUNNING
        fi
       }
    /* a stop */
    :: atomic {
        alive && IS_STOP(a) && st[a] == RUNNING && at[a] == AT_BEGIN ->
        assert(!on_disk || d_run != number || d_result[a] == NONE);
        asked[c] = true;
        client[c] = true;
        touched = true;
        at[a] = AT_SENT
       }
    :: atomic {
        alive && IS_STOP(a) && st[a] == RUNNING && at[a] == AT_SENT && answered[c] ->
        settle_action(a, DONE)
       }
    :: atomic {
        alive && IS_STOP(a) && st[a] == RUNNING && at[a] == AT_SENT && !answered[c] && late > 0 ->
        late--;
        settle_action(a, FAILED)
       }
    /* a start: requests for one container are taken in their order */
    :: atomic {
        alive && !IS_STOP(a) && st[a] == RUNNING && at[a] == AT_BEGIN && !asked[c] ->
        assert(!on_disk || d_run != number || d_result[a] == NONE);
        changed[a] = changed[a] || !up[c];
        up[c] = true; /* of one that is leaving: it is up, and the start is lost */
        at[a] = AT_LOOK
       }
    :: atomic {
        alive && !IS_STOP(a) && st[a] == RUNNING && at[a] == AT_BEGIN && refused > 0 ->
        refused--;
        settle_action(a, FAILED)
       }
    :: atomic {
        alive && !IS_STOP(a) && st[a] == RUNNING && at[a] == AT_LOOK ->
        if
        :: up[c] && !STOP_IS_OVER(c) && !waited[a] -> at[a] = AT_WAIT
        :: up[c] && (STOP_IS_OVER(c) || waited[a]) -> settle_action(a, DONE)
        :: !up[c] && !changed[a] -> at[a] = AT_BEGIN
        :: !up[c] && changed[a] -> settle_action(a, FAILED)
        fi
       }
    /* It waits for longer than any stop of this container takes. */
    :: atomic {
        alive && !IS_STOP(a) && st[a] == RUNNING && at[a] == AT_WAIT && !up[c] ->
        waited[a] = true;
        at[a] = AT_BEGIN
       }
    :: atomic {
        alive && !IS_STOP(a) && st[a] == RUNNING && at[a] == AT_WAIT && up[c] && !leaving[c] &&
        !asked[c] ->
        waited[a] = true;
        at[a] = AT_LOOK
       }
    od
}

/* --- the run ----------------------------------------------------------------------------------- */

inline forget_run()
{
    for (i : 0 .. ACTIONS - 1) {
        st[i] = PENDING;
        at[i] = AT_BEGIN;
        told[i] = false;
        begun[i] = false;
        begun_before[i] = false;
        changed[i] = false;
        waited[i] = false
    }
    for (i : 0 .. N - 1) {
        need[i] = false;
        left[i] = false;
        client[i] = false;
        answered[i] = false;
        planned[i] = false
    }
    winding = false; failed = false; aborted = false; resumed = false;
    told_run = false;
    rounds = 0
}

inline die()
{
    unknown = unknown || (busy && touched && !on_disk);
    for (i : 0 .. N - 1) {
        unlogged = unlogged || ((asked[i] || leaving[i]) && !d_intent[STOP_OF(i)])
    }
    forget_run();
    alive = false;
    draining = false;
    wanted = false;
    phase = BOOT;
    busy = false;
    on_disk = false;
    touched = false;
    do
    :: nempty(queue) -> queue?_, _, _
    :: empty(queue) -> break
    od
}

inline begin()
{
    assert(!busy); /* at most one run */
    forget_run();
    busy = true;
    on_disk = false;
    touched = false;
    wanted = false;
    number++;
    for (i : 0 .. N - 1) {
        planned[i] = up[i]; /* what did not run stays untouched */
        mask = mask | (up[i] << i)
    }
    phase = BEGINNING;
    write(W_BEGIN, mask, number);
    mask = 0
}

#if N == 2
#define NOTHING_AT_THE_DOOR !(asked[0] || asked[1])
#define NO_STOP_UNDER_WAY (NOTHING_AT_THE_DOOR && !leaving[0] && !leaving[1])
#else
#define NOTHING_AT_THE_DOOR !(asked[0] || asked[1] || asked[2])
#define NO_STOP_UNDER_WAY (NOTHING_AT_THE_DOOR && !leaving[0] && !leaving[1] && !leaving[2])
#endif

inline restore()
{
    assert(!busy);
    busy = true;
    number = d_run;
    on_disk = true;
    touched = true;
    resumed = true;
    wanted = false;
    for (i : 0 .. N - 1) {
        planned[i] = d_planned[i]
    }
    for (i : 0 .. ACTIONS - 1) {
        begun[i] = d_intent[i];
        begun_before[i] = d_intent[i] && d_result[i] == NONE;
        st[i] = (d_result[i] == NONE -> PENDING : d_result[i]);
#ifdef M_DOES_IT_ALL_AGAIN /* results are not read */
        st[i] = PENDING;
#endif
        failed = failed || (st[i] == FAILED && (TURNS(i) || !IS_STOP(i)));
        winding = winding || (st[i] == FAILED && TURNS(i))
    }
#ifndef M_FORGETS_AN_ABORT
    aborted = d_abort;
    winding = winding || d_abort;
#endif
    if
    :: old > 0 && NO_STOP_UNDER_WAY -> old--; winding = true; failed = true /* after an hour */
    :: true
    fi;
    phase = ACTING
}

#define ALL_SETTLED                                                                                \
    (SETTLED(st[0]) && SETTLED(st[1]) && SETTLED(st[2]) && SETTLED(st[3]) &&                       \
     SETTLED(st[ACTIONS - 2]) && SETTLED(st[ACTIONS - 1]))
#define AT_WORK(s) ((s) == INTENDED || (s) == RUNNING)
#define QUIET                                                                                      \
    (!AT_WORK(st[0]) && !AT_WORK(st[1]) && !AT_WORK(st[2]) && !AT_WORK(st[3]) &&                   \
     !AT_WORK(st[ACTIONS - 2]) && !AT_WORK(st[ACTIONS - 1]))

/* No start of it has a good end. */
#define IS_OWED(c) (st[START_OF(c)] != DONE)

inline look()
{
    rounds++;
    for (i : 0 .. N - 1) {
        need[i] = planned[i] && begun[STOP_OF(i)] && !up[i] && rounds == 1;
#ifdef M_LOOKS_AT_NOTHING /* the end is believed without looking */
        need[i] = false;
#endif
        left[i] = planned[i] && ((!up[i] && (begun[STOP_OF(i)] || resumed)) ||
                                 (up[i] && st[STOP_OF(i)] == FAILED && IS_OWED(i)));
#ifdef M_NAMES_NO_LATE_STOP
        left[i] = left[i] && !up[i];
#endif
#ifdef M_TRUSTS_THE_JOURNAL /* what it does not tell of was not stopped */
        left[i] = left[i] && begun[STOP_OF(i)];
#endif
        more = more || need[i]
    }
}

/* The Engine tells nothing: what is owed is started all the same, and named when that fails too. */
inline look_away()
{
    failed = true;
    for (i : 0 .. N - 1) {
        need[i] = planned[i] && begun[STOP_OF(i)] && IS_OWED(i);
#ifdef M_STARTS_NOTHING_BLIND
        need[i] = false;
#endif
        left[i] = planned[i] && resumed && !begun[STOP_OF(i)];
        more = more || need[i]
    }
    rounds = 2
}

inline begin_end()
{
    phase = ENDING;
    write(W_END, 0, number)
}

#ifdef M_BEGINS_WHILE_BOOTING /* a request does not wait for the journal's answer */
#define MAY_BEGIN (phase == IDLE || phase == BOOT)
#else
#define MAY_BEGIN (phase == IDLE)
#endif

#ifdef M_BEGINS_WHILE_ENDING /* nor for the end of the last run to be stored */
#define IS_OVER(p) (p == IDLE || p == ENDING)
#else
#define IS_OVER(p) (p == IDLE)
#endif

/* Beside a run that is at work the request joins it. */
#define WAITS(p) (p == IDLE || p == BOOT || p == ENDING)

proctype Daemon()
{
    byte i, mask;
    bool more;
end:
    do
    /* life */
    :: atomic { !alive -> alive = true }
    :: atomic {
        alive && phase == BOOT ->
        if
        :: d_unfinished && !draining -> restore()
        :: else -> phase = IDLE
        fi;
        i = 0
       }
    :: atomic { alive && kills > 0 -> kills--; die(); i = 0 }
    :: atomic { alive && terms > 0 && !draining -> terms--; draining = true }
    :: atomic { /* nothing of it is under way: what is queued is written, and it ends */
        alive && draining && QUIET && phase != BEGINNING && phase != STARTING && phase != ENDING &&
        (refusing || empty(queue)) ->
        die();
        i = 0
       }
    /* requests */
    :: atomic { alive && requests > 0 && !draining -> requests--; wanted = WAITS(phase) }
    :: atomic {
        alive && wanted && (MAY_BEGIN || IS_OVER(phase)) && !draining -> begin(); i = 0
       }
    :: atomic {
        alive && aborts > 0 && phase == ACTING && !aborted ->
        aborts--;
        aborted = true;
        winding = true;
        write(W_ABORT, 0, 0)
       }
    /* from the beginning to the end */
    :: atomic { alive && phase == BEGINNING && told_run -> told_run = false; phase = ACTING }
    :: atomic { alive && phase == ACTING && ALL_SETTLED && !draining -> phase = LOOKING }
    :: atomic {
        alive && phase == LOOKING && !draining ->
        more = false;
        look();
        if
        :: more -> phase = STARTING
        :: else -> begin_end()
        fi;
        i = 0; more = false
       }
    :: atomic {
        alive && phase == LOOKING && !draining && rounds == 0 && away > 0 ->
        away--;
        more = false;
        look_away();
        if
        :: more -> phase = STARTING
        :: else -> begin_end()
        fi;
        i = 0; more = false
       }
    :: atomic {
        alive && phase == STARTING && NOTHING_AT_THE_DOOR ->
        for (i : 0 .. N - 1) {
            if
            :: need[i] && refused > 0 -> refused--; left[i] = true
            :: need[i] && refused == 0 ->
#ifndef M_BELIEVES_304_BLIND
                /* It "runs already", and nobody can tell for how long. */
                left[i] = left[i] || (rounds == 2 && up[i] && st[STOP_OF(i)] == FAILED);
#endif
                up[i] = true
            :: else
            fi;
            need[i] = false
        }
        i = 0;
        if
        :: draining -> phase = LOOKING
        :: !draining && rounds == 1 -> phase = LOOKING
        :: !draining && rounds == 2 -> begin_end()
        fi
       }
    :: atomic {
        alive && phase == ENDING && told_run ->
        told_run = false;
        for (i : 0 .. N - 1) {
            reported[i] = reported[i] || left[i]
        }
        i = 0;
        busy = false;
        on_disk = false;
        touched = false;
        phase = IDLE
       }
    od
}

/* --- at rest ----------------------------------------------------------------------------------- */

#define WOUND_UP (aborts < ABORTS || old < OLD || late < LATE)
#define ENDED (kills < KILLS || terms < TERMS)

active proctype Check()
{
    byte i;
    bool excused;
    atomic {
        run Disk();
        run Daemon();
        for (i : 0 .. N - 1) {
            run Engine(i)
        }
        for (i : 0 .. ACTIONS - 1) {
            run Action(i)
        }
    }
    timeout;
    /* The excuses for what is only reported, and not up: the Engine told nothing, refused twice, or
     * refused beside a stop that may still be under way; or nobody knew what an earlier life had
     * stopped, and the run was wound up. */
    excused = away < AWAY || refused + 1 < REFUSED ||
              (refused < REFUSED && (late < LATE || ENDED)) ||
              (fulls < FULL && ENDED && WOUND_UP);
    atomic {
        assert(alive && phase == IDLE && !busy); /* every run has come to its end */
        assert(unknown || !d_unfinished);
        for (i : 0 .. N - 1) {
            assert(up[i] || reported[i] || unknown || (unlogged && fulls < FULL && WOUND_UP));
            assert(up[i] || excused || unknown)
        }
    }
}
