//! Where requests may go. What a name resolves to is the HTTP client's to judge, at each connection; here is what the URL itself says.

use crate::oauth::Endpoint;
use url::{Host, Url};

/// Why a URL is not gone to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It goes to this machine, and policy does not allow that.
    #[error("the URL points to this machine itself")]
    Loopback,
    /// It holds an address, or a name, that is of no use outside a private network.
    #[error("the URL points inside a private network")]
    Inside,
}

/// Whether a URL's host, as it is written, is inside some network: an address that is not globally reachable (RFC 6890, RFC 4193, RFC 6598), or
/// a name that never is (`localhost`, `.local`, `.internal`, `.home.arpa`, or one without a dot).
pub fn is_inside(url: &Url) -> bool {
    match url.host() {
        None => true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let special = ["local", "localhost", "internal", "home.arpa", "onion"];
            !name.contains('.') || special.iter().any(|end| name.ends_with(&format!(".{end}")))
        }
        Some(Host::Ipv4(address)) => is_inside_v4(address.octets()),
        Some(Host::Ipv6(address)) => is_inside_v6(address.segments()),
    }
}

fn is_inside_v4(address: [u8; 4]) -> bool {
    matches!(
        address,
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 168, ..]
            | [198, 18..=19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

fn is_inside_v6(address: [u16; 8]) -> bool {
    let last_v4 = || {
        let [a, b] = address[6].to_be_bytes();
        let [c, d] = address[7].to_be_bytes();
        [a, b, c, d]
    };
    match address {
        // Unspecified, loopback, compatible and mapped addresses; what is translated (RFC 6052) goes where the IPv4 address goes.
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] => true,
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => is_inside_v4(last_v4()),
        // Only 2000::/3 is given out; in it, documentation and the tunnels that carry IPv4 addresses.
        [first, second, ..] => {
            first & 0xe000 != 0x2000 || (first == 0x2001 && (second == 0xdb8 || second < 0x200)) || first == 0x2002
        }
    }
}

/// Whether `endpoint` may be gone to.
pub(super) fn check(endpoint: &Endpoint, loopback: bool, inside: bool) -> Result<(), HostError> {
    let url = endpoint.url();
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match is_loopback {
        true if loopback => Ok(()),
        true => Err(HostError::Loopback),
        false if inside || !is_inside(&url) => Ok(()),
        false => Err(HostError::Inside),
    }
}
