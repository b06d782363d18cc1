//! SD-JWT VCs of others.

use super::*;

/// A PID of another country, for the traveller's key; its issuer's key is that of the other deployment's lists.
fn pid(header: &Value, change: impl FnOnce(&mut Value)) -> String {
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
        payload,
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

fn raw(header: &Value, payload: &str) -> String {
    raw_jws(&header.to_string(), payload, |message| {
        OTHER.lists.sign(Algorithm::Es256, message).unwrap()
    })
}

pub(super) fn cases(add: Add<'_>) {
    use Reason::*;
    let by_chain = || object!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": [base64(&OTHER.lists_certificate)]});
    let by_key = |kid: &str| object!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": kid});
    let trust = |setup: &mut Setup| {
        setup.issuers = Some(Issuers {
            authorities: vec![OTHER.authority.certificate().to_vec()],
            keys: Vec::new(),
        });
    };
    let trust_keys = |setup: &mut Setup, issuer: &str| {
        let keys = vec![Key {
            id: Some("2026".into()),
            key: OTHER.lists.public_key().clone(),
        }];
        setup.issuers = Some(Issuers {
            authorities: Vec::new(),
            keys: vec![(issuer.into(), keys)],
        });
    };
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
                authorities: vec![crate::check::world::DEPLOYMENT.authority.certificate().to_vec()],
                keys: Vec::new(),
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
            setup.issuers = Some(Issuers {
                authorities: Vec::new(),
                keys: vec![(
                    "https://pid.example".into(),
                    vec![Key {
                        id: None,
                        key: THIEF.p256.public_key().clone(),
                    }],
                )],
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
        "Somebody else's issuer states a type of ours.",
        &[],
        &|setup| {
            trust(setup);
            let copy = sd_jwt(&LABS.lab);
            let (jwt, rest) = copy.split_once('~').unwrap();
            let (_, payload) = parts(jwt);
            setup.status = Vec::new();
            let mut payload = payload;
            payload.as_object_mut().unwrap().remove("status");
            let shown = format!("{}~{rest}", raw(&by_chain(), &payload.to_string()));
            Binding::default().bind(&shown)
        },
    );
}
