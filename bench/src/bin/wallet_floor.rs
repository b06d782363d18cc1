//! The floor server of issuings by OpenID4VCI and checks by OpenID4VP: axum, a group commit, and the same signatures, seals and rows, with nothing
//! of the product's around them. Its tables and indexes are the product's own, its rows those that the product keeps; it believes whatever else it
//! is told: no references are checked, and nothing is numbered, anchored, published or told to anybody afterwards. Prints its address; the database goes into
//! the directory that is named.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
    signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};
use vidimus_bench::{
    floor::{Writer, random, run},
    service::now,
};
use vidimus_core::{
    Algorithm, Encryption, PublicKey, Signer,
    encoding::{base64, base64url, from_base64url, hex},
};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::{
    jwe::{self, Jwe, PrivateKey, Recipient},
    oauth::Form,
};
use vidimus_store::{Config, Missing, Store};

/// Whose rows they are.
const PARTICIPANT: [u8; 16] = [7; 16];
const CATEGORY: &str = "sars-cov-2-naat";
/// What audit entries are appended to.
const HEAD: &str = "INSERT INTO audit_head (id, sequence, hash, time) VALUES (1, 0, zeroblob(32), 0)";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Floor {
    url: String,
    writer: Writer,
    reader: Mutex<Connection>,
    key: SigningKey,
    issuer: ParsedPublicKey,
    sealing: LessSafeKey,
    nonces: hmac::Key,
    native: Native,
    /// A certificate's bytes, for headers of the right size.
    chain: String,
}

type Answer = Result<Json<Value>, StatusCode>;
type At = State<Arc<Floor>>;

const BAD: StatusCode = StatusCode::BAD_REQUEST;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("name a directory")?;
    let database = std::path::Path::new(&directory).join("floor.db");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let key = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let made = Config::Sqlite {
        path: database.clone(),
        missing: Missing::Create,
    };
    Store::open(made, Arc::new(Native::new())).await?.close().await;
    let writer = Writer::open(&database, HEAD)?;
    let floor = Arc::new(Floor {
        url: url.clone(),
        writer,
        reader: Mutex::new(Connection::open(&database)?),
        issuer: parsed(key.public_key()).map_err(|_| "a key")?,
        key,
        sealing: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &random::<32>())?),
        nonces: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()),
        native: Native::new(),
        chain: base64(&random::<560>()),
    });
    let router = Router::new()
        .route("/v1/results", post(result))
        .route("/v1/offers", post(offer))
        .route("/offers/{reference}", get(read_offer))
        .route("/token", post(token))
        .route("/nonce", post(nonce))
        .route("/credential", post(credential))
        .route("/v1/presentations", post(ask))
        .route("/v1/presentations/{id}", get(read_presentation))
        .route("/presentations/{id}/request", get(request))
        .route("/presentations/{id}/response", post(response))
        .with_state(floor);
    println!("{url}");
    axum::serve(listener, router).await?;
    Ok(())
}

fn parsed(key: &PublicKey) -> Result<ParsedPublicKey, StatusCode> {
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.as_bytes()).map_err(|_| BAD)
}

fn hash(text: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("32 bytes")
}

fn json_part(part: &str) -> Result<Value, StatusCode> {
    serde_json::from_slice(&from_base64url(part).map_err(|_| BAD)?).map_err(|_| BAD)
}

/// Verifies a JWS, by the key in its header where none is given, and gives its claims.
fn verify(token: &str, key: Option<&ParsedPublicKey>) -> Result<Value, StatusCode> {
    let (message, signature) = token.rsplit_once('.').ok_or(BAD)?;
    let (header, payload) = message.split_once('.').ok_or(BAD)?;
    let header = json_part(header)?;
    let own;
    let key = match key {
        Some(key) => key,
        None => {
            own = jwk(&header["jwk"])?;
            &own
        }
    };
    let signature = from_base64url(signature).map_err(|_| BAD)?;
    key.verify_sig(message.as_bytes(), &signature)
        .map_err(|_| StatusCode::FORBIDDEN)?;
    json_part(payload)
}

