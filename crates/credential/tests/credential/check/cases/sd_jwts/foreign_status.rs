//! The status of SD-JWT VCs of others.

use super::{
    foreign::{by_chain, by_key, of_our_type, pid, trust, trust_keys},
    *,
};
use crate::check::world::{Issuers, foreign_with_status};
use vidimus_core::Timestamp;
use vidimus_credential::status::{SigningHeader, token_list};

const LIST: &str = "https://pid.example/status/1";

fn status(index: u64) -> Value {
    object!({"status_list": {"idx": index, "uri": LIST}})
}

/// A PID with its place in the list.
fn with_place(header: &Value, index: u64) -> String {
    pid(header, |payload| payload["status"] = status(index))
}

/// The list, made ten minutes ago and fetched a minute ago.
struct List<'a> {
    key: &'a TestKey,
    chain: Vec<Vec<u8>>,
    kid: Option<&'a str>,
    named: &'a str,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    ttl: Option<u64>,
}

impl<'a> List<'a> {
    fn by(key: &'a TestKey, certificate: &[u8]) -> Self {
        Self {
            key,
            chain: vec![certificate.to_vec()],
            kid: None,
            named: LIST,
            issued_at: now().plus(-600),
            expires_at: None,
            ttl: None,
        }
    }

    fn by_key(key: &'a TestKey, kid: &'a str) -> Self {
        Self {
            chain: Vec::new(),
            kid: Some(kid),
            ..Self::by(key, &[])
        }
    }

    /// By the signer of lists whom the issuer's authority certified.
    fn usual() -> List<'static> {
        List::by(&OTHER.lists, &OTHER.lists_certificate)
    }

    fn sign(&self) -> String {
        let terms = token_list::Terms {
            uri: self.named.to_owned(),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            ttl: self.ttl,
        };
        let header = SigningHeader {
            algorithm: Algorithm::Es256,
            kid: self.kid,
            x5c: &self.chain,
        };
        let unsigned = token_list::prepare(&bits(), &terms, &header).unwrap();
        let signature = self.key.sign(Algorithm::Es256, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }

    fn fetched(&self, issuers: &mut Issuers) {
        fetched(issuers, self.sign());
    }
}

fn fetched(issuers: &mut Issuers, token: String) {
    issuers.lists = vec![(LIST.to_owned(), token, now().plus(-60))];
}

pub(super) fn cases(add: Add<'_>) {
    good(add);
    bad(add);
    signers(add);
    old(add);
}

fn key_of(key: &TestKey, kid: &str) -> Key {
    Key {
        id: Some(kid.to_owned()),
        key: key.public_key().clone(),
    }
}

