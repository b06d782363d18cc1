//! A wallet that is printed, lost and restored.

use crate::world::{Laboratory, wallet};
use vidimus_crypto::{Native, OsEntropy};
use vidimus_wallet::{
    backup::{self, BackupError, Code, GROUPS},
    seed::Purpose,
};

#[test]
fn everything_comes_back_with_the_code() {
    let native = Native::new();
    let mut lost = wallet();
    let number = Laboratory::new().give(&mut lost, 3);
    let tokens = lost.key_with(Purpose::Tokens, "https://lab.example", &native, &mut OsEntropy);
    let (file, code) = backup::seal(&lost, &native, &mut OsEntropy);
    assert_eq!(file.len() % 4096, 15 + 1 + 12 + 16, "its size says little");
    let printed = code.to_string();
    assert_eq!(printed.split('-').count(), GROUPS);
    let typed = printed
        .to_lowercase()
        .replace('-', "  ")
        .replace('0', "o")
        .replace('1', "l");
    let code = Code::parse(&typed).unwrap();
    let mut restored = backup::open(&file, &code, &native).unwrap();
    assert_eq!(restored.did(), lost.did());
    assert_eq!(restored.batch(number).unwrap().copies().len(), 3);
    let again = restored.key_with(Purpose::Tokens, "https://lab.example", &native, &mut OsEntropy);
    assert_eq!(again.expose(), tokens.expose());
    assert!(!format!("{code:?}").contains(&printed[..5]));
}

#[test]
fn a_slip_of_the_pen_is_found_in_its_group() {
    let (_, code) = backup::seal(&wallet(), &Native::new(), &mut OsEntropy);
    let groups: Vec<String> = code.groups().iter().map(|group| group.to_string()).collect();
    for (place, group) in groups.iter().enumerate() {
        for at in 0..5 {
            for other in "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars() {
                let mut typed: Vec<char> = group.chars().collect();
                if typed[at] == other {
                    continue;
                }
                typed[at] = other;
                let mut all = groups.clone();
                all[place] = typed.into_iter().collect();
                let found = Code::parse(&all.join("-")).unwrap_err();
                assert_eq!(found, BackupError::Group(place + 1));
            }
            let mut typed: Vec<char> = group.chars().collect();
            if at > 0 && typed[at] != typed[at - 1] {
                typed.swap(at, at - 1);
                let mut all = groups.clone();
                all[place] = typed.into_iter().collect();
                assert_eq!(Code::parse(&all.join(" ")).unwrap_err(), BackupError::Group(place + 1));
            }
        }
    }
    let mut swapped = groups.clone();
    swapped.swap(4, 9);
    if groups[4] != groups[9] {
        assert_eq!(Code::parse(&swapped.join("-")).unwrap_err(), BackupError::Group(5));
    }
    let mut strange = groups.clone();
    strange[6] = "AB*CD".into();
    assert_eq!(Code::parse(&strange.join("-")).unwrap_err(), BackupError::Character(7));
    assert_eq!(
        Code::parse(&groups[..12].join("-")).unwrap_err(),
        BackupError::Length(60)
    );
    assert_eq!(Code::parse("").unwrap_err(), BackupError::Length(0));
    // The last four bits are none of the key.
    let zeros = "0".repeat(4);
    let other: Vec<_> = (0..GROUPS).map(|_| zeros.clone()).collect();
    assert!(Code::parse(&other.concat()).is_err());
}

#[test]
fn what_is_no_backup_or_was_altered_does_not_open() {
    let native = Native::new();
    let (file, code) = backup::seal(&wallet(), &native, &mut OsEntropy);
    let (_, other) = backup::seal(&wallet(), &native, &mut OsEntropy);
    let open = |file: &[u8], code: &Code| backup::open(file, code, &native).unwrap_err();
    assert_eq!(open(&file, &other), BackupError::Open);
    assert_eq!(open(b"", &code), BackupError::File);
    assert_eq!(open(&file[..40], &code), BackupError::File);
    assert_eq!(open(b"{\"version\": 1}", &code), BackupError::File);
    for at in [16, 27, 28, file.len() / 2, file.len() - 1] {
        let mut altered = file.clone();
        altered[at] ^= 1;
        assert_eq!(open(&altered, &code), BackupError::Open, "{at}");
    }
    let mut newer = file.clone();
    newer[15] = 2;
    assert_eq!(open(&newer, &code), BackupError::Version(2));
    assert_eq!(open(&file[..file.len() - 1], &code), BackupError::Open);
}
