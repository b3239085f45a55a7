#!/bin/bash
# Writes PgBouncer's two files from the environment, then becomes PgBouncer.
#   DB_HOST DB_PORT           the PostgreSQL behind (postgres, 5432)
#   DB_USER DB_PASSWORD       the role that clients log in with, and that is used behind
#   ADMIN_USER ADMIN_PASSWORD may use the console "pgbouncer" (SHOW POOLS, PAUSE, RESUME)
#   POOL_MODE POOL_SIZE MAX_CLIENTS   (transaction, 5, 100)
set -euo pipefail
umask 077

cat >/etc/pgbouncer/userlist.txt <<EOF
"$DB_USER" "$DB_PASSWORD"
"$ADMIN_USER" "$ADMIN_PASSWORD"
EOF

cat >/etc/pgbouncer/pgbouncer.ini <<EOF
[databases]
* = host=${DB_HOST:-postgres} port=${DB_PORT:-5432}

[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
admin_users = $ADMIN_USER
pool_mode = ${POOL_MODE:-transaction}
default_pool_size = ${POOL_SIZE:-5}
max_client_conn = ${MAX_CLIENTS:-100}
ignore_startup_parameters = extra_float_digits
EOF

exec "$@"
