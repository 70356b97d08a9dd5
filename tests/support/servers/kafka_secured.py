"""A Kafka broker with a listener for each way to log in, and with some that are wrong on purpose."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ..certificates import Authority, Pair
from .jars import jars
from .kafka import POM, Extras, start
from .running import Server, free_port

USER, PASSWORD = "orders", "correct-horse-battery-staple"
ISSUER, AUDIENCE = "https://login.example", "kafka"
MSK_KEY = "AKIDEXAMPLE"
"""The access key that the listener MSK knows."""
NOWHERE = "127.0.0.1:1"
"""Where the listener AWAY sends its clients."""
LISTENERS = {
    "AWAY": "PLAINTEXT",
    "OPEN": "SASL_PLAINTEXT",
    "SAFE": "SASL_SSL",
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
    "OAUTH": "SASL_SSL",
    "MSK": "SASL_SSL",
}
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
JWT = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
HANDLER = Path(__file__).parent / "kafka_jars" / "MskTokens.java"


class Issuer:
    """Signs JSON web tokens that the listener OAUTH takes."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, lifetime: float = 3600.0) -> str:
        now = time.time()
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": USER, "scope": "kafka", "iat": now - 1, "exp": now + lifetime}
        signed = f"{_encoded({'alg': 'RS256', 'kid': 'test', 'typ': 'JWT'})}.{_encoded(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"

    def keys(self) -> str:
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "kid": "test",
            "use": "sig",
            "alg": "RS256",
            "e": _number(numbers.e),
            "n": _number(numbers.n),
        }
        return json.dumps({"keys": [key]})


@dataclass(frozen=True)
class Secured:
    """The broker, and what it takes to log in."""

    plain: Server
    ports: Mapping[str, int]
    authority: Authority
    clients: Authority
    """Signs the clients whom the listener MUTUAL lets in."""
    issuer: Issuer = field(default_factory=Issuer)

    def server(self, listener: str) -> str:
        return f"127.0.0.1:{self.ports[listener]}"


@contextmanager
def start_secured() -> Iterator[Secured]:
    """Everybody may do everything, but who logs in by name has no right to what somebody else has an entry for."""
    with tempfile.TemporaryDirectory(prefix="kafka-secured-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        authority, clients, issuer = Authority("brokers"), Authority("clients"), Issuer()
        ports = {name: free_port() for name in LISTENERS}
        extras = Extras(
            listeners={name: (protocol, ports[name]) for name, protocol in LISTENERS.items()},
            advertised={"AWAY": NOWHERE},
            settings=_settings(home, authority, clients, issuer),
            formatting=[
                f"--add-scram={kind}=[name={USER},password={PASSWORD}]" for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            ],
            classes=[_compiled(home)],
            options=[f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={(home / 'keys.json').as_uri()}"],
        )
        with start(extras) as server:
            yield Secured(server, ports, authority, clients, issuer)


def _settings(home: Path, authority: Authority, clients: Authority, issuer: Issuer) -> dict[str, str]:
    (home / "keys.json").write_text(issuer.keys())
    stores = {
        "good": authority.pair("broker", hosts=("127.0.0.1",)),
        "expired": authority.pair("broker", hosts=("127.0.0.1",), expired=True),
        "elsewhere": authority.pair("broker", hosts=("kafka.example",)),
    }
    for name, pair in stores.items():
        _store(home / f"{name}.pem", pair)
    (home / "clients.pem").write_text(clients.certificate)
    used = {"EXPIRED": "expired", "ELSEWHERE": "elsewhere"}
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "true",
        "sasl.oauthbearer.jwks.endpoint.url": (home / "keys.json").as_uri(),
        "sasl.oauthbearer.expected.audience": AUDIENCE,
        "sasl.oauthbearer.expected.issuer": ISSUER,
    }
    for name, protocol in LISTENERS.items():
        if protocol.endswith("SSL"):
            settings |= _under(name, _tls(home / f"{used.get(name, 'good')}.pem"))
    mutual = {"ssl.client.auth": "required", "ssl.truststore.type": "PEM"}
    settings |= _under("MUTUAL", mutual | {"ssl.truststore.location": str(home / "clients.pem")})
    for name in ("OPEN", "SAFE"):
        settings |= _under(name, _passwords())
    settings |= _under("OAUTH", _oauth(JWT)) | _under("MSK", _oauth("MskTokens"))
    return settings


def _under(listener: str, settings: Mapping[str, str]) -> dict[str, str]:
    return {f"listener.name.{listener.lower()}.{name}": value for name, value in settings.items()}


def _store(path: Path, pair: Pair) -> None:
    path.write_text(pair.private_key + pair.certificate)


def _tls(store: Path) -> dict[str, str]:
    return {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(store)}


def _passwords() -> dict[str, str]:
    return {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "plain.sasl.jaas.config": f'{PLAIN} required user_{USER}="{PASSWORD}";',
        "scram-sha-256.sasl.jaas.config": f"{SCRAM} required;",
        "scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
    }


def _oauth(handler: str) -> dict[str, str]:
    return {
        "sasl.enabled.mechanisms": "OAUTHBEARER",
        "oauthbearer.sasl.jaas.config": f"{OAUTH} required;",
        "oauthbearer.sasl.server.callback.handler.class": handler,
    }


def _compiled(home: Path) -> Path:
    """The directory with the class of the listener MSK."""
    javac = shutil.which("javac")
    assert javac, "Maven comes with a JDK, whose javac must be on PATH"
    classes = home / "classes"
    subprocess.run([javac, "-cp", f"{jars(POM)}/*", "-d", str(classes), str(HANDLER)], check=True)
    return classes


def _encoded(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))
