//! Unique certificate identifiers: `URN:UVCI:01:CC:…#X` (eHealth Network, Guidelines on proof of vaccination, Annex 2, option 3: an opaque
//! unique string), with the Luhn mod 38 check character.

use vidimus_core::id::CopyId;

const ALPHABET: &[u8; 38] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:";
const PREFIX: &str = "URN:UVCI:";

/// The identifier of a copy, issued in `country` (ISO 3166-1 alpha-2). 51 characters: the schema allows 80.
pub fn of(copy: CopyId, country: &str) -> String {
    let mut text = format!("{PREFIX}01:{}:", country.to_ascii_uppercase());
    for byte in copy.as_bytes() {
        text.push_str(&format!("{byte:02X}"));
    }
    match check_character(&text) {
        Some(check) => format!("{text}#{check}"),
        None => text,
    }
}

/// The copy that [`of`] made this identifier from. Nothing for identifiers of other issuers, or with a wrong check character.
pub fn copy(uvci: &str) -> Option<CopyId> {
    let (body, check) = uvci.split_once('#')?;
    let mut last = check.chars();
    if last.next() != check_character(body) || last.next().is_some() {
        return None;
    }
    let (_country, opaque) = body.strip_prefix(PREFIX)?.strip_prefix("01:")?.split_once(':')?;
    let raw = opaque.as_bytes();
    if raw.len() != 32 || raw.iter().any(|b| !matches!(b, b'0'..=b'9' | b'A'..=b'F')) {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(raw.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(CopyId::from_bytes(bytes))
}

/// The check character over everything before `#`, upper-cased. Nothing where a character is not of the alphabet.
pub fn check_character(text: &str) -> Option<char> {
    let n = ALPHABET.len();
    let mut sum = 0;
    for (i, byte) in text.bytes().rev().enumerate() {
        let point = ALPHABET.iter().position(|&b| b == byte.to_ascii_uppercase())?;
        let addend = if i % 2 == 0 { 2 * point } else { point };
        sum += addend / n + addend % n;
    }
    Some(char::from(ALPHABET[(n - sum % n) % n]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_identifiers_have_these_check_characters() {
        for uvci in [
            "URN:UVCI:01:AT:10807843F94AEE0EE5093FBC254BD813#B",
            "URN:UVCI:01:AT:858CC18CFCF5965EF82F60E493349AA5#K",
            "URN:UVCI:01:DK:1B9B48CA1F4351F4A4C023D3815A74A9#I",
            "URN:UVCI:01:FR:GGD81AAH16AZ#8",
            "URN:UVCI:01:NL:DADFCC47C7334E45A906DB12FD859FB7#1",
        ] {
            let (body, check) = uvci.split_once('#').unwrap();
            assert_eq!(
                check_character(body).map(String::from).as_deref(),
                Some(check),
                "{uvci}"
            );
        }
        assert_eq!(check_character("URN:UVCI:01:NL:é"), None);
    }

    #[test]
    fn a_copy_reads_back_from_its_identifier_and_a_changed_one_does_not() {
        let id: CopyId = "10807843-f94a-4e0e-a509-3fbc254bd813".parse().unwrap();
        let text = of(id, "at");
        assert_eq!(copy(&text), Some(id), "{text}");
        assert_eq!(text.len(), 49);
        for i in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[i] = if other[i] == b'7' { b'8' } else { b'7' };
            assert_ne!(copy(&String::from_utf8(other).unwrap()), Some(id), "changed at {i}");
        }
    }
}
