"""Where a program writes and nobody reads: a pipe, a socket such as journald's, a terminal in which
somebody typed Ctrl-S. Until somebody does."""

import os
import pty
import select
import socket
import threading

from lab import wait_until

CTRL_S, CTRL_Q = b"\x13", b"\x11"


def fill(write):
    try:
        while True:
            write()
    except BlockingIOError:
        pass


class Unread:
    """`end` is for the program. Nothing is taken from it until read()."""

    def __init__(self, kind):
        self.kind = kind
        if kind == "pipe":
            self._source, self.end = os.pipe()
        elif kind == "socket":
            ours, theirs = socket.socketpair()
            self._source, self.end = ours.detach(), theirs.detach()
        else:
            self._source, self.end = pty.openpty()
        self._text = b""
        self._changed = threading.Condition()
        self._thread = None

    def stop(self):
        """From here on it takes no byte more."""
        if self.kind == "terminal":
            os.write(self._source, CTRL_S)
            wait_until(lambda: not select.select([], [self.end], [], 0)[1], 10, "Ctrl-S to be heard")
            return
        if self.kind == "socket":
            with socket.socket(fileno=os.dup(self.end)) as filler:
                fill(lambda: filler.send(b"\n", socket.MSG_DONTWAIT))
            return
        # Through a file of its own: whether the program's waits is not ours to change.
        filler = os.open(f"/proc/self/fd/{self.end}", os.O_WRONLY | os.O_NONBLOCK)
        fill(lambda: os.write(filler, b"\n"))
        os.close(filler)

    def read(self):
        """From here on somebody reads, to the end of the test."""
        if self.kind == "terminal":
            os.write(self._source, CTRL_Q)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def _read(self):
        try:
            while piece := os.read(self._source, 65536):
                with self._changed:
                    self._text += piece
                    self._changed.notify_all()
        except OSError:
            pass  # a terminal whose other side is closed

    def wait(self, part, timeout=30):
        """Until that has been read; all that was, as lines."""
        with self._changed:
            assert self._changed.wait_for(lambda: part.encode() in self._text, timeout), \
                f"{part!r} was not said: {self._text[-2000:]!r}"
        return self.lines()

    def lines(self):
        with self._changed:
            return [line for line in self._text.decode().replace("\r\n", "\n").split("\n") if line]

    def close(self):
        os.close(self.end)
        if self._thread:
            self._thread.join(timeout=5)
        os.close(self._source)
