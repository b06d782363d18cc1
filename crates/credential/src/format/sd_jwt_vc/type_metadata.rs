//! SD-JWT VC Type Metadata (§6 to §9): made of a category, and read from whoever defines a type.

use super::{CLAIMS, IN_THE_CLEAR, PERSON, attribute::path_of};
use crate::{
    category::Category,
    json::{self, JsonError},
    sd_jwt::ClaimPath,
};
use serde_json::{Map, Value, json};
use std::fmt;
use subtle::ConstantTimeEq;
use vidimus_core::{Provider, encoding};

/// The longest document that is read.
pub const MAX_DOCUMENT: usize = 256 << 10;
/// The most types of one chain of `extends`, the first among them.
pub const MAX_TYPES: usize = 8;
/// The most claims of one document.
const MAX_CLAIMS: usize = 1_024;
/// The longest integrity metadata that is read.
const MAX_INTEGRITY: usize = 1_024;

/// The document of a category's certificates: the same bytes each time for the same category file and `vct`.
pub fn document(category: &Category, vct: &str) -> Vec<u8> {
    let english = category.texts("en");
    let display: Vec<Value> = category
        .languages()
        .map(|language| {
            let texts = category.texts(language);
            json!({"locale": language, "name": texts.title, "description": texts.description})
        })
        .collect();
    let document = json!({
        "vct": vct,
        "name": english.title,
        "description": english.description,
        "display": display,
        "claims": claims(category),
    });
    serde_json::to_vec(&document).expect("JSON values always write")
}

/// Person, category's attributes, its other claims, and what stands in the clear: each once.
fn claims(category: &Category) -> Vec<Value> {
    let mut claims: Vec<(ClaimPath, Value)> = Vec::new();
    let mut add = |path: ClaimPath, claim: Value| {
        if claims.iter().all(|(known, _)| *known != path) {
            claims.push((path, claim));
        }
    };
    let required = category.schema()["required"].as_array();
    let properties = category.schema()["properties"].as_object();
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
    for disclosure in category.disclosures() {
        let Some(path) = path_of(disclosure) else { continue };
        let json_path = path.to_json();
        let in_clear = json_path[0].as_str().is_some_and(|name| IN_THE_CLEAR.contains(&name));
        let titles = disclosure.titles.iter();
        let display: Vec<Value> = titles
            .map(|(locale, label)| json!({"locale": locale, "label": label}))
            .collect();
        let mandatory = match disclosure.pointer.strip_prefix("/claims/") {
            Some(name) => is_required(name),
            None => disclosure.pointer != "/person/birth_date",
        };
        let sd = if in_clear { "never" } else { "always" };
        add(
            path,
            json!({"path": json_path, "display": display, "mandatory": mandatory, "sd": sd}),
        );
    }
    for (name, pointer) in PERSON {
        let mandatory = pointer != "/person/birth_date";
        add(
            ClaimPath::of([name]),
            json!({"path": [name], "mandatory": mandatory, "sd": "always"}),
        );
    }
    for name in properties.into_iter().flat_map(Map::keys) {
        let path = json!([CLAIMS, name]);
        add(
            ClaimPath::of([CLAIMS, name]),
            json!({"path": path, "mandatory": is_required(name), "sd": "always"}),
        );
    }
    for name in IN_THE_CLEAR.into_iter().chain([CLAIMS]) {
        let mandatory = name != "status";
        add(
            ClaimPath::of([name]),
            json!({"path": [name], "mandatory": mandatory, "sd": "never"}),
        );
    }
    claims.into_iter().map(|(_, claim)| claim).collect()
}

/// The integrity metadata of a document (§7; W3C Subresource Integrity §3.5).
pub fn integrity(document: &[u8], provider: &dyn Provider) -> String {
    format!("sha256-{}", encoding::base64(&provider.sha256(&[document]).0))
}

