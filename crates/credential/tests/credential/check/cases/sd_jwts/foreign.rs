//! SD-JWT VCs of others.

use super::*;
use vidimus_crypto::ca::DocumentGroup;

const GROUPS: &[DocumentGroup] = &[DocumentGroup::Test];

/// A PID of another country, for the traveller's key.
pub(super) fn pid(header: &Value, change: impl FnOnce(&mut Value)) -> String {
    let mut payload = object!({
        "iss": "https://pid.example", "iat": at("2026-02-01T00:00:00Z"), "exp": at("2027-02-01T00:00:00Z"), "vct": "urn:eudi:pid:1",
        "cnf": {"jwk": TRAVELLER.p256.public_key()},
        "family_name": "Mustermann", "birthdate": "1984-12-09", "nationalities": ["AT", "DE"],
    });
    change(&mut payload);
    let path = |value: Value| ClaimPath::from_json(&value).unwrap();
    let frame = Frame::new()
        .disclosable(&path(object!(["family_name"])))
        .disclosable(&path(object!(["birthdate"])))
        .disclosable(&path(object!(["nationalities", null])));
    let payload = payload.as_object().unwrap().clone();
    let concealed = conceal(
        &payload,
        &frame,
        &*PROVIDER,
        &mut crate::check::world::Seeded::new("pid"),
    )
    .unwrap();
    let payload = Value::Object(concealed.payload.clone()).to_string();
    let jwt = raw(header, &payload);
    let copy = concealed.combine(&jwt);
    let read = vidimus_credential::sd_jwt::SdJwt::parse(&copy).unwrap();
    let processed = read.process(&*PROVIDER).unwrap();
    let paths = [path(object!(["birthdate"])), path(object!(["nationalities", 1]))];
    Binding::default().bind(&read.present(&processed.choose(&paths).unwrap()))
}

pub(super) fn raw(header: &Value, payload: &str) -> String {
    raw_by(&ISSUER_ELSEWHERE.0, header, payload)
}

fn raw_by(key: &TestKey, header: &Value, payload: &str) -> String {
    raw_jws(&header.to_string(), payload, |message| {
        key.sign(Algorithm::Es256, message).unwrap()
    })
}

/// A header that names this certificate.
pub(super) fn by_certificate(der: &[u8]) -> Value {
    object!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": [base64(der)]})
}

pub(super) fn by_key(kid: &str) -> Value {
    object!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": kid})
}

pub(super) fn by_chain() -> Value {
    by_certificate(&ISSUER_ELSEWHERE.1)
}

/// Trusts the authority that certified the other issuer.
pub(super) fn trust(setup: &mut Setup) -> &mut Issuers {
    setup.issuers.insert(Issuers {
        authorities: vec![OTHER.authority.certificate().to_vec()],
        ..Issuers::default()
    })
}

/// Trusts the other issuer's key, of this `iss`.
pub(super) fn trust_keys<'a>(setup: &'a mut Setup, issuer: &str) -> &'a mut Issuers {
    let keys = vec![Key {
        id: Some("2026".into()),
        key: ISSUER_ELSEWHERE.0.public_key().clone(),
    }];
    setup.issuers.insert(Issuers {
        keys: vec![(issuer.into(), keys)],
        ..Issuers::default()
    })
}

/// The copy of the day, as a foreign issuer would have signed it, with this status.
pub(super) fn of_our_type(status: Option<Value>) -> String {
    let copy = sd_jwt(&LABS.lab);
    let (jwt, rest) = copy.split_once('~').unwrap();
    let (_, mut payload) = parts(jwt);
    let members = payload.as_object_mut().unwrap();
    members.remove("status");
    members.extend(status.map(|status| ("status".to_owned(), status)));
    let shown = format!("{}~{rest}", raw(&by_chain(), &payload.to_string()));
    Binding::default().bind(&shown)
}

