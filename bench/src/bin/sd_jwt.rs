//! SD-JWT VCs: issuing, presenting and checking, against the raw signatures and npm @sd-jwt, measured in turn. One thread.

#[path = "../known.rs"]
mod known;
// The world that the vectors of the check play in.
#[allow(dead_code, unused_imports, reason = "the vectors use all of it")]
#[path = "../../../crates/credential/tests/credential/check/world/mod.rs"]
mod world;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use serde_json::{Map, Value, json};
use std::{
    cell::Cell,
    hint::black_box,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};
use vidimus_bench::{Subject, in_turn, row, slice};
use vidimus_core::{Algorithm, PublicKey, Signer, reason::Reason};
use vidimus_credential::{
    category::Categories,
    check::{self, Context, Policy},
    format::sd_jwt_vc::{self, Terms, type_metadata},
    jws,
    sd_jwt::{ClaimPath, Frame, Processed, SdJwt, conceal, key_binding},
};
use vidimus_crypto::{KeyKind, OsEntropy, SigningKey};
use world::{ISSUER, LABS, PROVIDER, PUBLIC, Setup};

/// Disclosed part by part, by us and by @sd-jwt.
const CLAIMS: [(&str, &str); 8] = [
    ("family_name", "Musterfrau"),
    ("given_name", "Gabriele"),
    ("birthdate", "1998-02-26"),
    ("sampled_at", "2026-03-01T10:00:00Z"),
    ("result", "260415000"),
    ("test_name", "TaqPath COVID-19 RT-PCR"),
    ("testing_centre", "Labor Donauraum GmbH"),
    ("country", "AT"),
];
const SHOWN: [&str; 3] = ["family_name", "birthdate", "result"];
const NONCE: &str = "f3J9mQ2xTz7Lk0Wv";
/// Presentations that are checked by turns, each with a holder's key of its own: more than a provider keeps parsed.
const PRESENTED: usize = 10_000;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let slice = slice();
    eight_claims(slice);
    certificates(slice);
}

fn key() -> SigningKey {
    SigningKey::generate(KeyKind::P256, &mut OsEntropy)
}

fn sign(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    key.sign(Algorithm::Es256, message).expect("a key signs")
}

/// The raw signature over as many bytes as are signed.
fn raw_sign<'a>(key: &'a SigningKey, message: &'a [u8]) -> Subject<'a> {
    Subject::new("raw", move || {
        black_box(sign(key, black_box(message)));
    })
}

/// The raw verification of an issuer's signature, its key parsed once.
fn raw_verify(key: &ParsedPublicKey, text: &str) {
    let (message, signature) = text.rsplit_once('.').expect("a JWS");
    let signature = vidimus_core::encoding::from_base64url(signature).expect("a signature");
    key.verify_sig(message.as_bytes(), &signature).expect("it verifies");
}

fn parsed(key: &PublicKey) -> ParsedPublicKey {
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.as_bytes()).expect("a key")
}

/// The same work as @sd-jwt does: eight disclosures, three of them shown with a key binding, and both signatures verified.
fn eight_claims(slice: Duration) {
    let (issuer, holder) = (key(), key());
    let claims = claims(&holder);
    let frame = frame();
    let held = issue(&claims, &frame, &issuer);
    let shown = present(&held, &holder);
    let issuer_key = issuer.public_key().clone();
    verify(&shown, &issuer_key);

    let (signed, _) = held.split_once('~').expect("an SD-JWT");
    let (message, _) = signed.rsplit_once('.').expect("a JWS");
    let (_, binding) = shown.rsplit_once('~').expect("a key binding");
    let (bound, _) = binding.rsplit_once('.').expect("a JWS");
    let read = SdJwt::parse(&held).expect("it reads");
    let processed = read.process(&*PROVIDER).expect("its disclosures fit");
    let paths = SHOWN.map(|name| ClaimPath::of([name]));
    let (issuers, holders) = (parsed(&issuer_key), parsed(holder.public_key()));
    let rates = in_turn(
        &mut [
            raw_sign(&issuer, message.as_bytes()),
            Subject::new("issue", || {
                black_box(issue(black_box(&claims), &frame, &issuer));
            }),
            raw_sign(&holder, bound.as_bytes()),
            Subject::new("present", || {
                black_box(show_read(&read, &processed, &paths, &holder));
            }),
            Subject::new("raw", || {
                raw_verify(&issuers, signed);
                raw_verify(&holders, binding);
            }),
            Subject::new("verify", || verify(black_box(&shown), &issuer_key)),
            Subject::new("present from its text", || {
                black_box(present(black_box(&held), &holder));
            }),
        ],
        5,
        slice,
    );
    let theirs = at_sd_jwt(&claims, (slice.as_secs_f64() * 5.0).max(1.0));
    println!();
    for (at, name) in ["issue", "present", "verify"].into_iter().enumerate() {
        print(&format!("SD-JWT, 8 disclosures, 3 shown, {name}"), &rates[at * 2..]);
        // @sd-jwt reads the text each time.
        let ours = if name == "present" { rates[6] } else { rates[at * 2 + 1] };
        match &theirs {
            Some(theirs) => {
                let theirs = theirs[name].as_f64().expect("a figure");
                row(
                    &format!("SD-JWT, 8 disclosures, 3 shown, {name} : @sd-jwt"),
                    Some(('>', 4.0)),
                    ours / theirs,
                    &format!("{ours:.0}/s; @sd-jwt/sd-jwt-vc 0.19.0 {theirs:.0}/s"),
                );
            }
            None => println!("SKIPPED: @sd-jwt (npm ci in e2e)"),
        }
    }
    row(
        "SD-JWT, present from its text : raw signature",
        None,
        rates[6] / rates[2],
        "read and hashed anew each time",
    );
}