fn jwk(jwk: &Value) -> Result<ParsedPublicKey, StatusCode> {
    parsed(&PublicKey::from_jwk(jwk).ok_or(BAD)?)
}

impl Floor {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let nonce = random::<12>();
        let mut sealed = plain.to_vec();
        let bound = Aad::from(b"floor");
        self.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut sealed)
            .expect("it seals");
        sealed.extend_from_slice(&nonce);
        sealed
    }

    fn open(&self, mut sealed: Vec<u8>) -> Result<Value, StatusCode> {
        let nonce: [u8; 12] = sealed
            .split_off(sealed.len().saturating_sub(12))
            .try_into()
            .map_err(|_| BAD)?;
        let bound = Aad::from(b"floor");
        let plain = self
            .sealing
            .open_in_place(Nonce::assume_unique_for_key(nonce), bound, &mut sealed)
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        serde_json::from_slice(plain).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn find<T>(
        &self,
        statement: &str,
        id: &[u8],
        read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StatusCode> {
        let reader = self.reader.lock().expect("nobody panicked");
        let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
        let found = reader
            .prepare_cached(statement)
            .and_then(|mut statement| statement.query_row([id], read).optional());
        found.map_err(failed)?.ok_or(StatusCode::NOT_FOUND)
    }

    /// Signs a JWS whose header has the chain.
    fn sign(&self, typ: &str, payload: &Value) -> Result<String, StatusCode> {
        let header = json!({"alg": "ES256", "typ": typ, "x5c": [self.chain]}).to_string();
        let mut token = format!(
            "{}.{}",
            base64url(header.as_bytes()),
            base64url(payload.to_string().as_bytes())
        );
        let signature = self
            .key
            .sign(Algorithm::Es256, token.as_bytes())
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Ok(token)
    }
}

fn audit(c: &Connection, object: [u8; 16]) -> rusqlite::Result<()> {
    let hash = random::<32>();
    run(
        c,
        "UPDATE audit_head SET sequence = sequence + 1, hash = ?1, time = ?2 WHERE id = 1",
        params![hash, now()],
    )?;
    run(
        c,
        "INSERT INTO audit_entries (sequence, time, actor, operation, object, details, previous, hash) \
         SELECT sequence, ?1, ?2, 'result-reported', ?3, ?4, ?5, ?5 FROM audit_head",
        params![now(), PARTICIPANT, object, [0_u8; 32], hash],
    )
}

fn event(c: &Connection, kind: &str, object: [u8; 16]) -> rusqlite::Result<()> {
    run(
        c,
        "INSERT INTO events (id, participant_id, kind, object, time, arrival) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![random::<16>(), PARTICIPANT, kind, object, now(), next()],
    )
}

fn see(c: &Connection, kind: &str) -> rusqlite::Result<()> {
    run(
        c,
        "INSERT INTO seen (kind, hash, expires) VALUES (?1, ?2, ?3)",
        params![kind, random::<32>(), now()],
    )
}

/// A number that nothing else has.
fn next() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Where a copy's status stands: a list, and one of its 2^20 places, in an order that tells nothing.
fn place() -> (i64, i64) {
    let number = next();
    (number >> 20, number.wrapping_mul(0x9e37_79b1) & 0xf_ffff)
}

/// A copy before it is signed, and its place in the status list.
fn intend(
    c: &Connection,
    copy: [u8; 16],
    certificate: [u8; 16],
    format: &str,
    holder: Option<&str>,
    place: (i64, i64),
    prepared: &[u8],
) -> rusqlite::Result<()> {
    run(
        c,
        "INSERT INTO copies (id, participant_id, certificate_id, format, holder, state, status_list, status_index, prepared, created) \
         VALUES (?1, ?2, ?3, ?4, ?5, 'intent', ?6, ?7, ?8, ?9)",
        params![
            copy,
            PARTICIPANT,
            certificate,
            format,
            holder,
            place.0,
            place.1,
            prepared,
            now()
        ],
    )?;
    run(
        c,
        "INSERT INTO status_entries (list, place, copy_id, status, updated) VALUES (?1, ?2, ?3, 0, ?4)",
        params![place.0, place.1, copy, now()],
    )
}

/// A copy that is signed, and waits for its anchor.
fn complete(
    c: &Connection,
    copy: [u8; 16],
    digest: &[u8; 32],
    payload: Option<&[u8]>,
    commitment: &[u8; 32],
) -> rusqlite::Result<()> {
    // What nobody keeps waits for nothing.
    let content = payload.map(|payload| format!("bafkrei{}", hex(&payload[..26])));
    let state = if payload.is_some() { "signed" } else { "published" };
    run(
        c,
        "UPDATE copies SET state = ?9, prepared = NULL, key_id = ?1, digest = ?2, commitment = ?3, salt_nonce = ?4, salt_ciphertext = ?5, \
         payload = ?6, issued_at = ?7, content = ?10 WHERE id = ?8 AND state = 'intent'",
        params![
            PARTICIPANT,
            digest,
            commitment,
            [3_u8; 12],
            [3_u8; 48],
            payload,
            now(),
            copy,
            state,
            content
        ],
    )?;
    run(
        c,
        "INSERT INTO outbox (commitment, copy_id, chain, created) VALUES (?1, ?2, 1, ?3)",
        params![commitment, copy, now()],
    )
}

/// A report is a result, its certificate, and that one's copy on paper.
async fn result(State(floor): At, Json(report): Json<Value>) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let (result, certificate, person, unique) = (random::<16>(), random::<16>(), random::<32>(), random::<32>());
    let (copy, place) = (random::<16>(), place());
    let claims = report["claims"].to_string();
    let (body, prepared) = (floor.seal(claims.as_bytes()), floor.seal(claims.as_bytes()));
    let work = move |c: &Connection| {
        run(
            c,
            "INSERT INTO persons (person, kek_id, kek_version, nonce, data_key_ciphertext, created) VALUES (?1, 'root', 1, ?2, ?3, ?4)",
            params![person, [1_u8; 12], [1_u8; 48], now()],
        )?;
        run(
            c,
            "INSERT INTO results (id, participant_id, person, category, uniqueness, nonce, body_ciphertext, state, created) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'live', ?8)",
            params![result, PARTICIPANT, person, CATEGORY, unique, [1_u8; 12], body, now()],
        )?;
        run(
            c,
            "INSERT INTO certificates (id, participant_id, result_id, person, category, uniqueness, state, valid_from, valid_until, created, updated) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'valid', ?7, ?7, ?7, ?7)",
            params![certificate, PARTICIPANT, result, person, CATEGORY, unique, now()],
        )?;
        intend(c, copy, certificate, "hcert", None, place, &prepared)?;
        audit(c, result)
    };
    floor.writer.commit(work).await?;
    let signature = floor
        .key
        .sign(Algorithm::Es256, claims.as_bytes())
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let paper = [claims.as_bytes(), &signature].concat();
    let (digest, commitment, payload) = (hash(&base64url(&paper)), random::<32>(), floor.seal(&paper));
    let work = move |c: &Connection| complete(c, copy, &digest, Some(&payload), &commitment);
    floor.writer.commit(work).await?;
    Ok((StatusCode::CREATED, Json(json!({"result": hex(&result)}))))
}

