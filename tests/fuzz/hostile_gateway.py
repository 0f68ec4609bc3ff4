"""What a gateway may say at its worst: its true messages cut, swollen, miscounted, shuffled, repeated and made up."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from simulated_gateway.sessions.connection import Sink
from simulated_gateway.wire.framing import LENGTH_BYTES

#: What may stand in a field that held something sensible.
ODD_VALUES = (
    b"", b"-1", b"0", b"nan", b"NaN", b"inf", b"-Infinity", b"1.7976931348623157E308", b"2147483647", b"-2147483648",
    b"9223372036854775807", b"99999999999999999999999", b"1E-7", b"1e400", b"abc", b"U9999999", b"\xff\xfe\x80",
    b"%s%n", b"20251119 25:61:61", b"X" * 5000, b"true", b"0x10", b"1,5", "\u202eevil".encode(),
)  # fmt: skip
#: Message ids that no decoder knows, or that no gateway of this protocol sends.
ODD_IDS = (b"0", b"200", b"999", b"-5", b"abc", b"", b"1.5", b"49", b"62", b"9")
ODD_CODES = (b"1", b"77777", b"-1", b"abc", b"1100", b"1102", b"2110", b"10000000000", b"202", b"201", b"103", b"399")


def frame(fields: list[bytes]) -> bytes:
    """A frame that is well formed, whatever its fields say."""
    payload = b"".join(field + b"\0" for field in fields)
    return struct.pack(">I", len(payload)) + payload


class HostileSink:
    """Passes a gateway's frames on, some of them spoiled; every decision follows from the seed."""

    def __init__(self, sink: Sink, seed: random.Random, share: float, *, breaks_framing: float) -> None:
        self._sink = sink
        self._random = seed
        self._share = share
        self._breaks = breaks_framing
        self._rest = b""
        self._held: bytes | None = None
        self.spoiled = 0
        self._ways: tuple[Callable[[list[bytes]], list[bytes]], ...] = (
            self._shortened, self._lengthened, self._replaced, self._replaced, self._miscounted, self._repeated,
            self._held_back, self._other_id, self._made_up_error, self._dropped,
        )  # fmt: skip

    def calm_down(self) -> None:
        """From now on nothing is spoiled."""
        self._share = self._breaks = 0

    def write(self, data: bytes) -> None:
        data = self._rest + data
        out = bytearray()
        while len(data) >= LENGTH_BYTES:
            (length,) = struct.unpack(">I", data[:LENGTH_BYTES])
            whole = LENGTH_BYTES + length
            if len(data) < whole:
                break
            out += self._one(data[:whole])
            data = data[whole:]
        self._rest = data
        if out:
            self._sink.write(bytes(out))

    def _one(self, whole: bytes) -> bytes:
        late, self._held = self._held or b"", None
        if self._random.random() < self._breaks:
            self.spoiled += 1
            return self._broken(whole)
        if self._random.random() >= self._share:
            return whole + late
        self.spoiled += 1
        fields = whole[LENGTH_BYTES:].split(b"\0")[:-1]
        return b"".join(self._random.choice(self._ways)(fields)) + late

    def _broken(self, whole: bytes) -> bytes:
        """What is no frame any more, or claims to be longer than anything."""
        cut = self._random.randrange(len(whole))
        return self._random.choice(
            (
                whole[:cut],
                b"\xff\xff\xff\xf0" + whole,
                b"\0\0\0\0",
                struct.pack(">I", 3) + b"abc",
                self._random.randbytes(40),
            )
        )

    def _shortened(self, fields: list[bytes]) -> list[bytes]:
        return [frame(fields[: self._random.randrange(len(fields) + 1)])]

    def _lengthened(self, fields: list[bytes]) -> list[bytes]:
        at = self._random.randrange(len(fields) + 1)
        return [frame([*fields[:at], *[self._odd() for _ in range(self._random.randrange(1, 30))], *fields[at:]])]

    def _replaced(self, fields: list[bytes]) -> list[bytes]:
        for _ in range(self._random.randrange(1, 4)):
            fields[self._random.randrange(len(fields))] = self._odd()
        return [frame(fields)]

    def _miscounted(self, fields: list[bytes]) -> list[bytes]:
        numbers = [at for at, field in enumerate(fields) if at and field.isdigit()]
        if numbers:
            fields[self._random.choice(numbers)] = self._random.choice((b"0", b"1", b"-3", b"7", b"1000000"))
        return [frame(fields)]

    def _repeated(self, fields: list[bytes]) -> list[bytes]:
        return [frame(fields)] * self._random.randrange(2, 5)

    def _held_back(self, fields: list[bytes]) -> list[bytes]:
        self._held = frame(fields)
        return []

    def _other_id(self, fields: list[bytes]) -> list[bytes]:
        return [frame([self._random.choice(ODD_IDS), *fields[1:]])]

    def _made_up_error(self, fields: list[bytes]) -> list[bytes]:
        number = self._random.choice((b"-1", b"1", b"5", b"12", str(self._random.randrange(60)).encode(), b"abc"))
        code = self._random.choice((*ODD_CODES, str(self._random.randrange(20_000)).encode()))
        return [frame([b"4", b"2", number, code, self._odd(), b""]), frame(fields)]

    def _dropped(self, fields: list[bytes]) -> list[bytes]:
        return []

    def _odd(self) -> bytes:
        return self._random.choice(ODD_VALUES)

    def waiting(self) -> int:
        return self._sink.waiting()

    def close(self) -> None:
        self._sink.close()

    def abort(self) -> None:
        self._sink.abort()
