//! The root key, what is derived from it, what is wrapped under it, and password files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{bytes, text, vectors};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};
use vidimus_core::{SecretBytes, Transcript, encoding::hex};
use vidimus_crypto::{DataKey, Error, OsEntropy, PasswordFile, Purpose, RootKey, Wrapped, file, password::Cost};

const CHEAP: Cost = Cost {
    memory: 64,
    passes: 1,
    lanes: 1,
};

fn place(column: &str) -> Transcript {
    Transcript::new("vidimus/test/v1")
        .field(b"participants")
        .field(b"row")
        .field(column.as_bytes())
}

fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_root_key_file_is_private_and_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let root = RootKey::generate(&mut OsEntropy);
    root.create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = RootKey::load(&path).unwrap();
    assert_eq!(again.check_value(), root.check_value());
    again.verify_check_value(&root.check_value()).unwrap();
}

#[test]
fn a_root_key_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let first = RootKey::generate(&mut OsEntropy);
    first.create(&path).unwrap();
    let refused = RootKey::generate(&mut OsEntropy).create(&path);
    assert!(matches!(refused, Err(Error::RootKeyExists(_))));
    assert_eq!(RootKey::load(&path).unwrap().id(), first.id());
}

#[test]
fn a_missing_shared_or_damaged_root_key_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let missing = RootKey::load(&path).unwrap_err();
    assert!(matches!(missing, Error::RootKeyMissing(_)));
    assert!(missing.to_string().contains("vidimus init"));

    let whole = text(&vectors("formats.json")["rootFile"]).to_owned();
    for mode in [0o640, 0o604, 0o644, 0o660, 0o601] {
        write(&path, &whole, mode);
        let shared = RootKey::load(&path).unwrap_err();
        assert!(matches!(shared, Error::RootKeyPermissions { .. }), "{mode:o}");
        assert!(shared.to_string().contains("chmod 600"));
    }
    write(&path, &whole, 0o600);
    RootKey::load(&path).unwrap();

    // Every character that carries something: the version, the key, the checksum.
    let damages = [
        String::new(),
        "not a key at all".into(),
        whole.replace("version 1", "version 2"),
        whole.replace("key: 00", "key: 01"),
        whole.replace("key: 00", "key: 0"),
        whole.replace("key: 00", "key: zz"),
        whole.replace("checksum: ", "checksum: 0"),
        whole.replace("checksum:", "sum:"),
        format!("{whole}key: 00\n"),
        whole[..whole.len() / 2].to_owned(),
    ];
    for damage in damages {
        assert_ne!(damage, whole);
        write(&path, &damage, 0o600);
        let refused = RootKey::load(&path).unwrap_err();
        assert!(matches!(refused, Error::RootKeyDamaged { .. }), "{refused}");
        assert!(!refused.to_string().contains("000102"), "the key is not repeated");
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(RootKey::load(&path), Err(Error::RootKeyDamaged { .. })));
}

#[test]
fn another_deployments_root_key_is_told_from_a_damaged_one() {
    let (ours, theirs) = (RootKey::generate(&mut OsEntropy), RootKey::generate(&mut OsEntropy));
    assert!(matches!(
        theirs.verify_check_value(&ours.check_value()),
        Err(Error::RootKeyWrong)
    ));
    assert!(matches!(ours.verify_check_value(&[]), Err(Error::RootKeyWrong)));

    let wrapped = ours.key_encryption_key(Purpose::ParticipantKeys, 1).wrap(
        &place("signing_key"),
        &secret(b"private"),
        &mut OsEntropy,
    );
    let refused = theirs
        .key_encryption_key(Purpose::ParticipantKeys, 1)
        .unwrap(&place("signing_key"), &wrapped);
    assert!(matches!(refused, Err(Error::WrappingKey { .. })), "named, not guessed");
}

