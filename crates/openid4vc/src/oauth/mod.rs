//! What both protocols take from OAuth 2.0: authorization servers, PAR, PKCE, DPoP, client attestation.
