"""Issuers and verifiers of others, whom the deployment is told to trust: their certificates and keys, and an SD-JWT VC that PyPI sd-jwt makes.

Usage: python others.py DIRECTORY
Writes into DIRECTORY: trust/issuers/ (what the deployment trusts), others.json (keys and chains for the scripts that play them).
"""

import base64
import datetime
import json
import os
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer

directory = sys.argv[1]
now = datetime.datetime.now(datetime.timezone.utc)


def certificate(name, key, by=None, dns=None):
    """A certificate for `key`, by itself or by (name, key) of an authority."""
    issuer, signer = by or (name, key)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    usage = dict.fromkeys(
        ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"],
        False,
    )
    usage["key_cert_sign" if by is None else "digital_signature"] = True
    made = made.add_extension(x509.KeyUsage(**usage), critical=True)
    if dns:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    return made.sign(signer, hashes.SHA256())


def base64_der(made):
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


def jwk(key):
    return json.loads(JWK.from_pem(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())).export())


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def write(name, content):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


root, office, airport = new_key(), new_key(), new_key()
authority = certificate("Authority of Others", root)
by = ("Authority of Others", root)
write("trust/issuers/authority.pem", authority.public_bytes(Encoding.PEM).decode())

issuer = "https://registry.example/residents"
registry = JWK.generate(kty="EC", crv="P-256", kid="2026")
holder = JWK.generate(kty="EC", crv="P-256")
write("trust/issuers/registry.json", json.dumps({"issuer": issuer, "jwks": {"keys": [registry.export_public(as_dict=True)]}}))
claims = {
    "iss": issuer,
    "iat": int(time.time()),
    "exp": int(time.time()) + 86400,
    "vct": "https://registry.example/types/resident",
    SDObj("family_name"): "Gößinger",
    SDObj("address"): {SDObj("locality"): "Linz", SDObj("country"): "AT"},
    SDObj("nationalities"): [SDObj("AT"), SDObj("UY")],
}
headers = {"typ": "dc+sd-jwt", "kid": "2026"}
made = SDJWTIssuer(claims, registry, holder, extra_header_parameters=headers, add_decoy_claims=True)
write(
    "others.json",
    json.dumps(
        {
            "authority": base64_der(authority),
            "office": {"chain": [base64_der(certificate("Office of Others", office, by))], "key": jwk(office)},
            "airport": {"chain": [base64_der(certificate("Airport of Others", airport, by, "localhost"))], "key": jwk(airport)},
            "resident": {"credential": made.sd_jwt_issuance, "key": holder.export(as_dict=True), "vct": claims["vct"]},
        }
    ),
)
