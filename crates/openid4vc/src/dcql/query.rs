//! A query as a value that holds together.

use super::{Path, limit};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use vidimus_credential::json::JsonError;

/// Why something is not a query. All of it is the verifier's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Not one JSON object within [`limit::BYTES`].
    #[error("the query is not readable JSON")]
    Json(#[source] JsonError),
    /// A member that must be there is not.
    #[error("the query lacks the member {0}")]
    Missing(&'static str),
    /// A member is not of the JSON type that it must be.
    #[error("the member {0} of the query has the wrong form")]
    Form(&'static str),
    /// A list is empty that must not be.
    #[error("the list {0} of the query is empty")]
    Empty(&'static str),
    /// A list is longer than its [`limit`].
    #[error("the list {0} of the query is too long")]
    TooMany(&'static str),
    /// A text is longer than its [`limit`].
    #[error("a text in {0} of the query is too long")]
    TooLong(&'static str),
    /// An identifier is empty or has other characters than letters, digits, `_` and `-` (§6.1, §6.3).
    #[error("an identifier of the query is empty or has characters that it must not have")]
    Id,
    /// Two credential queries have one identifier (§6.1).
    #[error("two credential queries have the same identifier")]
    RepeatedCredential,
    /// Two claims of a credential query have one identifier (§6.3).
    #[error("two claims of a credential query have the same identifier")]
    RepeatedClaim,
    /// Two claims of a credential query have one path (§6.1). Only in what is built: in what is read the later one is ignored.
    #[error("two claims of a credential query have the same path")]
    RepeatedPath,
    /// An option names a credential query that there is not (§6.2).
    #[error("a credential set names a credential query that there is not")]
    UnknownCredential,
    /// A claim set names a claim that there is not (§6.1).
    #[error("a claim set names a claim that there is not")]
    UnknownClaim,
    /// Claim sets, and a claim without an identifier (§6.3).
    #[error("a claim has no identifier, and there are claim sets")]
    ClaimWithoutId,
    /// Claim sets without claims (§6.4.1).
    #[error("there are claim sets without claims")]
    ClaimSetsWithoutClaims,
    /// A component of a path is no text, no null and no non-negative integer (§7).
    #[error("a component of a claims path is neither text nor null nor a non-negative integer")]
    Component,
    /// A path into an mdoc is not a namespace and a data element (§7.2).
    #[error("a claims path into an mdoc is not a namespace and a data element")]
    MdocPath,
    /// A value is no text, no integer and no boolean (§6.3).
    #[error("a value of a claim is neither text nor an integer nor a boolean")]
    Value,
    /// An authority key identifier is not base64url (§6.1.1.1).
    #[error("an authority key identifier is not base64url")]
    KeyIdentifier,
}

impl QueryError {
    /// What a wallet answers to such a query (§8.5).
    pub const CODE: &'static str = "invalid_request";
}

/// What a verifier asks for (§6).
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    credentials: Vec<Credential>,
    sets: Vec<CredentialSet>,
    pub(super) plan: Plan,
}

/// A presentation of a credential that is asked for (§6.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Credential {
    /// Names it in the response and in the options of credential sets.
    pub id: String,
    /// Its format, and what `meta` asks for in that format.
    pub kind: Kind,
    /// Whether more than one may be presented.
    pub multiple: bool,
    /// Who must stand behind the issuer, one of them; empty: nobody in particular.
    pub trusted_authorities: Vec<TrustedAuthority>,
    /// `require_cryptographic_holder_binding`.
    pub holder_binding: bool,
    /// The claims; empty: none but those that are always shown.
    pub claims: Vec<Claim>,
    /// Identifiers of claims that are enough together, the verifier's favourite first; empty: all claims are asked for.
    pub claim_sets: Vec<Vec<String>>,
}

/// A format, with what is asked of a credential's type in it (appendix B). An empty list asks for no type in particular.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `dc+sd-jwt`: one of these types, or one that extends it (appendix B.3.5).
    SdJwtVc {
        /// `vct_values`.
        vct_values: Vec<String>,
    },
    /// `jwt_vc_json`: all types of one alternative, as full IRIs (appendix B.1.1).
    JwtVcJson {
        /// `type_values`.
        type_values: Vec<Vec<String>>,
    },
    /// `ldp_vc`: the same.
    LdpVc {
        /// `type_values`.
        type_values: Vec<Vec<String>>,
    },
    /// `mso_mdoc` (appendix B.2.3).
    Mdoc {
        /// `doctype_value`.
        doctype_value: Option<String>,
    },
    /// A format that is not known here. Nothing matches it.
    Other {
        /// `format`.
        format: String,
        /// `meta`, as it was read.
        meta: Map<String, Json>,
    },
}

impl Kind {
    /// The identifier of the format.
    pub fn format(&self) -> &str {
        match self {
            Self::SdJwtVc { .. } => "dc+sd-jwt",
            Self::JwtVcJson { .. } => "jwt_vc_json",
            Self::LdpVc { .. } => "ldp_vc",
            Self::Mdoc { .. } => "mso_mdoc",
            Self::Other { format, .. } => format,
        }
    }
}

/// Who must stand behind an issuer (§6.1.1): any one of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedAuthority {
    /// `aki`: the key identifier in the authority key identifier of a certificate of the issuer's chain.
    KeyIdentifier(Vec<Vec<u8>>),
    /// `etsi_tl`: a trusted list that has a certificate of the chain.
    TrustedList(Vec<String>),
    /// `openid_federation`: an entity on the issuer's trust path.
    Federation(Vec<String>),
    /// A type that is not known here. Nothing matches it.
    Other {
        /// `type`.
        kind: String,
        /// `values`.
        values: Vec<String>,
    },
}

/// A claim that is asked for (§6.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Names it in claim sets.
    pub id: Option<String>,
    /// Where it is.
    pub path: Path,
    /// What it must be, one of them; empty: anything.
    pub values: Vec<Value>,
}

