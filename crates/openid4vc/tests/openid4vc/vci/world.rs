//! An issuer of one certificate in two formats.

use serde_json::json;
use vidimus_openid4vc::vci::IssuerMetadata;

pub use crate::oauth::world::{Attester, ES256, ISSUER, NOW, Seeded, altered, issuer, key};

pub const NAAT: &str = "sars-cov-2-naat";
pub const NAAT_JWT: &str = "sars-cov-2-naat-jwt";

pub fn metadata_json() -> serde_json::Value {
    json!({
        "credential_issuer": ISSUER,
        "credential_endpoint": format!("{ISSUER}/credential"),
        "nonce_endpoint": format!("{ISSUER}/nonce"),
        "deferred_credential_endpoint": format!("{ISSUER}/deferred"),
        "notification_endpoint": format!("{ISSUER}/notification"),
        "batch_credential_issuance": {"batch_size": 5},
        "display": [{"name": "Health authority", "locale": "en"}],
        "credential_configurations_supported": {
            NAAT: {
                "format": "dc+sd-jwt",
                "vct": "https://health.example/vct/sars-cov-2-naat",
                "scope": "naat",
                "credential_signing_alg_values_supported": ["ES256"],
                "cryptographic_binding_methods_supported": ["jwk", "did:jwk"],
                "proof_types_supported": {
                    "jwt": {"proof_signing_alg_values_supported": ["ES256"]},
                    "attestation": {
                        "proof_signing_alg_values_supported": ["ES256"],
                        "key_attestations_required": {"key_storage": ["iso_18045_moderate", "iso_18045_high"]},
                    },
                },
                "credential_metadata": {"display": [{"name": "Test"}], "claims": [{"path": ["result"]}]},
            },
            NAAT_JWT: {
                "format": "jwt_vc_json",
                "credential_definition": {"type": ["VerifiableCredential", "TestCertificate"]},
                "scope": "naat",
                "cryptographic_binding_methods_supported": ["did:ethr"],
                "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES256K", "ES256K-R"]}},
            },
        },
    })
}

pub fn metadata() -> IssuerMetadata {
    IssuerMetadata::parse(metadata_json().to_string().as_bytes(), &issuer()).unwrap()
}

pub fn public(seed: u64) -> vidimus_core::PublicKey {
    use vidimus_core::Signer;
    key(seed).public_key().clone()
}