fn good(add: Add<'_>) {
    let (issuer, certificate) = &*ISSUER_ELSEWHERE;
    add(
        "sd-jwt-foreign-status",
        "In force, by the list of a signer whom the issuer's own authority certified.",
        &[],
        &|setup| {
            List::usual().fetched(trust(setup));
            with_place(&by_chain(), 5)
        },
    );
    add(
        "sd-jwt-foreign-status-by-itself",
        "In force, by a list that the issuer signed with its own certificate.",
        &[],
        &|setup| {
            List::by(issuer, certificate).fetched(trust(setup));
            with_place(&by_chain(), 5)
        },
    );
    add(
        "sd-jwt-foreign-status-of-a-listed-issuer",
        "The issuer's certificate is trusted, and it signs its lists with it.",
        &[],
        &|setup| {
            let issuers = trust(setup);
            issuers.authorities = vec![certificate.clone()];
            List::by(issuer, certificate).fetched(issuers);
            with_place(&by_chain(), 5)
        },
    );
    add(
        "sd-jwt-foreign-status-by-its-key",
        "In force, by a list that the issuer's trusted key signed.",
        &[],
        &|setup| {
            List::by_key(issuer, "2026").fetched(trust_keys(setup, "https://pid.example"));
            with_place(&by_key("2026"), 5)
        },
    );
    add(
        "sd-jwt-foreign-status-by-a-trusted-authority",
        "In force, by the list of somebody whom an authority certified that is trusted with status lists.",
        &[],
        &|setup| {
            let issuers = trust(setup);
            issuers.status_signers = vec![THIRD.authority.certificate().to_vec()];
            List::by(&THIRD.lists, &THIRD.lists_certificate).fetched(issuers);
            with_place(&by_chain(), 5)
        },
    );
    add(
        "sd-jwt-foreign-status-by-a-listed-signer",
        "In force, by the list of a signer who is trusted by certificate.",
        &[],
        &|setup| {
            let issuers = trust_keys(setup, "https://pid.example");
            issuers.status_signers = vec![THIRD.lists_certificate.clone()];
            List::by(&THIRD.lists, &THIRD.lists_certificate).fetched(issuers);
            with_place(&by_key("2026"), 5)
        },
    );
    add(
        "sd-jwt-foreign-status-by-a-trusted-key",
        "In force, by the list of a signer who is trusted by key.",
        &[],
        &|setup| {
            let issuers = trust(setup);
            issuers.status_keys = vec![key_of(&THIEF.p256, "old"), key_of(&THIRD.lists, "new")];
            List::by_key(&THIRD.lists, "new").fetched(issuers);
            with_place(&by_chain(), 5)
        },
    );
    add(
        "sd-jwt-foreign-status-of-our-type",
        "A type of ours by somebody else, with the status that it needs.",
        &[],
        &|setup| {
            List::usual().fetched(trust(setup));
            of_our_type(Some(status(5)))
        },
    );
    add(
        "hcert-foreign-status",
        "An HCERT of a foreign document signer, which names its place in a list of a trusted signer.",
        &[],
        &|setup| {
            let (list, copy) = foreign_with_status(LIST, 5);
            setup.trust_list = Some((list, now().plus(-3_600)));
            let issuers = setup.issuers.insert(Issuers {
                status_signers: vec![THIRD.lists_certificate.clone()],
                ..Issuers::default()
            });
            List::by(&THIRD.lists, &THIRD.lists_certificate).fetched(issuers);
            copy
        },
    );
}

fn bad(add: Add<'_>) {
    use Reason::*;
    let mut place = |name, says, reasons: &[Reason], index| {
        add(name, says, reasons, &|setup| {
            List::usual().fetched(trust(setup));
            with_place(&by_chain(), index)
        });
    };
    place(
        "sd-jwt-foreign-revoked",
        "Revoked where it comes from.",
        &[Revoked],
        REVOKED,
    );
    place(
        "sd-jwt-foreign-suspended",
        "Suspended where it comes from.",
        &[Suspended],
        SUSPENDED,
    );
    place(
        "sd-jwt-foreign-status-index-outside",
        "An index that the list does not have.",
        &[StatusInvalid],
        1 << 40,
    );
    add(
        "sd-jwt-foreign-revoked-of-our-type",
        "A type of ours by somebody else who revoked it.",
        &[Revoked],
        &|setup| {
            List::usual().fetched(trust(setup));
            of_our_type(Some(status(REVOKED)))
        },
    );
    add(
        "sd-jwt-foreign-revoked-in-old-list",
        "Revoked is for good, also by a list of last week.",
        &[Revoked],
        &|setup| {
            let list = List {
                issued_at: now().plus(-9 * 86_400),
                ..List::usual()
            };
            list.fetched(trust(setup));
            with_place(&by_chain(), REVOKED)
        },
    );
    add(
        "hcert-foreign-revoked",
        "An HCERT of a foreign document signer, revoked in the list of a trusted signer.",
        &[Revoked],
        &|setup| {
            let (list, copy) = foreign_with_status(LIST, REVOKED);
            setup.trust_list = Some((list, now().plus(-3_600)));
            let issuers = setup.issuers.insert(Issuers {
                status_keys: vec![key_of(&THIRD.lists, "new")],
                ..Issuers::default()
            });
            List::by_key(&THIRD.lists, "new").fetched(issuers);
            copy
        },
    );
    let mut list = |name, says, make: &dyn Fn() -> String| {
        add(name, says, &[StatusInvalid], &|setup| {
            fetched(trust(setup), make());
            with_place(&by_chain(), REVOKED)
        });
    };
    list(
        "sd-jwt-foreign-status-list-of-another-url",
        "A good list of the same signer, and another one.",
        &|| {
            let named = "https://pid.example/status/2";
            List { named, ..List::usual() }.sign()
        },
    );
    list(
        "sd-jwt-foreign-status-list-from-the-future",
        "A list of tomorrow.",
        &|| {
            let issued_at = now().plus(86_400);
            List {
                issued_at,
                ..List::usual()
            }
            .sign()
        },
    );
    list(
        "sd-jwt-foreign-status-list-altered",
        "One character of the list's signature changed.",
        &|| {
            let mut token = List::usual().sign();
            let place = token.len() - 10;
            let swap = if &token[place..=place] == "A" { "B" } else { "A" };
            token.replace_range(place..=place, swap);
            token
        },
    );
    list("sd-jwt-foreign-status-list-cut", "Half a list.", &|| {
        let token = List::usual().sign();
        token[..token.len() / 2].to_owned()
    });
    list(
        "sd-jwt-foreign-status-list-of-another-type",
        "A list that does not say that it is one.",
        &|| {
            resigned(&List::usual().sign(), Algorithm::Es256, &OTHER.lists, |header, _| {
                header["typ"] = "JWT".into();
            })
        },
    );
    list(
        "sd-jwt-foreign-status-list-of-strange-bits",
        "Three bits an entry.",
        &|| {
            resigned(&List::usual().sign(), Algorithm::Es256, &OTHER.lists, |_, payload| {
                payload["status_list"]["bits"] = 3.into();
            })
        },
    );
    list(
        "sd-jwt-foreign-status-list-undated",
        "A list that does not say when it was made.",
        &|| {
            resigned(&List::usual().sign(), Algorithm::Es256, &OTHER.lists, |_, payload| {
                payload.as_object_mut().unwrap().remove("iat");
            })
        },
    );
}

