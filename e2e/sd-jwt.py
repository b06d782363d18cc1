"""PyPI sd-jwt verifies and presents the SD-JWT VCs that wallet.mjs claimed, and what @sd-jwt presented of them.

Usage: python sd-jwt.py BASE-URL FACTS.json DIRECTORY
"""

import base64
import json
import sys
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwcrypto.jwk import JWK
from sd_jwt.holder import SDJWTHolder
from sd_jwt.verifier import SDJWTVerifier

base, facts, directory = sys.argv[1:4]
facts = json.load(open(facts, encoding="utf-8"))
claimed = json.load(open(f"{directory}/claimed.json", encoding="utf-8"))
shown = json.load(open(f"{directory}/shown.json", encoding="utf-8"))
failed = 0


def report(ok, what):
    global failed
    failed += not ok
    print(("ok: " if ok else "FAILED: ") + what)


def call(path, body=None, key=None):
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(base + path, data, headers)).read()


root = x509.load_pem_x509_certificate(call("/v1/trust/root"))


def by_chain(_issuer, header):
    chain = [x509.load_der_x509_certificate(base64.b64decode(der)) for der in header["x5c"]]
    for certificate, above in zip(chain, [*chain[1:], root]):
        if certificate != above:
            certificate.verify_directly_issued_by(above)
    return JWK.from_pem(chain[0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def by_metadata(issuer, _header):
    path = issuer.removeprefix(base)
    metadata = json.loads(call("/.well-known/jwt-vc-issuer" + path))
    assert metadata["issuer"] == issuer
    return JWK(**metadata["jwks"]["keys"][0])


def refused(*arguments):
    try:
        SDJWTVerifier(*arguments)
    except Exception:  # sd-jwt has ValueError, jwcrypto exceptions of its own
        return True
    return False


for place, copy in enumerate(claimed["copies"]):
    payload = SDJWTVerifier(copy["credential"], by_chain).get_verified_payload()
    right = payload["family_name"] == "Musterfrau-Gößinger" and payload["claims"]["result"] == "260415000"
    report(right and payload["cnf"]["jwk"]["x"] == copy["key"]["x"], f"PyPI sd-jwt verifies copy {place + 1} by its x5c and its disclosures")
copy = claimed["copies"][0]
credential, key = copy["credential"], JWK(**copy["key"])
again = SDJWTVerifier(credential, by_metadata).get_verified_payload()
report(again["vct"].endswith("/v1/types/" + facts["category"]), "the same by the issuer's metadata")
token, *disclosures = credential.split("~")
header, body, signature = token.split(".")
claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
claims["exp"] += 1
later = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
report(refused("~".join([".".join([header, later, signature]), *disclosures]), by_chain), "a later expiry is refused")

seen = SDJWTVerifier(shown["presentation"], by_chain, shown["audience"], shown["nonce"]).get_verified_payload()
report(seen["given_name"] == "Gabriele" and "birthdate" not in seen, "it verifies the key binding that @sd-jwt made, and sees no more than was shown")
report(refused(shown["presentation"], by_chain, "https://other.example", shown["nonce"]), "not for another audience")

request = json.loads(call("/v1/presentation-requests", {"purpose": "boarding"}, facts["airlineKey"]))


def present(holder_key):
    holder = SDJWTHolder(credential)
    holder.create_presentation({"family_name": True, "claims": {"result": True}}, request["nonce"], request["audience"], holder_key)
    return holder.sd_jwt_presentation


def check(presentation):
    return json.loads(call("/v1/checks", {"input": presentation, "purpose": "boarding"}, facts["airlineKey"]))


presented = present(key)
own = SDJWTVerifier(presented, by_chain, request["audience"], request["nonce"]).get_verified_payload()
report(own["claims"] == {"result": "260415000"}, "its holder shows two claims with a key binding")
answer = check(presented)
holds = {test["test"]: test["reason"] for test in answer["tests"]}
wanted = ["syntax_ok", "signature_ok", "issuer_ok", "holder_binding_ok", "status_ok", "validity_ok", "integrity_ok", "receipt_ok"]
report(all(reason in holds.values() for reason in wanted), "which holds here: " + ", ".join(wanted))
report(answer["attributes"] == {"family_name": "Musterfrau-Gößinger", "result": "260415000"}, "and what it shows is what we read")
report(check(present(JWK.generate(kty="EC", crv="P-256")))["verdict"] == "invalid", "with a key that is not its own it is invalid")
sys.exit(failed != 0)
