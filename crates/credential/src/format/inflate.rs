//! Compression with a bound: what inflates to more than the caller allows is given up on as soon as it does.

use flate2::{Compression, bufread, write};
use std::io::{Read, Write};

/// The container of a deflate stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// RFC 1950.
    Zlib,
    /// RFC 1952, one member.
    Gzip,
    /// RFC 1951, bare: no checksum, so only for what is authenticated otherwise.
    Raw,
}

/// Why bytes do not inflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InflateError {
    /// To more than allowed.
    TooLarge,
    /// Not one complete stream with the right checksum and nothing after it.
    Corrupt,
}

/// Inflates one complete stream into at most `max` bytes. Memory stays within `max` and a constant.
pub(crate) fn inflate(bytes: &[u8], encoding: Encoding, max: usize) -> Result<Vec<u8>, InflateError> {
    fn read(reader: impl Read, max: usize) -> Result<Vec<u8>, InflateError> {
        let mut out = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        reader
            .take(limit)
            .read_to_end(&mut out)
            .map_err(|_| InflateError::Corrupt)?;
        if out.len() > max {
            Err(InflateError::TooLarge)
        } else {
            Ok(out)
        }
    }
    let (out, rest) = match encoding {
        Encoding::Zlib => {
            let mut reader = bufread::ZlibDecoder::new(bytes);
            (read(&mut reader, max)?, reader.into_inner())
        }
        Encoding::Gzip => {
            let mut reader = bufread::GzDecoder::new(bytes);
            (read(&mut reader, max)?, reader.into_inner())
        }
        Encoding::Raw => {
            let mut reader = bufread::DeflateDecoder::new(bytes);
            (read(&mut reader, max)?, reader.into_inner())
        }
    };
    // Bytes after the end would be outside every checksum.
    if rest.is_empty() {
        Ok(out)
    } else {
        Err(InflateError::Corrupt)
    }
}

/// Deflates at the best level. The same bytes always give the same stream (gzip's time field is zero).
pub(crate) fn deflate(bytes: &[u8], encoding: Encoding) -> Vec<u8> {
    const INTO_MEMORY: &str = "a vector takes every write";
    match encoding {
        Encoding::Zlib => {
            let mut writer = write::ZlibEncoder::new(Vec::new(), Compression::best());
            writer.write_all(bytes).expect(INTO_MEMORY);
            writer.finish().expect(INTO_MEMORY)
        }
        Encoding::Gzip => {
            let mut writer = write::GzEncoder::new(Vec::new(), Compression::best());
            writer.write_all(bytes).expect(INTO_MEMORY);
            writer.finish().expect(INTO_MEMORY)
        }
        Encoding::Raw => {
            let mut writer = write::DeflateEncoder::new(Vec::new(), Compression::best());
            writer.write_all(bytes).expect(INTO_MEMORY);
            writer.finish().expect(INTO_MEMORY)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_deflated_and_refuses_every_changed_byte() {
        let text = b"the quick brown fox jumps over the lazy dog, the quick brown fox again".repeat(3);
        for encoding in [Encoding::Zlib, Encoding::Gzip] {
            let stream = deflate(&text, encoding);
            assert_eq!(inflate(&stream, encoding, text.len()), Ok(text.clone()));
            assert_eq!(inflate(&stream, encoding, text.len() - 1), Err(InflateError::TooLarge));
            for end in 0..stream.len() {
                assert_eq!(
                    inflate(&stream[..end], encoding, 1 << 16),
                    Err(InflateError::Corrupt),
                    "cut at {end}"
                );
            }
            let mut longer = stream.clone();
            longer.push(0);
            assert_eq!(inflate(&longer, encoding, 1 << 16), Err(InflateError::Corrupt));
            // A changed stream is refused, or means the same text: a repetition can be said in two ways, the last byte has spare bits, and
            // gzip's header (time, system) is under no checksum. It never means another text.
            let (mut refused, mut same) = (0, 0);
            for at in 0..stream.len() {
                for bit in 0..8 {
                    let mut changed = stream.clone();
                    changed[at] ^= 1 << bit;
                    match inflate(&changed, encoding, 1 << 16) {
                        Err(_) => refused += 1,
                        Ok(read) => {
                            assert_eq!(read, text, "{encoding:?} byte {at} bit {bit}");
                            same += 1;
                        }
                    }
                }
            }
            assert!(refused > 10 * same, "{encoding:?} {refused} {same}");
        }
    }

    #[test]
    fn a_bare_stream_is_complete_and_ends_where_the_bytes_end() {
        let text = b"the quick brown fox jumps over the lazy dog, the quick brown fox again".repeat(3);
        let stream = deflate(&text, Encoding::Raw);
        assert_eq!(inflate(&stream, Encoding::Raw, text.len()), Ok(text.clone()));
        assert_eq!(
            inflate(&stream, Encoding::Raw, text.len() - 1),
            Err(InflateError::TooLarge)
        );
        for end in 0..stream.len() {
            assert_eq!(
                inflate(&stream[..end], Encoding::Raw, 1 << 16),
                Err(InflateError::Corrupt),
                "cut at {end}"
            );
        }
        let longer = [&stream[..], &[0]].concat();
        assert_eq!(inflate(&longer, Encoding::Raw, 1 << 16), Err(InflateError::Corrupt));
    }

    #[test]
    fn a_bomb_is_given_up_on() {
        for encoding in [Encoding::Zlib, Encoding::Gzip, Encoding::Raw] {
            let bomb = deflate(&vec![0; 32 << 20], encoding);
            assert!(bomb.len() < 64 << 10);
            assert_eq!(inflate(&bomb, encoding, 64 << 10), Err(InflateError::TooLarge));
        }
    }
}