/// The rate of an operation, and what part it is of the raw signatures' before it.
fn print(name: &str, rates: &[f64]) {
    let (raw, ours) = (rates[0], rates[1]);
    row(&format!("{name}: operations/s"), None, ours, "");
    row(
        &format!("{name} : raw signatures"),
        Some(('>', 0.8)),
        ours / raw,
        &format!("raw {raw:.0}/s"),
    );
}

fn claims(holder: &SigningKey) -> Map<String, Value> {
    let mut claims = json!({
        "iss": ISSUER, "iat": 1_772_452_800, "vct": format!("{PUBLIC}/v1/types/sars-cov-2-naat"),
        "cnf": {"jwk": holder.public_key()},
    });
    for (name, value) in CLAIMS {
        claims[name] = value.into();
    }
    let Value::Object(claims) = claims else {
        unreachable!("an object literal")
    };
    claims
}

/// Which claims can be disclosed: known once for a kind of certificate.
fn frame() -> Frame {
    CLAIMS.iter().fold(Frame::new(), |frame, (name, _)| {
        frame.disclosable(&ClaimPath::of([*name]))
    })
}

fn issue(claims: &Map<String, Value>, frame: &Frame, issuer: &SigningKey) -> String {
    let concealed = conceal(claims, frame, &*PROVIDER, &mut OsEntropy).expect("it conceals");
    let Value::Object(header) = json!({"alg": "ES256", "typ": sd_jwt_vc::TYPE}) else {
        unreachable!("an object literal")
    };
    let payload = serde_json::to_vec(&concealed.payload).expect("it writes");
    let unsigned = jws::Unsigned::new(&header, &payload);
    let signature = sign(issuer, unsigned.message());
    concealed.combine(&unsigned.finish(&signature))
}

fn present(held: &str, holder: &SigningKey) -> String {
    show(held, &SHOWN.map(|name| ClaimPath::of([name])), holder)
}

/// Reads what is held, shows those claims, and binds them to the request.
fn show(held: &str, paths: &[ClaimPath], holder: &SigningKey) -> String {
    let read = SdJwt::parse(held).expect("it reads");
    let processed = read.process(&*PROVIDER).expect("its disclosures fit");
    show_read(&read, &processed, paths, holder)
}

/// The same of one that was read before.
fn show_read(read: &SdJwt<'_>, processed: &Processed, paths: &[ClaimPath], holder: &SigningKey) -> String {
    let presented = read.present(&processed.choose(paths).expect("they are there"));
    let expected = world::request();
    let draft = key_binding::Draft {
        audience: &expected.audience,
        nonce: NONCE,
        issued_at: world::now(),
        more: Map::new(),
    };
    let unsigned = draft.prepare(presented, Algorithm::Es256, &*PROVIDER);
    let signature = sign(holder, unsigned.message());
    unsigned.finish(&signature)
}

fn verify(shown: &str, issuer: &PublicKey) {
    let read = SdJwt::parse(shown).expect("it reads");
    let binding = read.key_binding().expect("it is bound").expect("the binding reads");
    let unbound = read.unbound();
    let processed = read.process(&*PROVIDER).expect("its disclosures fit");
    let signed = read.into_jws().into_signed();
    signed
        .verify(&*PROVIDER, Algorithm::Es256, issuer)
        .expect("the issuer signed it");
    let holder = key_binding::holder_key(&processed.claims).expect("a key");
    binding
        .verify_holder(unbound, &holder, &*PROVIDER)
        .expect("the holder signed it");
    let window = key_binding::Window {
        now: world::now(),
        max_age: 60,
        skew: 5,
    };
    let expected = world::request();
    binding
        .verify_request(&expected.audience, NONCE, &window)
        .expect("it answers the request");
    assert!(SHOWN.iter().all(|name| processed.claims.contains_key(*name)));
}