#[test]
fn a_wrapped_key_opens_in_its_place_under_its_key_only() {
    let root = RootKey::generate(&mut OsEntropy);
    let kek = root.key_encryption_key(Purpose::ParticipantKeys, 1);
    let wrapped = kek.wrap(&place("signing_key"), &secret(b"private"), &mut OsEntropy);
    assert_eq!(
        kek.unwrap(&place("signing_key"), &wrapped).unwrap().expose(),
        b"private"
    );
    assert!(
        matches!(kek.unwrap(&place("sealing_key"), &wrapped), Err(Error::Open)),
        "another column"
    );

    let rotated = root.key_encryption_key(Purpose::ParticipantKeys, 2);
    let Err(Error::WrappingKey { id, version }) = rotated.unwrap(&place("signing_key"), &wrapped) else {
        panic!("another version")
    };
    assert_eq!((id.as_str(), version), (kek.id(), 1));
    let other = root.key_encryption_key(Purpose::PersonKeys, 1);
    assert!(matches!(
        other.unwrap(&place("signing_key"), &wrapped),
        Err(Error::WrappingKey { .. })
    ));
    // A relabelled record does not open either.
    let relabelled = Wrapped {
        kek_version: 2,
        ..wrapped.clone()
    };
    assert!(matches!(
        rotated.unwrap(&place("signing_key"), &relabelled),
        Err(Error::Open)
    ));

    let bytes = wrapped.to_bytes();
    assert_eq!(Wrapped::from_bytes(&bytes).unwrap(), wrapped);
    let json = serde_json::to_string(&wrapped).unwrap();
    assert_eq!(serde_json::from_str::<Wrapped>(&json).unwrap(), wrapped);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let opened = Wrapped::from_bytes(&changed).and_then(|wrapped| kek.unwrap(&place("signing_key"), &wrapped));
        assert!(opened.is_err(), "byte {at}");
        let cut = Wrapped::from_bytes(&bytes[..at]).and_then(|wrapped| kek.unwrap(&place("signing_key"), &wrapped));
        assert!(cut.is_err(), "cut at {at}");
    }
}

#[test]
fn a_row_opens_in_its_place_only() {
    let key = DataKey::generate(&mut OsEntropy);
    let sealed = key.seal(&place("name"), b"Alice", &mut OsEntropy);
    assert_eq!(key.open(&place("name"), &sealed).unwrap().expose(), b"Alice");
    assert!(key.open(&place("birth_date"), &sealed).is_err());
    assert!(DataKey::generate(&mut OsEntropy).open(&place("name"), &sealed).is_err());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(key.open(&place("name"), &changed).is_err(), "byte {at}");
        assert!(key.open(&place("name"), &sealed[..at]).is_err(), "cut at {at}");
    }
    let again = DataKey::from_bytes(key.expose_bytes().expose()).unwrap();
    assert_eq!(again.open(&place("name"), &sealed).unwrap().expose(), b"Alice");
    assert!(DataKey::from_bytes(&[1; 31]).is_err());
}

#[test]
fn purposes_uses_and_versions_share_no_key() {
    let root = RootKey::generate(&mut OsEntropy);
    let index = |purpose, version| root.blind_index_key(purpose, version).derive(place("number"));
    let indices = [
        index(Purpose::BlindIndex, 1),
        index(Purpose::BlindIndex, 2),
        index(Purpose::Credentials, 1),
        index(Purpose::Session, 1),
        index(Purpose::Audit, 1),
        root.blind_index_key(Purpose::BlindIndex, 1).derive(place("name")),
        RootKey::generate(&mut OsEntropy)
            .blind_index_key(Purpose::BlindIndex, 1)
            .derive(place("number")),
    ];
    for (i, one) in indices.iter().enumerate() {
        assert!(indices[..i].iter().all(|other| other != one), "{i}");
    }
    assert_eq!(index(Purpose::BlindIndex, 1), index(Purpose::BlindIndex, 1));
    let key = root.blind_index_key(Purpose::Credentials, 1);
    assert!(key.verify(place("number"), &indices[2]));
    assert!(!key.verify(place("number"), &indices[0]));
    assert!(!key.verify(place("number"), &indices[2][..31]));
}

#[test]
fn formats_are_the_ones_that_python_computes() {
    let vector = vectors("formats.json");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    write(&path, text(&vector["rootFile"]), 0o600);
    let root = RootKey::load(&path).unwrap();
    assert_eq!(root.id(), text(&vector["rootId"]));
    assert_eq!(hex(&root.check_value()), text(&vector["checkValue"]));
    let index = root
        .blind_index_key(Purpose::BlindIndex, 1)
        .derive(place("signing_key"));
    assert_eq!(hex(&index), text(&vector["blindIndex"]));
    let wrapped = Wrapped::from_bytes(&bytes(&vector["wrapped"]["bytes"])).unwrap();
    assert_eq!(wrapped.kek_version, 3);
    let kek = root.key_encryption_key(Purpose::ParticipantKeys, 3);
    let unwrapped = kek.unwrap(&place("signing_key"), &wrapped).unwrap();
    assert_eq!(unwrapped.expose(), &bytes(&vector["wrapped"]["secret"]));
    let key = DataKey::from_bytes(&bytes(&vector["row"]["key"])).unwrap();
    let row = key
        .open(&place("signing_key"), &bytes(&vector["row"]["bytes"]))
        .unwrap();
    assert_eq!(row.expose(), &bytes(&vector["row"]["plaintext"]));
    let wallet = &vector["passwordFile"];
    let (_, content) =
        PasswordFile::open(&bytes(&wallet["bytes"]), &secret(text(&wallet["password"]).as_bytes())).unwrap();
    assert_eq!(content.expose(), &bytes(&wallet["content"]));
}

