//! Runs the committed corpora through entries without libFuzzer. Included by the tests of the crates under `crates/`, beside the entries of
//! the crate as `fuzz`.

use std::{fs, path::PathBuf};

/// An entry's name and the entry.
type Entry = (&'static str, fn(&[u8]));

/// Changes tried for each file of a corpus.
const CHANGES: u64 = 25;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name)
}

#[test]
fn every_corpus_runs_through_its_target() {
    let entries = super::fuzz::ENTRIES;
    let runs = corpora(entries);
    println!("corpora: {runs} runs through {} parsers", entries.len());
}

/// Each file of each entry's corpus as it is, and changed in the ways a fuzzer begins with; always the same ones. Returns the number of runs.
fn corpora(entries: &[Entry]) -> usize {
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    let mut runs = 0;
    for (name, entry) in entries {
        // Those of the service run here alone (README.md).
        if !name.starts_with("service_") {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not built");
            assert!(
                folder("fuzz_targets").join(format!("{name}.rs")).exists(),
                "{name} has no target"
            );
        }
        let corpus = fs::read_dir(folder("corpus").join(name)).unwrap_or_else(|_| panic!("{name} has no corpus"));
        let mut files: Vec<_> = corpus.map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 2, "the corpus of {name} has {} files", files.len());
        for (number, file) in files.iter().enumerate() {
            let data = fs::read(file).unwrap();
            entry(&data);
            let mut random = SplitMix(number as u64);
            for _ in 0..CHANGES {
                entry(&random.change(&data));
            }
            runs += 1 + CHANGES as usize;
        }
    }
    runs
}

/// Holds the files `NAME` and `refused-NAME` of a corpus to what makes them, and that the first are read and the second are not. With
/// `VIDIMUS_WRITE_CORPUS` set it writes them.
#[allow(dead_code, reason = "not every crate that runs corpora makes one")]
pub fn seeds(corpus: &str, reads: fn(&[u8]) -> bool, read: &[(&str, Vec<u8>)], refused: &[(&str, Vec<u8>)]) {
    let folder = folder("corpus").join(corpus);
    let named = |name: &str, (file, data): &(&str, Vec<u8>)| (format!("{name}{file}"), data.clone());
    let read = read.iter().map(|seed| (named("", seed), true));
    let refused = refused.iter().map(|seed| (named("refused-", seed), false));
    for ((file, data), is_read) in read.chain(refused) {
        assert_eq!(reads(&data), is_read, "{corpus}/{file}");
        let path = folder.join(&file);
        if std::env::var_os("VIDIMUS_WRITE_CORPUS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &data).unwrap();
        }
        let kept = fs::read(&path).unwrap_or_else(|_| panic!("{corpus}/{file} is missing: set VIDIMUS_WRITE_CORPUS"));
        assert!(
            kept == data,
            "{corpus}/{file} is not what makes it: set VIDIMUS_WRITE_CORPUS"
        );
    }
}

struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below.max(1) as u64).expect("below a usize")
    }

    /// A bit flipped, a byte replaced, a piece cut out, doubled or moved.
    fn change(&mut self, data: &[u8]) -> Vec<u8> {
        let mut data = data.to_vec();
        for _ in 0..=self.next(3) {
            let (a, b) = (self.next(data.len()), self.next(data.len()));
            let (from, to) = (a.min(b), a.max(b));
            if data.is_empty() {
                continue;
            }
            match self.next(6) {
                0 => data[a] ^= 1 << self.next(8),
                1 => data[a] = self.next(256) as u8,
                2 => drop(data.drain(from..to)),
                3 => {
                    let piece = data[from..to.min(from + 64)].to_vec();
                    data.splice(b..b, piece);
                }
                4 => data.truncate(a),
                _ => data.swap(a, b),
            }
        }
        data
    }
}
