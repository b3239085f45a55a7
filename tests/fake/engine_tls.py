"""A front with TLS before a real Docker Engine, as `dockerd --tlsverify -H tcp://…` has it: who shows
no certificate of its authority is not let in. The standard library, and openssl for certificates."""

import asyncio
import ssl
import subprocess
import threading

READ_SIZE = 65536


def make_certificates(folder):
    """ca.pem, cert.pem and key.pem for a client, server-*.pem for the front; gives the folder."""
    folder.mkdir()

    def openssl(*arguments, text=None):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, input=text,
                       capture_output=True, text=True)

    openssl("req", "-new", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2", "-subj",
            "/CN=lab authority", "-keyout", "ca-key.pem", "-out", "ca.pem")
    for name, cert, extension in (
            ("localhost", "server-cert", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            ("client", "cert", "extendedKeyUsage=clientAuth")):
        key = cert.replace("cert", "key")
        openssl("req", "-new", "-nodes", "-newkey", "rsa:2048", "-subj", f"/CN={name}", "-keyout",
                f"{key}.pem", "-out", f"{cert}.csr")
        (folder / f"{cert}.cnf").write_text(extension)
        openssl("x509", "-req", "-in", f"{cert}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
                "-CAcreateserial", "-days", "2", "-extfile", f"{cert}.cnf", "-out", f"{cert}.pem")
    return folder


class TlsFront:
    """Listens on a port of the loopback; each connection goes to the engine's socket."""

    def __init__(self, engine_socket, certificates):
        self._engine = str(engine_socket)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates / "server-cert.pem",
                                      certificates / "server-key.pem")
        self._context.load_verify_locations(certificates / "ca.pem")
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server = None
        self.docker_host = ""

    def __enter__(self):
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.docker_host = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _hang_up(self):
        """Closes what it listens on, and every connection with it."""
        self._server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for one in connections:
            one.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader, writer):
        engine_reader, engine_writer = await asyncio.open_unix_connection(self._engine)
        await asyncio.gather(copy(reader, engine_writer), copy(engine_reader, writer))


async def copy(source, target):
    try:
        while got := await source.read(READ_SIZE):
            target.write(got)
            await target.drain()
    except OSError:
        pass  # one of the two went away
    finally:
        target.close()