async fn offer(State(floor): At, Json(asked): Json<Value>) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let id = random::<16>();
    let (reference, code) = (base64url(&random::<32>()), base64url(&random::<32>()));
    let tx_code = u32::from_be_bytes(random::<4>()) % 100_000_000;
    let (kept, code_hash) = (hash(&reference), hash(&code));
    let keyed = hmac::sign(&floor.nonces, format!("{tx_code:08}").as_bytes());
    let result = id_of(asked["result"].as_str().ok_or(BAD)?)?;
    let work = move |c: &Connection| {
        run(
            c,
            "INSERT INTO offers (id, participant_id, result_id, category, configurations, reference_hash, code_hash, tx_code, tx_code_length, \
             tries, state, created, expires) VALUES (?1, ?2, ?3, ?4, 'dc+sd-jwt', ?5, ?6, ?7, 8, 0, 'open', ?8, ?8)",
            params![
                id,
                PARTICIPANT,
                result,
                CATEGORY,
                kept,
                code_hash,
                keyed.as_ref(),
                now()
            ],
        )?;
        audit(c, id)
    };
    floor.writer.commit(work).await?;
    let uri = format!("{}/offers/{reference}.{code}", floor.url);
    let link = format!(
        "openid-credential-offer://?{}",
        Form::new().with("credential_offer_uri", &uri).encode()
    );
    let view = json!({"id": hex(&id), "link": link, "tx_code": {"code": format!("{tx_code:08}")}});
    Ok((StatusCode::CREATED, Json(view)))
}

