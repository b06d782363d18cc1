//! The public profile of a participant.

use crate::app::error::Error;
use vidimus_store::participants as rows;

/// A public profile, as it is digested into the registry.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) country: String,
    pub(super) address: Option<String>,
}

impl Profile {
    pub(super) fn new(name: &str, country: &str, address: Option<&str>) -> Result<Self, Error> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(Error::invalid(
                "name",
                "/name: a name has 1 to 64 characters",
                "give the organisation's name",
            ));
        }
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(Error::invalid(
                "country",
                "/country: a country is two upper-case letters (ISO 3166-1 alpha-2)",
                "give the code, such as `DE`",
            ));
        }
        if address.is_some_and(|address| address.len() > 256 || !address.starts_with("https://")) {
            return Err(Error::invalid(
                "url",
                "/url: a web address begins with https:// and has at most 256 characters",
                "give the organisation's address, or none",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            country: country.to_owned(),
            address: address.map(str::to_owned),
        })
    }

    pub(super) fn of(participant: &rows::Participant) -> Result<Self, Error> {
        let value: serde_json::Value = serde_json::from_str(&participant.profile)
            .map_err(|_| Error::Internal("a participant's profile is not JSON"))?;
        Ok(Self {
            name: participant.name.clone(),
            country: participant.country.clone(),
            address: value
                .get("address")
                .and_then(|address| address.as_str())
                .map(str::to_owned),
        })
    }

    pub(super) fn to_json(&self) -> String {
        let mut value = serde_json::json!({ "name": self.name, "country": self.country });
        if let Some(address) = &self.address {
            value["address"] = serde_json::json!(address);
        }
        value.to_string()
    }
}

/// A public profile as it is digested into the registry, for whoever signs its digest.
pub fn profile_json(name: &str, country: &str, address: Option<&str>) -> String {
    let profile = Profile {
        name: name.trim().to_owned(),
        country: country.to_owned(),
        address: address.map(str::to_owned),
    };
    profile.to_json()
}