fn at_sd_jwt(claims: &Map<String, Value>, seconds: f64) -> Option<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/sd-jwt.mjs");
    let mut claims = claims.clone();
    claims.shift_remove("cnf");
    let input = json!({
        "claims": claims, "disclosable": CLAIMS.map(|(name, _)| name), "shown": SHOWN, "seconds": seconds,
    });
    let mut child = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(input.to_string().as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

/// Certificates as a laboratory issues them, with every part of the person and the result disclosable, decoys and the document signer's
/// certificate; checked with registry and status.
fn certificates(slice: Duration) {
    let lab = &LABS.lab;
    let (lab_key, certificate) = lab.keys.last().expect("a key");
    let statement = world::statement(lab);
    let category = world::category_of(&statement);
    let issuer = key();
    let vct = sd_jwt_vc::type_url(PUBLIC, &statement.category);
    let integrity = type_metadata::integrity(&type_metadata::document(&category, &vct), &*PROVIDER);
    let copy_for = |holder: &PublicKey| {
        let terms = Terms {
            issuer: ISSUER,
            vct: &vct,
            integrity: &integrity,
            holder,
            kid: None,
            chain: std::slice::from_ref(certificate),
        };
        sd_jwt_vc::prepare(&statement, &category, &terms, &*PROVIDER, &mut OsEntropy).expect("it is prepared")
    };
    let paths = [
        ClaimPath::of(["family_name"]),
        ClaimPath::of(["birthdate"]),
        ClaimPath::of(["claims", "result"]),
    ];
    let holder = key();
    let unsigned = copy_for(holder.public_key());
    let message = unsigned.message().to_vec();
    let held = unsigned.finish(&sign(&issuer, &message));
    let shown = show(&held, &paths, &holder);
    let (_, binding) = shown.rsplit_once('~').expect("a key binding");
    let (bound, _) = binding.rsplit_once('.').expect("a JWS");

    let read = SdJwt::parse(&held).expect("it reads");
    let processed = read.process(&*PROVIDER).expect("its disclosures fit");

    let presented: Vec<(String, PublicKey)> = (0..PRESENTED)
        .map(|_| {
            let holder = key();
            let unsigned = copy_for(holder.public_key());
            let signature = lab_key
                .sign(Algorithm::Es256, unsigned.message())
                .expect("the lab signs");
            (
                show(&unsigned.finish(&signature), &paths, &holder),
                holder.public_key().clone(),
            )
        })
        .collect();
    let setup = Setup::new();
    let registry = known::registry(&setup, lab);
    let status = known::status_lists(&setup);
    let categories = Categories::built_in();
    let mut expected = world::request();
    expected.nonce = NONCE.to_owned();
    let context = Context {
        now: setup.now,
        provider: &*PROVIDER,
        categories: &categories,
        registry: Some(&registry),
        status: &status,
        roots: None,
        trust: None,
        policy: Policy::default(),
        expected: Some(&expected),
    };
    let report = check::check_bytes(presented[0].0.as_bytes(), &context);
    // Nothing is amiss but the receipt, which is measured in `check`.
    assert_eq!(report.reasons(), [Reason::IntegrityMissing, Reason::ReceiptMissing]);
    let labs_key = parsed(lab_key.public_key());
    let (raw_at, at) = (Cell::new(0), Cell::new(0));
    let next = |cell: &Cell<usize>| &presented[cell.replace((cell.get() + 1) % PRESENTED)];
    let rates = in_turn(
        &mut [
            raw_sign(&issuer, &message),
            Subject::new("issue", || {
                let unsigned = copy_for(holder.public_key());
                let signature = sign(&issuer, unsigned.message());
                black_box(unsigned.finish(&signature));
            }),
            raw_sign(&holder, bound.as_bytes()),
            Subject::new("present", || {
                black_box(show_read(&read, &processed, &paths, &holder));
            }),
            Subject::new("raw", || {
                let (text, key) = next(&raw_at);
                let (signed, _) = text.split_once('~').expect("an SD-JWT");
                raw_verify(&labs_key, signed);
                raw_verify(&parsed(key), text.rsplit_once('~').expect("a key binding").1);
            }),
            Subject::new("check", || {
                black_box(check::check_bytes(next(&at).0.as_bytes(), &context));
            }),
        ],
        5,
        slice,
    );
    println!();
    for (at, name) in ["issue", "present", "check (signatures, registry, status)"]
        .into_iter()
        .enumerate()
    {
        print(&format!("SD-JWT certificate, {name}"), &rates[at * 2..]);
    }
}
