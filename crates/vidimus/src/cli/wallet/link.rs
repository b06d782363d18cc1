//! A link as it was given: itself, or as a QR code in a picture.

use crate::cli::{Exit, Failure};
use std::{io::Cursor, path::Path};

/// The largest picture that is read, in bytes.
const LARGEST: u64 = 16 << 20;
/// The most bytes that it takes unpacked.
const UNPACKED: usize = 64 << 20;

fn wrong(text: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, text)
}

/// The link, or what the QR code in the PNG file of that name says.
pub(super) fn of(text: &str) -> Result<String, Failure> {
    let path = Path::new(text);
    if text.contains("://") || !path.extension().is_some_and(|end| end.eq_ignore_ascii_case("png")) {
        return Ok(text.trim().to_owned());
    }
    let unreadable = |error| wrong(format!("{text} cannot be read: {error}"));
    if std::fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
        return Err(wrong(format!("{text} is larger than a picture of a code would be")));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    picture(&bytes).ok_or_else(|| {
        wrong(format!(
            "{text} is no picture (PNG) with one QR code in it that can be read"
        ))
    })
}

fn picture(bytes: &[u8]) -> Option<String> {
    let limits = png::Limits { bytes: UNPACKED };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let size = reader.output_buffer_size().filter(|size| *size <= UNPACKED)?;
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels).ok()?;
    let samples = info.color_type.samples();
    let (width, height) = (usize::try_from(info.width).ok()?, usize::try_from(info.height).ok()?);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        let pixel = &pixels[(y * width + x) * samples..][..samples];
        match pixel {
            // What is transparent is white paper.
            [.., 0] if samples == 2 || samples == 4 => 255,
            _ => pixel[0],
        }
    });
    let found = image.detect_grids();
    match found.as_slice() {
        [one] => one.decode().ok().map(|(_, text)| text),
        _ => None,
    }
}
