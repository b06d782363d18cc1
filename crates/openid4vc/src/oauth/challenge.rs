//! Challenges for client attestations (attestation-based client authentication §8).

use super::wire::{self, MAX_TEXT, WireError};
use serde::{Deserialize, Serialize};

/// The header in which a server gives a fresh challenge with any response.
pub const HEADER: &str = "OAuth-Client-Attestation-Challenge";

/// What the challenge endpoint answers to a POST. Sent with `Cache-Control: no-store`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChallengeResponse {
    /// Goes into the next proof of possession.
    pub attestation_challenge: String,
}

impl ChallengeResponse {
    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let response: Self = wire::read(bytes, "challenge response")?;
        if (1..=MAX_TEXT).contains(&response.attestation_challenge.len()) {
            Ok(response)
        } else {
            Err(WireError::Form("challenge response"))
        }
    }
}
