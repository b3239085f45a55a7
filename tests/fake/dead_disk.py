"""A file system that has stopped answering: whoever looks at a file on it waits, and cannot be
killed. It is a real one (FUSE), whose server takes every question and answers none; to mount it
wants the right to."""

import ctypes
import os
import struct
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2
QUESTION_MAX = 1 << 17
IN_HEADER, OUT_HEADER = struct.Struct("<IIQ"), struct.Struct("<IiQ")  # fuse_in_header's beginning
INIT = 26
# fuse_init_out of protocol 7.31: versions, read-ahead, flags, two limits, the largest write.
INIT_ANSWER = struct.pack("<IIIIHHI", 7, 31, 0, 0, 12, 10, 4096).ljust(64, b"\0")


class DeadDisk:
    """Mounted on the folder for the length of the block; then all that wait for it go on."""

    def __init__(self, folder):
        self.folder = os.fspath(folder)
        self.asked = threading.Event()  # somebody waits

    def __enter__(self):
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if LIBC.mount(b"dead", self.folder.encode(), b"fuse.dead", 0, options.encode()) != 0:
            problem = ctypes.get_errno()
            os.close(self.device)
            raise OSError(problem, os.strerror(problem))
        self.server = threading.Thread(target=self._serve, daemon=True)
        self.server.start()
        return self

    def __exit__(self, *_):
        LIBC.umount2(self.folder.encode(), MNT_DETACH)
        self.server.join(timeout=10)
        os.close(self.device)

    def _serve(self):
        while True:
            try:
                question = os.read(self.device, QUESTION_MAX)
            except OSError:
                return  # unmounted
            _, kind, number = IN_HEADER.unpack_from(question)
            if kind == INIT:
                size = OUT_HEADER.size + len(INIT_ANSWER)
                os.write(self.device, OUT_HEADER.pack(size, 0, number) + INIT_ANSWER)
            else:
                self.asked.set()
