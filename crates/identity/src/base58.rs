//! Base58 with Bitcoin's alphabet, as `publicKeyBase58` and multibase's `z` use it.

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Quadratic in the length: for keys, not for payloads.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let mut digits: Vec<u8> = Vec::with_capacity(bytes.len() * 138 / 100 + 1);
    for &byte in &bytes[zeros..] {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let digits = digits
        .iter()
        .rev()
        .map(|&digit| char::from(ALPHABET[usize::from(digit)]));
    std::iter::repeat_n('1', zeros).chain(digits).collect()
}

/// The inverse of [`encode`]. `None` for a character outside the alphabet, or a text longer than any key's.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > 128 {
        return None;
    }
    let zeros = text.bytes().take_while(|&character| character == b'1').count();
    let mut bytes: Vec<u8> = Vec::new();
    for character in text.bytes().skip(zeros) {
        let mut carry = ALPHABET.iter().position(|&known| known == character)?;
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    Some(std::iter::repeat_n(0, zeros).chain(bytes.into_iter().rev()).collect())
}

/// Whether every character is of the alphabet, and there is one.
pub(crate) fn is_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_internet_draft_says() {
        // draft-msporny-base58-03 §5
        assert_eq!(encode(b"Hello World!"), "2NEpo7TZRRrLZSi2U");
        assert_eq!(
            encode(b"The quick brown fox jumps over the lazy dog."),
            "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"
        );
        assert_eq!(encode(&[0, 0, 0x28, 0x7f, 0xb4, 0xcd]), "11233QC4");
        assert_eq!(encode(&[]), "");
        for bytes in [
            &b"Hello World!"[..],
            &[0, 0, 0x28, 0x7f, 0xb4, 0xcd],
            &[0],
            &[],
            &[0xff; 65],
        ] {
            assert_eq!(decode(&encode(bytes)).as_deref(), Some(bytes));
        }
        for text in ["0", "O", "I", "l", "a b", "é", &"1".repeat(129)] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
