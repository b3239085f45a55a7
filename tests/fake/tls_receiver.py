"""A receiver with TLS, for what the fake one in C does not speak.

tls_receiver.py FOLDER https|smtp: makes a certificate for 127.0.0.1 (FOLDER/ca.pem), listens, writes
its port to FOLDER/port when it is ready and what it is sent to FOLDER/got. It ends by a signal."""

import os
import socket
import ssl
import subprocess
import sys


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=fake",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/ca.pem"],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/ca.pem", f"{folder}/key.pem")
    return context


def read_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise OSError("the client left")
        line += byte
    return line


def https(connection, context, got):
    connection = context.wrap_socket(connection, server_side=True)
    head = b""
    length = 0
    while not head.endswith(b"\r\n\r\n"):
        line = read_line(connection)
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    got.write(head + connection.recv(length))
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def smtp(connection, context, got):
    connection.sendall(b"220 fake\r\n")
    secure = in_mail = False
    while True:
        line = read_line(connection)
        got.write((b"S " if secure else b"P ") + line)
        got.flush()
        verb = line.split()[0].upper() if line.split() else b""
        if in_mail:
            in_mail = line != b".\r\n"
            if not in_mail:
                connection.sendall(b"250 taken\r\n")
        elif verb == b"EHLO":
            connection.sendall(b"250-fake\r\n250 AUTH PLAIN\r\n" if secure else b"250-fake\r\n250 STARTTLS\r\n")
        elif verb == b"STARTTLS":
            connection.sendall(b"220 go\r\n")
            connection = context.wrap_socket(connection, server_side=True)
            secure = True
        elif verb == b"AUTH":
            connection.sendall(b"334 \r\n")
            got.write(b"S " + read_line(connection))
            connection.sendall(b"235 welcome\r\n")
        elif verb == b"DATA":
            in_mail = True
            connection.sendall(b"354 go on\r\n")
        else:
            connection.sendall(b"250 fine\r\n")


def main():
    folder, mode = sys.argv[1:]
    context = make_certificate(folder)
    listener = socket.create_server(("127.0.0.1", 0))
    with open(f"{folder}/port.new", "w", encoding="ascii") as port:
        port.write(str(listener.getsockname()[1]))
    os.rename(f"{folder}/port.new", f"{folder}/port")
    with open(f"{folder}/got", "wb") as got:
        while True:
            connection, _ = listener.accept()
            try:
                {"https": https, "smtp": smtp}[mode](connection, context, got)
            except OSError:  # refused certificates and clients that hang up, too
                pass
            got.flush()
            connection.close()


if __name__ == "__main__":
    main()
