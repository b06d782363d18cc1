"""Makes signatures.json and formats.json, with implementations that are none of ours:
   python3 -m venv v && v/bin/pip install cryptography argon2-cffi && v/bin/python generate.py
Published values are written down below and only carried over; everything else is computed from fixed keys. RSA keys and PSS salts are random,
so a new run changes those cases; the expected outcomes stay."""
import hashlib, hmac, json, os, struct
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from argon2.low_level import Type, hash_secret_raw

here = os.path.dirname(os.path.abspath(__file__))


class Curve:
    def __init__(self, p, a, b, n, g):
        self.p, self.a, self.b, self.n, self.g = p, a, b, n, g

    def add(self, P, Q):
        if P is None: return Q
        if Q is None: return P
        if P[0] == Q[0] and (P[1] + Q[1]) % self.p == 0: return None
        if P == Q: m = (3 * P[0] * P[0] + self.a) * pow(2 * P[1], -1, self.p)
        else: m = (Q[1] - P[1]) * pow(Q[0] - P[0], -1, self.p)
        x = (m * m - P[0] - Q[0]) % self.p
        return x, (m * (P[0] - x) - P[1]) % self.p

    def mul(self, k, P=None):
        P, R = P or self.g, None
        while k:
            if k & 1: R = self.add(R, P)
            P, k = self.add(P, P), k >> 1
        return R

    def sign(self, d, message, k):
        """ECDSA with SHA-256; returns r, s (low), recovery id."""
        e = int.from_bytes(hashlib.sha256(message).digest(), "big")
        R = self.mul(k)
        r = R[0] % self.n
        s = pow(k, -1, self.n) * (e + r * d) % self.n
        v = R[1] & 1 | (2 if R[0] >= self.n else 0)
        if s > self.n // 2: s, v = self.n - s, v ^ 1
        return r, s, v


P256 = Curve(0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff, -3,
             0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b,
             0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551,
             (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296, 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5))
K256 = Curve(2**256 - 2**32 - 977, 0, 7, 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141,
             (0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798, 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8))

b32 = lambda n: n.to_bytes(32, "big")
point = lambda P: b"\x04" + b32(P[0]) + b32(P[1])
cases = []


def case(name, algorithm, kind, key, message, signature, expected, source=None):
    cases.append({"name": name, **({"source": source} if source else {}), "algorithm": algorithm,
                  "key": {"kind": kind, "bytes": key.hex()}, "message": message.hex(), "signature": signature.hex(), "expected": expected})


