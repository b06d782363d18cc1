"""Makes commitment.json and merkle.json from the definitions, with nothing but hashlib: python3 commitment.py"""
import hashlib, json, os

here = os.path.dirname(os.path.abspath(__file__))
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()


def root(entries):
    """RFC 6962 2.1, as it is written there."""
    if not entries: return sha()
    if len(entries) == 1: return sha(b"\0", entries[0])
    k = 1
    while k * 2 < len(entries): k *= 2
    return sha(b"\1", root(entries[:k]), root(entries[k:]))


def path(m, entries):
    """RFC 6962 2.1.1."""
    if len(entries) == 1: return []
    k = 1
    while k * 2 < len(entries): k *= 2
    if m < k: return path(m, entries[:k]) + [root(entries[k:])]
    return path(m - k, entries[k:]) + [root(entries[:k])]


def commitment(salt, digest):
    return sha(b"vidimus/commitment/v1", salt, digest)


cases = []
for salt, message in [(bytes(32), b""), (bytes(range(32)), b"abc"), (b"\xff" * 32, b"abc"), (sha(b"salt"), b"header.payload")]:
    digest = sha(message)
    cases.append({"salt": salt.hex(), "message": message.hex(), "digest": digest.hex(), "commitment": commitment(salt, digest).hex()})
with open(f"{here}/commitment.json", "w") as f:
    json.dump({"definition": "SHA-256('vidimus/commitment/v1' || salt || digest), digest = SHA-256(message)", "cases": cases}, f, indent=1)
    f.write("\n")

# Entry n of every tree is the commitment of digest SHA-256(n as 8 bytes big-endian) under a salt of n's last byte, 32 times.
entries = [commitment(bytes([n & 255]) * 32, sha(n.to_bytes(8, "big"))) for n in range(1000)]
trees = []
for size in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100, 255, 257, 1000):
    proofs = [{"index": i, "path": [h.hex() for h in path(i, entries[:size])]} for i in sorted({0, 1, size // 2, size - 2, size - 1}) if 0 <= i < size]
    trees.append({"size": size, "root": root(entries[:size]).hex(), "proofs": proofs})
with open(f"{here}/merkle.json", "w") as f:
    json.dump({"entries": "entry n = commitment of SHA-256(n, 8 bytes big-endian) under a salt of 32 times the byte n mod 256", "trees": trees}, f, indent=1)
    f.write("\n")
