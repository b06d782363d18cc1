#!/usr/bin/env python3
"""hierarchy.json: access certificates under somebody else's authority, with another authority in between. Needs PyPI `cryptography`."""

import base64
import datetime
import json
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

FILE = pathlib.Path(__file__).with_name("hierarchy.json")
READER = ObjectIdentifier("1.0.18013.5.1.6")
BEGIN = datetime.datetime(2026, 1, 1)
HOST = "airline.example.org"


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"TEST {name}")])


def usage(*names):
    every = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: name in names for name in every})


def certificate(name, key, issuer, issuer_key, years, extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name)).issuer_name(named(issuer)).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN).not_valid_after(BEGIN.replace(year=BEGIN.year + years))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    der = builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return base64.b64encode(der).decode()


def authority(length):
    return [(x509.BasicConstraints(True, length), True), (usage("key_cert_sign"), True)]


def leaf(*more, host=HOST):
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    return [(x509.BasicConstraints(False, None), True), (names, False), *more]


keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ["root", "lower", "leaf"]}
root = certificate("root", keys["root"], "root", keys["root"], 20, authority(1))
lower = certificate("lower", keys["lower"], "root", keys["root"], 15, authority(0))


def access(*more, **named):
    return certificate("access", keys["leaf"], "lower", keys["lower"], 10, leaf(*more, **named))


signs = (usage("digital_signature"), True)
plain = access(signs)
cases = [
    ("signs", "it signs, for whatever purpose", [plain, lower], "accepted"),
    ("silent", "no usage at all", [access(), lower], "accepted"),
    ("reader", "for relying parties", [access(signs, (x509.ExtendedKeyUsage([READER]), False)), lower], "accepted"),
    ("agrees", "its key does not sign", [access((usage("key_agreement"), True)), lower], "usage"),
    ("tls", "for a web server", [access(signs, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)), lower], "usage"),
    ("alone", "the authority in between is missing", [plain], "issuer"),
    ("elsewhere", "the response's host is not among its names", [access(signs, host="other.example.org"), lower], "host"),
    ("unknown", "a critical extension that nobody knows",
     [access(signs, (x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00"), True)), lower], "critical"),
]
d = keys["leaf"].private_numbers().private_value.to_bytes(32, "big")
FILE.write_text(json.dumps({
    "key": d.hex(),
    "root": root,
    "cases": [{"name": n, "says": s, "x5c": c, "expected": e} for n, s, c, e in cases],
}, indent=1) + "\n")