async fn read_offer(State(floor): At, Path(text): Path<String>) -> Answer {
    let (reference, code) = text.split_once('.').ok_or(BAD)?;
    let state = floor.find(
        "SELECT state FROM offers WHERE reference_hash = ?1",
        &hash(reference),
        |row| row.get::<_, String>(0),
    )?;
    let grant = json!({"pre-authorized_code": code, "tx_code": {"length": 8}});
    let offer = json!({"credential_issuer": floor.url, "credential_configuration_ids": ["sars-cov-2-naat.dc+sd-jwt"], "grants": {GRANT: grant}});
    if state == "open" {
        Ok(Json(offer))
    } else {
        Err(StatusCode::NOT_FOUND)
    }
}

async fn token(State(floor): At, headers: HeaderMap, body: Bytes) -> Answer {
    let proof = headers.get("dpop").and_then(|value| value.to_str().ok()).ok_or(BAD)?;
    verify(proof, None)?;
    let form = Form::parse(&body).map_err(|_| BAD)?;
    let code = hash(form.get("pre-authorized_code").ok_or(BAD)?);
    let given = hmac::sign(&floor.nonces, form.get("tx_code").ok_or(BAD)?.as_bytes());
    let (offer, kept) = floor.find("SELECT id, tx_code FROM offers WHERE code_hash = ?1", &code, |row| {
        Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    if given.as_ref() != kept {
        return Err(StatusCode::FORBIDDEN);
    }
    let (access, refresh, grant) = (base64url(&random::<32>()), base64url(&random::<32>()), random::<16>());
    let hashes = [(hash(&access), "access"), (hash(&refresh), "refresh")];
    let work = move |c: &Connection| {
        see(c, "dpop")?;
        run(
            c,
            "UPDATE offers SET state = 'claimed' WHERE id = ?1 AND state = 'open'",
            params![offer],
        )?;
        event(c, "offer-claimed", offer)?;
        run(
            c,
            "INSERT INTO wallet_grants (id, participant_id, offer_id, configurations, dpop_key, claimed, state, created, expires) \
             VALUES (?1, ?2, ?3, 'dc+sd-jwt', ?4, 0, 'live', ?5, ?5)",
            params![grant, PARTICIPANT, offer, random::<32>(), now()],
        )?;
        audit(c, grant)?;
        for (hash, kind) in hashes {
            run(
                c,
                "INSERT INTO tokens (token_hash, grant_id, kind, created, expires) VALUES (?1, ?2, ?3, ?4, ?4)",
                params![hash, grant, kind, now()],
            )?;
        }
        Ok(())
    };
    floor.writer.commit(work).await?;
    Ok(Json(
        json!({"access_token": access, "refresh_token": refresh, "token_type": "DPoP", "expires_in": 600}),
    ))
}

async fn nonce(State(floor): At) -> Json<Value> {
    let random = random::<16>();
    let tag = hmac::sign(&floor.nonces, &random);
    Json(json!({"c_nonce": format!("{}{}", base64url(&random), base64url(&tag.as_ref()[..16]))}))
}

async fn credential(State(floor): At, headers: HeaderMap, Json(asked): Json<Value>) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(BAD);
    verify(header("dpop")?, None)?;
    let token = header("authorization")?.strip_prefix("DPoP ").ok_or(BAD)?;
    let grant = floor.find(
        "SELECT grant_id FROM tokens WHERE token_hash = ?1",
        &hash(token),
        |row| row.get::<_, [u8; 16]>(0),
    )?;
    let proof = asked["proofs"]["jwt"][0].as_str().ok_or(BAD)?;
    let claims = verify(proof, None)?;
    let nonce = claims["nonce"].as_str().ok_or(BAD)?;
    let (drawn, tag) = nonce.split_at_checked(22).ok_or(BAD)?;
    let made = hmac::sign(&floor.nonces, &from_base64url(drawn).map_err(|_| BAD)?);
    if base64url(&made.as_ref()[..16]) != tag {
        return Err(BAD);
    }
    let holder = json_part(proof.split('.').next().ok_or(BAD)?)?["jwk"].take();
    let found = "SELECT c.id FROM wallet_grants g JOIN offers o ON o.id = g.offer_id JOIN certificates c ON c.result_id = o.result_id WHERE g.id = ?1";
    let certificate = floor.find(found, &grant, |row| row.get::<_, [u8; 16]>(0))?;
    let (copy, claim) = (random::<16>(), random::<16>());
    let bound = base64url(&hash(&holder.to_string()));
    let (place, prepared) = (place(), floor.seal(&[2; 900]));
    let first = move |c: &Connection| {
        see(c, "dpop")?;
        see(c, "credential-nonce")?;
        run(
            c,
            "UPDATE wallet_grants SET claimed = claimed + 1 WHERE id = ?1",
            params![grant],
        )?;
        audit(c, certificate)?;
        run(
            c,
            "UPDATE certificates SET state = 'valid' WHERE id = ?1 AND state = 'valid'",
            params![certificate],
        )?;
        intend(c, copy, certificate, "dc+sd-jwt", Some(&bound), place, &prepared)
    };
    floor.writer.commit(first).await?;
    let (signed, disclosures) = sd_jwt(&floor, &holder)?;
    let (digest, commitment, notification) = (hash(&signed), random::<32>(), base64url(&random::<32>()));
    let notified = hash(&notification);
    let last = move |c: &Connection| {
        complete(c, copy, &digest, None, &commitment)?;
        run(
            c,
            "INSERT INTO claims (id, participant_id, grant_id, configuration, holder_keys, copies, notification_hash, state, created, expires) \
             VALUES (?1, ?2, ?3, 'dc+sd-jwt', '[]', ?4, ?5, 'made', ?6, ?6)",
            params![claim, PARTICIPANT, grant, hex(&copy), notified, now()],
        )?;
        event(c, "credential-issued", copy)
    };
    floor.writer.commit(last).await?;
    let copy = format!("{signed}~{}~", disclosures.join("~"));
    Ok(Json(
        json!({"credentials": [{"credential": copy}], "notification_id": notification}),
    ))
}

/// An SD-JWT with ten disclosures: those of the person at the top, those of the result in `claims`.
fn sd_jwt(floor: &Floor, holder: &Value) -> Result<(String, Vec<String>), StatusCode> {
    let person = [
        ("family_name", "Musterfrau"),
        ("given_name", "Gabriele"),
        ("family_name_transliterated", "MUSTERFRAU"),
        ("given_name_transliterated", "GABRIELE"),
        ("birthdate", "1998-02-26"),
    ];
    let result = [
        ("sampled_at", "2026-03-01T10:00:00Z"),
        ("result", "260415000"),
        ("test_name", "TaqPath COVID-19 RT-PCR"),
        ("testing_centre", "Labor Donauraum GmbH"),
        ("country", "AT"),
    ];
    let mut disclosures = Vec::new();
    let mut digests = |claims: &[(&str, &str)]| -> Vec<String> {
        claims
            .iter()
            .map(|(name, value)| {
                let text = base64url(json!([base64url(&random::<16>()), name, value]).to_string().as_bytes());
                let digest = base64url(&hash(&text));
                disclosures.push(text);
                digest
            })
            .collect()
    };
    let payload = json!({
        "iss": floor.url, "iat": 1, "nbf": 1, "exp": 2, "jti": "urn:uuid:00000000-0000-0000-0000-000000000000", "vct": floor.url,
        "cnf": {"jwk": holder}, "status": {"status_list": {"idx": 1, "uri": floor.url}}, "_sd_alg": "sha-256",
        "_sd": digests(&person), "claims": {"_sd": digests(&result)},
    });
    Ok((floor.sign("dc+sd-jwt", &payload)?, disclosures))
}

async fn ask(State(floor): At, Json(asked): Json<Value>) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let id = random::<16>();
    let private = jwe::generate_key(&floor.native, &mut OsEntropy).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let public = floor
        .native
        .p256_public(&private)
        .ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    let recipient = Recipient {
        key: public,
        kid: Some(hex(&random::<8>())),
    };
    let kept = json!({
        "key": hex(private.expose()), "jwks": {"keys": [recipient.to_jwk()]}, "nonce": base64url(&random::<32>()), "asked": asked,
    });
    let sealed = floor.seal(kept.to_string().as_bytes());
    let work = move |c: &Connection| {
        run(
            c,
            "INSERT INTO presentations (id, participant_id, purpose, request_ciphertext, state, created, expires, updated) \
             VALUES (?1, ?2, 'boarding', ?3, 'made', ?4, ?4, ?4)",
            params![id, PARTICIPANT, sealed, now()],
        )?;
        audit(c, id)
    };
    floor.writer.commit(work).await?;
    let uri = format!("{}/presentations/{}/request", floor.url, hex(&id));
    let link = format!(
        "openid4vp://?{}",
        Form::new()
            .with("client_id", "floor")
            .with("request_uri", &uri)
            .encode()
    );
    Ok((
        StatusCode::CREATED,
        Json(json!({"id": hex(&id), "link": link, "state": "made"})),
    ))
}

