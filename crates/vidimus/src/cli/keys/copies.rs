//! What an issuer that keeps its own keys signs: each copy is decoded whole, held against what this issuer reported, and made again here from the
//! report. Only where both are the same bytes it is signed: a server that is wrong, or lies, gets no signature.

use super::wallets;
use crate::{
    app::render::{self, CopyTerms, SdJwtTerms, Subject},
    cli::{Exit, Failure, client::read_text},
};
use serde_json::{Map, Value};
use std::path::PathBuf;
use vidimus_core::{
    Algorithm, PublicKey, Timestamp,
    encoding::{from_base64, from_base64url},
    id::CopyId,
};
use vidimus_credential::{
    CategoryId, Format, Person, StatusReference,
    card::HolderCard,
    category::{Categories, Category},
    format::{self, Content, FormatError, KeyHint, Parsed, Unsigned, vc_jwt::context_url},
    intake, x509,
};
use vidimus_crypto::Native;

/// How old a prepared copy may be: an issuer has a week to sign it.
const WEEK: i64 = 7 * 86_400;
/// By how much the server's clock may be ahead.
const SKEW: i64 = 300;

/// What was reported: the same files that `vidimus issue` was given.
#[derive(Debug, clap::Args)]
#[group(id = "reported", multiple = true)]
pub struct Reported {
    /// What was reported: the HL7 FHIR R4 Bundle.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dcc", "claims"], required_unless_present_any = ["dcc", "claims"])]
    fhir: Option<PathBuf>,
    /// What was reported: the EU DCC 1.3 payload.
    #[arg(long, value_name = "FILE", conflicts_with = "claims")]
    dcc: Option<PathBuf>,
    /// What was reported: the plain form.
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
    /// The category that was asked for.
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Sign also what wallets asked for that claimed an offer: for whose key a copy is, is then the server's word.
    #[arg(long)]
    wallets: bool,
    /// The holder's card that was given; none for paper.
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// A value set's file of the deployment's own. Can be given several times.
    #[arg(long, value_name = "FILE")]
    value_set_file: Vec<PathBuf>,
    /// A category's file of the deployment's own. Can be given several times.
    #[arg(long, value_name = "FILE")]
    category_file: Vec<PathBuf>,
    /// Public address of the deployment, as certificates name it; default --url.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The issuer's name, as it stands in certificates; without it the server's word is taken.
    #[arg(long, value_name = "NAME")]
    issuer_name: Option<String>,
    /// The issuer's country; without it the server's word is taken.
    #[arg(long, value_name = "CODE")]
    issuer_country: Option<String>,
}

/// The issuer, and the deployment it issues in.
pub(super) struct Own {
    /// Its DID.
    pub did: String,
    /// Its registered name.
    pub name: String,
    /// Its country.
    pub country: String,
    /// `kid`s of its document signers: the certificates there are of the key that signs here.
    pub signers: Vec<[u8; 8]>,
    /// The same of its keys before that one.
    pub signers_before: Vec<[u8; 8]>,
    /// Public address of the deployment.
    pub public_url: String,
    /// Its id there, which names it as credential issuer.
    pub id: String,
}

impl Own {
    /// From its profile; a certificate counts only if it is of a key of its own: `signing`, which signs here, or one of `before`.
    pub fn of(
        did: &str,
        signing: &PublicKey,
        before: &[PublicKey],
        profile: &Value,
        reported: &Reported,
        url: &str,
    ) -> Self {
        let text = |given: &Option<String>, name: &str| {
            let told = || profile[name].as_str().unwrap_or_default().to_owned();
            given.clone().unwrap_or_else(told)
        };
        let certificates = profile["keys"].as_array().into_iter().flatten();
        let certificates: Vec<_> = certificates
            .filter_map(|key| from_base64(key["certificate"].as_str()?).ok())
            .filter_map(|der| x509::Certificate::from_der(&der).ok())
            .collect();
        let signers_of = |keys: &[PublicKey]| {
            let own = certificates.iter().filter(|known| keys.contains(&known.public_key));
            own.map(|known| known.kid(&Native::new())).collect()
        };
        Self {
            did: did.to_owned(),
            name: text(&reported.issuer_name, "name"),
            country: text(&reported.issuer_country, "country"),
            signers: signers_of(std::slice::from_ref(signing)),
            signers_before: signers_of(before),
            id: profile["id"].as_str().unwrap_or_default().to_owned(),
            public_url: reported
                .public_url
                .as_deref()
                .unwrap_or(url)
                .trim_end_matches('/')
                .to_owned(),
        }
    }
}

