//! What an issuer publishes about itself for wallets: credential issuer metadata, plain and signed, and authorization server metadata.

use super::{Configuration, Site, incoming::ALGORITHMS};
use crate::app::{App, copies, error::Error, memo::Memo};
use std::{collections::BTreeMap, sync::Arc};
use vidimus_core::Algorithm;
use vidimus_credential::{Format, category::Category};
use vidimus_openid4vc::{
    oauth::{
        Identifier, ServerMetadata,
        metadata::{ATTEST_JWT, PRE_AUTHORIZED},
    },
    vci::{
        IssuerMetadata,
        claims::{ClaimDescription, ClaimDisplay, ClaimPath},
        metadata::{
            self as wire, Batch, CredentialDisplay, CredentialMetadata, Definition, IssuerDisplay, KeySet, ProofType,
            RequestEncryption, ResponseEncryption,
        },
        signed_metadata,
    },
};
use vidimus_store::keys;

/// How long signed metadata hold: a day.
const SIGNED_SECONDS: i64 = 86_400;
/// What responses and requests are encrypted with.
const CONTENT_ENCRYPTION: [&str; 2] = ["A128GCM", "A256GCM"];
/// The one key agreement.
const KEY_AGREEMENT: &str = "ECDH-ES";

/// Names of the endpoints under an issuer's site.
pub mod endpoints {
    /// RFC 9126.
    pub const PAR: &str = "par";
    /// RFC 6749 §3.1.
    pub const AUTHORIZE: &str = "authorize";
    /// RFC 6749 §3.2.
    pub const TOKEN: &str = "token";
    /// OpenID4VCI §7.
    pub const NONCE: &str = "nonce";
    /// Challenges for client attestations.
    pub const CHALLENGE: &str = "challenge";
    /// OpenID4VCI §8.
    pub const CREDENTIAL: &str = "credential";
    /// OpenID4VCI §9.
    pub const DEFERRED: &str = "deferred-credential";
    /// OpenID4VCI §11.
    pub const NOTIFICATION: &str = "notification";
    /// Where a wallet says how it is woken; this platform's own.
    pub const PUSH: &str = "push-subscription";
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn algorithm_names(list: &[Algorithm]) -> Vec<String> {
    list.iter().map(|algorithm| algorithm.name().to_owned()).collect()
}

/// The authorization server's metadata (RFC 8414).
pub fn server(app: &App, site: &Site) -> ServerMetadata {
    let scopes = site.configurations(app).iter().map(Configuration::id).collect();
    let (grants, authentication): (&[&str], &[&str]) = if app.config.wallets.haip_only {
        (&["authorization_code", "refresh_token"], &[ATTEST_JWT])
    } else {
        (
            &["authorization_code", "refresh_token", PRE_AUTHORIZED],
            &[ATTEST_JWT, "none"],
        )
    };
    ServerMetadata {
        authorization_endpoint: Some(site.endpoint(endpoints::AUTHORIZE)),
        pushed_authorization_request_endpoint: Some(site.endpoint(endpoints::PAR)),
        require_pushed_authorization_requests: true,
        challenge_endpoint: Some(site.endpoint(endpoints::CHALLENGE)),
        scopes_supported: Some(scopes),
        response_types_supported: names(&["code"]),
        response_modes_supported: Some(names(&["query"])),
        grant_types_supported: Some(names(grants)),
        token_endpoint_auth_methods_supported: Some(names(authentication)),
        client_attestation_signing_alg_values_supported: Some(algorithm_names(&ALGORITHMS)),
        client_attestation_pop_signing_alg_values_supported: Some(algorithm_names(&ALGORITHMS)),
        dpop_signing_alg_values_supported: Some(algorithm_names(&ALGORITHMS)),
        code_challenge_methods_supported: Some(names(&["S256"])),
        authorization_response_iss_parameter_supported: true,
        authorization_details_types_supported: Some(names(&["openid_credential"])),
        anonymous_access: !app.config.wallets.haip_only,
        ..ServerMetadata::new(site.id.clone(), site.endpoint(endpoints::TOKEN))
    }
}

/// Metadata by what they follow from beside the configuration file: whose they are, its name, and what it can issue.
pub(in crate::app) type Made = Memo<(Identifier, String, Vec<Configuration>), IssuerMetadata>;

/// The credential issuer's metadata (OpenID4VCI §12.2.4).
pub async fn issuer(app: &App, site: &Site) -> Result<Arc<IssuerMetadata>, Error> {
    let exchange = app.key(app.facts.exchange_key).await?;
    let from = (site.id.clone(), site.issuer.name.clone(), site.configurations(app));
    app.site_metadata.get(from, |(_, _, configurations)| {
        made(app, site, configurations, &exchange)
    })
}

fn made(
    app: &App,
    site: &Site,
    configurations: &[Configuration],
    exchange: &keys::Key,
) -> Result<IssuerMetadata, Error> {
    let key = crate::app::deployment::public_key(exchange).ok_or(Error::Internal("a key of another kind"))?;
    let mut jwk = key.to_jwk().ok_or(Error::Internal("a key without a JWK form"))?;
    jwk["kid"] = exchange.id.to_string().into();
    jwk["alg"] = KEY_AGREEMENT.into();
    jwk["use"] = "enc".into();
    let configurations = configurations
        .iter()
        .filter_map(|configuration| Some((configuration.id(), describe(app, configuration)?)))
        .collect();
    Ok(IssuerMetadata {
        credential_issuer: site.id.clone(),
        authorization_servers: None,
        credential_endpoint: site.endpoint(endpoints::CREDENTIAL),
        nonce_endpoint: Some(site.endpoint(endpoints::NONCE)),
        deferred_credential_endpoint: Some(site.endpoint(endpoints::DEFERRED)),
        notification_endpoint: Some(site.endpoint(endpoints::NOTIFICATION)),
        credential_request_encryption: Some(RequestEncryption {
            jwks: KeySet { keys: vec![jwk] },
            enc_values_supported: names(&CONTENT_ENCRYPTION),
            zip_values_supported: None,
            encryption_required: false,
        }),
        credential_response_encryption: Some(ResponseEncryption {
            alg_values_supported: names(&[KEY_AGREEMENT]),
            enc_values_supported: names(&CONTENT_ENCRYPTION),
            zip_values_supported: None,
            encryption_required: false,
        }),
        batch_credential_issuance: (app.config.wallets.batch_size > 1).then_some(Batch {
            batch_size: app.config.wallets.batch_size,
        }),
        display: vec![IssuerDisplay {
            name: Some(site.issuer.name.clone()),
            locale: None,
            logo: None,
        }],
        credential_configurations_supported: configurations,
    })
}

/// The metadata signed with the issuer's own key and certificate (§12.2.3). None where the issuer keeps its key itself.
pub async fn signed(app: &App, site: &Site) -> Result<Option<String>, Error> {
    let Some((signer, chain)) = copies::keys::document_signer(app, site.scope(), &site.issuer).await? else {
        return Ok(None);
    };
    let now = app.now();
    signed_metadata::sign(
        &*issuer(app, site).await?,
        &*signer,
        Algorithm::Es256,
        &chain,
        now,
        now.plus(SIGNED_SECONDS),
    )
    .map(Some)
    .map_err(|_| Error::Internal("an issuer's key does not sign"))
}

fn describe(app: &App, configuration: &Configuration) -> Option<wire::Configuration> {
    let category = app.categories.category(&configuration.category)?;
    let sd_jwt = configuration.format == Format::SdJwtVc;
    let format = if sd_jwt {
        wire::Format::SdJwtVc {
            vct: super::credential::vct(app, &configuration.category),
        }
    } else {
        wire::Format::JwtVcJson {
            credential_definition: Definition {
                types: names(&["VerifiableCredential", "VidimusCertificate"]),
            },
        }
    };
    let proof = ProofType {
        proof_signing_alg_values_supported: names(&["ES256"]),
        key_attestations_required: None,
    };
    let binding: &[&str] = if sd_jwt {
        &["jwk"]
    } else {
        &["did:jwk", "did:ethr", "jwk"]
    };
    let mut of_did = proof.clone();
    if !sd_jwt {
        of_did.proof_signing_alg_values_supported = names(&["ES256", "ES256K"]);
    }
    Some(wire::Configuration {
        scope: Some(configuration.id()),
        credential_signing_alg_values_supported: Some(names(&["ES256"])),
        cryptographic_binding_methods_supported: Some(names(binding)),
        proof_types_supported: Some(BTreeMap::from([
            ("jwt".to_owned(), of_did),
            ("attestation".to_owned(), proof),
        ])),
        credential_metadata: Some(CredentialMetadata {
            display: display(category),
            claims: claims(category, configuration.format),
        }),
        ..wire::Configuration::new(format)
    })
}

fn display(category: &Category) -> Vec<CredentialDisplay> {
    category
        .languages()
        .map(|language| {
            let texts = category.texts(language);
            CredentialDisplay {
                name: texts.title.clone(),
                locale: Some(language.to_owned()),
                description: Some(texts.description.clone()),
                ..CredentialDisplay::default()
            }
        })
        .collect()
}

fn claims(category: &Category, format: Format) -> Vec<ClaimDescription> {
    category
        .disclosures()
        .iter()
        .filter_map(|disclosure| {
            let steps = match format {
                Format::SdJwtVc => super::credential::sd_jwt_path(category, &disclosure.name)?,
                _ => vc_path(&disclosure.pointer)?,
            };
            Some(ClaimDescription {
                path: ClaimPath::of_names(steps.iter().map(String::as_str))?,
                mandatory: false,
                display: disclosure
                    .titles
                    .iter()
                    .map(|(language, title)| ClaimDisplay {
                        name: Some(title.clone()),
                        locale: Some(language.clone()),
                    })
                    .collect(),
            })
        })
        .collect()
}

/// Where a disclosure stands in a W3C credential, below `vc`.
fn vc_path(pointer: &str) -> Option<Vec<String>> {
    let camel = |name: &str| {
        let mut text = String::new();
        for (place, part) in name.split('_').enumerate() {
            let mut letters = part.chars();
            match letters.next() {
                Some(first) if place > 0 => text.extend(first.to_uppercase()),
                Some(first) => text.push(first),
                None => {}
            }
            text.push_str(letters.as_str());
        }
        text
    };
    let steps: Vec<&str> = pointer.trim_start_matches('/').split('/').collect();
    match steps.as_slice() {
        ["person", name] => Some(vec!["credentialSubject".into(), "person".into(), camel(name)]),
        ["claims", rest @ ..] => Some(
            ["credentialSubject", "claims"]
                .iter()
                .chain(rest)
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
        ),
        // Said by the credential's own members, whichever version of the data model.
        _ => None,
    }
}

/// Whether a request asks for the signed form (§12.2.2): `application/jwt` in `Accept`, before `application/json`.
pub fn wants_signed(accept: &str) -> bool {
    let first = |name: &str| {
        accept.split(',').position(|part| {
            part.split(';')
                .next()
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(name))
        })
    };
    match (first("application/jwt"), first("application/json")) {
        (Some(_), None) => true,
        (Some(signed), Some(plain)) => signed < plain,
        _ => false,
    }
}
