#!/bin/bash
# The roles of a stack: `app`, which the applications use and which is no superuser, and
# `supervisor`, which may see and end the sessions of others.
set -euo pipefail

psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set app_password="$APP_PASSWORD" --set supervisor_password="$SUPERVISOR_PASSWORD" <<'SQL'
CREATE ROLE app LOGIN PASSWORD :'app_password';
GRANT CREATE ON SCHEMA public TO app;
CREATE ROLE supervisor LOGIN PASSWORD :'supervisor_password';
GRANT pg_monitor, pg_signal_backend TO supervisor;
SQL
