//! What an issuer states about a person: the content that every rendering carries.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use vidimus_core::{Timestamp, id::CopyId};

/// The name of a certificate category, such as `sars-cov-2-naat`: 1 to 64 lower-case letters, digits and single hyphens.
/// It is written to the registry contract as it stands here.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CategoryId(String);

/// The text does not have the form of a category's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a category's name has 1 to 64 lower-case letters, digits and single hyphens, and begins with a letter")]
pub struct CategoryIdError;

impl CategoryId {
    /// Parses a name.
    pub fn new(text: impl Into<String>) -> Result<Self, CategoryIdError> {
        let text = text.into();
        let fits = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && !text.contains("--")
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text)) } else { Err(CategoryIdError) }
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CategoryId {
    type Error = CategoryIdError;
    fn try_from(text: String) -> Result<Self, CategoryIdError> {
        Self::new(text)
    }
}

impl From<CategoryId> for String {
    fn from(id: CategoryId) -> Self {
        id.0
    }
}

impl fmt::Display for CategoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CategoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The person a certificate is about, as the identity document names them. Personal: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Surname(s), in the document's own script.
    pub family_name: String,
    /// Forename(s), in the document's own script.
    pub given_name: String,
    /// Surname(s) as in the machine-readable zone (ICAO 9303 part 3): `A`–`Z` and `<`. Derived where the document does not give it.
    pub family_name_transliterated: String,
    /// Forename(s) as in the machine-readable zone.
    pub given_name_transliterated: String,
    /// `YYYY-MM-DD`, `YYYY-MM`, `YYYY`, or empty when nothing is known (EU DCC 1.3, `dob`).
    pub birth_date: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

/// What is disclosed of a [`Person`]: as JSON the same, without what is not. Personal: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosedPerson {
    /// Surname(s), in the document's own script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Forename(s), in the document's own script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Surname(s) as in the machine-readable zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name_transliterated: Option<String>,
    /// Forename(s) as in the machine-readable zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name_transliterated: Option<String>,
    /// Date of birth, as [`Person::birth_date`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
}

impl fmt::Debug for DisclosedPerson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DisclosedPerson(…)")
    }
}

impl From<Person> for DisclosedPerson {
    fn from(person: Person) -> Self {
        Self {
            family_name: Some(person.family_name),
            given_name: Some(person.given_name),
            family_name_transliterated: Some(person.family_name_transliterated),
            given_name_transliterated: Some(person.given_name_transliterated),
            birth_date: Some(person.birth_date),
        }
    }
}

/// Where the status of one copy is found: the same index in each encoding of the one status table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusReference {
    /// URL of the Token Status List (IETF draft-ietf-oauth-status-list).
    pub token_list: String,
    /// URL of the Bitstring Status List credential (W3C Bitstring Status List 1.0), purpose `revocation`; HCERT carries only the first.
    pub bitstring_list: Option<String>,
    /// URL of the Bitstring Status List credential with purpose `suspension` (that standard has one list for each purpose).
    #[serde(default)]
    pub suspension_list: Option<String>,
    /// Index of this copy, random within the list.
    pub index: u64,
}

/// The content of one copy of a certificate.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Id of this copy; goes into the signed bytes.
    pub id: CopyId,
    /// Kind of certificate.
    pub category: CategoryId,
    /// The issuer's DID (`did:ethr:…`).
    pub issuer: String,
    /// ISO 3166-1 alpha-2 code of the issuer's country; the `iss` of an HCERT.
    pub issuer_country: String,
    /// The holder's DID, or none where the copy is bound to no keys (paper).
    pub holder: Option<String>,
    /// Whom it is about.
    pub person: Person,
    /// What it says, as the category's schema defines it.
    pub claims: Map<String, Value>,
    /// When the issuer signs.
    pub issued_at: Timestamp,
    /// From when it is valid.
    pub valid_from: Timestamp,
    /// Until when it is valid.
    pub valid_until: Timestamp,
    /// Where to ask whether it was revoked.
    pub status: Option<StatusReference>,
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("id", &self.id)
            .field("category", &self.category)
            .finish_non_exhaustive()
    }
}

/// The renderings of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Format {
    /// W3C Verifiable Credential 1.1 as a JWT with the `vc` claim (VC Data Model 1.1 §6.3.1).
    #[serde(rename = "vc-jwt-1.1")]
    VcJwt11,
    /// W3C Verifiable Credential 2.0 secured with JOSE, `vc+jwt` (VC-JOSE-COSE §3.1).
    #[serde(rename = "vc+jwt")]
    VcJwt20,
    /// EU Digital COVID Certificate / WHO GDHCN health certificate, `HC1:`.
    #[serde(rename = "hcert")]
    Hcert,
    /// SD-JWT VC, `dc+sd-jwt` (draft-ietf-oauth-sd-jwt-vc-13).
    #[serde(rename = "dc+sd-jwt")]
    SdJwtVc,
}

impl Format {
    /// The name as it stands in APIs and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VcJwt11 => "vc-jwt-1.1",
            Self::VcJwt20 => "vc+jwt",
            Self::Hcert => "hcert",
            Self::SdJwtVc => "dc+sd-jwt",
        }
    }
    /// The inverse of [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::VcJwt11, Self::VcJwt20, Self::Hcert, Self::SdJwtVc]
            .into_iter()
            .find(|f| f.name() == name)
    }
}
