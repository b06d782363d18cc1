//! The contracts that a participant's own keys sign for, pinned beside the keys' file when the deployment is first met.

use crate::{
    app::chain::Contracts,
    cli::{Exit, Failure, client::Server},
};
use serde::{Deserialize, Serialize};
use std::path::Path;
use vidimus_core::Address;

/// The deployment's chain and contracts, as this participant knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    pub(super) chain_id: u64,
    pub(super) issuers: Address,
    pub(super) verifiers: Address,
    pub(super) dids: Address,
    pub(super) anchors: Address,
}

impl Pinned {
    /// Those pinned beside the keys' file; the first time they are asked for and pinned.
    pub async fn of(keys: &Path, server: &Server) -> Result<Self, Failure> {
        let mut name = keys.as_os_str().to_owned();
        name.push(".contracts");
        let path = Path::new(&name);
        let unreadable = |what: &str| {
            let text = format!(
                "{} {what}: it holds the contracts that these keys sign for",
                path.display()
            );
            Failure::new(Exit::Setup, text)
        };
        match std::fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).map_err(|_| unreadable("does not read")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let deployment = server.get("/v1/deployment").await?;
                let mut value = deployment["contracts"].clone();
                value["chain_id"] = deployment["chain_id"].clone();
                let pinned: Self = serde_json::from_value(value)
                    .map_err(|_| Failure::new(Exit::Unavailable, "the server's list of contracts does not read"))?;
                let text = serde_json::to_string_pretty(&pinned).unwrap_or_default();
                std::fs::write(path, text + "\n").map_err(|_| unreadable("cannot be written"))?;
                eprintln!(
                    "The contracts were pinned in {}: compare them with what the authority published.",
                    path.display()
                );
                Ok(pinned)
            }
            Err(_) => Err(unreadable("cannot be read")),
        }
    }

    /// The chain, which is that of the keys' DID.
    pub fn chain(self, did: &str) -> Result<u64, Failure> {
        if did.starts_with(&format!("did:ethr:{:#x}:", self.chain_id)) {
            Ok(self.chain_id)
        } else {
            Err(Failure::new(
                Exit::Refused,
                "the deployment is on another chain than these keys",
            ))
        }
    }

    /// The contracts.
    pub fn contracts(self) -> Contracts {
        Contracts {
            issuers: self.issuers,
            verifiers: self.verifiers,
            dids: self.dids,
            anchors: self.anchors,
        }
    }
}
