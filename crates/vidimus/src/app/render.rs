//! From a certificate's record to the bytes its issuer signs, one rendering at a time.

use crate::app::error::{Error, Problem};
use serde_json::{Map, Value};
use vidimus_core::{Algorithm, Digest, Entropy, Provider, PublicKey, Timestamp, id::CopyId};
use vidimus_credential::{
    CategoryId, Format, Person, Statement, StatusReference,
    category::{Categories, Category},
    format::{
        FormatError, Unsigned,
        hcert::{self, Content},
        qr::MAX_VERSION,
        sd_jwt_vc,
        vc_jwt::{self, Version},
    },
};

/// Everything a copy says that does not depend on its rendering.
#[derive(Clone)]
pub struct Subject {
    /// Category.
    pub category: CategoryId,
    /// The issuer's DID.
    pub issuer: String,
    /// Its country.
    pub country: String,
    /// Whom it is about.
    pub person: Person,
    /// What it says.
    pub claims: Map<String, Value>,
    /// From when.
    pub valid_from: Timestamp,
    /// Until when.
    pub valid_until: Timestamp,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject")
            .field("category", &self.category)
            .finish_non_exhaustive()
    }
}

/// What one copy adds.
#[derive(Debug, Clone)]
pub struct CopyTerms {
    /// Its id.
    pub id: CopyId,
    /// Its rendering.
    pub format: Format,
    /// The algorithm its issuer signs with.
    pub algorithm: Algorithm,
    /// The DID URL of the signing key, for VC-JWT.
    pub kid: String,
    /// First 8 bytes of SHA-256 of the document signer's certificate, for HCERT.
    pub signer: Option<[u8; 8]>,
    /// Whose keys it is bound to.
    pub holder: Option<String>,
    /// When it is signed.
    pub issued_at: Timestamp,
    /// Its place in the status table.
    pub status: StatusReference,
    /// For an SD-JWT VC.
    pub sd_jwt: Option<SdJwtTerms>,
}

/// What an SD-JWT VC says beside the rest.
#[derive(Debug, Clone)]
pub struct SdJwtTerms {
    /// The credential issuer's identifier.
    pub issuer: String,
    /// Its type.
    pub vct: String,
    /// Of the type's metadata.
    pub integrity: String,
    /// The holder's key.
    pub holder: PublicKey,
    /// The issuer's certificate, without the trust anchor.
    pub chain: Vec<Vec<u8>>,
    /// What salts and decoys are drawn from.
    pub seed: Digest,
}

/// Bytes that follow from a seed: SHA-256 of it and a counter.
struct Seeded<'a> {
    seed: Digest,
    counter: u64,
    provider: &'a dyn Provider,
}

impl Entropy for Seeded<'_> {
    fn fill(&mut self, into: &mut [u8]) {
        for part in into.chunks_mut(32) {
            let block = self
                .provider
                .sha256(&[self.seed.as_bytes(), &self.counter.to_be_bytes()]);
            part.copy_from_slice(&block.0[..part.len()]);
            self.counter += 1;
        }
    }
}

/// The bytes to sign. Deterministic: the same terms give the same bytes, so an interrupted issue can be taken up again.
pub fn prepare(
    categories: &Categories,
    context: &str,
    subject: &Subject,
    terms: &CopyTerms,
    provider: &dyn Provider,
) -> Result<Unsigned, Error> {
    let statement = Statement {
        id: terms.id,
        category: subject.category.clone(),
        issuer: subject.issuer.clone(),
        issuer_country: subject.country.clone(),
        holder: terms.holder.clone(),
        person: subject.person.clone(),
        claims: subject.claims.clone(),
        issued_at: terms.issued_at,
        valid_from: subject.valid_from,
        valid_until: subject.valid_until,
        status: Some(terms.status.clone()),
    };
    match terms.format {
        Format::VcJwt11 => vc_jwt::prepare(&statement, Version::V1_1, context, terms.algorithm, &terms.kid)
            .map(Unsigned::Jws)
            .map_err(refused),
        Format::VcJwt20 => vc_jwt::prepare(&statement, Version::V2_0, context, terms.algorithm, &terms.kid)
            .map(Unsigned::Jws)
            .map_err(refused),
        Format::SdJwtVc => {
            let own = terms.sd_jwt.as_ref().ok_or(Error::Internal(
                "an SD-JWT VC is made for the keys that a wallet brings",
            ))?;
            let terms = sd_jwt_vc::Terms {
                issuer: &own.issuer,
                vct: &own.vct,
                integrity: &own.integrity,
                holder: &own.holder,
                kid: None,
                chain: &own.chain,
            };
            let mut seeded = Seeded {
                seed: own.seed,
                counter: 0,
                provider,
            };
            let category = category(categories, &subject.category)?;
            sd_jwt_vc::prepare(&statement, category, &terms, provider, &mut seeded)
                .map(Unsigned::SdJwtVc)
                .map_err(refused)
        }
        Format::Hcert => {
            let category = category(categories, &subject.category)?;
            let dcc = category.to_dcc(&statement).map_err(|error| {
                Error::invalid(
                    "not-renderable",
                    format!("the result cannot be rendered as a health certificate: {error}"),
                    "mend the result, or leave the format `hcert` out",
                )
            })?;
            let signer = terms
                .signer
                .ok_or(Error::Internal("an issuer without a document signer renders no HCERT"))?;
            let content = Content {
                issuer_country: Some(subject.country.clone()),
                issued_at: terms.issued_at,
                expires_at: subject.valid_until,
                dcc,
                status: Some(StatusReference {
                    bitstring_list: None,
                    suspension_list: None,
                    ..terms.status.clone()
                }),
            };
            hcert::prepare(&content, signer).map(Unsigned::Hcert).map_err(refused)
        }
    }
}

/// Refuses what could be signed and never be drawn: a health certificate is there to be scanned.
pub fn require_drawable(unsigned: &Unsigned) -> Result<(), Error> {
    match unsigned {
        Unsigned::Hcert(unsigned) if !unsigned.is_drawable() => Err(Error::invalid(
            "not-renderable",
            format!("as a health certificate the result is too long for a QR code of version {MAX_VERSION}"),
            "shorten what is long (testing centre, name of the test), or name `formats` without `hcert`",
        )),
        _ => Ok(()),
    }
}

/// The category, or a refusal that names the ones there are.
pub fn category<'a>(categories: &'a Categories, id: &CategoryId) -> Result<&'a Category, Error> {
    categories.category(id).map(|category| &**category).ok_or_else(|| {
        let known: Vec<_> = categories.iter().map(|category| category.id().as_str()).collect();
        Error::Invalid(Problem::new(
            "unknown-category",
            format!("there is no category `{id}`; there are {}", known.join(", ")),
            "name one of these, or add the category's file to the directory that `categories_dir` names",
        ))
    })
}

fn refused(error: FormatError) -> Error {
    Error::invalid(
        "not-renderable",
        format!("the result cannot be rendered: {error}"),
        "mend the result",
    )
}

/// Which algorithms a rendering may be signed with, the default first.
pub const fn algorithms(format: Format) -> &'static [Algorithm] {
    match format {
        Format::VcJwt11 | Format::VcJwt20 => &[Algorithm::Es256k, Algorithm::Es256kR, Algorithm::Es256],
        Format::Hcert | Format::SdJwtVc => &[Algorithm::Es256],
    }
}
