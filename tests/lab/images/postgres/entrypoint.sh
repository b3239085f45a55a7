#!/bin/bash
# First start: initdb, then a temporary server on the Unix socket alone that makes the
# database, the roles and runs /docker-entrypoint-initdb.d; it is stopped again and the real
# server takes its place. So for a while pg_isready on the Unix socket says yes although
# nothing answers on TCP and the server is about to go away: a trap that the official image
# has too, and that a supervisor must not fall into.
set -euo pipefail

readonly SOCKET_DIR=/var/run/postgresql
readonly INIT_DIR=/docker-entrypoint-initdb.d

# $NAME, or what the file $NAME_FILE holds (a Docker secret).
value_or_file() {
    local name=$1 fallback=${2:-} file_name=${1}_FILE
    if [ -n "${!name:-}" ] && [ -n "${!file_name:-}" ]; then
        echo "error: both $name and $file_name are set; only one may be" >&2
        exit 1
    fi
    local value=${!name:-$fallback}
    if [ -n "${!file_name:-}" ]; then value=$(<"${!file_name}"); fi
    export "$name=$value"
    unset "$file_name"
}

as_postgres_user() {
    # The data and socket folders may be fresh volumes that still belong to root.
    mkdir -p "$PGDATA" "$SOCKET_DIR"
    chmod 700 "$PGDATA"
    chown -R postgres "$PGDATA" "$SOCKET_DIR"
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
}

make_cluster() {
    # The password travels through a descriptor, never through the argument list.
    eval "initdb --username=\"\$POSTGRES_USER\" \
        --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") ${POSTGRES_INITDB_ARGS:-}"
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
}

start_temporary_server() {
    local options="-c listen_addresses=''"
    if [ $# -gt 0 ]; then options="$(printf '%q ' "$@") $options"; fi
    pg_ctl -D "$PGDATA" -o "$options" -w start
}

stop_temporary_server() {
    pg_ctl -D "$PGDATA" -m fast -w stop
}

run_sql() {
    psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --quiet --username "$POSTGRES_USER" "$@"
}

make_database() {
    if [ "$POSTGRES_DB" = postgres ]; then return; fi
    run_sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
}

run_init_files() {
    local file
    for file in "$INIT_DIR"/*; do
        case "$file" in
            *.sh)
                echo "$0: running $file"
                # shellcheck disable=SC1090  # like the official image: sourced unless executable
                if [ -x "$file" ]; then "$file"; else . "$file"; fi
                ;;
            *.sql)
                echo "$0: running $file"
                run_sql --dbname "$POSTGRES_DB" --file "$file"
                ;;
        esac
    done
}

first_start() {
    value_or_file POSTGRES_PASSWORD
    value_or_file POSTGRES_USER postgres
    value_or_file POSTGRES_DB "$POSTGRES_USER"
    if [ -z "$POSTGRES_PASSWORD" ]; then
        echo "error: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE" >&2
        exit 1
    fi
    make_cluster
    start_temporary_server "$@"
    make_database
    run_init_files
    stop_temporary_server
    echo "PostgreSQL init process complete; ready for start up."
}

main() {
    # Arguments alone ("-c max_connections=30") are arguments of postgres.
    if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
    if [ "$1" = postgres ]; then
        if [ "$(id -u)" = 0 ]; then as_postgres_user "$@"; fi
        if [ ! -s "$PGDATA/PG_VERSION" ]; then first_start "${@:2}"; fi
    fi
    exec "$@"
}

main "$@"
