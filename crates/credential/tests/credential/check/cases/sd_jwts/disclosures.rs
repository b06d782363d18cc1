//! Disclosures, and what conceals them.

use super::*;

pub(super) fn cases(add: Add<'_>) {
    use Reason::*;
    let bind = |text: &str| Binding::default().bind(text);
    add(
        "sd-jwt-disclosure-invented",
        "A disclosure that the issuer did not make.",
        &[Malformed],
        &|setup| {
            let (vip, _) = disclosure(&object!(["c2FsdHNhbHRzYWx0c2FsdA", "vip", true]));
            anchored(setup, &bind(&format!("{}{vip}~", sd_jwt(&LABS.lab))))
        },
    );
    add(
        "sd-jwt-disclosure-of-another-copy",
        "A disclosure swapped for that of another copy.",
        &[Malformed],
        &|setup| {
            let mut other = statement(&LABS.lab);
            other.id = vidimus_core::id::CopyId::from_bytes([7; 16]);
            let theirs = showing(&sd_jwt_of(&other, &LABS.lab, 2, &THIEF.p256), &["result"]);
            let own = showing(&sd_jwt(&LABS.lab), &[]);
            let (_, disclosures) = theirs.split_once('~').unwrap();
            anchored(setup, &bind(&format!("{own}{disclosures}")))
        },
    );
    add(
        "sd-jwt-disclosure-twice",
        "The same disclosure twice.",
        &[Malformed],
        &|setup| {
            let shown = showing(&sd_jwt(&LABS.lab), &["result"]);
            let (_, disclosure) = shown.split_once('~').unwrap();
            anchored(setup, &bind(&format!("{shown}{disclosure}")))
        },
    );
    add(
        "sd-jwt-disclosure-empty",
        "An empty disclosure.",
        &[Malformed],
        &|setup| anchored(setup, &bind(&format!("{}~", sd_jwt(&LABS.lab)))),
    );
    add(
        "sd-jwt-digest-twice",
        "The issuer put one digest in two places.",
        &[Malformed],
        &|setup| {
            shows_changed(setup, |_, payload| {
                let digest = payload["_sd"][0].clone();
                payload["claims"]["_sd"].as_array_mut().unwrap().push(digest);
            })
        },
    );
    add("sd-jwt-digests-a-text", "_sd is a text.", &[Malformed], &|setup| {
        let shown = changed(&showing(&sd_jwt(&LABS.lab), &[]), |_, payload| {
            payload["_sd"] = "digest".into()
        });
        anchored(setup, &bind(&shown))
    });
    add(
        "sd-jwt-hash-unknown",
        "Digests of another hash algorithm.",
        &[Malformed],
        &|setup| shows_changed(setup, |_, payload| payload["_sd_alg"] = "sha-512".into()),
    );
    add(
        "sd-jwt-name-taken",
        "A disclosure for a claim that is in the clear.",
        &[Malformed],
        &|setup| shows_changed(setup, |_, payload| payload["family_name"] = "Doe".into()),
    );
    for (name, says, claim, value) in [
        (
            "sd-jwt-conceals-its-end",
            "The issuer made its end disclosable.",
            "exp",
            object!(4_102_444_800_i64),
        ),
        (
            "sd-jwt-conceals-its-type",
            "The issuer made its type disclosable.",
            "vct#integrity",
            object!("sha256-AA=="),
        ),
        (
            "sd-jwt-conceals-its-status",
            "The issuer made its status disclosable.",
            "status",
            object!({"status_list": {"idx": 1, "uri": "https://health.example/1"}}),
        ),
    ] {
        add(name, says, &[Malformed], &|setup| {
            let (text, digest) = disclosure(&object!(["c2FsdHNhbHRzYWx0c2FsdA", claim, value]));
            let shown = changed(&sd_jwt(&LABS.lab), |_, payload| {
                payload.as_object_mut().unwrap().remove(claim);
                payload["_sd"].as_array_mut().unwrap().push(digest.into());
            });
            anchored(setup, &bind(&format!("{shown}{text}~")))
        });
    }
}
