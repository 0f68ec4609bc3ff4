"""A Redis elsewhere is reached over TLS, and only one whose certificate is known."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.frontend.conftest import content_of, serve
from tests.frontend.standin import stand_in_worker


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody signed but itself, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "redis of a test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "certificate.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@asynccontextmanager
async def encrypted(valkey: str, pem: Path) -> AsyncIterator[int]:
    """The port of a door that speaks TLS and leads to Valkey."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", urlsplit(valkey).port)
        await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer))

    door = await asyncio.start_server(connect, "127.0.0.1", 0, ssl=context)
    try:
        yield door.sockets[0].getsockname()[1]
    finally:
        door.close()


async def test_both_processes_speak_tls_with_redis(valkey: str, tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    async with encrypted(valkey, pem) as port:
        url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={pem}"
        async with stand_in_worker(url), serve(url) as served:
            assert content_of(await served.call("get_positions"))["count"] == 1
            assert (await served.get("/readyz")).status_code == 200


async def test_a_certificate_nobody_knows_is_not_trusted(valkey: str, tmp_path: Path) -> None:
    async with encrypted(valkey, certificate(tmp_path)) as port, serve(f"rediss://127.0.0.1:{port}/0") as served:
        assert (await served.get("/readyz")).json()["reason"] == "Redis cannot be reached"