/// What is to be signed, as this issuer knows it.
pub(super) struct Asked {
    categories: Categories,
    category: CategoryId,
    person: Person,
    claims: Map<String, Value>,
    holder: Option<String>,
    wallets: bool,
}

impl Asked {
    /// Reads what was reported in the way the server reads it.
    pub fn read(reported: &Reported, own: &Own, now: Timestamp) -> Result<Self, Failure> {
        let usage = |text: String| Failure::new(Exit::Usage, text);
        let mut categories = Categories::built_in();
        for path in &reported.value_set_file {
            let name = path.display().to_string();
            categories
                .load_value_set(&name, &read_text(path)?)
                .map_err(|error| usage(error.to_string()))?;
        }
        for path in &reported.category_file {
            let name = path.display().to_string();
            categories
                .load(&name, &read_text(path)?)
                .map_err(|error| usage(error.to_string()))?;
        }
        let category = reported.category.as_deref().map(CategoryId::new).transpose();
        let category = category.map_err(|error| usage(format!("--category: {error}")))?;
        let context = intake::Context {
            categories: &categories,
            now,
            country: Some(&own.country),
            category: category.as_ref(),
        };
        let taken = match (&reported.fhir, &reported.dcc, &reported.claims) {
            (Some(path), ..) => intake::read(read_text(path)?.as_bytes(), &context),
            (_, Some(path), _) => intake::dcc::read(read_text(path)?.as_bytes(), &context),
            (.., Some(path)) => intake::claims::read(read_text(path)?.as_bytes(), &context),
            _ => return Err(usage("what was reported is needed: --fhir, --dcc or --claims".into())),
        };
        let taken = taken
            .map_err(|_| usage("what was reported does not fit a category: give the file that was reported".into()))?;
        let holder = match &reported.card {
            Some(path) => {
                let card = HolderCard::verify(&read_text(path)?, &Native::new(), now);
                Some(
                    card.map_err(|error| usage(format!("{}: {error}", path.display())))?
                        .into_inner()
                        .did,
                )
            }
            None => None,
        };
        let mut claims = taken.claims;
        let known = categories.category(&taken.category);
        if known.is_some_and(|category| category.schema().pointer("/properties/issuer_name").is_some()) {
            claims.insert("issuer_name".to_owned(), Value::String(own.name.clone()));
        }
        Ok(Self {
            category: taken.category,
            person: taken.person,
            claims,
            holder,
            wallets: reported.wallets,
            categories,
        })
    }
}

/// Whether `message` is the copy that was asked for; else what about it is not.
pub(super) fn check(
    message: &[u8],
    algorithm: Algorithm,
    copy: &Value,
    asked: &Asked,
    own: &Own,
    now: Timestamp,
) -> Result<(), &'static str> {
    let text = |name: &str| copy[name].as_str().unwrap_or_default();
    let format = Format::from_name(text("format")).ok_or("its format is not known")?;
    if !render::algorithms(format).contains(&algorithm) {
        return Err("its algorithm is not one of its format");
    }
    let id: CopyId = text("id").parse().map_err(|_| "it has no id")?;
    let category = asked
        .categories
        .category(&asked.category)
        .ok_or("its category is not known")?;
    let seed = copy["to_sign"]["wallet_seed"].as_str();
    if seed.is_some() && !asked.wallets {
        return Err("a wallet asked for it: with --wallets it is signed");
    }
    // What the server may choose, within bounds: when, until when, the place in the status list, which of the issuer's keys, and for a wallet whose.
    let said = if format == Format::SdJwtVc {
        wallets::said(message, category, seed, own)?
    } else {
        said(message, algorithm, format, seed.is_some(), asked, own, id)?
    };
    let Said {
        issued_at,
        until,
        status,
        ..
    } = said;
    if issued_at > now.plus(SKEW) || issued_at < now.plus(-WEEK) {
        return Err("its time of signing is not now, nor within the last week");
    }
    let (valid_from, valid_until) = validity(category, &asked.claims, issued_at, until)?;
    require_status_here(&status, own)?;
    let subject = Subject {
        category: asked.category.clone(),
        issuer: own.did.clone(),
        country: own.country.clone(),
        person: asked.person.clone(),
        claims: asked.claims.clone(),
        valid_from,
        valid_until,
    };
    let terms = CopyTerms {
        id,
        format,
        algorithm,
        kid: said.kid,
        signer: said.signer,
        holder: said.holder,
        issued_at,
        status,
        sd_jwt: said.sd_jwt,
    };
    let not_rendered = "what was reported cannot be rendered in this format";
    let made = render::prepare(
        &asked.categories,
        &context_url(&own.public_url),
        &subject,
        &terms,
        &Native::new(),
    )
    .map_err(|_| not_rendered)?;
    if made.message() == message {
        return Ok(());
    }
    let Some(read) = said.content else {
        return Err("it says something else than what was reported");
    };
    let made = parse(made, algorithm).map_err(|_| not_rendered)?;
    Err(difference(&made.content, &read))
}

