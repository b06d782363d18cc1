"""PyPI cwt reads and verifies our HCERT.

Usage: python hcert.py DOCUMENT-SIGNER.pem HC1-FILE
"""

import sys
import zlib

import cwt
from base45 import b45decode

pem, path = sys.argv[1:3]
text = open(path, encoding="ascii").read().strip()
failed = 0


def report(ok, what):
    global failed
    failed += not ok
    print(("ok: " if ok else "FAILED: ") + what)


report(text.startswith("HC1:"), "the context identifier HC1:")
cose = zlib.decompress(b45decode(text[4:].encode()))
key = cwt.load_pem_hcert_dsc(open(pem, encoding="ascii").read())
claims = cwt.decode(cose, keys=[key])
payload = claims[-260][1]
report(payload["ver"].startswith("1.3"), f"cwt verifies our HCERT by its document signer: DCC {payload['ver']}")
report(payload["t"][0]["tg"] == "840539006" and payload["t"][0]["co"] == "AT", "it is a SARS-CoV-2 test from AT")
report(claims[1] == "AT" and claims[4] > claims[6], "its issuer is a country, its expiry after its issuing")
refused = 0
for place in range(0, len(cose), max(1, len(cose) // 40)):
    changed = bytearray(cose)
    changed[place] ^= 1
    try:
        cwt.decode(bytes(changed), keys=[key])
        print(f"FAILED: taken with byte {place} changed")
        failed += 1
    except Exception:  # cwt has a different exception for each layer
        refused += 1
report(refused >= 40, f"cwt refuses it with one bit changed, in {refused} places")
sys.exit(failed != 0)
