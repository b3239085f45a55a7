#!/usr/bin/env python3
"""Records what real clients write when PostgreSQL refuses them, or their pool is dry: one file a
client beside this script, which test_log_patterns.c holds the shipped patterns to.

    record.py                 all clients that are found
    CLIENTS=/path record.py   with PYTHONPATH, node_modules and jars from there

A throw-away PostgreSQL of the machine's own packages on loopback; clients that are not installed are
passed over and their files stay. The numbers behind the names of the patterns are how many lines
match: look at the difference before committing it.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENTS = Path(os.environ.get("CLIENTS", "/nonexistent"))
BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """max_connections slots, of which `reserved` are the superuser's; held by sessions of its own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = free_port()
        shutil.chown(folder, "postgres")
        data = self.folder / "data"
        run([*AS_POSTGRES, BIN / "initdb", "-D", data, "-A", "trust", "-U", "postgres"])
        self.process = subprocess.Popen(
            [*AS_POSTGRES, BIN / "postgres", "-D", data, "-p", str(self.port), "-k", folder,
             "-c", "max_connections=6", "-c", "superuser_reserved_connections=3"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()
        self.sql("CREATE ROLE app LOGIN", "CREATE ROLE few LOGIN CONNECTION LIMIT 0")
        self.holders = []

    def wait(self):
        for _ in range(100):
            if subprocess.run([BIN / "pg_isready", "-qh", self.folder, "-p", str(self.port)]).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit("PostgreSQL did not start")

    def sql(self, *statements):
        for statement in statements:
            run(["psql", "-qh", self.folder, "-p", str(self.port), "-U", "postgres", "-c", statement])

    def hold(self, user, count):
        for _ in range(count):
            psql = subprocess.Popen(["psql", "-qAt", "-h", self.folder, "-p", str(self.port), "-U", user, "postgres"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            psql.stdin.write("SELECT 1;\n")
            psql.stdin.flush()
            assert psql.stdout.readline() == "1\n"
            self.holders.append(psql)

    def release(self):
        for psql in self.holders:
            psql.stdin.close()
            psql.wait()
        self.holders = []

    def stop(self):
        self.release()
        self.process.send_signal(2)
        self.process.wait()


def run(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def output(command, **more):
    env = {**os.environ, "PYTHONPATH": str(CLIENTS / "root/usr/lib/python3/dist-packages"),
           "NODE_PATH": str(CLIENTS / "npm/node_modules")}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, **more)
    return done.stdout


def tidy(text):
    """Without the call stacks, which say nothing and name this machine."""
    lines = [line for line in text.splitlines(keepends=True) if not re.match(r"  File|    |\tat ", line)]
    return re.sub(r"port \d+", "port 5432", "".join(lines))


def record(name, what, expected, text):
    if "ModuleNotFoundError" in text or "Cannot find module" in text or "ClassNotFound" in text:
        print(f"{name}: not installed")
        return
    lines = [f"# {what}", *[f"# {pattern}: {count}" for pattern, count in expected.items()]]
    (HERE / f"{name}.log").write_text("\n".join(lines) + "\n" + tidy(text).rstrip("\n") + "\n")
    print(f"{name}: {len(text.splitlines())} lines")


PSYCOPG2 = "import psycopg2; psycopg2.connect('host=127.0.0.1 port={port} user={user} dbname=postgres')"
PSYCOPG3 = "import psycopg; psycopg.connect('host=127.0.0.1 port={port} user={user} dbname=postgres')"
ASYNCPG = ("import asyncio, asyncpg\n"
           "asyncio.run(asyncpg.connect('postgresql://{user}@127.0.0.1:{port}/postgres'))")
SQLALCHEMY = ("import sqlalchemy as sa\n"
              "e = sa.create_engine('postgresql://{user}@127.0.0.1:{port}/postgres', "
              "pool_size=1, max_overflow=1, pool_timeout=0.2)\n"
              "held = [e.connect() for _ in range(3)]")
PSYCOPG_POOL = ("import psycopg_pool\n"
                "p = psycopg_pool.ConnectionPool('host=127.0.0.1 port={port} user={user} dbname=postgres', "
                "min_size=1, max_size=1, timeout=0.2)\n"
                "p.getconn(); p.getconn()")
DJANGO = ("from django.conf import settings\n"
          "settings.configure(DATABASES={{'default': {{'ENGINE': 'django.db.backends.postgresql', "
          "'NAME': 'postgres', 'USER': '{user}', 'HOST': '127.0.0.1', 'PORT': {port}}}}})\n"
          "import django; django.setup()\n"
          "from django.db import connection; connection.ensure_connection()")
NODE = ("const {{Client}} = require('pg');"
        "new Client('postgresql://{user}@127.0.0.1:{port}/postgres').connect()"
        ".catch(e => {{ console.error(e); }})")
NODE_POOL = ("const {{Pool}} = require('pg');"
             "const p = new Pool({{connectionString: 'postgresql://{user}@127.0.0.1:{port}/postgres', "
             "max: 1, connectionTimeoutMillis: 200}});"
             "p.connect().then(() => p.connect()).catch(e => {{ console.error(e); process.exit(1); }})")
JAVA = """import java.sql.*;
public class Leak {{ public static void main(String[] a) throws Exception {{
    DriverManager.getConnection("jdbc:postgresql://127.0.0.1:{port}/postgres?user={user}"); }} }}
"""
HIKARI = """import com.zaxxer.hikari.*;
public class Pool {{ public static void main(String[] a) throws Exception {{
    HikariConfig c = new HikariConfig();
    c.setJdbcUrl("jdbc:postgresql://127.0.0.1:{port}/postgres?user={user}");
    c.setMaximumPoolSize(1); c.setConnectionTimeout(250);
    HikariDataSource d = new HikariDataSource(c);
    d.getConnection(); d.getConnection(); }} }}
"""


def python(code, server, user="app"):
    return output(["/usr/bin/python3", "-c", code.format(port=server.port, user=user)])


def node(code, server, user="app"):
    return output(["node", "-e", code.format(port=server.port, user=user)])


def java(name, code, server, folder):
    jars = ":".join(str(jar) for jar in sorted((CLIENTS / "root/usr/share/java").glob("*.jar"))
                    if re.match(r"(HikariCP|postgresql|slf4j-api|slf4j-simple)\.jar", jar.name))
    source = Path(folder) / f"{name}.java"
    source.write_text(code.format(port=server.port, user="app"))
    return output(["timeout", "20", "java", "-cp", jars, str(source)])


def psql(server, user="app"):
    return output(["psql", "-h", "127.0.0.1", "-p", str(server.port), "-U", user, "postgres", "-c", "SELECT 1"])


def pgbouncer(server, folder, settings, clients):
    """The pooler's own log, and what the last of its clients was told."""
    port = free_port()
    (Path(folder) / "users").write_text('"app" ""\n')
    ini = Path(folder) / "pgbouncer.ini"
    ini.write_text(f"[databases]\npostgres = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                   f"listen_port = {port}\nauth_type = trust\nauth_file = {folder}/users\nunix_socket_dir =\n{settings}\n")
    uri = f"postgresql://app@127.0.0.1:{port}/postgres"
    held = []
    with subprocess.Popen([*AS_POSTGRES, "pgbouncer", str(ini)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pooler:
        time.sleep(1)
        for _ in range(clients - 1):
            held.append(subprocess.Popen(["psql", "-qAt", uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            held[-1].stdin.write("BEGIN; SELECT 1;\n")
            held[-1].stdin.flush()
            held[-1].stdout.readline()
        told = output(["timeout", "20", "psql", uri, "-c", "SELECT 1"])
        for client in held:
            client.stdin.close()
            client.wait()
        pooler.terminate()
        log = pooler.stdout.read()
    return log.replace(str(port), "6432").replace(str(server.port), "5432"), told.replace(str(port), "6432")


def versions():
    def of(module, attribute="__version__"):
        return output(["/usr/bin/python3", "-c", f"import {module}; print({module}.{attribute})"]).split()[0]

    return {"psycopg2": of("psycopg2"), "psycopg": of("psycopg"), "asyncpg": of("asyncpg"),
            "psycopg_pool": of("psycopg_pool"), "sqlalchemy": of("sqlalchemy"), "django": of("django", "get_version()"),
            "pg": output(["node", "-p", "require('pg/package.json').version"]).strip(),
            "libpq": output(["psql", "--version"]).split()[2]}


def when_all_are_taken(server, v, folder):
    slots = {"too-many-clients": 1}
    record("libpq", f"psql {v['libpq']}, all slots taken", slots, psql(server))
    record("psycopg2", f"psycopg2 {v['psycopg2']}, all slots taken", slots, python(PSYCOPG2, server))
    record("psycopg3", f"psycopg {v['psycopg']}, all slots taken", slots, python(PSYCOPG3, server))
    record("asyncpg", f"asyncpg {v['asyncpg']}, all slots taken", slots, python(ASYNCPG, server))
    record("sqlalchemy", f"SQLAlchemy {v['sqlalchemy']} on psycopg2, all slots taken", {"too-many-clients": 2},
           python(SQLALCHEMY, server))
    record("django", f"Django {v['django']} on psycopg2, all slots taken", {"too-many-clients": 2}, python(DJANGO, server))
    record("node_postgres", f"node-postgres {v['pg']}, all slots taken", slots, node(NODE, server))
    record("jdbc", "PostgreSQL JDBC 42.5.5, all slots taken", slots, java("Leak", JAVA, server, folder))
    log, told = pgbouncer(server, folder, "query_wait_timeout = 1", 1)
    record("pgbouncer_server", "PgBouncer's own log, all slots of the server taken", slots, log)
    record("pgbouncer_server_client", "psql through PgBouncer, all slots of the server taken", slots, told)


def when_the_rest_is_reserved(server, v, folder):
    slots = {"too-many-clients": 1}
    record("psycopg2_reserved", f"psycopg2 {v['psycopg2']}, only reserved slots left", slots, python(PSYCOPG2, server))
    record("asyncpg_reserved", f"asyncpg {v['asyncpg']}, only reserved slots left", slots, python(ASYNCPG, server))
    record("node_postgres_reserved", f"node-postgres {v['pg']}, only reserved slots left", slots, node(NODE, server))
    record("jdbc_reserved", "PostgreSQL JDBC 42.5.5, only reserved slots left", slots, java("Leak", JAVA, server, folder))


def when_there_is_room(server, v, folder):
    dry = {"pool-exhausted": 1}
    record("psycopg2_role_limit", f"psycopg2 {v['psycopg2']}, the role's own limit: no restart cures that", {},
           python(PSYCOPG2, server, "few"))
    record("node_postgres_role_limit", f"node-postgres {v['pg']}, the role's own limit", {}, node(NODE, server, "few"))
    record("asyncpg_role_limit", f"asyncpg {v['asyncpg']}, the role's own limit", {}, python(ASYNCPG, server, "few"))
    record("sqlalchemy_pool", f"SQLAlchemy {v['sqlalchemy']}, its pool is dry", dry, python(SQLALCHEMY, server))
    record("psycopg_pool", f"psycopg_pool {v['psycopg_pool']}, its pool is dry", dry, python(PSYCOPG_POOL, server))
    record("node_postgres_pool", f"node-postgres {v['pg']}, its pool is dry", dry, node(NODE_POOL, server))
    record("hikari", "HikariCP 2.7.9 on JDBC 42.5.5, its pool is dry", dry, java("Pool", HIKARI, server, folder))
    log, told = pgbouncer(server, folder, "default_pool_size = 1\npool_mode = transaction\nquery_wait_timeout = 1", 2)
    record("pgbouncer_queue", "PgBouncer's own log, a client waited too long", {"pooler-exhausted": 1}, log)
    record("pgbouncer_queue_client", "psql through PgBouncer that waited too long", {"pooler-exhausted": 1}, told)
    log, told = pgbouncer(server, folder, "max_client_conn = 1", 2)
    record("pgbouncer_full", "PgBouncer's own log, one client too many", {"pooler-exhausted": 1}, log)
    record("pgbouncer_full_client", "psql through a full PgBouncer", {"pooler-exhausted": 1}, told)


def main():
    with tempfile.TemporaryDirectory(prefix="rec", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        server = Server(folder)
        try:
            v = versions()
            when_there_is_room(server, v, folder)
            server.hold("app", 3)
            when_the_rest_is_reserved(server, v, folder)
            server.hold("postgres", 3)
            when_all_are_taken(server, v, folder)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
