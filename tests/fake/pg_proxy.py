"""A proxy on 127.0.0.1 in front of a real PostgreSQL, for the faults of a network. Its mode holds for
the connections that are open, too:

    "pass"   everything passes, byte for byte
    "hole"   nothing does: connections are taken, and stay open
    "reset"  a connection is reset as soon as the client asks something
    "torn"   the server hears what it is asked, and the connection is reset in the middle of its answer
    "drip"   the server's answers come byte by byte
    "wrong"  it is no PostgreSQL that answers

Two threads a connection. The standard library alone.
"""

import socket
import struct
import threading
import time

READ_SIZE = 65536
DRIP_SECONDS = 0.0005  # a login is some thousand bytes, and three seconds are allowed for one


class PgProxy:
    def __init__(self, address):
        self._address = address
        self.mode = "pass"
        self.faults = 0  # how often a fault was met
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            server = socket.create_connection(self._address, timeout=5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        threading.Thread(target=self._copy, args=(server, client, False), daemon=True).start()
        self._copy(client, server, True)

    def _copy(self, source, target, asks):
        try:
            while got := source.recv(READ_SIZE):
                if not self._meet(got, source, target, asks):
                    break
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _meet(self, got, source, target, asks):
        """Passes on what was read, or what the mode makes of it; false: the connection is over."""
        mode = self.mode
        self.faults += mode != "pass"
        if mode == "hole":
            return True
        if mode == "reset" and asks:
            _reset(source)
            return False
        if mode == "torn" and not asks:
            target.sendall(got[:len(got) // 2])
            _reset(target)
            return False
        if mode == "wrong" and asks:
            source.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return False
        if mode == "drip" and not asks:
            for at in range(len(got)):
                target.sendall(got[at:at + 1])
                time.sleep(DRIP_SECONDS)
            return True
        target.sendall(got)
        return True


def _reset(connection):
    """Closes it as one who crashes does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    try:
        connection.shutdown(socket.SHUT_RD)  # a thread that reads it would keep it open
    except OSError:
        pass
    connection.close()
