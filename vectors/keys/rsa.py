#!/usr/bin/env python3
"""TEST-RSA.json: RSA keys of foreign document signers, their certificates, and what they signed (PS256).

PS256 takes a random salt, so signatures are made once and kept. The test that writes vectors adds messages without a signature; this
script signs them. Needs PyPI `cryptography`. Keys and certificates that are there stay.
"""

import base64
import datetime
import json
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

FILE = pathlib.Path(__file__).with_name("TEST-RSA.json")
TESTS = ObjectIdentifier("1.3.6.1.4.1.1847.2021.1.1")


def text(raw):
    return base64.b64encode(raw).decode()


def made(name, bits):
    key = rsa.generate_private_key(65537, bits)
    subject = x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
        x509.NameAttribute(NameOID.COMMON_NAME, f"TEST {name} {bits}"),
    ])
    usage = [False] * 9
    usage[0] = True
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(bits)
        .not_valid_before(datetime.datetime(2026, 1, 1))
        .not_valid_after(datetime.datetime(2028, 1, 1))
        .add_extension(x509.KeyUsage(*usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([TESTS]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return {
        "bits": bits,
        "private": text(key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())),
        "certificate": text(certificate.public_bytes(serialization.Encoding.DER)),
    }


def main():
    whole = json.loads(FILE.read_text()) if FILE.exists() else {
        "comment": "TEST KEYS, published: whoever trusts them trusts everybody. Made by rsa.py.",
        "keys": {},
        "signatures": [],
    }
    for name, bits in [("foreign-rsa", 2048), ("foreign-rsa-small", 1024)]:
        if name not in whole["keys"]:
            whole["keys"][name] = made(name, bits)
    for entry in whole["signatures"]:
        if not entry["signature"]:
            private = base64.b64decode(whole["keys"][entry["key"]]["private"])
            key = serialization.load_der_private_key(private, None)
            scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
            entry["signature"] = text(key.sign(base64.b64decode(entry["message"]), scheme, hashes.SHA256()))
    FILE.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n")


main()
