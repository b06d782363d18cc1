//! The airline's gate without a network: bundle, trust lists, ages.

use super::world::{
    ANCHORS, CHAIN, DEPLOYMENT, LABS, OTHER, PROVIDER, Setup, TRAVELLER, at, events, foreign, head, kid, now, profile,
    request, simple, statement, token_list_of,
};
use vidimus_core::{
    Algorithm, Signer, Timestamp,
    encoding::{base64, base64url},
    reason::{Reason, Test},
};
use vidimus_credential::{
    check::{
        Bundle, Context, Policy, TrustList, TrustListError, Verdict,
        bundle::{Anchors, BundleError, Content, List},
        check_bytes,
    },
    x509,
};

fn content(version: u64, roots: Vec<vidimus_credential::check::Root>) -> Content {
    Content {
        version,
        made_at: now().plus(-3600),
        head: head(),
        issuers: events(),
        verifiers: Vec::new(),
        anchors: Anchors {
            from_block: 0,
            chain_id: CHAIN,
            contract: ANCHORS,
            block_number: 900,
            read_at: now(),
            roots,
        },
        status: vec![token_list_of(&DEPLOYMENT, now().plus(-4000), None, None)],
        certificates: LABS.lab.keys.iter().map(|(_, der)| base64(der)).collect(),
        profiles: vec![profile(&LABS.lab)],
        value_sets: Vec::new(),
        categories: Vec::new(),
    }
}

