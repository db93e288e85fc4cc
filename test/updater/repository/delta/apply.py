#!/usr/bin/python3
"""A client of payloads written from docs/payload-format.md alone: apply.py PAYLOAD HEADER-BYTES OUTPUT [OLD]."""
import hashlib
import subprocess
import sys


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, count):
        self.at += count
        assert self.at <= len(self.data), 'it ends too early'
        return self.data[self.at - count : self.at]

    def number(self):
        value = shift = 0
        while True:
            byte = self.bytes(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                assert byte != 0 or shift == 7, 'not in its shortest form'
                return value

    def signed(self):
        value = self.number()
        return value // 2 if value % 2 == 0 else -(value + 1) // 2


def content(blob, digest, size):
    assert hashlib.sha256(blob).digest() == digest, 'digest of a blob'
    result = subprocess.run(['zstd', '-dc', '-q'], input=blob, stdout=subprocess.PIPE, check=True).stdout
    assert len(result) == size, 'size of a blob'
    return result


def patched(patch, old, size):
    reader = Reader(patch)
    steps = reader.number()
    copied, added, inserted = ([reader.number() for _ in range(steps)] for _ in range(3))
    seeks = [reader.signed() for _ in range(steps)]
    differences = reader.bytes(sum(added))
    new = reader.bytes(sum(inserted))
    assert reader.at == len(patch)
    result, cursor, d, n = bytearray(), 0, 0, 0
    for c, a, i, seek in zip(copied, added, inserted, seeks):
        assert 0 <= cursor and cursor + c + a <= len(old)
        result += old[cursor : cursor + c]
        cursor += c
        result += bytes((x + y) & 255 for x, y in zip(old[cursor : cursor + a], differences[d : d + a]))
        cursor += a
        d += a
        result += new[n : n + i]
        n += i
        cursor += seek
    assert len(result) == size
    return bytes(result)


def main(payload_path, header_bytes, output, old_path=None):
    payload = open(payload_path, 'rb').read()
    old = open(old_path, 'rb').read() if old_path else b''
    header = Reader(payload[: int(header_bytes)])
    assert header.bytes(8) == b'SLIPWAY\x01'
    block = 1 << header.number()
    target, source, count = header.number(), header.number(), header.number()
    assert source == len(old)
    made, place, at = bytearray(), 0, int(header_bytes)
    for _ in range(count):
        length, kind = divmod(header.number(), 4)
        size = min(length * block, target - len(made))
        if kind == 0:
            made += bytes(size)
        elif kind == 1:
            place += header.signed()
            made += old[place * block :][:size]
            place += length
        elif kind == 2:
            stored, digest = header.number(), header.bytes(32)
            made += content(payload[at : at + stored], digest, size)
            at += stored
        else:
            window = b''
            for _ in range(header.number()):
                place += header.signed()
                blocks = header.number()
                window += old[place * block : (place + blocks) * block]
                place += blocks
            patch_bytes, stored, digest, result = header.number(), header.number(), header.bytes(32), header.bytes(32)
            made += patched(content(payload[at : at + stored], digest, patch_bytes), window, size)
            assert hashlib.sha256(made[len(made) - size :]).digest() == result, 'digest of a result'
            at += stored
    assert header.at == len(header.data) and at == len(payload) and len(made) == target
    open(output, 'wb').write(made)


main(*sys.argv[1:])