fn id_of(text: &str) -> Result<[u8; 16], StatusCode> {
    vidimus_core::encoding::from_hex_exact(text).map_err(|_| StatusCode::NOT_FOUND)
}

async fn request(State(floor): At, Path(text): Path<String>) -> Result<String, StatusCode> {
    let id = id_of(&text)?;
    let work = move |c: &Connection| {
        let statement =
            "UPDATE presentations SET state = 'fetched', updated = 1 WHERE id = ?1 AND state IN ('made', 'fetched')";
        run(c, statement, params![id])
    };
    floor.writer.commit(work).await?;
    let kept = floor.find(
        "SELECT request_ciphertext FROM presentations WHERE id = ?1",
        &id,
        |row| row.get(0),
    )?;
    let kept = floor.open(kept)?;
    let paths = [json!({"path": ["family_name"]}), json!({"path": ["claims", "result"]})];
    let payload = json!({
        "response_type": "vp_token", "response_mode": "direct_post.jwt", "client_id": "floor", "nonce": kept["nonce"],
        "response_uri": format!("{}/presentations/{text}/response", floor.url), "aud": "https://self-issued.me/v2",
        "client_metadata": {"jwks": kept["jwks"], "vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"]}}},
        "dcql_query": {"credentials": [{"id": "c0", "format": "dc+sd-jwt", "meta": {"vct_values": [floor.url]}, "claims": paths}]},
    });
    floor.sign("oauth-authz-req+jwt", &payload)
}

