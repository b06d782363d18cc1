"""Makes blobs.json: content ids (CIDv1, raw, sha2-256, base32) and what is found under them. Python 3, nothing else."""
import base64, hashlib, json, os

ONE, OTHER = b"hello world", bytes(range(64))


def text(raw):
    return "b" + base64.b32encode(raw).decode().lower().rstrip("=")


def identify(content, codec=0x55):
    return text(bytes([1, codec, 0x12, 32]) + hashlib.sha256(content).digest())


def flipped(content, at, bit):
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1:]


one, other = identify(ONE), identify(OTHER)
cases = []


def case(name, expected, id, content):
    cases.append({"name": name, "id": id, "content": content.hex(), "expected": expected})


case("one", "blob", one, ONE)
case("other", "blob", other, OTHER)
case("empty", "blob", identify(b""), b"")
case("first bit flipped", "damaged", one, flipped(ONE, 0, 0))
case("bit in the middle flipped", "damaged", other, flipped(OTHER, 32, 4))
case("last bit flipped", "damaged", other, flipped(OTHER, 63, 7))
case("cut by a byte", "damaged", one, ONE[:-1])
case("cut in half", "damaged", other, OTHER[:32])
case("cut to nothing", "damaged", one, b"")
case("longer by a byte", "damaged", one, ONE + b"\0")
case("another blob under the id", "damaged", one, OTHER)
case("something under the id of nothing", "damaged", identify(b""), b"\0")
case("id of another codec, dag-pb", "id", identify(ONE, 0x70), ONE)
case("id of another hash, sha2-512/256", "id", text(bytes([1, 0x55, 0x95, 0x20, 32]) + hashlib.sha256(ONE).digest()), ONE)
case("id with the hash cut", "id", text(bytes([1, 0x55, 0x12, 31]) + hashlib.sha256(ONE).digest()[:31]), ONE)
case("id with a length that lies", "id", text(bytes([1, 0x55, 0x12, 33]) + hashlib.sha256(ONE).digest()), ONE)
case("id of version 2", "id", text(bytes([2, 0x55, 0x12, 32]) + hashlib.sha256(ONE).digest()), ONE)
case("id in upper case", "id", one.upper(), ONE)
case("id in base 16", "id", "f" + (bytes([1, 0x55, 0x12, 32]) + hashlib.sha256(ONE).digest()).hex(), ONE)
case("id cut", "id", one[:-1], ONE)
case("id with a character more", "id", one + "a", ONE)
case("id that leads out of the directory", "id", "../" + one, ONE)
case("no id", "id", "", ONE)

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "blobs.json"), "w", encoding="utf-8") as file:
    json.dump({"cases": cases}, file, indent=1, ensure_ascii=False)
    file.write("\n")