#[test]
fn a_wallet_opens_with_its_password_and_saves_again_without_asking() {
    let password = secret("pässword".as_bytes());
    let file = PasswordFile::create(&password, CHEAP, &mut OsEntropy).unwrap();
    let first = file.seal(b"one", &mut OsEntropy);
    let (unlocked, content) = PasswordFile::open(&first, &password).unwrap();
    assert_eq!(content.expose(), b"one");
    let second = unlocked.seal(b"two", &mut OsEntropy);
    assert_eq!(PasswordFile::open(&second, &password).unwrap().1.expose(), b"two");
    assert!(matches!(
        PasswordFile::open(&second, &secret(b"password")),
        Err(Error::Password)
    ));
    assert!(matches!(
        PasswordFile::open(&second, &secret(b"")),
        Err(Error::Password)
    ));
}

#[test]
fn a_damaged_wallet_is_not_called_a_wrong_password() {
    let password = secret(b"password");
    let file = PasswordFile::create(&password, CHEAP, &mut OsEntropy)
        .unwrap()
        .seal(b"content", &mut OsEntropy);
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let refused = PasswordFile::open(&changed, &password).unwrap_err();
        assert!(
            matches!(refused, Error::PasswordFileDamaged(_) | Error::Version { .. }),
            "byte {at}: {refused}"
        );
        assert!(PasswordFile::open(&file[..at], &password).is_err(), "cut at {at}");
    }
}

#[test]
fn a_hostile_wallet_does_not_make_us_work() {
    let password = secret(b"password");
    let file = PasswordFile::create(&password, CHEAP, &mut OsEntropy)
        .unwrap()
        .seal(b"content", &mut OsEntropy);
    let rebuilt = |at: usize, number: u32| {
        let mut body = file[..file.len() - 8].to_vec();
        body[at..at + 4].copy_from_slice(&number.to_be_bytes());
        let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        body.extend_from_slice(&sum.as_ref()[..8]);
        body
    };
    for (at, number) in [
        (9, u32::MAX),
        (9, 1024 * 1024 + 1),
        (13, u32::MAX),
        (13, 33),
        (17, u32::MAX),
        (17, 17),
    ] {
        let refused = PasswordFile::open(&rebuilt(at, number), &password).unwrap_err();
        assert!(matches!(refused, Error::PasswordFileCost), "{at} {number}: {refused}");
    }
    for (at, number) in [(9, 0), (9, 7), (13, 0), (17, 0)] {
        let refused = PasswordFile::open(&rebuilt(at, number), &password).unwrap_err();
        assert!(
            matches!(refused, Error::PasswordFileDamaged(_)),
            "{at} {number}: {refused}"
        );
    }
    // Parameters that were made cheaper give another key: the password no longer fits.
    assert!(matches!(
        PasswordFile::open(&rebuilt(9, 32), &password),
        Err(Error::Password)
    ));
}

#[test]
fn files_are_replaced_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wallet");
    file::replace_private(&path, b"one").unwrap();
    // What a crash left behind does not matter.
    fs::write(directory.path().join("wallet.new"), b"half").unwrap();
    file::replace_private(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
    let nowhere = directory.path().join("none/wallet");
    assert!(matches!(file::replace_private(&nowhere, b"x"), Err(Error::Io { .. })));
    assert!(file::create_private(&path, b"three").is_err());
    assert_eq!(fs::read(&path).unwrap(), b"two");
}

#[test]
fn nothing_secret_prints() {
    let root = RootKey::generate(&mut OsEntropy);
    let key = DataKey::generate(&mut OsEntropy);
    let password = PasswordFile::create(&secret(b"password"), CHEAP, &mut OsEntropy).unwrap();
    let printed = format!(
        "{root:?} {key:?} {password:?} {:?} {:?}",
        root.key_encryption_key(Purpose::Backup, 1),
        root.blind_index_key(Purpose::BlindIndex, 1)
    );
    assert!(!printed.contains(&hex(key.expose_bytes().expose())));
    assert_eq!(
        printed.split_once(") ").unwrap().1,
        format!(
            "DataKey(…) PasswordFile {{ cost: {CHEAP:?}, .. }} KeyEncryptionKey(backup.{} v1) BlindIndexKey(…)",
            root.id()
        )
    );
}
