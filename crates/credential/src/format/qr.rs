//! QR codes (ISO/IEC 18004) of health certificates and of their evidence: alphanumeric mode, error correction Q where it fits (Electronic Health
//! Certificate Specification §4.2), else M, and L for what is longest; and of links, which are scanned from screens: byte mode, error correction M.

use qrcode::{Color, EcLevel, Version, bits::Bits, render::svg};

/// The densest version that is made: what is denser does not scan from a phone's screen.
pub const MAX_VERSION: u8 = 20;
/// Characters of the longest text that has a code.
pub const MAX_CHARACTERS: usize = Correction::L.most();

/// Modules of white around a code (ISO/IEC 18004 §5.3.8).
const QUIET_ZONE: usize = 4;

/// Why there is no QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// The text has characters outside the alphanumeric set (0–9, A–Z, space, `$%*+-./:`), or none at all.
    #[error("the text is empty or has characters that a QR code's alphanumeric mode does not have")]
    Alphabet,
    /// Too long for version 20 at the lowest level.
    #[error("{characters} characters do not fit a QR code of version {MAX_VERSION}, which holds {most}")]
    TooLong {
        /// Characters there are.
        characters: usize,
        /// Characters that would fit.
        most: usize,
    },
}

/// Error correction levels that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// About 7 %.
    L,
    /// About 15 % of the code may be damaged.
    M,
    /// About 25 %.
    Q,
}

impl Correction {
    const fn level(self) -> EcLevel {
        match self {
            Self::L => EcLevel::L,
            Self::M => EcLevel::M,
            Self::Q => EcLevel::Q,
        }
    }
    /// Characters of the alphanumeric set that [`MAX_VERSION`] holds (ISO/IEC 18004 table 7).
    const fn most(self) -> usize {
        match self {
            Self::L => 1_249,
            Self::M => 970,
            Self::Q => 702,
        }
    }
}

/// A QR code.
#[derive(Clone)]
pub struct QrCode {
    code: qrcode::QrCode,
    version: u8,
    correction: Correction,
}

impl std::fmt::Debug for QrCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QrCode(version {}, {:?})", self.version, self.correction)
    }
}

impl QrCode {
    /// The code of an `HC1:` or `VE1:` text (any text of the alphanumeric set), in the smallest version at the best level that fits.
    pub fn new(text: &str) -> Result<Self, QrError> {
        let alphanumeric = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase() || b" $%*+-./:".contains(&b);
        if text.is_empty() || !text.bytes().all(alphanumeric) {
            return Err(QrError::Alphabet);
        }
        for correction in [Correction::Q, Correction::M, Correction::L] {
            if text.len() > correction.most() {
                continue;
            }
            for version in 1..=MAX_VERSION {
                if let Some(code) = encode(text, version, correction) {
                    return Ok(Self {
                        code,
                        version,
                        correction,
                    });
                }
            }
        }
        Err(QrError::TooLong {
            characters: text.len(),
            most: MAX_CHARACTERS,
        })
    }
    /// The code of a link (any text of visible ASCII): byte mode, level M where it fits, else L.
    pub fn of_link(text: &str) -> Result<Self, QrError> {
        /// Bytes that version 20 holds at level L (ISO/IEC 18004 table 7).
        const MOST: usize = 858;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(QrError::Alphabet);
        }
        for correction in [Correction::M, Correction::L] {
            for version in 1..=MAX_VERSION {
                let mut bits = Bits::new(Version::Normal(version.into()));
                let fits =
                    bits.push_byte_data(text.as_bytes()).is_ok() && bits.push_terminator(correction.level()).is_ok();
                if fits && let Ok(code) = qrcode::QrCode::with_bits(bits, correction.level()) {
                    return Ok(Self {
                        code,
                        version,
                        correction,
                    });
                }
            }
        }
        Err(QrError::TooLong {
            characters: text.len(),
            most: MOST,
        })
    }
    /// 1 to 20.
    pub fn version(&self) -> u8 {
        self.version
    }
    /// The error correction level that was chosen.
    pub fn correction(&self) -> Correction {
        self.correction
    }
    /// As an SVG document, scalable, with the quiet zone of four modules.
    pub fn to_svg(&self) -> String {
        self.code
            .render::<svg::Color<'_>>()
            .module_dimensions(4, 4)
            .quiet_zone(true)
            .build()
    }
    /// As a PNG, one bit a pixel, `module` pixels (held to 1 to 32) a module, with the quiet zone.
    pub fn to_png(&self, module: u8) -> Vec<u8> {
        const INTO_MEMORY: &str = "a vector takes every write, and the size was computed for it";
        let module = usize::from(module.clamp(1, 32));
        let width = self.code.width();
        let side = (width + 2 * QUIET_ZONE) * module;
        let row_bytes = side.div_ceil(8);
        let colors = self.code.to_colors();
        let mut pixels = vec![0xff_u8; row_bytes * side];
        for (index, _) in colors.iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
            let (left, top) = (
                (index % width + QUIET_ZONE) * module,
                (index / width + QUIET_ZONE) * module,
            );
            for y in top..top + module {
                for x in left..left + module {
                    pixels[y * row_bytes + x / 8] &= !(0x80 >> (x % 8));
                }
            }
        }
        let mut out = Vec::new();
        let side = u32::try_from(side).expect(INTO_MEMORY);
        let mut encoder = png::Encoder::new(&mut out, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header().expect(INTO_MEMORY);
        writer.write_image_data(&pixels).expect(INTO_MEMORY);
        writer.finish().expect(INTO_MEMORY);
        out
    }
}

