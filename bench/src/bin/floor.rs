//! The floor servers: axum and a group commit, with nothing of the product's around them.
//!
//! `POST /bare` commits one row. `POST /issue` reads a report, commits the rows of an intent, signs the copy with ES256K, seals it for a fresh
//! X25519 key, and commits the rows of a copy: the work that no issuer can leave out. Prints its address; the database goes into the directory
//! that is named.

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use rusqlite::params;
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use vidimus_bench::floor::{Writer, random, run};
use vidimus_core::{Algorithm, Signer, encoding::base64url};
use vidimus_crypto::{
    KeyKind, OsEntropy, SealingKey, SealingPublicKey, SigningKey,
    envelope::{self, Padding},
};

struct Floor {
    writer: Writer,
    key: SigningKey,
    holder: SealingPublicKey,
    rest: Vec<u8>,
}

/// The tables of a report, with keys and the indexes that issuing cannot do without.
const TABLES: &str = "
    CREATE TABLE bare (id BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID;
    CREATE TABLE idempotency (id BLOB PRIMARY KEY, digest BLOB, reference BLOB, response BLOB) WITHOUT ROWID;
    CREATE TABLE persons (id BLOB PRIMARY KEY, data_key BLOB) WITHOUT ROWID;
    CREATE TABLE results (id BLOB PRIMARY KEY, person BLOB, kind BLOB, body BLOB) WITHOUT ROWID;
    CREATE UNIQUE INDEX results_live ON results (person, kind);
    CREATE TABLE certificates (id BLOB PRIMARY KEY, result BLOB, person BLOB, valid_from INTEGER, valid_until INTEGER) WITHOUT ROWID;
    CREATE TABLE copies (id BLOB PRIMARY KEY, certificate BLOB, prepared BLOB, digest BLOB UNIQUE, salt BLOB, payload BLOB) WITHOUT ROWID;
    CREATE TABLE status (place INTEGER PRIMARY KEY, copy BLOB);
    CREATE TABLE outbox (commitment BLOB PRIMARY KEY, copy BLOB, created INTEGER) WITHOUT ROWID;
    CREATE TABLE audit (sequence INTEGER PRIMARY KEY, object BLOB, previous BLOB, hash BLOB);
";

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("name a directory")?;
    let floor = Arc::new(Floor {
        writer: Writer::open(&Path::new(&directory).join("floor.db"), TABLES)?,
        key: SigningKey::generate(KeyKind::Secp256k1, &mut OsEntropy),
        holder: *SealingKey::generate(&mut OsEntropy).public_key(),
        rest: vec![0x5a; 900],
    });
    let router = Router::new()
        .route("/bare", post(bare))
        .route("/issue", post(issue))
        .with_state(floor);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn bare(
    State(floor): State<Arc<Floor>>,
    body: axum::body::Bytes,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let id = random::<16>();
    floor
        .writer
        .commit(move |c| run(c, "INSERT INTO bare VALUES (?1, ?2)", params![id, &body[..]]))
        .await?;
    Ok((StatusCode::CREATED, Json(json!({"id": base64url(&id)}))))
}

async fn issue(
    State(floor): State<Arc<Floor>>,
    Json(report): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let body = report["claims"].to_string().into_bytes();
    let (key, person, result, certificate, copy) = (
        random::<32>(),
        random::<32>(),
        random::<16>(),
        random::<16>(),
        random::<16>(),
    );
    let place = i64::from_be_bytes(random::<8>()) >> 8;
    let kept = body.clone();
    floor
        .writer
        .commit(move |c| {
            run(
                c,
                "INSERT INTO idempotency VALUES (?1, ?2, ?3, NULL)",
                params![key, key, certificate],
            )?;
            run(c, "INSERT INTO persons VALUES (?1, ?2)", params![person, [1_u8; 60]])?;
            run(
                c,
                "INSERT INTO results VALUES (?1, ?2, ?3, ?4)",
                params![result, person, key, kept],
            )?;
            run(
                c,
                "INSERT INTO certificates VALUES (?1, ?2, ?3, 1, 2)",
                params![certificate, result, person],
            )?;
            run(
                c,
                "INSERT INTO copies VALUES (?1, ?2, ?3, NULL, NULL, NULL)",
                params![copy, certificate, [2_u8; 300]],
            )?;
            run(c, "INSERT INTO status VALUES (?1, ?2)", params![place, copy])?;
            run(
                c,
                "INSERT INTO audit (object, previous, hash) VALUES (?1, ?2, ?3)",
                params![certificate, key, key],
            )
        })
        .await?;
    let mut message = base64url(&body).into_bytes();
    message.extend_from_slice(&floor.rest);
    let signature = floor
        .key
        .sign(Algorithm::Es256k, &message)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    message.extend_from_slice(base64url(&signature).as_bytes());
    let payload = envelope::seal(&floor.holder, b"floor", &[], &message, Padding::Buckets, &mut OsEntropy)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let (digest, commitment) = (random::<32>(), random::<32>());
    floor
        .writer
        .commit(move |c| {
            run(
                c,
                "UPDATE copies SET prepared = NULL, digest = ?1, salt = ?2, payload = ?3 WHERE id = ?4",
                params![digest, [3_u8; 60], payload, copy],
            )?;
            run(c, "INSERT INTO outbox VALUES (?1, ?2, 1)", params![commitment, copy])?;
            run(
                c,
                "UPDATE idempotency SET response = ?1 WHERE id = ?2",
                params![certificate, key],
            )
        })
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(json!({"certificate": base64url(&certificate), "commitment": base64url(&commitment)})),
    ))
}
