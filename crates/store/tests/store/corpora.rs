//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#[path = "../../../../fuzz/src/store.rs"]
mod fuzz;
#[path = "../../../../fuzz/src/run.rs"]
mod run;

use vidimus_crypto::Native;
use vidimus_store::blobs::ContentId;

#[test]
fn the_corpus_of_content_ids_is_what_makes_it() {
    let provider = Native::new();
    let id = |bytes: &[u8]| ContentId::of(&provider, bytes).to_string();
    let one = id(b"one");
    let reads = |data: &[u8]| std::str::from_utf8(data).is_ok_and(|text| text.parse::<ContentId>().is_ok());
    run::seeds(
        "content_id",
        reads,
        &[("one", one.clone().into()), ("empty-blob", id(b"").into())],
        &[
            ("upper-case", one.to_uppercase().into()),
            ("cut", one[..one.len() - 1].into()),
            ("longer", format!("{one}a").into()),
            ("path", format!("../{one}").into()),
            // CIDv0, another codec (dag-pb), another base (58), of the same kind of hash.
            ("version-0", "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".into()),
            (
                "dag-pb",
                "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".into(),
            ),
            ("base-58", "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA".into()),
            ("nothing", Vec::new()),
        ],
    );
}
