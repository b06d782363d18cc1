//! SD-JWT (RFC 9901): claims that a holder shows one by one, whatever they are about.
//!
//! An issuer conceals ([`conceal`]) and signs; a holder or verifier reads ([`SdJwt::parse`]), verifies the signature with a key it trusts for
//! other reasons, and puts back what is disclosed ([`SdJwt::process`]); a holder chooses ([`Processed::choose`]), assembles
//! ([`SdJwt::present`]) and binds the result to a request ([`key_binding`]). Only the compact form with `~` is read and made, not the JSON
//! serialization of §8.
//!
//! Reading is strict where §7.1 is, and in these on top of it: `_sd_alg` is `sha-256` or absent; an object with a member `...` that is no
//! element of an array, or has other members, is refused and not taken for a claim; so is a nested `_sd_alg`.

mod issue;
pub mod key_binding;
mod path;
mod present;
mod read;

pub use issue::{ConcealError, Concealed, Frame, conceal};
pub use path::{ClaimPath, PathError, Step};
pub use present::{ChoiceError, combine};
pub use read::{Disclosed, Processed, SdJwt, SdJwtError, process};

use vidimus_core::{Provider, encoding};

/// The longest SD-JWT that is read, its key binding included. Holds a portrait.
pub const MAX_SD_JWT: usize = 256 << 10;
/// The most disclosures that are read or made.
pub const MAX_DISCLOSURES: usize = 256;
/// The one hash algorithm, by its name in `_sd_alg` (§4.1.1).
pub const HASH: &str = "sha-256";

/// The member that holds digests of an object's members (§4.2.4.1).
const DIGESTS: &str = "_sd";
/// The member that stands for an element of an array (§4.2.4.2).
const ELEMENT: &str = "...";
/// The member that names the hash algorithm (§4.1.1).
const HASH_NAME: &str = "_sd_alg";

/// Names that mean something to SD-JWT and can be no claim's.
fn is_reserved(name: &str) -> bool {
    [DIGESTS, ELEMENT, HASH_NAME].contains(&name)
}

/// The digest of a disclosure, as it is embedded: over its base64url text and not what that says (§4.2.3).
fn digest_of(text: &str, provider: &dyn Provider) -> String {
    encoding::base64url(&provider.sha256(&[text.as_bytes()]).0)
}