/// Why a type's metadata are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// It does not read.
    #[error("the type metadata are not readable JSON")]
    Json(#[source] JsonError),
    /// A member is missing or has the wrong form.
    #[error("the member {0} of the type metadata is missing or has the wrong form")]
    Member(&'static str),
    /// It describes another type than the one that was asked for.
    #[error("the type metadata are of another type")]
    Type,
    /// The document is another than the one that is referred to.
    #[error("the type metadata are not those that are referred to")]
    Integrity,
    /// The integrity metadata have no digest that can be computed here (SHA-256), or a stronger one that cannot.
    #[error("the integrity metadata have no digest that is understood")]
    Unsupported,
    /// Types extend each other in a circle.
    #[error("the types extend each other in a circle")]
    Circle,
    /// More than [`MAX_TYPES`].
    #[error("more than {MAX_TYPES} types extend each other")]
    TooLong,
    /// A type changes what the type it extends does not let it change (§9.5.1).
    #[error("the type changes {0} of a claim that the type it extends has fixed")]
    Fixed(&'static str),
    /// What a type extends was not read yet.
    #[error("the type that it extends is not at hand")]
    Incomplete,
}

/// Whether a document is the one that integrity metadata describe. Of several algorithms the strongest counts (W3C Subresource Integrity §3.3.5);
/// metadata without one that is understood describe nothing and are refused.
pub fn verify_integrity(document: &[u8], metadata: &str, provider: &dyn Provider) -> Result<(), TypeError> {
    if metadata.len() > MAX_INTEGRITY {
        return Err(TypeError::Unsupported);
    }
    let mut known = false;
    let mut same = false;
    for token in metadata.split_ascii_whitespace() {
        let token = token.split('?').next().unwrap_or_default();
        match token.split_once('-') {
            Some(("sha384" | "sha512", _)) => return Err(TypeError::Unsupported),
            Some(("sha256", digest)) => {
                known = true;
                let ours = provider.sha256(&[document]);
                same |= encoding::from_base64(digest).is_ok_and(|digest| bool::from(digest.ct_eq(&ours.0)));
            }
            _ => {}
        }
    }
    match (known, same) {
        (true, true) => Ok(()),
        (true, false) => Err(TypeError::Integrity),
        (false, _) => Err(TypeError::Unsupported),
    }
}

/// Whether a claim is disclosed by itself (§9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disclosable {
    /// It has to be.
    Always,
    /// It may be.
    #[default]
    Allowed,
    /// It must not be.
    Never,
}

/// Words for people in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// RFC 5646.
    pub locale: String,
    /// The name of the type, or the label of the claim.
    pub name: String,
    /// More of it.
    pub description: Option<String>,
}

/// What is said of a claim (§9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which claim, or claims.
    pub path: ClaimPath,
    /// What it is called.
    pub display: Vec<Words>,
    /// Whether each credential of the type has it.
    pub mandatory: bool,
    /// Whether it is disclosed by itself.
    pub disclosable: Disclosable,
}

/// One document of type metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct TypeMetadata {
    /// The type it describes.
    pub vct: String,
    /// Its name, for developers.
    pub name: Option<String>,
    /// Its description, for developers.
    pub description: Option<String>,
    /// The type that it extends, and the integrity metadata of that type's document.
    pub extends: Option<(String, Option<String>)>,
    /// What it is called; `None` where it does not say, and what it extends does.
    pub display: Option<Vec<Words>>,
    /// Its claims.
    pub claims: Vec<Claim>,
}

impl fmt::Debug for TypeMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeMetadata({}, {} claims)", self.vct, self.claims.len())
    }
}

impl TypeMetadata {
    /// Reads the document of type `vct`, as a copy or a type that extends it refers to it. Members that are not understood are passed over.
    pub fn read(
        document: &[u8],
        vct: &str,
        integrity: Option<&str>,
        provider: &dyn Provider,
    ) -> Result<Self, TypeError> {
        if let Some(metadata) = integrity {
            verify_integrity(document, metadata, provider)?;
        }
        let members = json::parse_object(document, MAX_DOCUMENT).map_err(TypeError::Json)?;
        if text(&members, "vct")?.ok_or(TypeError::Member("vct"))? != vct {
            return Err(TypeError::Type);
        }
        let extended = text(&members, "extends#integrity")?;
        let claims = list(&members, "claims")?.unwrap_or_default();
        if claims.len() > MAX_CLAIMS {
            return Err(TypeError::Member("claims"));
        }
        Ok(Self {
            vct: vct.to_owned(),
            name: text(&members, "name")?,
            description: text(&members, "description")?,
            extends: text(&members, "extends")?.map(|uri| (uri, extended)),
            display: list(&members, "display")?.map(|all| words(all, "name")).transpose()?,
            claims: claims.iter().map(claim).collect::<Result<_, _>>()?,
        })
    }
}