pub(super) fn cases(add: Add<'_>) {
    use Reason::*;
    add(
        "sd-jwt-foreign",
        "A PID whose issuer's certificate leads to a trusted authority.",
        &[],
        &|setup| {
            trust(setup);
            pid(&by_chain(), |_| {})
        },
    );
    add(
        "sd-jwt-foreign-by-key",
        "A PID whose issuer's keys are trusted.",
        &[],
        &|setup| {
            trust_keys(setup, "https://pid.example");
            pid(&by_key("2026"), |_| {})
        },
    );
    add(
        "sd-jwt-foreign-without-authority",
        "A PID of an issuer that nobody trusted is responsible for.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            setup.issuers = Some(Issuers {
                authorities: vec![DEPLOYMENT.authority.certificate().to_vec()],
                ..Issuers::default()
            });
            pid(&by_chain(), |_| {})
        },
    );
    add(
        "sd-jwt-foreign-with-its-authority",
        "The trust anchor stands in x5c.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            trust(setup);
            let mut header = by_chain();
            header["x5c"]
                .as_array_mut()
                .unwrap()
                .push(base64(OTHER.authority.certificate()).into());
            pid(&header, |_| {})
        },
    );
    add(
        "sd-jwt-foreign-another-issuer",
        "Keys are trusted, of another issuer.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            trust_keys(setup, "https://pid.example/other");
            pid(&by_key("2026"), |_| {})
        },
    );
    add(
        "sd-jwt-foreign-another-kid",
        "Names a key that its issuer does not have.",
        &[KeyUnknown],
        &|setup| {
            trust_keys(setup, "https://pid.example");
            pid(&by_key("2025"), |_| {})
        },
    );
    add(
        "sd-jwt-foreign-altered",
        "Signed by another key than its issuer's.",
        &[SignatureInvalid],
        &|setup| {
            let key = THIEF.p256.public_key().clone();
            setup.issuers = Some(Issuers {
                keys: vec![("https://pid.example".into(), vec![Key { id: None, key }])],
                ..Issuers::default()
            });
            pid(&by_key("2026"), |_| {})
        },
    );
    add(
        "sd-jwt-foreign-expired",
        "A PID that has expired.",
        &[Expired],
        &|setup| {
            trust(setup);
            pid(&by_chain(), |payload| payload["exp"] = object!(now().plus(-1)))
        },
    );
    add(
        "sd-jwt-foreign-shown-by-a-thief",
        "A PID of another.",
        &[HolderBindingInvalid],
        &|setup| {
            trust(setup);
            pid(&by_chain(), |payload| {
                payload["cnf"] = object!({"jwk": THIEF.p256.public_key()})
            })
        },
    );
    add(
        "sd-jwt-foreign-status-missing",
        "A PID with a status list that is not at hand.",
        &[StatusMissing],
        &|setup| {
            trust(setup);
            pid(
                &by_chain(),
                |payload| {
                    payload["status"] = object!({"status_list": {"idx": 5, "uri": "https://pid.example/status/1"}})
                },
            )
        },
    );
    add(
        "sd-jwt-foreign-our-type",
        "Somebody else's issuer states a type of ours, which needs a status, and gives none.",
        &[StatusAbsent],
        &|setup| {
            trust(setup);
            of_our_type(None)
        },
    );
}

/// Whose certificate it is that an authority made.
pub(super) fn certificates(add: Add<'_>) {
    use Reason::*;
    let signed_by = |key: &TestKey, der: &[u8]| {
        let payload = object!({
            "iss": "https://pid.example", "iat": at("2026-02-01T00:00:00Z"), "vct": "urn:eudi:pid:1",
            "cnf": {"jwk": TRAVELLER.p256.public_key()}, "given_name": "Erika",
        });
        let copy = format!("{}~", raw_by(key, &by_certificate(der), &payload.to_string()));
        Binding::default().bind(&copy)
    };
    add(
        "sd-jwt-foreign-listed",
        "The issuer's own certificate is trusted, and nobody who certified it.",
        &[],
        &|setup| {
            trust(setup).authorities = vec![ISSUER_ELSEWHERE.1.clone()];
            pid(&by_chain(), |_| {})
        },
    );
    add(
        "sd-jwt-foreign-listed-token-signer",
        "A certificate for signing tokens of which somebody said that it issues.",
        &[],
        &|setup| {
            trust(setup).authorities = vec![OTHER.lists_certificate.clone()];
            signed_by(&OTHER.lists, &OTHER.lists_certificate)
        },
    );
    add(
        "sd-jwt-foreign-listed-another",
        "Another certificate of the same key is trusted.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            let (key, _) = &*ISSUER_ELSEWHERE;
            trust(setup).authorities = vec![THIRD.certify(key, GROUPS, "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z")];
            pid(&by_chain(), |_| {})
        },
    );
    add(
        "sd-jwt-foreign-listed-and-expired",
        "The trusted certificate of an issuer ended a month ago.",
        &[KeyExpired, IssuerUnknown],
        &|setup| {
            let (key, _) = &*ISSUER_ELSEWHERE;
            let der = OTHER.certify(key, GROUPS, "2025-02-01T00:00:00Z", "2026-02-01T00:00:00Z");
            trust(setup).authorities = vec![der.clone()];
            pid(&by_certificate(&der), |_| {})
        },
    );
    add(
        "sd-jwt-foreign-by-a-status-signer",
        "Who signs status lists for a trusted authority issues.",
        &[KeyUsage],
        &|setup| {
            trust(setup);
            signed_by(&OTHER.lists, &OTHER.lists_certificate)
        },
    );
    add(
        "sd-jwt-foreign-by-a-verifier",
        "Who asks for presentations, certified by a trusted authority, issues.",
        &[KeyUsage],
        &|setup| {
            trust(setup);
            signed_by(&THIEF.p256, &OTHER.certify_verifier(&THIEF.p256))
        },
    );
    add(
        "sd-jwt-foreign-by-a-listed-verifier",
        "Trusted to issue is a certificate that says it is for asking.",
        &[KeyUsage],
        &|setup| {
            let der = OTHER.certify_verifier(&THIEF.p256);
            trust(setup).authorities = vec![der.clone()];
            signed_by(&THIEF.p256, &der)
        },
    );
}