/// A value that a claim may be asked to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// An integer that a JSON number of 64 bits holds.
    Integer(i128),
    /// A boolean.
    Boolean(bool),
}

impl Value {
    /// Whether `claim` is of this type and has this value (§6.4.1). `1.0` is not the integer 1, nor is `"1"`.
    pub fn is(&self, claim: &Json) -> bool {
        match (self, claim) {
            (Self::Text(value), Json::String(claim)) => value == claim,
            (Self::Integer(value), Json::Number(claim)) => integer(claim) == Some(*value),
            (Self::Boolean(value), Json::Bool(claim)) => value == claim,
            _ => false,
        }
    }
}

pub(super) fn integer(number: &serde_json::Number) -> Option<i128> {
    number.as_i64().map(i128::from).or(number.as_u64().map(i128::from))
}

/// Which credentials serve a purpose (§6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSet {
    /// Identifiers of credential queries that are enough together.
    pub options: Vec<Vec<String>>,
    /// Whether there can be an answer without it.
    pub required: bool,
}

/// The same query as bits: what evaluation runs on.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Plan {
    pub(super) claims: Vec<ClaimPlan>,
    /// For each credential set, its options as bits of credential queries.
    pub(super) options: Vec<Vec<u64>>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ClaimPlan {
    /// All claims that are asked for where there are no sets.
    pub(super) all: u128,
    pub(super) sets: Vec<u128>,
}

impl Claim {
    /// Any value at that path.
    pub fn at(path: Path) -> Self {
        Self {
            id: None,
            path,
            values: Vec::new(),
        }
    }

    /// Names it.
    pub fn named(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// One of these values.
    pub fn one_of(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values = values.into_iter().collect();
        self
    }
}

impl Credential {
    /// One credential of that kind, bound to its holder, of any issuer, and no claims yet.
    pub fn new(id: impl Into<String>, kind: Kind) -> Self {
        Self {
            id: id.into(),
            kind,
            multiple: false,
            trusted_authorities: Vec::new(),
            holder_binding: true,
            claims: Vec::new(),
            claim_sets: Vec::new(),
        }
    }

    /// An SD-JWT VC of one of these types.
    pub fn sd_jwt_vc<'t>(id: impl Into<String>, types: impl IntoIterator<Item = &'t str>) -> Self {
        let vct_values = types.into_iter().map(str::to_owned).collect();
        Self::new(id, Kind::SdJwtVc { vct_values })
    }