/// What a copy says that is not in the report.
pub(super) struct Said {
    pub issued_at: Timestamp,
    pub until: Timestamp,
    pub status: StatusReference,
    pub kid: String,
    pub signer: Option<[u8; 8]>,
    pub holder: Option<String>,
    pub sd_jwt: Option<SdJwtTerms>,
    /// All of it, where nothing in it is concealed.
    pub content: Option<Content>,
}

fn said(
    message: &[u8],
    algorithm: Algorithm,
    format: Format,
    for_wallet: bool,
    asked: &Asked,
    own: &Own,
    id: CopyId,
) -> Result<Said, &'static str> {
    let unsigned = Unsigned::from_message(format, message.to_vec()).map_err(|_| "it is no certificate")?;
    let read = parse(unsigned, algorithm).map_err(|_| "it is no certificate")?;
    if read.format != format || read.algorithm != algorithm {
        return Err("it is in another format, or for another algorithm, than it says");
    }
    let mut holder = asked.holder.clone();
    let (issued_at, until, status) = match &read.content {
        Content::Statement(statement) => {
            if for_wallet {
                holder.clone_from(&statement.holder);
            }
            differs(statement, asked, own, id, holder.as_ref())?;
            (statement.issued_at, statement.valid_until, statement.status.clone())
        }
        Content::Hcert(content) => (content.issued_at, content.expires_at, content.status.clone()),
        Content::SdJwtVc(_) => return Err("it is in another format than it says"),
    };
    Ok(Said {
        issued_at,
        until,
        status: status.ok_or("it has no status")?,
        kid: own_kid(&read.key, format, algorithm, own)?,
        signer: own_signer(&read.key, &own.signers),
        holder,
        sd_jwt: None,
        content: Some(read.content),
    })
}

/// Reads a message as the certificate that it would be with a signature.
fn parse(unsigned: Unsigned, algorithm: Algorithm) -> Result<Parsed, FormatError> {
    let signature = vec![1; if algorithm == Algorithm::Es256kR { 65 } else { 64 }];
    format::parse(&unsigned.finish(&signature))
}

fn require_status_here(status: &StatusReference, own: &Own) -> Result<(), &'static str> {
    let lists = [
        Some(&status.token_list),
        status.bitstring_list.as_ref(),
        status.suspension_list.as_ref(),
    ];
    let here = format!("{}/v1/status/", own.public_url);
    if lists.into_iter().flatten().any(|list| !list.starts_with(&here)) {
        return Err("its status is kept somewhere else than at this deployment (--public-url)");
    }
    Ok(())
}

/// Of a copy that stays unsigned for no fault of anybody: the server gives it up within a week.
pub(super) const REPLACED: &str =
    "it was prepared for a key of yours that another has replaced: ask for new copies (`copies add`)";

