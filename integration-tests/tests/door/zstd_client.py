"""A client that compresses with the real zstd (libzstd), level 3 to 19: logs in and prints what it is told.

usage: zstd_client.py PORT
"""

import ctypes
import socket
import struct
import sys

ZSTD = ctypes.CDLL("libzstd.so.1")
for name in ("ZSTD_compressBound", "ZSTD_compress", "ZSTD_decompress"):
    getattr(ZSTD, name).restype = ctypes.c_size_t
ZSTD.ZSTD_isError.restype = ctypes.c_uint
# PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, DEPRECATE_EOF, ZSTD_COMPRESSION_ALGORITHM
FLAGS = 1 << 9 | 1 << 15 | 1 << 19 | 1 << 24 | 1 << 26
LEVEL = 3


def pack(data, level):
    out = ctypes.create_string_buffer(ZSTD.ZSTD_compressBound(ctypes.c_size_t(len(data))))
    length = ZSTD.ZSTD_compress(out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), level)
    assert not ZSTD.ZSTD_isError(ctypes.c_size_t(length))
    return out.raw[:length]


def unpack(data, length):
    out = ctypes.create_string_buffer(length)
    got = ZSTD.ZSTD_decompress(out, ctypes.c_size_t(length), data, ctypes.c_size_t(len(data)))
    assert got == length, (got, length)
    return out.raw


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(60)
        self.packed = self.sent = 0
        greeting = self.plain()
        low, high = struct.unpack_from("<H", greeting, greeting.index(b"\0") + 14)[0], greeting.index(b"\0") + 19
        assert (low | struct.unpack_from("<H", greeting, high)[0] << 16) & FLAGS == FLAGS, "all of it is offered"
        login = struct.pack("<IIB23x", FLAGS, 1 << 24, 45) + b"root\0" + b"\0" + b"mysql_native_password\0"
        login += bytes([LEVEL])
        self.socket.sendall(struct.pack("<I", len(login))[:3] + b"\x01" + login)
        while (answer := self.plain())[0] != 0:
            assert answer[0] in (0x01, 0xFE), answer
            if answer[0] == 0xFE:
                self.socket.sendall(b"\0\0\0\x03")
        self.ahead = b""

    def exactly(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            assert part, "the server has gone"
            data += part
        return data

    def plain(self):
        header = self.exactly(4)
        return self.exactly(int.from_bytes(header[:3], "little"))

    def frame(self):
        header = self.exactly(7)
        wire, before = int.from_bytes(header[:3], "little"), int.from_bytes(header[4:], "little")
        data = self.exactly(wire)
        self.packed += before > 0
        self.ahead += unpack(data, before) if before else data

    def packet(self):
        def some(length):
            while len(self.ahead) < length:
                self.frame()
            taken, self.ahead = self.ahead[:length], self.ahead[length:]
            return taken

        whole = b""
        while True:
            length = int.from_bytes(some(4)[:3], "little")
            whole += some(length)
            if length < 0xFFFFFF:
                return whole

    def ask(self, text, level):
        """The last column of the last row."""
        payload = b"\x03" + text
        data = b""
        for number, at in enumerate(range(0, len(payload) + 1, 0xFFFFFF)):
            part = payload[at : at + 0xFFFFFF]
            data += struct.pack("<I", len(part))[:3] + bytes([number]) + part
        for number, at in enumerate(range(0, len(data), 0xFFFFFF)):
            part = data[at : at + 0xFFFFFF]
            packed = pack(part, level)
            self.socket.sendall(
                struct.pack("<I", len(packed))[:3] + bytes([number]) + struct.pack("<I", len(part))[:3] + packed
            )
        first = self.packet()
        assert first[0] != 0xFF, first
        for _ in range(first[0]):
            self.packet()
        row = None
        while (packet := self.packet())[:1] != b"\xfe" or len(packet) > 100:
            row = packet
        return row


client = Client(int(sys.argv[1]))
print(client.ask(b"SHOW STATUS LIKE 'Compression_algorithm'", LEVEL)[-4:].decode())
for size, level in ((10, 1), (1000, 3), (100_000, 9), (17 << 20, 3), (200_000, 19)):
    text = (b"many alike %d " % size) * (size // 11 + 1)
    row = client.ask(b"SELECT '" + text + b"'", level)
    assert row.endswith(text), (size, level)
assert client.packed >= 4, client.packed
print("ok")
