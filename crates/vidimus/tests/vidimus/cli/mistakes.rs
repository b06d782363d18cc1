//! What is given wrong on the command line is told with the next step.

use super::place::{Place, ended, text};

#[test]
fn what_a_wallet_and_a_client_are_given_wrong_is_told_with_the_next_step() {
    let place = Place::new();
    place
        .ask(&["wallet", "list"])
        .refused(2, &["there is no wallet file", "vidimus wallet new"]);
    let made = place.ask(&["wallet", "new"]).json();
    let did = text(&made, "/did");
    place.ask(&["wallet", "new"]).refused(4, &["there already", "--wallet"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(place.path("wallet.vidimus")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let content = std::fs::read(place.path("wallet.vidimus")).unwrap();
    assert!(
        !String::from_utf8_lossy(&content).contains(&did),
        "nothing of it is readable"
    );

    // Passphrases.
    let mut wrong = place.command(&["wallet", "list"]);
    wrong.env("VIDIMUS_PASSPHRASE", "incorrect horse");
    ended(wrong).refused(4, &["passphrase", "nothing was changed"]);
    let mut none = place.command(&["wallet", "list"]);
    none.env_remove("VIDIMUS_PASSPHRASE");
    // Without a terminal nobody can be asked; with one (some runners have it) this would wait.
    if std::fs::File::open("/dev/tty").is_err() {
        ended(none).refused(2, &["--passphrase-file", "VIDIMUS_PASSPHRASE"]);
    }
    let mut short = place.command(&["wallet", "new", "--wallet", "short.vidimus"]);
    short.env("VIDIMUS_PASSPHRASE", "short");
    ended(short).refused(2, &["at least 8"]);
    place.write("new.txt", "a better passphrase\n");
    place
        .ask(&["wallet", "passphrase", "--new-passphrase-file", "new.txt"])
        .json();
    place.ask(&["wallet", "list"]).refused(4, &["passphrase"]);
    place.ask(&["wallet", "list", "--passphrase-file", "new.txt"]).json();

    // Any byte of the file altered, or the end missing: refused, never misread.
    let whole = std::fs::read(place.path("wallet.vidimus")).unwrap();
    let damaged = |name: &str, bytes: &[u8]| {
        std::fs::write(place.path(name), bytes).unwrap();
        let ended = place.ask(&["wallet", "list", "--wallet", name, "--passphrase-file", "new.txt"]);
        assert!([2, 4, 6].contains(&ended.code), "{}{}", ended.out, ended.err);
        assert!(!ended.out.contains(&did));
    };
    damaged("cut.vidimus", &whole[..whole.len() - 1]);
    damaged("empty.vidimus", b"");
    for place in [0, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        damaged("flipped.vidimus", &bytes);
    }

    // Servers that are none, files that are not what they should be.
    place.write("x.key", "vk_x");
    let key = ["--api-key-file", "x.key"];
    place
        .ask(&[&["result", "list"], &key[..]].concat())
        .refused(5, &["http://127.0.0.1:9 does not answer"]);
    place
        .ask(&[&["result", "list", "--url", "ftp://x"], &key[..]].concat())
        .refused(2, &["https://"]);
    place
        .ask(&["result", "list", "--api-key-file", "no.key"])
        .refused(2, &["no.key"]);
    place
        .ask(&["setup", "--name", "x", "--country", "AT"])
        .refused(2, &["--token-file", "VIDIMUS_SETUP_TOKEN"]);
    place.write("not.json", "{");
    place
        .ask(&[&["issue", "--fhir", "not.json"], &key[..]].concat())
        .refused(2, &["not.json", "not JSON"]);
    place
        .ask(&[&["issue", "--fhir", "a", "--dcc", "b"], &key[..]].concat())
        .refused(2, &["--fhir", "--dcc"]);
    place
        .ask(&[&["issue", "--fhir", "a", "--document", "passport"], &key[..]].concat())
        .refused(2, &["passport:AT:"]);
    place
        .ask(&["check", "not.json"])
        .refused(2, &["--purpose", "--bundle", "--trust-list"]);
    place
        .ask(&["check", "not.json", "--bundle", "b"])
        .refused(2, &["--root"]);
    place.write("root.pem", "no certificate");
    place.write("b.jwt", "no bundle");
    place
        .ask(&["check", "not.json", "--bundle", "b.jwt", "--root", "root.pem"])
        .refused(2, &["root.pem"]);
    place
        .ask(&["check", "not.json", "--trust-list", "root.pem"])
        .refused(2, &["trust list"]);
    place.write("request.json", "{}");
    let present = [
        "wallet",
        "present",
        "1",
        "--request",
        "request.json",
        "--passphrase-file",
        "new.txt",
    ];
    place.ask(&present).refused(2, &["nonce"]);
    place
        .ask(&["wallet", "show", "7", "--passphrase-file", "new.txt"])
        .refused(2, &["number 7", "list"]);
    place.write("sealed", "nothing that was sealed");
    place
        .ask(&["wallet", "receive", "sealed", "--passphrase-file", "new.txt"])
        .refused(4, &["other keys"]);

    // A file that a secret should go to is never written over, and not left behind empty.
    place.write("there.key", "mine");
    let create = ["api-key", "create", "--permission", "read", "--save-api-key"];
    place
        .ask(&[&create[..], &["there.key"], &key].concat())
        .refused(2, &["there.key"]);
    assert_eq!(place.read("there.key"), "mine");
    place
        .ask(&[&create[..], &["new.key"], &key].concat())
        .refused(5, &["does not answer"]);
    assert!(!place.path("new.key").exists());
}
