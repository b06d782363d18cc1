//! Which addresses are outside: everything that IANA's special-purpose registries (RFC 6890, kept up to date since) do not set apart.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A block of addresses, such as `10.1.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Not a block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a network: an address and the length of its prefix are needed, such as 10.1.0.0/16, with nothing set behind the prefix"
)]
pub struct NetworkError;

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            prefix,
        }
    }

    const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Self {
        Self {
            address: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)),
            prefix,
        }
    }

    /// Whether the address is in the block. An IPv4 address is in no block of IPv6 and the other way round.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()) & mask(32, self.prefix) as u32 == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()) & mask(128, self.prefix) == 0
            }
            _ => false,
        }
    }
}

/// A mask of `prefix` ones in a word of `width` bits.
const fn mask(width: u32, prefix: u8) -> u128 {
    let zeros = width - prefix as u32;
    let ones = u128::MAX >> (128 - width);
    if zeros == 128 { 0 } else { ones >> zeros << zeros }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// A single address is a block of one.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| NetworkError)?
            }
            Some(_) => return Err(NetworkError),
        };
        let network = Self { address, prefix };
        let first = match address {
            _ if prefix > width => return Err(NetworkError),
            IpAddr::V4(v4) => v4.to_bits() & !(mask(32, prefix) as u32) == 0,
            IpAddr::V6(v6) => v6.to_bits() & !mask(128, prefix) == 0,
        };
        if first { Ok(network) } else { Err(NetworkError) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// IPv4: this network, private, shared (CGNAT), loopback, link-local (where clouds keep their metadata), protocol assignments, documentation,
/// 6to4 relays, AS112, benchmarks, multicast, reserved, broadcast; and the one public address that a cloud answers from inside.
const INSIDE_V4: &[Network] = &[
    Network::v4(0, 0, 0, 0, 8),
    Network::v4(10, 0, 0, 0, 8),
    Network::v4(100, 64, 0, 0, 10),
    Network::v4(127, 0, 0, 0, 8),
    Network::v4(168, 63, 129, 16, 32),
    Network::v4(169, 254, 0, 0, 16),
    Network::v4(172, 16, 0, 0, 12),
    Network::v4(192, 0, 0, 0, 24),
    Network::v4(192, 0, 2, 0, 24),
    Network::v4(192, 31, 196, 0, 24),
    Network::v4(192, 52, 193, 0, 24),
    Network::v4(192, 88, 99, 0, 24),
    Network::v4(192, 168, 0, 0, 16),
    Network::v4(192, 175, 48, 0, 24),
    Network::v4(198, 18, 0, 0, 15),
    Network::v4(198, 51, 100, 0, 24),
    Network::v4(203, 0, 113, 0, 24),
    Network::v4(224, 0, 0, 0, 4),
    Network::v4(240, 0, 0, 0, 4),
];

/// What is outside of IPv6 is within global unicast, 2000::/3; of that, these are not: protocol assignments with Teredo, benchmarks and
/// ORCHID, documentation, 6to4. Unique local, link-local, multicast, mapped and translated addresses are all out of it.
const GLOBAL_V6: Network = Network::v6(0x2000, 0, 0, 3);
const INSIDE_V6: &[Network] = &[
    Network::v6(0x2001, 0, 0, 23),
    Network::v6(0x2001, 0xdb8, 0, 32),
    Network::v6(0x2002, 0, 0, 16),
    Network::v6(0x2620, 0x4f, 0x8000, 48),
    Network::v6(0x3fff, 0, 0, 20),
];

/// Whether an address is reachable by everybody, so that reaching it gives nobody more than they have. IPv4 in IPv6 (mapped, NAT64, 6to4) is
/// refused whatever it leads to: names have plain addresses beside it.
pub fn is_outside(address: IpAddr) -> bool {
    let among = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
    match address {
        IpAddr::V4(_) => !among(INSIDE_V4),
        IpAddr::V6(_) => GLOBAL_V6.contains(address) && !among(INSIDE_V6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_apart_is_inside() {
        for inside in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_outside(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "168.63.129.15",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert!(is_outside(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn networks_are_read_strictly() {
        for wrong in [
            "",
            "10",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.1/8",
            "10.0.0.0/256",
            "example.com/8",
            "fd00::/129",
            "fd00::1/64",
            " 10.0.0.0/8",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let contains = |network: &str, address: &str| {
            let network: Network = network.parse().unwrap();
            network.contains(address.parse().unwrap())
        };
        assert!(contains("10.1.0.0/16", "10.1.255.255"));
        assert!(!contains("10.1.0.0/16", "10.2.0.0"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "ff02::1") && !contains("::/0", "10.0.0.1"));
        assert!(contains("fd00:1::/32", "fd00:1:ffff::1") && !contains("fd00:1::/32", "fd00:2::1"));
        assert!(contains("10.0.0.7", "10.0.0.7") && !contains("10.0.0.7", "10.0.0.8"));
        assert_eq!("10.1.0.0/16".parse::<Network>().unwrap().to_string(), "10.1.0.0/16");
    }
}
