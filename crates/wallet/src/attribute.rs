//! What claims are called: by the names that the verifier registry uses where a category has one for them, else by their path.

use crate::batch::Form;
use serde_json::Value;
use vidimus_credential::{
    CategoryId,
    category::{Categories, Category},
    format::sd_jwt_vc::{self, Asked},
    sd_jwt::{ClaimPath, Step},
};
use vidimus_openid4vc::dcql::{Kind, Query};

/// What a claim is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// An attribute, by the name that verifiers are permitted it.
    Attribute(String),
    /// What every copy says, whoever asks.
    Clear(String),
}

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Attribute(name) | Self::Clear(name) => name,
        }
    }
}

/// The category of a copy, where it is of ours.
pub(crate) fn category_of<'c>(
    form: Form,
    types: &[String],
    claims: &Value,
    categories: &'c Categories,
) -> Option<&'c Category> {
    let id = match form {
        Form::SdJwtVc => types.iter().find_map(|vct| sd_jwt_vc::category_of(vct)),
        Form::JwtVcJson => claims
            .pointer("/credentialSubject/category")
            .and_then(Value::as_str)
            .and_then(|name| CategoryId::new(name).ok()),
    };
    categories.category(&id?).map(|category| &**category)
}

/// The name of the claim at `path` of a copy of this category.
pub(crate) fn name(category: Option<&Category>, form: Form, path: &ClaimPath) -> Name {
    if form == Form::JwtVcJson && is_clear_subject(category, path) {
        return Name::Clear(dotted(path));
    }
    let of_category = category.map(|category| match form {
        Form::SdJwtVc => sd_jwt_vc::asked(category, path),
        Form::JwtVcJson => inside_subject(path).map_or(Asked::Nothing, |path| {
            let other_writing = || other_writing(&path).map(|name| sd_jwt_vc::asked(category, &name));
            match sd_jwt_vc::asked(category, &path) {
                Asked::Nothing => other_writing().unwrap_or(Asked::Nothing),
                asked => asked,
            }
        }),
    });
    match of_category {
        Some(Asked::Attribute(name)) => Name::Attribute(name.to_owned()),
        Some(Asked::Clear) => Name::Clear(dotted(path)),
        Some(Asked::Nothing) => Name::Attribute(dotted(path)),
        None if form == Form::SdJwtVc && is_clear(path) => Name::Clear(dotted(path)),
        None => Name::Attribute(dotted(path)),
    }
}

/// What the subject of a W3C credential says that is no attribute of a person: the holder's name, which is a key for one verifier, and, of ours, what kind of certificate it is.
fn is_clear_subject(category: Option<&Category>, path: &ClaimPath) -> bool {
    match path.steps() {
        [Step::Name(subject), Step::Name(name)] if subject == "credentialSubject" => {
            name == "id" || (name == "category" && category.is_some())
        }
        _ => false,
    }
}

/// The names of all attributes that a query asks for, whichever of its types would answer it; what has no name, by its path.
pub(crate) fn of_query(query: &Query, categories: &Categories) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for credential in query.credentials() {
        let (form, named): (Form, Vec<&Category>) = match &credential.kind {
            Kind::SdJwtVc { vct_values } => {
                let ids = vct_values.iter().map(|vct| sd_jwt_vc::category_of(vct));
                let found: Option<Vec<_>> = ids
                    .map(|id| categories.category(&id?).map(|category| &**category))
                    .collect();
                match found {
                    // Any type: any category of ours might answer.
                    Some(found) if found.is_empty() => (Form::SdJwtVc, all(categories)),
                    // A type that is not ours has no names but its paths.
                    found => (Form::SdJwtVc, found.unwrap_or_default()),
                }
            }
            Kind::JwtVcJson { .. } | Kind::LdpVc { .. } => (Form::JwtVcJson, all(categories)),
            Kind::Mdoc { .. } | Kind::Other { .. } => (Form::JwtVcJson, Vec::new()),
        };
        for claim in &credential.claims {
            let Ok(path) = ClaimPath::from_json(&claim.path.to_json()) else {
                continue;
            };
            let of = |category| name(category, form, &path);
            let mut found: Vec<Name> = named.iter().map(|category| of(Some(*category))).collect();
            let has_name = |name: &Name| *name != Name::Attribute(dotted(&path));
            if found.iter().any(has_name) {
                found.retain(has_name);
            } else {
                found = vec![of(None)];
            }
            names.extend(found.into_iter().filter_map(|name| match name {
                Name::Attribute(name) => Some(name),
                Name::Clear(_) => None,
            }));
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn all(categories: &Categories) -> Vec<&Category> {
    categories.iter().map(|category| &**category).collect()
}

/// A path into a W3C credential of ours, as the SD-JWT VC of the same has it.
fn inside_subject(path: &ClaimPath) -> Option<ClaimPath> {
    let [Step::Name(subject), rest @ ..] = path.steps() else {
        return None;
    };
    if subject != "credentialSubject" {
        return None;
    }
    match rest {
        [Step::Name(person), Step::Name(name), ..] if person == "person" => {
            Some(ClaimPath::of([match name.as_str() {
                "familyName" => "family_name",
                "givenName" => "given_name",
                "familyNameTransliterated" => "family_name_transliterated",
                "givenNameTransliterated" => "given_name_transliterated",
                "birthDate" => "birthdate",
                _ => return None,
            }]))
        }
        [Step::Name(claims), ..] if claims == "claims" => ClaimPath::new(rest.to_vec()).ok(),
        _ => None,
    }
}

/// Whether a W3C credential of ours says this among its claims, and its category has no attribute for it.
pub(crate) fn is_unnamed_claim(path: &ClaimPath, name: &Name) -> bool {
    let claims = match path.steps() {
        [Step::Name(subject), Step::Name(claims), _, ..] => subject == "credentialSubject" && claims == "claims",
        _ => false,
    };
    claims && *name == Name::Attribute(dotted(path))
}

/// A name in Latin letters is the same name: who may see the one may see the other, where the category does not tell them apart.
fn other_writing(path: &ClaimPath) -> Option<ClaimPath> {
    let [Step::Name(name)] = path.steps() else { return None };
    let name = name.strip_suffix("_transliterated")?;
    Some(ClaimPath::of([name]))
}

/// What no SD-JWT VC conceals (§3.2.2.2), nor a verifier has to ask for.
fn is_clear(path: &ClaimPath) -> bool {
    const CLEAR: [&str; 7] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status"];
    matches!(path.steps(), [Step::Name(name), ..] if CLEAR.contains(&name.as_str()))
}

/// A path as one text.
pub(crate) fn dotted(path: &ClaimPath) -> String {
    let step = |step: &Step| match step {
        Step::Name(name) => name.clone(),
        Step::Index(place) => place.to_string(),
        Step::All => "*".to_owned(),
    };
    path.steps().iter().map(step).collect::<Vec<_>>().join(".")
}

/// Everything that a W3C credential says about its subject: single values and lists, with their paths.
pub(crate) fn all_of_subject(claims: &Value) -> Vec<ClaimPath> {
    let mut found = Vec::new();
    if let Some(subject) = claims.get("credentialSubject") {
        walk(&ClaimPath::of(["credentialSubject"]), subject, &mut found);
    }
    found
}

fn walk(at: &ClaimPath, value: &Value, found: &mut Vec<ClaimPath>) {
    const DEEPEST: usize = 16;
    match value {
        Value::Object(members) if !members.is_empty() && at.steps().len() < DEEPEST => {
            for (name, value) in members {
                walk(&at.then(name.as_str()), value, found);
            }
        }
        _ => found.push(at.clone()),
    }
}
