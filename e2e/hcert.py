"""PyPI cwt reads and verifies our HCERT.

Usage: python hcert.py DOCUMENT-SIGNER.pem HC1-FILE
"""
import base64  # noqa: F401  (kept: some cwt versions import it lazily)
import sys
import zlib

import cwt
from base45 import b45decode
from cwt import COSE, COSEKey, CWTClaims  # noqa: F401

pem, path = sys.argv[1:3]
text = open(path, encoding="ascii").read().strip()
assert text.startswith("HC1:"), "the context identifier"
cose = zlib.decompress(b45decode(text[4:].encode()))
passed = failed = 0


def report(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(("ok: " if ok else "FAILED: ") + what)


key = cwt.load_pem_hcert_dsc(open(pem, encoding="ascii").read())
claims = cwt.decode(cose, keys=[key])
report(claims[-260][1]["ver"].startswith("1.3"), "cwt verifies our HCERT: DCC version " + claims[-260][1]["ver"])
report(len(claims[1]) == 2 and claims[4] > claims[6], "issuer is a country, expiry after issuing")
flipped = bytearray(cose)
flipped[len(flipped) // 2] ^= 1
try:
    cwt.decode(bytes(flipped), keys=[key])
    report(False, "cwt takes a changed HCERT")
except Exception:
    report(True, "cwt refuses it with one bit changed")
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