def ecdsa(curve, kind, algorithm, other_kind, other_algorithm):
    d = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    key, message, n, p = point(curve.mul(d)), b"sample", curve.n, curve.p
    r, s, _ = curve.sign(d, message, 0x1234567890abcdef1234567890abcdef1234567890abcdef)
    good = b32(r) + b32(s)
    c = lambda name, key, message, signature, expected: case(f"{algorithm}: {name}", algorithm, kind, key, message, signature, expected)
    c("valid", key, message, good, "valid")
    c("high s, which JOSE allows", key, message, b32(r) + b32(n - s), "valid")
    c("empty message", key, b"", b32((t := curve.sign(d, b"", 77))[0]) + b32(t[1]), "valid")
    c("another message", key, b"samplf", good, "invalid")
    c("r is 0", key, message, b32(0) + b32(s), "invalid")
    c("s is 0", key, message, b32(r) + b32(0), "invalid")
    c("r and s are 0", key, message, bytes(64), "invalid")
    c("r is the group order", key, message, b32(n) + b32(s), "invalid")
    c("s is the group order", key, message, b32(r) + b32(n), "invalid")
    if s + n < 2**256: c("s plus the group order", key, message, b32(r) + b32(s + n), "invalid")
    c("r and s exchanged", key, message, b32(s) + b32(r), "invalid")
    c("r is p - 1", key, message, b32(p - 1) + b32(s), "invalid")
    c("a bit of r flipped", key, message, bytes([good[0] ^ 1]) + good[1:], "invalid")
    c("a bit of s flipped", key, message, good[:-1] + bytes([good[-1] ^ 1]), "invalid")
    c("63 bytes", key, message, good[:63], "invalid")
    c("empty", key, message, b"", "invalid")
    c("65 bytes", key, message, good + b"\x00", "invalid")
    c("65 bytes, zero in front", key, message, b"\x00" + good, "invalid")
    integer = lambda x: b"\x02" + bytes([len(y := x.to_bytes((x.bit_length() + 8) // 8, "big"))]) + y
    body = integer(r) + integer(s)
    c("DER", key, message, b"\x30" + bytes([len(body)]) + body, "invalid")
    c("of another key", point(curve.mul(d + 1)), message, good, "invalid")
    c("of the negated key", point((curve.mul(d)[0], p - curve.mul(d)[1])), message, good, "invalid")
    x, y = curve.mul(d)
    c("key not on the curve", point((x, y ^ 1)), message, good, "key")
    c("key at x = y = 0", point((0, 0)), message, good, "key")
    c("key's x not below p", b"\x04" + b32(p) + b32(y), message, good, "key")
    c("key with the tag of a hybrid point", bytes([6 | y & 1]) + point((x, y))[1:], message, good, "key")
    c("key with the tag of a compressed point", bytes([2 | y & 1]) + point((x, y))[1:], message, good, "key")
    other = K256 if curve is P256 else P256
    c("point of the other curve", point(other.mul(d)), message, good, "key")
    case(f"{other_algorithm} with a key for {algorithm}", other_algorithm, kind, key, message, good, "key")
    for wrong in ("EdDSA", "PS256"):
        case(f"{wrong} with a key for {algorithm}", wrong, kind, key, message, good, "key")


ecdsa(P256, "p256", "ES256", "secp256k1", "ES256K")
ecdsa(K256, "secp256k1", "ES256K", "p256", "ES256")
case("ES256K-R with a key for ES256", "ES256K-R", "p256", point(P256.mul(5)), b"sample", bytes(65), "key")

# RFC 6979 A.2.5
rfc = bytes.fromhex("0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")
case("ES256: RFC 6979 sample", "ES256", "p256", rfc, b"sample", bytes.fromhex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"), "valid", "RFC 6979 A.2.5")
case("ES256: RFC 6979 test", "ES256", "p256", rfc, b"test", bytes.fromhex("F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083"), "valid", "RFC 6979 A.2.5")

# ES256K-R
d, message = 0x1f2e3d4c5b6a79880123456789abcdef1f2e3d4c5b6a79880123456789abcdef, b"recover me"
r, s, v = K256.sign(d, message, 0xabcdef)
key = point(K256.mul(d))
c = lambda name, signature, expected, key=key, message=message: case(f"ES256K-R: {name}", "ES256K-R", "secp256k1", key, message, signature, expected)
good = b32(r) + b32(s)
c("valid", good + bytes([v]), "valid")
c("valid, recovery id as Ethereum writes it", good + bytes([27 + v]), "valid")
c("high s with the id that fits", b32(r) + b32(K256.n - s) + bytes([v ^ 1]), "valid")
c("wrong recovery id", good + bytes([v ^ 1]), "invalid")
c("high s with the id of low s", b32(r) + b32(K256.n - s) + bytes([v]), "invalid")
c("recovery id of an r above the order", good + bytes([v | 2]), "invalid")
for bad in (4, 26, 31, 37, 255): c(f"recovery id {bad}", good + bytes([bad]), "invalid")
c("64 bytes", good, "invalid")
c("66 bytes", good + bytes([v, 0]), "invalid")
c("empty", b"", "invalid")
c("r is 0", b32(0) + b32(s) + bytes([v]), "invalid")
c("s is 0", b32(r) + b32(0) + bytes([v]), "invalid")
c("another message", good + bytes([v]), "invalid", message=b"recover her")
c("another key", good + bytes([v]), "invalid", key=point(K256.mul(d + 1)))
case("ES256K: 65 bytes with recovery id", "ES256K", "secp256k1", key, message, good + bytes([v]), "invalid")
case("ES256K: those 64 bytes", "ES256K", "secp256k1", key, message, good, "valid")

# RFC 8032 7.1
for n, (pk, m, sig) in enumerate([
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72", "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82", "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
], 1):
    pk, m, sig = map(bytes.fromhex, (pk, m, sig))
    case(f"EdDSA: RFC 8032 test {n}", "EdDSA", "ed25519", pk, m, sig, "valid", "RFC 8032 7.1")
L = 2**252 + 27742317777372353535851937790883648493
e = lambda name, key, message, signature, expected: case(f"EdDSA: {name}", "EdDSA", "ed25519", key, message, signature, expected)
e("another message", pk, b"\xaf\x83", sig, "invalid")
e("a bit of R flipped", pk, m, bytes([sig[0] ^ 1]) + sig[1:], "invalid")
e("S plus the group order", pk, m, sig[:32] + (int.from_bytes(sig[32:], "little") + L).to_bytes(32, "little"), "invalid")
e("63 bytes", pk, m, sig[:63], "invalid")
e("65 bytes", pk, m, sig + b"\0", "invalid")
e("empty", pk, m, b"", "invalid")
e("all zero", pk, m, bytes(64), "invalid")
e("of another key", bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), m, sig, "invalid")
for wrong in ("ES256", "ES256K", "ES256K-R", "PS256"):
    case(f"{wrong} with a key for EdDSA", wrong, "ed25519", pk, m, sig, "key")

# PS256
def pss(bits, salt, hash=hashes.SHA256(), mgf=hashes.SHA256()):
    key = rsa.generate_private_key(65537, bits)
    sig = key.sign(b"sample", padding.PSS(padding.MGF1(mgf), salt), hash)
    return key, key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1), sig
key, der, sig = pss(2048, 32)
R = lambda name, der, message, sig, expected: case(f"PS256: {name}", "PS256", "rsa", der, message, sig, expected)
R("valid", der, b"sample", sig, "valid")
R("another message", der, b"samplf", sig, "invalid")
R("a bit flipped", der, b"sample", sig[:-1] + bytes([sig[-1] ^ 1]), "invalid")
R("short of a byte", der, b"sample", sig[1:], "invalid")
R("empty", der, b"sample", b"", "invalid")
R("PKCS #1 v1.5", der, b"sample", key.sign(b"sample", padding.PKCS1v15(), hashes.SHA256()), "invalid")
R("salt of 0 bytes", der, b"sample", key.sign(b"sample", padding.PSS(padding.MGF1(hashes.SHA256()), 0), hashes.SHA256()), "invalid")
R("salt of 20 bytes", der, b"sample", key.sign(b"sample", padding.PSS(padding.MGF1(hashes.SHA256()), 20), hashes.SHA256()), "invalid")
R("salt of 33 bytes", der, b"sample", key.sign(b"sample", padding.PSS(padding.MGF1(hashes.SHA256()), 33), hashes.SHA256()), "invalid")
R("SHA-384", der, b"sample", key.sign(b"sample", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA384()), "invalid")
R("mask by SHA-1", der, b"sample", key.sign(b"sample", padding.PSS(padding.MGF1(hashes.SHA1()), 32), hashes.SHA256()), "invalid")
_, der3, sig3 = pss(3072, 32)
R("valid, 3072 bits", der3, b"sample", sig3, "valid")
R("of another key", der3, b"sample", sig, "invalid")
_, der1, sig1 = pss(1024, 32)
R("key of 1024 bits", der1, b"sample", sig1, "key")
R("key cut", der[:-1], b"sample", sig, "key")
R("key with a byte behind", der + b"\0", b"sample", sig, "key")
R("no key", b"", b"sample", sig, "key")
for wrong in ("ES256", "ES256K", "EdDSA"):
    case(f"{wrong} with a key for PS256", wrong, "rsa", der, b"sample", sig, "key")

with open(f"{here}/signatures.json", "w") as f:
    json.dump({"about": "expected: valid, invalid (SignatureError::Invalid) or key (SignatureError::Key)", "cases": cases}, f, indent=1)
    f.write("\n")

# Formats of ours, computed independently of our code, so that what was written yesterday is read tomorrow.
def transcript(domain, *fields):
    out = domain.encode() + b"\0"
    for field in fields:
        if isinstance(field, int): field = struct.pack(">Q", field)
        if isinstance(field, str): field = field.encode()
        out += struct.pack(">Q", len(field)) + field
    return out

def hkdf(secret, info):
    prk = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()

root = bytes(range(32))
derive = lambda label, version: hkdf(root, transcript("vidimus/root-key/derive/v1", label, version))
root_id = derive("id", 0)[:4].hex()
nonce, place = bytes(range(12)), transcript("vidimus/test/v1", "participants", "row", "signing_key")
kek_id = f"participant-keys.{root_id}"
wrap_aad = transcript("vidimus/wrap/v1", kek_id, 3, place)
ciphertext = AESGCM(derive("wrap/participant-keys", 3)).encrypt(nonce, b"a secret", wrap_aad)
data = bytes(range(32, 64))
row = b"\x01" + nonce + AESGCM(data).encrypt(nonce, b"a row", transcript("vidimus/row/v1", place))
salt, memory, passes, lanes = bytes(range(16)), 64, 2, 2
out = hash_secret_raw(b"correct horse", salt, passes, memory, lanes, 64, Type.ID, 19)
header = b"VIDIMUS\0\x01" + struct.pack(">III", memory, passes, lanes) + salt + out[32:48]
body = header + nonce + AESGCM(out[:32]).encrypt(nonce, b"a wallet", header)
formats = {
    "place": {"domain": "vidimus/test/v1", "fields": ["participants", "row", "signing_key"]},
    "root": root.hex(), "rootId": root_id, "checkValue": derive("check-value", 0).hex(),
    "rootFile": f"vidimus root key, version 1\n# a comment\nkey: {root.hex()}\nchecksum: {hashlib.sha256(b'vidimus/root-key/checksum/v1' + root).hexdigest()[:16]}\n",
    "blindIndex": hmac.new(derive("index/blind-index", 1), place, hashlib.sha256).hexdigest(),
    "wrapped": {"secret": b"a secret".hex(), "bytes": (b"\x01" + bytes([len(kek_id)]) + kek_id.encode() + struct.pack(">I", 3) + nonce + ciphertext).hex()},
    "row": {"key": data.hex(), "plaintext": b"a row".hex(), "bytes": row.hex()},
    "passwordFile": {"password": "correct horse", "content": b"a wallet".hex(), "bytes": (body + hashlib.sha256(body).digest()[:8]).hex()},
}
with open(f"{here}/formats.json", "w") as f:
    json.dump(formats, f, indent=1)
    f.write("\n")
print(len(cases), "signature cases,", sum(c["expected"] == "valid" for c in cases), "valid")