fn claim(value: &Value) -> Result<Claim, TypeError> {
    let members = value.as_object().ok_or(TypeError::Member("claims"))?;
    let path = members.get("path").and_then(|path| ClaimPath::from_json(path).ok());
    Ok(Claim {
        path: path.ok_or(TypeError::Member("path"))?,
        display: list(members, "display")?.map_or(Ok(Vec::new()), |all| words(all, "label"))?,
        mandatory: match members.get("mandatory") {
            None => false,
            Some(Value::Bool(mandatory)) => *mandatory,
            Some(_) => return Err(TypeError::Member("mandatory")),
        },
        disclosable: match text(members, "sd")?.as_deref() {
            None | Some("allowed") => Disclosable::Allowed,
            Some("always") => Disclosable::Always,
            Some("never") => Disclosable::Never,
            Some(_) => return Err(TypeError::Member("sd")),
        },
    })
}

fn words(all: &[Value], name: &'static str) -> Result<Vec<Words>, TypeError> {
    let one = |value: &Value| {
        let members = value.as_object().ok_or(TypeError::Member("display"))?;
        Ok(Words {
            locale: text(members, "locale")?.ok_or(TypeError::Member("locale"))?,
            name: text(members, name)?.ok_or(TypeError::Member(name))?,
            description: text(members, "description")?,
        })
    };
    all.iter().map(one).collect()
}

fn text(members: &Map<String, Value>, name: &'static str) -> Result<Option<String>, TypeError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(TypeError::Member(name)),
    }
}

fn list<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a [Value]>, TypeError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(_) => Err(TypeError::Member(name)),
    }
}

/// A type and those it extends, document by document: fetching them is the caller's.
#[derive(Debug, Clone)]
pub struct Resolution {
    types: Vec<TypeMetadata>,
    wanted: Option<(String, Option<String>)>,
}

impl Resolution {
    /// Begins with what a copy refers to: `vct` and `vct#integrity`.
    pub fn new(vct: &str, integrity: Option<&str>) -> Self {
        Self {
            types: Vec::new(),
            wanted: Some((vct.to_owned(), integrity.map(str::to_owned))),
        }
    }
    /// The type whose document is wanted next; none when all are there.
    pub fn wanted(&self) -> Option<&str> {
        self.wanted.as_ref().map(|(vct, _)| vct.as_str())
    }
    /// Takes in the document of [`Self::wanted`].
    pub fn supply(&mut self, document: &[u8], provider: &dyn Provider) -> Result<(), TypeError> {
        let Some((vct, integrity)) = &self.wanted else {
            return Err(TypeError::Type);
        };
        let read = TypeMetadata::read(document, vct, integrity.as_deref(), provider)?;
        let next = read.extends.clone();
        self.types.push(read);
        if let Some((next, _)) = &next {
            if self.types.iter().any(|known| known.vct == *next) {
                return Err(TypeError::Circle);
            }
            if self.types.len() >= MAX_TYPES {
                return Err(TypeError::TooLong);
            }
        }
        self.wanted = next;
        Ok(())
    }
    /// What all of them say of the first (§8.2, §9.5).
    pub fn finish(self) -> Result<TypeMetadata, TypeError> {
        if self.wanted.is_some() {
            return Err(TypeError::Incomplete);
        }
        let mut types = self.types.into_iter().rev();
        let mut whole = types.next().ok_or(TypeError::Incomplete)?;
        for child in types {
            for claim in child.claims {
                match whole.claims.iter_mut().find(|known| known.path == claim.path) {
                    None => whole.claims.push(claim),
                    Some(known) if known.mandatory && !claim.mandatory => return Err(TypeError::Fixed("mandatory")),
                    Some(known) => match (known.disclosable, claim.disclosable) {
                        (Disclosable::Always | Disclosable::Never, other) if other != known.disclosable => {
                            return Err(TypeError::Fixed("sd"));
                        }
                        _ => *known = claim,
                    },
                }
            }
            whole = TypeMetadata {
                vct: child.vct,
                name: child.name,
                description: child.description,
                extends: child.extends,
                display: child.display.or(whole.display),
                claims: whole.claims,
            };
        }
        Ok(whole)
    }
}