/// The `kid` that a copy names, which must be of a key of this issuer; none for paper, which names its document signer.
fn own_kid(key: &KeyHint, format: Format, algorithm: Algorithm, own: &Own) -> Result<String, &'static str> {
    let kid = match key {
        KeyHint::Kid(kid) => kid.clone(),
        KeyHint::Bytes(_) | KeyHint::None => String::new(),
    };
    if format != Format::Hcert && !names_own_key(&kid, &own.did, algorithm) {
        return Err("it names a key that is not this issuer's");
    }
    if format == Format::Hcert && own_signer(key, &own.signers_before).is_some() {
        return Err(REPLACED);
    }
    if format == Format::Hcert && own_signer(key, &own.signers).is_none() {
        return Err("it names a document signer that is not this issuer's key");
    }
    Ok(kid)
}

/// Which of these document signers a copy names.
fn own_signer(key: &KeyHint, signers: &[[u8; 8]]) -> Option<[u8; 8]> {
    let KeyHint::Bytes(kid) = key else { return None };
    signers.iter().find(|signer| signer[..] == kid[..]).copied()
}

/// What a copy says otherwise than the one that was made here.
fn difference(made: &Content, read: &Content) -> &'static str {
    match (made, read) {
        (Content::Hcert(made), Content::Hcert(read))
            if ["nam", "dob"].iter().any(|name| made.dcc[*name] != read.dcc[*name]) =>
        {
            "it is about another person than was reported"
        }
        (Content::Hcert(made), Content::Hcert(read)) if made.dcc != read.dcc => {
            "it says another result than was reported"
        }
        _ => "it says something else than what was reported",
    }
}

/// The first thing that a statement says otherwise than it was reported.
fn differs(
    statement: &vidimus_credential::Statement,
    asked: &Asked,
    own: &Own,
    id: CopyId,
    holder: Option<&String>,
) -> Result<(), &'static str> {
    for (same, what) in [
        (statement.id == id, "it is another copy than it says"),
        (statement.issuer == own.did, "it is of another issuer"),
        (statement.issuer_country == own.country, "it is of another country"),
        (
            statement.category == asked.category,
            "it is of another category than what was reported",
        ),
        (
            statement.person == asked.person,
            "it is about another person than was reported",
        ),
        (
            statement.claims == asked.claims,
            "it says another result than was reported",
        ),
        (
            statement.holder.as_ref() == holder,
            "it is for another holder than the card's",
        ),
    ] {
        if !same {
            return Err(what);
        }
    }
    Ok(())
}

/// From when until when a copy may hold. Where the category counts from the time of signing, a later copy keeps its certificate's earlier end.
fn validity(
    category: &Category,
    claims: &Map<String, Value>,
    issued_at: Timestamp,
    until: Timestamp,
) -> Result<(Timestamp, Timestamp), &'static str> {
    let at = |time| {
        category
            .validity(claims, time)
            .map_err(|_| "no validity can be computed of it")
    };
    let (computed, before) = (at(issued_at)?, at(issued_at.plus(-86_400))?);
    let earlier = computed.until != before.until && until < computed.until && until > issued_at;
    if until == computed.until || earlier {
        Ok((computed.from, until))
    } else {
        Err("it holds for another time than its category says")
    }
}

/// `did#controller` for the account, `did#delegate-N` for the P-256 key.
fn names_own_key(kid: &str, did: &str, algorithm: Algorithm) -> bool {
    let Some(fragment) = kid.strip_prefix(did).and_then(|rest| rest.strip_prefix('#')) else {
        return false;
    };
    match algorithm {
        Algorithm::Es256 => fragment
            .strip_prefix("delegate-")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())),
        _ => fragment == "controller",
    }
}