    /// A W3C credential as a JWT that has all of these types.
    pub fn jwt_vc_json<'t>(id: impl Into<String>, types: impl IntoIterator<Item = &'t str>) -> Self {
        let alternative: Vec<String> = types.into_iter().map(str::to_owned).collect();
        let type_values = vec![alternative];
        Self::new(id, Kind::JwtVcJson { type_values })
    }

    /// Asks for a claim more.
    pub fn asking(mut self, claim: Claim) -> Self {
        self.claims.push(claim);
        self
    }

    fn check(&self) -> Result<(), QueryError> {
        check_id(&self.id)?;
        self.check_kind()?;
        most(
            self.trusted_authorities.len(),
            limit::AUTHORITIES,
            "trusted_authorities",
        )?;
        for authority in &self.trusted_authorities {
            authority.check()?;
        }
        most(self.claims.len(), limit::CLAIMS, "claims")?;
        for claim in &self.claims {
            self.check_claim(claim)?;
        }
        most(self.claim_sets.len(), limit::CLAIM_SETS, "claim_sets")?;
        if !self.claim_sets.is_empty() && self.claims.is_empty() {
            return Err(QueryError::ClaimSetsWithoutClaims);
        }
        for set in &self.claim_sets {
            most(set.len(), limit::MEMBERS, "claim_sets")?;
        }
        Ok(())
    }

    fn check_kind(&self) -> Result<(), QueryError> {
        match &self.kind {
            Kind::SdJwtVc { vct_values } => check_texts(vct_values, limit::TYPES, "vct_values"),
            Kind::JwtVcJson { type_values } | Kind::LdpVc { type_values } => {
                most(type_values.len(), limit::TYPES, "type_values")?;
                type_values.iter().try_for_each(|alternative| {
                    if alternative.is_empty() {
                        return Err(QueryError::Empty("type_values"));
                    }
                    check_texts(alternative, limit::TYPES, "type_values")
                })
            }
            Kind::Mdoc { doctype_value } => check_texts(doctype_value.as_slice(), 1, "doctype_value"),
            Kind::Other { format, meta } => {
                check_texts(std::slice::from_ref(format), 1, "format")?;
                let written = serde_json::to_vec(meta).map_err(|_| QueryError::Form("meta"))?;
                if written.len() > limit::BYTES {
                    return Err(QueryError::TooLong("meta"));
                }
                Ok(())
            }
        }
    }

    fn check_claim(&self, claim: &Claim) -> Result<(), QueryError> {
        match &claim.id {
            Some(id) => check_id(id)?,
            None if !self.claim_sets.is_empty() => return Err(QueryError::ClaimWithoutId),
            None => {}
        }
        if matches!(self.kind, Kind::Mdoc { .. })
            && !matches!(
                claim.path.components(),
                [super::Component::Key(_), super::Component::Key(_)]
            )
        {
            return Err(QueryError::MdocPath);
        }
        most(claim.values.len(), limit::VALUES, "values")?;
        claim.values.iter().try_for_each(|value| match value {
            Value::Text(text) if text.len() > limit::TEXT => Err(QueryError::TooLong("values")),
            Value::Integer(value) if *value < i64::MIN.into() || *value > u64::MAX.into() => Err(QueryError::Value),
            _ => Ok(()),
        })
    }

    /// The claims as bits. A claim that repeats the path of an earlier one is ignored where both are asked for (§6.1).
    fn plan(&self) -> Result<ClaimPlan, QueryError> {
        let mut places = HashMap::new();
        for (place, claim) in self.claims.iter().enumerate() {
            if let Some(id) = &claim.id
                && places.insert(id.as_str(), place).is_some()
            {
                return Err(QueryError::RepeatedClaim);
            }
        }
        let mut firsts: HashMap<&Path, usize> = HashMap::new();
        let mut same_path = Vec::with_capacity(self.claims.len());
        for (place, claim) in self.claims.iter().enumerate() {
            same_path.push(*firsts.entry(&claim.path).or_insert(place));
        }
        let without_repeated = |asked: u128| {
            let (mut paths, mut kept) = (0_u128, 0_u128);
            for place in bits(asked) {
                let path = 1_u128 << same_path[place];
                if paths & path == 0 {
                    paths |= path;
                    kept |= 1 << place;
                }
            }
            kept
        };
        let mut sets = Vec::with_capacity(self.claim_sets.len());
        for set in &self.claim_sets {
            let mut asked = 0_u128;
            for id in set {
                asked |= 1 << *places.get(id.as_str()).ok_or(QueryError::UnknownClaim)?;
            }
            sets.push(without_repeated(asked));
        }
        let all = (0..self.claims.len()).fold(0_u128, |all, place| all | 1 << place);
        Ok(ClaimPlan {
            all: without_repeated(all),
            sets,
        })
    }
}

/// The places of the bits that are set, lowest first.
pub(super) fn bits(mut word: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = word.trailing_zeros();
        word &= word.wrapping_sub(1);
        (place < 128).then_some(place as usize)
    })
}