async fn response(State(floor): At, Path(text): Path<String>, body: Bytes) -> Answer {
    let id = id_of(&text)?;
    let form = Form::parse(&body).map_err(|_| BAD)?;
    let kept = floor.find(
        "SELECT request_ciphertext FROM presentations WHERE id = ?1",
        &id,
        |row| row.get(0),
    )?;
    let kept = floor.open(kept)?;
    let key = kept["key"].as_str().ok_or(BAD)?;
    let key = PrivateKey::new(vidimus_core::encoding::from_hex_exact(key).map_err(|_| BAD)?);
    let token = Jwe::parse(form.get("response").ok_or(BAD)?, 1 << 20).map_err(|_| BAD)?;
    let plain = token
        .decrypt(&key, None, &floor.native)
        .map_err(|_| StatusCode::FORBIDDEN)?;
    let answer: Value = serde_json::from_slice(plain.expose()).map_err(|_| BAD)?;
    let shown = answer["vp_token"]["c0"][0].as_str().ok_or(BAD)?;

    let (unbound, binding) = shown.rsplit_once('~').ok_or(BAD)?;
    let mut parts = unbound.split('~');
    let claims = verify(parts.next().ok_or(BAD)?, Some(&floor.issuer))?;
    let mut attributes = serde_json::Map::new();
    for disclosure in parts {
        let digest = base64url(&hash(disclosure));
        let known = |list: &Value| {
            list.as_array()
                .is_some_and(|list| list.iter().any(|one| *one == digest))
        };
        if !known(&claims["_sd"]) && !known(&claims["claims"]["_sd"]) {
            return Err(BAD);
        }
        let [_, name, value] =
            <[Value; 3]>::try_from(json_part(disclosure)?.as_array().ok_or(BAD)?.clone()).map_err(|_| BAD)?;
        attributes.insert(name.as_str().ok_or(BAD)?.to_owned(), value);
    }
    let bound = verify(binding, Some(&jwk(&claims["cnf"]["jwk"])?))?;
    if bound["nonce"] != kept["nonce"] || bound["sd_hash"] != base64url(&hash(&format!("{unbound}~"))) {
        return Err(StatusCode::FORBIDDEN);
    }
    let told = json!({"verdict": "valid", "credentials": [{"id": "c0", "attributes": attributes}]});
    let sealed = floor.seal(told.to_string().as_bytes());
    let work = move |c: &Connection| {
        run(
            c,
            "UPDATE presentations SET state = 'answered', request_ciphertext = NULL, answer_ciphertext = ?2, updated = 1 WHERE id = ?1 AND \
             state = 'fetched'",
            params![id, sealed],
        )?;
        event(c, "presentation-answered", id)?;
        run(
            c,
            "INSERT INTO checks (id, participant_id, category, verdict, reasons, time) VALUES (?1, ?2, ?3, 'valid', '', ?4)",
            params![random::<16>(), PARTICIPANT, CATEGORY, now()],
        )
    };
    floor.writer.commit(work).await?;
    Ok(Json(json!({})))
}

async fn read_presentation(State(floor): At, Path(text): Path<String>) -> Answer {
    let id = id_of(&text)?;
    let answer = floor.find(
        "SELECT answer_ciphertext FROM presentations WHERE id = ?1",
        &id,
        |row| row.get::<_, Option<Vec<u8>>>(0),
    )?;
    let answer = answer.map(|sealed| floor.open(sealed)).transpose()?;
    Ok(Json(json!({"id": text, "state": "answered", "answer": answer})))
}
