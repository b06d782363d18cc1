//! Error codes of the credential, deferred credential and notification endpoints.

use crate::{codes::codes, oauth::ErrorResponse};

codes! {
    /// Error codes of the credential endpoints (OpenID4VCI §8.3.1.2, §9.3, §11.3). All go with status 400, never encrypted.
    CredentialErrorCode:
    /// A parameter is missing, twice, not supported or malformed.
    InvalidCredentialRequest = "invalid_credential_request";
    /// The configuration is unknown.
    UnknownCredentialConfiguration = "unknown_credential_configuration";
    /// The identifier is unknown.
    UnknownCredentialIdentifier = "unknown_credential_identifier";
    /// `proofs` is missing, one of them is wrong, or one has no nonce.
    InvalidProof = "invalid_proof";
    /// A proof's nonce is not, or no longer, one of this issuer's: again, with a new one.
    InvalidNonce = "invalid_nonce";
    /// The encryption parameters are wrong, or missing where they must be.
    InvalidEncryptionParameters = "invalid_encryption_parameters";
    /// It will not be issued: not worth another try.
    CredentialRequestDenied = "credential_request_denied";
    /// The transaction is unknown, or was used already (§9.3).
    InvalidTransactionId = "invalid_transaction_id";
    /// The notification's id is unknown (§11.3).
    InvalidNotificationId = "invalid_notification_id";
    /// The notification is malformed (§11.3).
    InvalidNotificationRequest = "invalid_notification_request";
}

impl CredentialErrorCode {
    /// The body, with a sentence for a developer.
    pub fn response(self, description: &str) -> ErrorResponse {
        ErrorResponse::new(self.name(), description)
    }
}