fn sign(content: &Content, deployment: &super::world::Deployment) -> String {
    let unsigned = content.prepare(std::slice::from_ref(&deployment.lists_certificate));
    let signature = deployment.lists.sign(Algorithm::Es256, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

fn open(text: &str, seen: Option<u64>) -> Result<Bundle, BundleError> {
    let root = x509::Certificate::from_der(DEPLOYMENT.authority.certificate()).unwrap();
    Bundle::open(text, &[root], &*PROVIDER, now(), seen).map(|bundle| bundle.into_inner())
}

/// The verdict at the gate, at `time`, with nothing but the bundle.
fn gate(bundle: &Bundle, input: &str, time: Timestamp) -> vidimus_credential::check::Report {
    let expected = request();
    let context = Context {
        now: time,
        provider: &*PROVIDER,
        categories: &bundle.categories,
        registry: Some(&bundle.issuers),
        status: &bundle.status,
        roots: Some(&bundle.roots),
        trust: None,
        policy: Policy {
            presentation_max_age: 30 * 86_400,
            ..Policy::default()
        },
        expected: Some(&expected),
    };
    check_bytes(input.as_bytes(), &context)
}

#[test]
fn the_airline_checks_without_a_network_until_its_bundle_is_stale() {
    let mut setup = Setup::new();
    let envelope = setup.anchor(&simple(&statement(&LABS.lab), &LABS.lab));
    let show = super::world::Show {
        expires_at: now().plus(30 * 86_400),
        ..Default::default()
    };
    let input = TRAVELLER.present_as(&show, &[envelope]);
    let bundle = open(&sign(&content(7, setup.anchors.unwrap().roots), &DEPLOYMENT), Some(7)).unwrap();
    assert_eq!(bundle.version, 7);

    let report = gate(&bundle, &input, now());
    assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.reasons());
    assert_eq!(
        report.ages.registry,
        Some(3600),
        "nothing in a bundle is younger than the bundle"
    );
    assert_eq!(report.ages.anchors, Some(3600));
    assert_eq!(report.ages.status, Some(4000));
    let shown = report.verified().unwrap();
    assert_eq!(shown.person.given_name.as_deref(), Some("Änne"));
    assert_eq!(shown.issuer.name.as_deref(), Some("Test lab-account"));

    let later = gate(&bundle, &input, now().plus(86_400));
    assert_eq!(later.verdict, Verdict::Undetermined);
    let codes: Vec<_> = later.reasons().iter().map(|reason| reason.code()).collect();
    assert_eq!(codes, ["registry_stale", "status_stale"], "the anchor does not age");
    assert!(later.verified().is_none());
}

#[test]
fn a_bundle_brings_categories_with_the_value_sets_they_need() {
    let file = |path: &str| {
        let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/samples");
        std::fs::read_to_string(samples.join(path)).unwrap()
    };
    let with = |value_sets: Vec<String>| {
        let categories = vec![file("categories/yellow-fever-vaccination.json")];
        let content = Content {
            value_sets,
            categories,
            ..content(7, Vec::new())
        };
        open(&sign(&content, &DEPLOYMENT), None)
    };
    let bundle = with(vec![file("value-sets/yellow-fever-vaccine.json")]).unwrap();
    let id = vidimus_credential::CategoryId::new("yellow-fever-vaccination").unwrap();
    let category = bundle.categories.category(&id).unwrap();
    assert!(category.value_sets().any(|(_, set)| set.id == "yellow-fever-vaccine"));
    let Err(BundleError::Category(error)) = with(Vec::new()) else {
        panic!("a category without its value set")
    };
    assert_eq!(
        (error.file.as_str(), error.pointer.as_str()),
        ("category 0 of the bundle", "/value_sets/~1product")
    );
}

#[test]
fn a_bundle_is_refused_unless_it_is_the_deployments_and_newer() {
    let text = sign(&content(7, Vec::new()), &DEPLOYMENT);
    assert!(open(&text, None).is_ok());
    assert!(matches!(
        open(&text, Some(8)),
        Err(BundleError::RolledBack { version: 7, seen: 8 })
    ));
    assert!(matches!(
        open(&sign(&content(7, Vec::new()), &OTHER), None),
        Err(BundleError::Chain(_))
    ));
    // A laboratory's document signer leads to the same root, and must not say who is a laboratory.
    let (key, der) = &LABS.lab.keys[1];
    let unsigned = content(9, Vec::new()).prepare(std::slice::from_ref(der));
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    assert!(matches!(
        open(&unsigned.finish(&signature), None),
        Err(BundleError::Usage)
    ));
    let future = Content {
        made_at: now().plus(120),
        ..content(7, Vec::new())
    };
    assert!(matches!(
        open(&sign(&future, &DEPLOYMENT), None),
        Err(BundleError::Future)
    ));
    let mut cut = content(7, Vec::new());
    cut.issuers.remove(0);
    assert!(matches!(
        open(&sign(&cut, &DEPLOYMENT), None),
        Err(BundleError::Events(_))
    ));
    let (message, signature) = text.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let payload = String::from_utf8(vidimus_core::encoding::from_base64url(payload).unwrap()).unwrap();
    let forged = payload.replacen("\"version\":7", "\"version\":8", 1);
    let forged = format!("{header}.{}.{signature}", base64url(forged.as_bytes()));
    assert!(matches!(open(&forged, None), Err(BundleError::Signature)));
    assert!(matches!(
        open(&token_list_of(&DEPLOYMENT, now(), None, None).token, None),
        Err(BundleError::Malformed)
    ));
    assert!(matches!(open("", None), Err(BundleError::Jws(_))));
}

#[test]
fn a_status_list_in_a_bundle_still_needs_its_own_signature() {
    let mut content = content(7, Vec::new());
    content.status = vec![token_list_of(&OTHER, now().plus(-4000), None, None)];
    let bundle = open(&sign(&content, &DEPLOYMENT), None).unwrap();
    assert!(!bundle.status.contains(&content.status[0].uri));
}

#[test]
fn an_older_or_broken_list_never_replaces_a_good_one() {
    let root = x509::Certificate::from_der(DEPLOYMENT.authority.certificate()).unwrap();
    let mut lists = vidimus_credential::check::StatusLists::new();
    let mut add = |List { uri, token, .. }: &List| {
        lists
            .add_token_list(uri, token, std::slice::from_ref(&root), now(), &*PROVIDER)
            .is_ok()
    };
    let new = token_list_of(&DEPLOYMENT, now().plus(-60), None, None);
    let old = token_list_of(&DEPLOYMENT, now().plus(-600), None, None);
    let foreign = token_list_of(&OTHER, now().plus(-1), None, None);
    assert!(add(&new));
    assert!(!add(&old));
    assert!(!add(&foreign));
    assert_eq!(lists.issued_at(&new.uri), Some(now().plus(-60)));
}

#[test]
fn trust_lists_are_read_in_the_forms_in_use() {
    let (_, der, wrapped) = foreign();
    let (kid_text, der_text) = (base64(&kid(&der)), base64(&der));
    let entry = serde_json::json!({"kid": kid_text, "country": "FR", "certificateType": "DSC", "rawData": der_text});
    let by_country = serde_json::json!({"dsc_trust_list": {"FR": {"keys": [{"kid": kid_text, "x5c": [der_text]}]}}});
    let pem = format!("-----BEGIN CERTIFICATE-----\n{der_text}\n-----END CERTIFICATE-----\n");
    for (form, text) in [
        ("a national backend's", wrapped.to_string()),
        ("the gateway's", serde_json::json!([entry]).to_string()),
        ("by country, as JWK sets", by_country.to_string()),
        ("bare certificates", serde_json::json!([der_text]).to_string()),
        ("PEM", pem),
    ] {
        let list = TrustList::parse(text.as_bytes(), now(), &*PROVIDER).expect(form);
        assert_eq!(list.len(), 1, "{form}");
        assert_eq!(list.find(&kid(&der)).len(), 1, "{form}");
    }
    // A list may give a certificate a key id of its own.
    let renamed = serde_json::json!([{"kid": base64(b"AT-01"), "rawData": der_text}]).to_string();
    let list = TrustList::parse(renamed.as_bytes(), now(), &*PROVIDER).unwrap();
    assert_eq!(list.find(b"AT-01").len(), 1);
    assert_eq!(list.find(&kid(&der)).len(), 1);
}

#[test]
fn what_is_no_trust_list_is_refused() {
    let parse =
        |text: &str| TrustList::parse(text.as_bytes(), at("2026-03-01T00:00:00Z"), &*PROVIDER).map(|list| list.len());
    let (_, der, _) = foreign();
    let authority = serde_json::json!([{"certificateType": "CSCA", "rawData": base64(&der)}]).to_string();
    for (text, error) in [
        ("", TrustListError::Malformed),
        ("<html>", TrustListError::Malformed),
        ("[]", TrustListError::Empty),
        ("{}", TrustListError::Empty),
        (r#"["AAAA"]"#, TrustListError::Empty),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            TrustListError::Empty,
        ),
        (authority.as_str(), TrustListError::Empty),
        (&"[".repeat(100_000), TrustListError::Malformed),
    ] {
        assert_eq!(parse(text), Err(error), "{}", &text[..text.len().min(40)]);
    }
}

/// A trust list that says who issues SD-JWT VCs and who signs status lists, changed.
fn of_sd_jwts(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let (_, der, _) = foreign();
    let jwks = serde_json::json!({"keys": [TRAVELLER.p256.public_key()]});
    let mut list = serde_json::json!({
        "certificates": [base64(&der)],
        "sd_jwt_vc": {
            "authorities": [base64(OTHER.authority.certificate()), base64(&der)],
            "issuers": [{"issuer": "https://pid.example", "jwks": jwks}],
        },
        "status_signers": {"certificates": [base64(&OTHER.lists_certificate)], "jwks": jwks},
    });
    change(&mut list);
    list.to_string()
}

#[test]
fn a_trust_list_names_issuers_of_sd_jwt_vcs_and_signers_of_status_lists() {
    let read =
        |change: &dyn Fn(&mut serde_json::Value)| TrustList::parse(of_sd_jwts(change).as_bytes(), now(), &*PROVIDER);
    let list = read(&|_| {}).unwrap();
    assert_eq!(list.len(), 4, "one of HCERTs, two by certificate, one by key");
    assert_eq!((list.anchors().authorities.len(), list.anchors().signers.len()), (1, 1));
    assert_eq!(list.issuer("https://pid.example").unwrap().1.len(), 1);
    assert_eq!((list.status_signers().signers.len(), list.status_keys().len()), (1, 1));
    assert!(
        list.find(&kid(OTHER.authority.certificate())).is_empty(),
        "no document signer"
    );
    assert!(list.find(&kid(&OTHER.lists_certificate)).is_empty(), "nor this one");
    let alone = read(&|list| drop(list.as_object_mut().unwrap().shift_remove("certificates"))).unwrap();
    assert_eq!(alone.len(), 3);
    type Change = dyn Fn(&mut serde_json::Value);
    let (issuers, status) = (
        TrustListError::Member("sd_jwt_vc"),
        TrustListError::Member("status_signers"),
    );
    let changes: [(&Change, TrustListError); 15] = [
        (&|list| list["sd_jwt_vc"] = serde_json::json!([]), issuers),
        (&|list| list["sd_jwt_vc"]["others"] = serde_json::json!([]), issuers),
        (
            &|list| list["sd_jwt_vc"]["authorities"] = serde_json::json!("x"),
            issuers,
        ),
        (
            &|list| list["sd_jwt_vc"]["authorities"] = serde_json::json!(["AAAA"]),
            issuers,
        ),
        (
            &|list| list["sd_jwt_vc"]["authorities"] = serde_json::json!(["-"]),
            issuers,
        ),
        (
            &|list| list["sd_jwt_vc"]["authorities"] = serde_json::json!([1]),
            issuers,
        ),
        (
            &|list| list["sd_jwt_vc"]["authorities"] = vec![base64(OTHER.authority.certificate()); 17].into(),
            issuers,
        ),
        (
            &|list| list["sd_jwt_vc"]["issuers"][0]["jwks"] = serde_json::json!({"keys": []}),
            issuers,
        ),
        (
            &|list| {
                drop(
                    list["sd_jwt_vc"]["issuers"][0]
                        .as_object_mut()
                        .unwrap()
                        .remove("issuer"),
                )
            },
            issuers,
        ),
        (
            &|list| {
                let twice = list["sd_jwt_vc"]["issuers"][0].clone();
                list["sd_jwt_vc"]["issuers"].as_array_mut().unwrap().push(twice);
            },
            issuers,
        ),
        (
            &|list| list["sd_jwt_vc"]["issuers"][0]["jwks"]["keys"][0]["d"] = "AA".into(),
            issuers,
        ),
        (&|list| list["status_signers"] = serde_json::json!("x"), status),
        (&|list| list["status_signers"]["jwks"] = serde_json::json!({}), status),
        (
            &|list| list["status_signers"]["certificates"] = serde_json::json!(["AAAA"]),
            status,
        ),
        (
            &|list| {
                let members = list.as_object_mut().unwrap();
                members.retain(|name, _| name == "status_signers");
            },
            TrustListError::Empty,
        ),
    ];
    for (place, (change, error)) in changes.iter().enumerate() {
        assert_eq!(read(change).map(|list| list.len()), Err(*error), "change {place}");
    }
}

#[test]
fn a_foreign_list_is_due_when_it_says_so() {
    let fetched = |expires_at, ttl| {
        let list = token_list_of(&OTHER, now().plus(-600), expires_at, ttl);
        let list = vidimus_credential::check::ForeignList::read(&list.uri, &list.token, now()).unwrap();
        list.due().since(now())
    };
    assert_eq!(fetched(None, None), 300, "which says nothing");
    assert_eq!(fetched(None, Some(60)), 60);
    assert_eq!(fetched(Some(now().plus(20)), Some(60)), 20);
    assert_eq!(fetched(Some(now().plus(-20)), Some(60)), -20);
    assert_eq!(fetched(None, Some(u64::MAX)), 86_400);
}

#[test]
fn a_category_without_rules_of_acceptance_says_so_instead_of_accepting() {
    let file =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/categories/sars-cov-2-naat.json")).unwrap();
    let mut category: serde_json::Value = serde_json::from_str(&file).unwrap();
    category["acceptance"] = serde_json::json!([]);
    let mut statement = statement(&LABS.lab);
    // Detected: with the rule this is not acceptable.
    statement.claims.insert("result".to_owned(), "260373001".into());
    for (files, verdict, reason) in [
        (Vec::new(), Verdict::Invalid, Reason::NotAcceptable),
        (
            vec![category.to_string()],
            Verdict::Valid,
            Reason::AcceptanceNotApplicable,
        ),
    ] {
        let mut setup = Setup::new();
        let input = TRAVELLER.present(&setup.anchor(&simple(&statement, &LABS.lab)));
        let mut content = content(7, setup.anchors.unwrap().roots);
        content.categories = files;
        let report = gate(&open(&sign(&content, &DEPLOYMENT), None).unwrap(), &input, now());
        assert_eq!(report.test(Test::Acceptance).unwrap().reason, reason);
        assert_eq!(report.verdict, verdict, "{:?}", report.reasons());
    }
}