impl TrustedAuthority {
    fn check(&self) -> Result<(), QueryError> {
        let lengths: Vec<usize> = match self {
            Self::KeyIdentifier(values) => values.iter().map(Vec::len).collect(),
            Self::TrustedList(values) | Self::Federation(values) | Self::Other { values, .. } => {
                values.iter().map(String::len).collect()
            }
        };
        most(lengths.len(), limit::AUTHORITIES, "values")?;
        if lengths.is_empty() || lengths.contains(&0) {
            return Err(QueryError::Empty("values"));
        }
        if lengths.iter().any(|length| *length > limit::TEXT) {
            return Err(QueryError::TooLong("values"));
        }
        match self {
            Self::Other { kind, .. } => check_texts(std::slice::from_ref(kind), 1, "type"),
            _ => Ok(()),
        }
    }
}

impl Query {
    /// A query for these credentials: all of them, or, where there are sets, what the sets say.
    pub fn new(credentials: Vec<Credential>, sets: Vec<CredentialSet>) -> Result<Self, QueryError> {
        let query = Self::checked(credentials, sets)?;
        let repeats =
            |(credential, plan): (&Credential, &ClaimPlan)| plan.all.count_ones() as usize != credential.claims.len();
        if query.credentials.iter().zip(&query.plan.claims).any(repeats) {
            return Err(QueryError::RepeatedPath);
        }
        Ok(query)
    }

    pub(super) fn checked(credentials: Vec<Credential>, sets: Vec<CredentialSet>) -> Result<Self, QueryError> {
        if credentials.is_empty() {
            return Err(QueryError::Empty("credentials"));
        }
        most(credentials.len(), limit::CREDENTIALS, "credentials")?;
        let all_claims = credentials.iter().map(|credential| credential.claims.len()).sum();
        most(all_claims, limit::ALL_CLAIMS, "claims")?;
        let claims = credentials.iter().flat_map(|credential| &credential.claims);
        most(
            claims.map(|claim| claim.values.len()).sum(),
            limit::ALL_VALUES,
            "values",
        )?;
        let mut places = HashMap::new();
        let mut plan = Plan::default();
        for (place, credential) in credentials.iter().enumerate() {
            credential.check()?;
            if places.insert(credential.id.as_str(), place).is_some() {
                return Err(QueryError::RepeatedCredential);
            }
            plan.claims.push(credential.plan()?);
        }
        most(sets.len(), limit::CREDENTIAL_SETS, "credential_sets")?;
        for set in &sets {
            plan.options.push(set.plan(&places)?);
        }
        Ok(Self {
            credentials,
            sets,
            plan,
        })
    }

    /// The credential queries.
    pub fn credentials(&self) -> &[Credential] {
        &self.credentials
    }

    /// The credential sets; where there are none, all credentials are asked for.
    pub fn sets(&self) -> &[CredentialSet] {
        &self.sets
    }

    /// The place of the credential query of that identifier.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.credentials.iter().position(|credential| credential.id == id)
    }
}

impl CredentialSet {
    fn plan(&self, places: &HashMap<&str, usize>) -> Result<Vec<u64>, QueryError> {
        if self.options.is_empty() || self.options.iter().any(Vec::is_empty) {
            return Err(QueryError::Empty("options"));
        }
        most(self.options.len(), limit::OPTIONS, "options")?;
        let option = |option: &Vec<String>| {
            most(option.len(), limit::MEMBERS, "options")?;
            option.iter().try_fold(0_u64, |members, id| {
                let place = places.get(id.as_str()).ok_or(QueryError::UnknownCredential)?;
                Ok(members | 1 << place)
            })
        };
        self.options.iter().map(option).collect()
    }
}

fn check_id(id: &str) -> Result<(), QueryError> {
    if id.len() > limit::ID {
        return Err(QueryError::TooLong("id"));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if id.is_empty() || !id.bytes().all(fits) {
        return Err(QueryError::Id);
    }
    Ok(())
}

pub(super) fn most(count: usize, limit: usize, what: &'static str) -> Result<(), QueryError> {
    if count > limit {
        Err(QueryError::TooMany(what))
    } else {
        Ok(())
    }
}

fn check_texts(texts: &[String], limit: usize, what: &'static str) -> Result<(), QueryError> {
    most(texts.len(), limit, what)?;
    if texts.iter().any(|text| text.len() > limit::TEXT) {
        return Err(QueryError::TooLong(what));
    }
    if texts.iter().any(String::is_empty) {
        return Err(QueryError::Empty(what));
    }
    Ok(())
}
