"""A mapping's TLS settings: trusted authorities, and our client certificate."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from ...errors import SourceRefused
from ...reasons import ReasonCode
from .secrets import Certificate


def context(authority: str | None = None, certificate: Certificate | None = None) -> ssl.SSLContext:
    """Names are checked always. Without an authority of their own, brokers are trusted that this machine trusts.

    Reads files: not for the event loop's thread. Raises SourceRefused for certificates and keys that cannot be read.
    """
    try:
        made = ssl.create_default_context(cadata=authority)
    except (ssl.SSLError, ValueError) as error:
        text = "the certificate of the brokers' authority is not PEM, or is damaged"
        raise SourceRefused(text, ReasonCode.CERTIFICATE_UNUSABLE) from error
    if certificate is not None:
        _load(made, certificate)
    return made


def _load(made: ssl.SSLContext, certificate: Certificate) -> None:
    """Python takes a chain from files alone: they are ours to read, and gone at once."""
    with tempfile.TemporaryDirectory(prefix="headrace-") as directory:
        chain, key = Path(directory, "chain"), Path(directory, "key")
        for path, text in ((chain, certificate.certificate), (key, certificate.private_key)):
            path.touch(mode=0o600)
            path.write_text(text)
        try:
            # Without a password OpenSSL would ask the terminal for it.
            made.load_cert_chain(chain, key, password=lambda: certificate.password)
        except (ssl.SSLError, ValueError, OSError) as error:
            text = f"the client's certificate cannot be used: {_flaw(error, certificate)}"
            raise SourceRefused(text, ReasonCode.CERTIFICATE_UNUSABLE) from None


def _flaw(error: Exception, certificate: Certificate) -> str:
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":  # OpenSSL's name for it
        return "the private key belongs to another certificate"
    if "ENCRYPTED" in certificate.private_key and not certificate.password:
        return "the private key is encrypted, and there is no privateKeyPassword"
    if "ENCRYPTED" in certificate.private_key:
        return "the private key does not open with its privateKeyPassword"
    return "certificate and privateKey must be PEM, the key PKCS#8"
