//! Compact JWE (RFC 7516) with ECDH-ES on P-256 (RFC 7518 §4.6) and AES-GCM.
