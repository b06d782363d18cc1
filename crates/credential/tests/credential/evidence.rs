//! The evidence of paper: its one spelling, its size, and that what is printed scans back.

use crate::check::world::{LABS, PROVIDER, hcert_content, hcert_of, receipt, statement};
use vidimus_core::{
    Address, Commitment, Digest, Receipt, Salt, Timestamp, merkle::Tree, receipt::Anchor, receipt::BlockHash,
};
use vidimus_credential::{
    check::{Evidence, Input},
    format::{
        FormatError, evidence,
        qr::{Correction, QrCode},
    },
};

/// The evidence of the last of `size` commitments, its numbers as long as they get in use.
fn of_batch(size: u32) -> Evidence {
    let salt = Salt::from_bytes([0x5a; 32]);
    let own = Commitment::derive(&*PROVIDER, &salt, &Digest([7; 32]));
    let mut entries: Vec<_> = (1..size)
        .map(|n| Commitment::from_bytes(PROVIDER.sha256_of(n)))
        .collect();
    entries.insert(0, own);
    let tree = Tree::build(&*PROVIDER, &entries);
    Evidence {
        salt,
        receipt: Receipt {
            version: 1,
            proof: tree.prove(0).unwrap(),
            anchor: Anchor {
                chain_id: u64::from(u32::MAX),
                contract: Address([0xac; 20]),
                root: tree.root(),
                transaction: BlockHash([0xfe; 32]),
                block_number: u64::from(u32::MAX) + 1,
                block_hash: BlockHash([0xb1; 32]),
                time: Timestamp(1_772_452_800),
            },
        },
    }
}

trait Numbered {
    fn sha256_of(&self, n: u32) -> [u8; 32];
}

impl<P: vidimus_core::Provider> Numbered for P {
    fn sha256_of(&self, n: u32) -> [u8; 32] {
        self.sha256(&[&n.to_be_bytes()]).0
    }
}

/// What a camera reads of a PNG as we draw it.
fn scan(png: &[u8]) -> Option<String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let (width, height) = (info.width as usize, info.height as usize);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * info.line_size + x]);
    let grids = image.detect_grids();
    grids.first()?.decode().ok().map(|(_, text)| text)
}

#[test]
fn evidence_has_one_text_and_reads_back() {
    for size in [1, 2, 3, 5, 1_000] {
        let evidence = of_batch(size);
        let text = evidence.to_text();
        assert!(text.starts_with(evidence::PREFIX));
        assert_eq!(Evidence::parse(&text).as_ref(), Ok(&evidence), "{size}");
        for at in 0..text.len() {
            assert!(Evidence::parse(&text[..at]).is_err(), "cut at {at}");
        }
    }
    let text = of_batch(5).to_text();
    assert_eq!(
        Evidence::parse(&text.replace("VE1:", "HC1:")),
        Err(FormatError::Unknown)
    );
    let long = format!("{text}{}", "0".repeat(evidence::MAX_EVIDENCE));
    assert_eq!(Evidence::parse(&long), Err(FormatError::TooLarge));
}

#[test]
fn a_changed_text_is_refused_or_other_evidence() {
    let text = of_batch(5).to_text();
    for at in evidence::PREFIX.len()..text.len() {
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        if let Ok(read) = Evidence::parse(&changed) {
            assert_eq!(read.to_text(), changed, "one spelling");
            assert_ne!(read, of_batch(5), "at {at}");
        }
    }
}

#[test]
fn evidence_of_the_largest_batch_fits_a_code_that_scans() {
    let text = of_batch(1 << 17).to_text();
    let code = QrCode::new(&text).unwrap();
    println!(
        "evidence of a batch of 2^17: {} characters, version {} level {:?}",
        text.len(),
        code.version(),
        code.correction()
    );
    assert!(code.version() <= 20);
    assert_eq!(scan(&code.to_png(8)), Some(text));
    let usual = QrCode::new(&of_batch(1_000).to_text()).unwrap();
    assert_ne!(usual.correction(), Correction::L, "{usual:?}");
}

#[test]
fn what_is_printed_scans_back_at_every_size() {
    let lab = &LABS.lab;
    let copy = hcert_of(&hcert_content(&statement(lab)), lab.kid(2), &lab.keys[1].0);
    let (envelope, _) = receipt(&copy, Timestamp(1_772_452_800));
    let evidence = Evidence {
        salt: envelope.salt.unwrap(),
        receipt: envelope.receipt.unwrap(),
    };
    let deep = of_batch(1 << 12).to_text();
    for (name, text, code) in [
        ("certificate", copy.clone(), QrCode::new(&copy).unwrap()),
        (
            "evidence",
            evidence.to_text(),
            QrCode::new(&evidence.to_text()).unwrap(),
        ),
        ("evidence of 4096", deep.clone(), QrCode::new(&deep).unwrap()),
    ] {
        for module in [2, 3, 4, 8, 12] {
            assert_eq!(
                scan(&code.to_png(module)).as_ref(),
                Some(&text),
                "{name} at {module} pixels a module"
            );
        }
    }
    // As a gate takes them in: one scan after the other.
    let scanned = format!("{copy}\n{}", evidence.to_text());
    let input = Input::parse(scanned.as_bytes()).unwrap();
    assert_eq!(input.anchor(), Some(&evidence.receipt.anchor));
}
