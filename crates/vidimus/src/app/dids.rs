//! Changes to holders' DIDs, relayed: the holder signs, the deployment's account pays (ERC-1056, the signed variants).

use crate::app::Problem;
use crate::app::{
    App,
    chain::{self, Call},
    error::Error,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vidimus_core::{Address, encoding::from_hex_exact};
use vidimus_ledger::{contracts::dids::Change, convert, eth};
use vidimus_store::limits;

/// Changes to one identity that are relayed in a day: what they cost is the deployment's.
/// Changes of all identities together that are relayed in a day: identities cost nothing, so one of them is no bound.
const ALL_PER_DAY: u64 = 20_000;
const PER_DAY: u64 = 10;
const DAY: i64 = 86_400;
/// Longest value of an attribute.
const LONGEST_VALUE: usize = 1024;

/// What changes.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DidChange {
    /// Another owner.
    ChangeOwner {
        /// The new owner's account.
        owner: String,
    },
    /// A delegate, for some time.
    AddDelegate {
        /// `bytes32`, hexadecimal: what it may do, padded with zeros.
        delegate_type: String,
        /// The delegate's account.
        delegate: String,
        /// For how many seconds.
        validity: u64,
    },
    /// No longer a delegate.
    RevokeDelegate {
        /// `bytes32`, hexadecimal.
        delegate_type: String,
        /// The delegate's account.
        delegate: String,
    },
    /// An attribute, for some time.
    SetAttribute {
        /// `bytes32`, hexadecimal: `did/pub/…`, padded with zeros.
        name: String,
        /// Hexadecimal.
        value: String,
        /// For how many seconds.
        validity: u64,
    },
    /// No longer an attribute.
    RevokeAttribute {
        /// `bytes32`, hexadecimal.
        name: String,
        /// Hexadecimal.
        value: String,
    },
}

/// A change that the identity's owner signed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedDidChange {
    /// The identity: the account in `did:ethr:…`.
    pub identity: String,
    /// What changes.
    pub change: DidChange,
    /// The owner's signature over ERC-1056's hash of the change: r ‖ s ‖ v, 65 bytes, hexadecimal.
    pub signature: String,
}

/// A change that is on its way.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RelayedDidChange {
    /// Hash of the relaying transaction; none while the ledger does not answer: it is sent later.
    pub transaction: Option<String>,
}

/// Relays a change. It is tried as a call first, so that what would revert (a wrong signature, an old nonce, another owner) is refused here
/// and costs nothing.
pub async fn relay(app: &App, request: SignedDidChange) -> Result<RelayedDidChange, Error> {
    let identity = account("/identity", &request.identity)?;
    let change = read(&request.change)?;
    let signature: [u8; 65] = from_hex_exact(&request.signature).map_err(|_| {
        Error::invalid(
            "signature",
            "/signature: 65 bytes in hexadecimal are needed",
            "sign again",
        )
    })?;
    let data = change.signed_calldata(identity, &signature);
    let registry = app.contracts.dids;
    let tried = eth::TransactionRequest::default()
        .from(convert::to_address(app.facts.operator))
        .to(convert::to_address(registry))
        .input(eth::Bytes::from(data.clone()).into());
    if let Err(error) = app.ledger.call(tried, eth::BlockId::latest()).await {
        return match error.blame() {
            vidimus_ledger::Blame::Caller => Err(Error::forbidden(
                "did-change",
                "the registry refuses the change: it is not signed by the identity's owner with its next nonce",
                "read owner and nonce from the registry, sign again and send it once",
            )),
            _ => Err(error.into()),
        };
    }
    let now = app.now();
    let (hits, all) = app
        .store
        .write(move |tx| {
            let hits = limits::hit(tx, "did-change", &identity.0, DAY, now)?;
            Ok::<_, vidimus_store::Error>((hits, limits::hit(tx, "did-change-all", &[], DAY, now)?))
        })
        .await?;
    if all > ALL_PER_DAY {
        return Err(Error::NotReady(Problem::new(
            "did-change-capacity",
            "as many changes as this deployment relays in a day were relayed",
            "try again tomorrow, or send the transaction from an account of your own",
        )));
    }
    if hits > PER_DAY {
        return Err(Error::forbidden(
            "did-change-limit",
            "this identity has changed as often today as is relayed for free",
            "wait a day, or send the transaction from an account of your own",
        ));
    }
    let sent = chain::send(
        app,
        app.facts.operator,
        Call::new(registry, data, "did-change"),
        app.random::<16>().to_vec(),
    )
    .await?;
    Ok(RelayedDidChange {
        transaction: sent.hash.map(|hash| hash.to_string()),
    })
}

fn read(change: &DidChange) -> Result<Change, Error> {
    Ok(match change {
        DidChange::ChangeOwner { owner } => Change::Owner(account("/change/owner", owner)?),
        DidChange::AddDelegate {
            delegate_type,
            delegate,
            validity,
        } => Change::AddDelegate {
            kind: word("/change/delegate_type", delegate_type)?,
            delegate: account("/change/delegate", delegate)?,
            validity: *validity,
        },
        DidChange::RevokeDelegate {
            delegate_type,
            delegate,
        } => Change::RevokeDelegate {
            kind: word("/change/delegate_type", delegate_type)?,
            delegate: account("/change/delegate", delegate)?,
        },
        DidChange::SetAttribute { name, value, validity } => Change::SetAttribute {
            name: word("/change/name", name)?,
            value: value_of(value)?,
            validity: *validity,
        },
        DidChange::RevokeAttribute { name, value } => Change::RevokeAttribute {
            name: word("/change/name", name)?,
            value: value_of(value)?,
        },
    })
}

fn account(pointer: &str, text: &str) -> Result<Address, Error> {
    text.parse().map_err(|_| {
        Error::invalid(
            "account",
            format!("{pointer}: not an account, 0x and 40 hexadecimal digits"),
            "correct it",
        )
    })
}

fn word(pointer: &str, text: &str) -> Result<[u8; 32], Error> {
    from_hex_exact(text).map_err(|_| {
        Error::invalid(
            "bytes32",
            format!("{pointer}: 32 bytes in hexadecimal are needed"),
            "correct it",
        )
    })
}

fn value_of(text: &str) -> Result<Vec<u8>, Error> {
    vidimus_core::encoding::from_hex(text)
        .ok()
        .filter(|value| value.len() <= LONGEST_VALUE)
        .ok_or_else(|| {
            Error::invalid(
                "attribute-value",
                "/change/value: at most 1024 bytes in hexadecimal are needed",
                "correct it",
            )
        })
}
