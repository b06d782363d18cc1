//! The Digital Credentials Query Language (OpenID4VP 1.0 §6).