/// The message of a copy's `to_sign`.
pub(super) fn message_of(to_sign: &Value) -> Result<(Algorithm, Vec<u8>), &'static str> {
    let text = |name: &str| to_sign[name].as_str().unwrap_or_default();
    let algorithm = Algorithm::from_name(text("algorithm")).ok_or("its algorithm is not known")?;
    let message = from_base64url(text("message")).map_err(|_| "its message is not base64url")?;
    Ok((algorithm, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_772_452_800);
    const DID: &str = "did:ethr:0x56494d:0x00000000000000000000000000000000000000aa";
    const HOLDER: &str = "did:ethr:0x56494d:0x00000000000000000000000000000000000000bb";

    fn own() -> Own {
        Own {
            did: DID.into(),
            name: "Labor Donauraum".into(),
            country: "AT".into(),
            signers: vec![[6; 8], [7; 8]],
            signers_before: vec![[5; 8]],
            public_url: "https://vidimus.example".into(),
            id: "01".into(),
        }
    }

    fn asked(holder: Option<&str>) -> Asked {
        let claims = json!({
            "target": "840539006", "test_type": "LP6464-4", "sampled_at": "2026-03-02T08:15:00Z", "result": "260415000",
            "testing_centre": "Labor Donauraum", "country": "AT", "issuer_name": "Labor Donauraum",
        });
        Asked {
            categories: Categories::built_in(),
            category: CategoryId::new("sars-cov-2-naat").unwrap(),
            person: Person {
                family_name: "Musterfrau".into(),
                given_name: "Gabriele".into(),
                family_name_transliterated: "MUSTERFRAU".into(),
                given_name_transliterated: "GABRIELE".into(),
                birth_date: "1998-02-26".into(),
            },
            claims: claims.as_object().unwrap().clone(),
            holder: holder.map(str::to_owned),
            wallets: false,
        }
    }

    /// What a server prepares, with something about it changed.
    struct Prepared {
        subject: Subject,
        terms: CopyTerms,
        context: String,
    }

    fn prepared(format: Format, algorithm: Algorithm) -> Prepared {
        let holder = (format != Format::Hcert).then_some(HOLDER);
        let asked = asked(holder);
        let category = asked.categories.category(&asked.category).unwrap();
        let span = category.validity(&asked.claims, NOW).unwrap();
        let fragment = if algorithm == Algorithm::Es256 {
            "delegate-1"
        } else {
            "controller"
        };
        Prepared {
            subject: Subject {
                category: asked.category.clone(),
                issuer: DID.into(),
                country: "AT".into(),
                person: asked.person.clone(),
                claims: asked.claims.clone(),
                valid_from: span.from,
                valid_until: span.until,
            },
            terms: CopyTerms {
                id: CopyId::from_bytes([3; 16]),
                format,
                algorithm,
                kid: format!("{DID}#{fragment}"),
                signer: Some([7; 8]),
                holder: holder.map(str::to_owned),
                issued_at: NOW,
                status: StatusReference {
                    token_list: "https://vidimus.example/v1/status/1/token".into(),
                    bitstring_list: Some("https://vidimus.example/v1/status/1/bitstring/revocation".into()),
                    suspension_list: Some("https://vidimus.example/v1/status/1/bitstring/suspension".into()),
                    index: 4_711,
                },
                sd_jwt: None,
            },
            context: context_url("https://vidimus.example"),
        }
    }

    impl Prepared {
        fn judged(&self) -> Result<(), &'static str> {
            let categories = Categories::built_in();
            let made = render::prepare(&categories, &self.context, &self.subject, &self.terms, &Native::new()).unwrap();
            self.judged_as(made.message())
        }
        fn judged_as(&self, message: &[u8]) -> Result<(), &'static str> {
            let copy = json!({"id": CopyId::from_bytes([3; 16]).to_string(), "format": self.terms.format.name()});
            let holder = (self.terms.format != Format::Hcert).then_some(HOLDER);
            check(message, self.terms.algorithm, &copy, &asked(holder), &own(), NOW)
        }
    }

    const ALL: [(Format, Algorithm); 5] = [
        (Format::VcJwt11, Algorithm::Es256k),
        (Format::VcJwt11, Algorithm::Es256kR),
        (Format::VcJwt11, Algorithm::Es256),
        (Format::VcJwt20, Algorithm::Es256k),
        (Format::Hcert, Algorithm::Es256),
    ];

    #[test]
    fn what_was_reported_is_signed() {
        for (format, algorithm) in ALL {
            assert_eq!(prepared(format, algorithm).judged(), Ok(()), "{format:?} {algorithm:?}");
        }
    }

    #[test]
    fn what_a_lying_server_prepares_is_not_signed() {
        type Lie = (&'static str, fn(&mut Prepared));
        let lies: [Lie; 12] = [
            ("birth date", |it| it.subject.person.birth_date = "1998-02-27".into()),
            ("name", |it| it.subject.person.family_name = "Mustermann".into()),
            ("result", |it| {
                drop(it.subject.claims.insert("result".into(), "260373001".into()))
            }),
            ("issuer's name", |it| {
                drop(it.subject.claims.insert("issuer_name".into(), "Another".into()))
            }),
            ("country", |it| it.subject.country = "DE".into()),
            ("longer", |it| {
                it.subject.valid_until = it.subject.valid_until.plus(86_400)
            }),
            ("shorter", |it| {
                it.subject.valid_until = it.subject.valid_until.plus(-86_400)
            }),
            ("dated back", |it| it.terms.issued_at = NOW.plus(-30 * 86_400)),
            ("dated ahead", |it| it.terms.issued_at = NOW.plus(3_600)),
            ("another copy", |it| it.terms.id = CopyId::from_bytes([4; 16])),
            ("status elsewhere", |it| {
                it.terms.status.token_list = "https://evil.example/v1/status/1/token".into()
            }),
            ("another key", |it| {
                it.terms.kid = format!("{HOLDER}#controller");
                it.terms.signer = Some([8; 8]);
            }),
        ];
        for (format, algorithm) in ALL {
            for (what, lie) in &lies {
                let mut prepared = prepared(format, algorithm);
                lie(&mut prepared);
                assert!(prepared.judged().is_err(), "{what} in {format:?} {algorithm:?}");
            }
        }
        for (what, lie) in [
            (
                "another holder",
                (|it: &mut Prepared| it.terms.holder = Some(DID.into())) as fn(&mut Prepared),
            ),
            ("nobody's", |it| it.terms.holder = None),
            ("another issuer", |it| it.subject.issuer = HOLDER.into()),
            ("another context", |it| it.context = context_url("https://evil.example")),
            ("starts earlier", |it| {
                it.subject.valid_from = it.subject.valid_from.plus(-60)
            }),
        ] {
            let mut prepared = prepared(Format::VcJwt11, Algorithm::Es256k);
            lie(&mut prepared);
            assert!(prepared.judged().is_err(), "{what}");
        }
        let honest = prepared(Format::VcJwt11, Algorithm::Es256k);
        for message in [&b"anything else"[..], b"\x84\x6aSignature1\x43", &[0; 32], b""] {
            assert_eq!(honest.judged_as(message), Err("it is no certificate"));
        }
    }

    #[test]
    fn a_copy_for_a_key_that_was_replaced_is_told_from_a_strangers() {
        let reason = |signer| {
            let mut prepared = prepared(Format::Hcert, Algorithm::Es256);
            prepared.terms.signer = Some(signer);
            prepared.judged()
        };
        assert_eq!(reason([6; 8]), Ok(()), "one key may have two certificates");
        assert!(reason([5; 8]).unwrap_err().contains("another has replaced"));
        assert!(reason([8; 8]).unwrap_err().contains("not this issuer's key"));
    }

    #[test]
    fn what_the_issuer_says_of_itself_counts_more_than_the_servers_word() {
        let signing = PublicKey::P256([4; 65]);
        let profile = json!({"name": "Another", "country": "DE", "keys": [{"certificate": "AAAA"}]});
        let mut reported = Reported {
            wallets: false,
            fhir: None,
            dcc: None,
            claims: None,
            category: None,
            card: None,
            value_set_file: Vec::new(),
            category_file: Vec::new(),
            public_url: None,
            issuer_name: None,
            issuer_country: None,
        };
        let told = Own::of(DID, &signing, &[], &profile, &reported, "http://127.0.0.1:8080/");
        assert_eq!((told.name.as_str(), told.country.as_str()), ("Another", "DE"));
        assert_eq!(told.public_url, "http://127.0.0.1:8080");
        assert!(told.signers.is_empty(), "{:?}", told.signers);
        reported.issuer_name = Some("Labor Donauraum".into());
        reported.issuer_country = Some("AT".into());
        reported.public_url = Some("https://vidimus.example/".into());
        let own = Own::of(DID, &signing, &[], &profile, &reported, "http://127.0.0.1:8080/");
        assert_eq!((own.name.as_str(), own.country.as_str()), ("Labor Donauraum", "AT"));
        assert_eq!(own.public_url, "https://vidimus.example");
    }
}