/// Signers who have no say about this certificate: each would bring back what was revoked.
fn signers(add: Add<'_>) {
    let (_, certificate) = &*ISSUER_ELSEWHERE;
    let mut list = |name, says, reason, build: &dyn Fn(&mut Setup)| {
        add(name, says, &[reason], &|setup| {
            trust(setup);
            build(setup);
            with_place(&by_chain(), REVOKED)
        });
    };
    // Who is known and may not sign this list; and of whom nothing is known.
    let (refused, unknown) = (Reason::StatusInvalid, Reason::StatusMissing);
    list(
        "sd-jwt-foreign-status-list-of-nobody",
        "A list under an authority that nobody trusts.",
        unknown,
        &|setup| List::by(&THIRD.lists, &THIRD.lists_certificate).fetched(trust(setup)),
    );
    list(
        "sd-jwt-foreign-status-list-of-ours",
        "A list by the deployment's own signer, which speaks for its own issuers.",
        unknown,
        &|setup| List::by(&DEPLOYMENT.lists, &DEPLOYMENT.lists_certificate).fetched(trust(setup)),
    );
    list(
        "sd-jwt-foreign-status-list-of-a-namesake",
        "A list that names the issuer's certificate, signed by another key.",
        refused,
        &|setup| List::by(&THIEF.p256, certificate).fetched(trust(setup)),
    );
    list(
        "sd-jwt-foreign-status-list-of-another-issuer",
        "Another issuer under the same authority signs a list.",
        refused,
        &|setup| {
            let groups = [vidimus_crypto::ca::DocumentGroup::Test];
            let der = OTHER.certify(&THIEF.p256, &groups, "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
            List::by(&THIEF.p256, &der).fetched(trust(setup));
        },
    );
    list(
        "sd-jwt-foreign-status-list-of-another-authority",
        "A signer of lists of another authority over issuers that is trusted too.",
        unknown,
        &|setup| {
            let issuers = trust(setup);
            issuers.authorities.push(THIRD.authority.certificate().to_vec());
            List::by(&THIRD.lists, &THIRD.lists_certificate).fetched(issuers);
        },
    );
    list(
        "sd-jwt-foreign-status-list-of-a-verifier",
        "An authority trusted with status lists certified it for asking.",
        refused,
        &|setup| {
            let issuers = trust(setup);
            issuers.status_signers = vec![THIRD.authority.certificate().to_vec()];
            List::by(&THIEF.p256, &THIRD.certify_verifier(&THIEF.p256)).fetched(issuers);
        },
    );
    list(
        "sd-jwt-foreign-status-list-with-its-authority",
        "The trust anchor stands in the list's x5c.",
        unknown,
        &|setup| {
            let mut list = List::usual();
            list.chain.push(OTHER.authority.certificate().to_vec());
            list.fetched(trust(setup));
        },
    );
    list(
        "sd-jwt-foreign-status-list-of-another-kid",
        "A list that names a key which is not trusted with lists.",
        unknown,
        &|setup| {
            let issuers = trust(setup);
            issuers.status_keys = vec![key_of(&THIRD.lists, "new")];
            List::by_key(&THIRD.lists, "old").fetched(issuers);
        },
    );
    list(
        "sd-jwt-foreign-status-list-of-another-issuers-key",
        "A list by a key that is trusted for another issuer.",
        unknown,
        &|setup| {
            let issuers = trust(setup);
            issuers.keys = vec![("https://other.example".into(), vec![key_of(&THIRD.lists, "new")])];
            List::by_key(&THIRD.lists, "new").fetched(issuers);
        },
    );
    list(
        "sd-jwt-foreign-status-list-unsigned-by-chain",
        "A list without its signer's certificate, by the key that usually signs.",
        unknown,
        &|setup| {
            let list = List {
                chain: Vec::new(),
                ..List::usual()
            };
            list.fetched(trust(setup));
        },
    );
    add(
        "sd-jwt-status-of-others",
        "One of ours is judged by our lists, whatever others say under that address.",
        &[Reason::StatusMissing],
        &|setup| {
            let uri = crate::check::world::TOKEN_LIST;
            let issuers = trust(setup);
            issuers.status_signers = vec![OTHER.authority.certificate().to_vec()];
            let list = List {
                named: uri,
                ..List::usual()
            };
            issuers.lists = vec![(uri.to_owned(), list.sign(), now().plus(-60))];
            setup.status.clear();
            shows(setup, &["result"])
        },
    );
}

/// Lists that were too old, or never came.
fn old(add: Add<'_>) {
    use Reason::*;
    add(
        "sd-jwt-foreign-status-missing-of-our-type",
        "A type of ours by somebody else, whose list is not at hand.",
        &[StatusMissing],
        &|setup| {
            trust(setup);
            of_our_type(Some(status(5)))
        },
    );
    add(
        "sd-jwt-foreign-status-at-our-address",
        "A PID that names a list of ours: what we say of our own copies says nothing of it.",
        &[StatusMissing],
        &|setup| {
            trust(setup);
            let uri = crate::check::world::TOKEN_LIST;
            pid(&by_chain(), |payload| {
                payload["status"] = object!({"status_list": {"idx": 5, "uri": uri}});
            })
        },
    );
    let mut list = |name, says, list: &dyn Fn() -> List<'static>| {
        add(name, says, &[StatusStale], &|setup| {
            list().fetched(trust(setup));
            with_place(&by_chain(), 5)
        });
    };
    list(
        "sd-jwt-foreign-status-list-old",
        "A list of the day before yesterday, fetched just now.",
        &|| List {
            issued_at: now().plus(-2 * 86_400),
            ..List::usual()
        },
    );
    list(
        "sd-jwt-foreign-status-list-ended",
        "The list ended a moment ago.",
        &|| List {
            expires_at: Some(now().plus(-1)),
            ..List::usual()
        },
    );
    list(
        "sd-jwt-foreign-status-list-cached-too-long",
        "The list was to be fetched again after half a minute.",
        &|| List {
            ttl: Some(30),
            ..List::usual()
        },
    );
    add(
        "sd-jwt-foreign-suspended-in-old-list",
        "Suspended as of last week: that may be over.",
        &[StatusStale],
        &|setup| {
            let list = List {
                issued_at: now().plus(-9 * 86_400),
                ..List::usual()
            };
            list.fetched(trust(setup));
            with_place(&by_chain(), SUSPENDED)
        },
    );
}