fn encode(text: &str, version: u8, correction: Correction) -> Option<qrcode::QrCode> {
    let mut bits = Bits::new(Version::Normal(i16::from(version)));
    bits.push_alphanumeric_data(text.as_bytes()).ok()?;
    bits.push_terminator(correction.level()).ok()?;
    qrcode::QrCode::with_bits(bits, correction.level()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_a_code_up_to_its_longest() {
        for (length, correction, version) in [
            (1, Correction::M, 1),
            (666, Correction::M, 20),
            (667, Correction::L, 18),
            (858, Correction::L, 20),
        ] {
            let code = QrCode::of_link(&"a".repeat(length)).unwrap();
            assert_eq!((code.correction(), code.version()), (correction, version), "{length}");
        }
        let refused = QrCode::of_link(&"a".repeat(859)).unwrap_err();
        assert_eq!(
            refused,
            QrError::TooLong {
                characters: 859,
                most: 858
            }
        );
        for text in ["", "a b", "a\n", "ä"] {
            assert_eq!(QrCode::of_link(text).unwrap_err(), QrError::Alphabet, "{text}");
        }
    }

    #[test]
    fn the_longest_texts_fit_and_one_more_character_does_not() {
        for (length, correction, version) in [
            (1, Correction::Q, 1),
            (702, Correction::Q, 20),
            (703, Correction::M, 17),
            (970, Correction::M, 20),
            (971, Correction::L, 18),
            (1_249, Correction::L, 20),
        ] {
            let code = QrCode::new(&"A".repeat(length)).unwrap();
            assert_eq!((code.correction(), code.version()), (correction, version), "{length}");
        }
        let refused = QrCode::new(&"A".repeat(1_250)).unwrap_err();
        assert_eq!(
            refused,
            QrError::TooLong {
                characters: 1_250,
                most: 1_249
            }
        );
        assert!(refused.to_string().contains("1250 characters"));
    }

    #[test]
    fn a_character_outside_the_set_is_refused() {
        for text in ["", "hc1:", "HC1:a", "HC1:Ä", "HC1:_", "\n"] {
            assert_eq!(QrCode::new(text).unwrap_err(), QrError::Alphabet, "{text:?}");
        }
    }

    #[test]
    fn the_png_shows_the_same_modules_as_the_code() {
        let code = QrCode::new("HC1:6BF-1234").unwrap();
        let module = 3;
        let mut reader = png::Decoder::new(std::io::Cursor::new(code.to_png(module)))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let width = code.code.width();
        assert_eq!(info.width as usize, (width + 8) * 3);
        let dark = |x: usize, y: usize| pixels[y * info.line_size + x / 8] & (0x80 >> (x % 8)) == 0;
        for y in 0..width {
            for x in 0..width {
                let expected = code.code.to_colors()[y * width + x] == Color::Dark;
                assert_eq!(dark((x + 4) * 3 + 1, (y + 4) * 3 + 2), expected);
            }
        }
        assert!(
            (0..info.width as usize).all(|at| !dark(at, 11) && !dark(11, at)),
            "the quiet zone is white"
        );
        assert!(code.to_svg().starts_with("<?xml") && code.to_svg().ends_with("</svg>"));
    }
}
