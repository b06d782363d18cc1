//! Blobs: named by what they are, so that damage is noticed and no name leads elsewhere.

use crate::setting::provider;
use std::path::{Path, PathBuf};
use vidimus_store::blobs::{Blobs, ContentId, Error, LARGEST};

fn blobs(directory: &Path) -> Blobs {
    Blobs::local(directory, provider()).unwrap()
}

fn file_of(directory: &Path, id: ContentId) -> PathBuf {
    let name = id.to_string();
    directory.join("blobs").join(&name[name.len() - 2..]).join(name)
}

#[tokio::test]
async fn ids_are_those_of_every_ipfs_implementation() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = blobs(directory.path());
    // What IPFS tools print for these with CIDv1 and raw leaves.
    for (content, id) in [
        (&b""[..], "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
        (
            b"hello world",
            "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
        ),
    ] {
        assert_eq!(blobs.put(content).await.unwrap().to_string(), id);
        assert_eq!(blobs.get(id.parse().unwrap()).await.unwrap().unwrap(), content);
    }
}

#[tokio::test]
async fn the_vectors_come_out_as_they_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/blobs.json");
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for case in vectors["cases"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap();
        let content = vidimus_core::encoding::from_hex(text("content")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let blobs = blobs(directory.path());
        let outcome = match text("id").parse::<ContentId>() {
            Err(_) => "id",
            Ok(id) => {
                let file = file_of(directory.path(), id);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(&file, &content).unwrap();
                match blobs.get(id).await {
                    Ok(found) => {
                        assert_eq!(found.as_deref(), Some(&content[..]), "{}", text("name"));
                        "blob"
                    }
                    Err(Error::Damaged(of)) if of == id => "damaged",
                    Err(error) => panic!("{}: {error}", text("name")),
                }
            }
        };
        assert_eq!(outcome, text("expected"), "{}", text("name"));
        *if outcome == "blob" { &mut taken } else { &mut refused } += 1;
    }
    assert!(taken >= 3 && refused > taken, "more rejects than accepts");
}

#[tokio::test]
async fn a_blob_is_kept_once_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let content = vec![7; LARGEST];
    let id = blobs(directory.path()).put(content.clone()).await.unwrap();
    assert_eq!(
        blobs(directory.path()).put(content.clone()).await.unwrap(),
        id,
        "twice is once"
    );
    let reopened = blobs(directory.path());
    assert_eq!(reopened.get(id).await.unwrap().unwrap(), content);
    assert!(reopened.examine().await.unwrap().is_empty());
    reopened.remove(id).await.unwrap();
    reopened.remove(id).await.unwrap();
    assert_eq!(reopened.get(id).await.unwrap(), None);
    let too_large = reopened.put(vec![7; LARGEST + 1]).await.unwrap_err();
    assert!(matches!(too_large, Error::TooLarge { size } if size == LARGEST + 1));
}

#[tokio::test]
async fn every_flipped_bit_is_noticed_and_healed() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = blobs(directory.path());
    let content: Vec<u8> = (0..64).collect();
    let id = blobs.put(content.clone()).await.unwrap();
    let file = file_of(directory.path(), id);
    for bit in 0..content.len() * 8 {
        let mut damaged = content.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&file, damaged).unwrap();
        assert!(
            matches!(blobs.get(id).await, Err(Error::Damaged(of)) if of == id),
            "bit {bit}"
        );
        assert_eq!(blobs.get(id).await.unwrap(), None, "it was set aside");
        blobs.put(content.clone()).await.unwrap();
        assert_eq!(blobs.get(id).await.unwrap().unwrap(), content);
    }
    for wrong in [&content[..63], &[&content[..], &[0]].concat(), &vec![0; 3 * LARGEST]] {
        std::fs::write(&file, wrong).unwrap();
        assert_eq!(blobs.examine().await.unwrap(), [id]);
        // Putting over a damaged blob mends it, without a read in between.
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, wrong).unwrap();
        blobs.put(content.clone()).await.unwrap();
        assert_eq!(blobs.get(id).await.unwrap().unwrap(), content);
    }
    assert!(directory.path().join("damaged").join(id.to_string()).exists());
}

#[test]
fn no_name_leads_elsewhere() {
    let good = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    assert_eq!(good.parse::<ContentId>().unwrap().to_string(), good);
    for bad in [
        "",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e/..",
        "BAFKREIFZJUT3TE2NHYEKKLSS27NH3K72YSCO7Y32KOAO5EEI66WOF36N5E",
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5",
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e ",
        // CIDv0; dag-pb; the right hash in base58.
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "zb2rhj7crUKTQYRGCRATFaQ6YFLTde2YzdqbbhAASkL9uRDXn",
    ] {
        assert!(matches!(bad.parse::<ContentId>(), Err(Error::Id)), "{bad}");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, b"").unwrap();
    assert!(matches!(Blobs::local(&file, provider()), Err(Error::Open(_))));
}
