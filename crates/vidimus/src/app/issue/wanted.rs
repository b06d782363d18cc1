//! The copies that are asked for: for whose keys, in which renderings, how signed and sealed.

use super::Issuer;
use crate::app::{
    App,
    copies::{IssuerKeys, Plan},
    error::Error,
    participants::{self, bad_card},
    render,
    requests::{NewCopies, Report},
};
use vidimus_core::{Algorithm, Timestamp, encoding};
use vidimus_credential::{CategoryId, Format, card::HolderCard, category::Category};

/// What a request says of them.
pub(super) struct Terms<'a> {
    card: Option<&'a str>,
    formats: &'a [String],
    algorithm: Option<&'a str>,
    envelope: Option<&'a str>,
}

impl<'a> From<&'a Report> for Terms<'a> {
    fn from(report: &'a Report) -> Self {
        Self {
            card: report.card.as_deref(),
            formats: &report.formats,
            algorithm: report.algorithm.as_deref(),
            envelope: report.envelope.as_deref(),
        }
    }
}

impl<'a> From<&'a NewCopies> for Terms<'a> {
    fn from(new: &'a NewCopies) -> Self {
        Self {
            card: new.card.as_deref(),
            formats: &new.formats,
            algorithm: new.algorithm.as_deref(),
            envelope: new.envelope.as_deref(),
        }
    }
}

/// The terms, held against the category and the holder's card.
pub(super) struct Wanted<'a> {
    card: Option<HolderCard>,
    formats: Vec<Format>,
    algorithm: Option<&'a str>,
    envelope: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    pub(super) fn read(app: &App, terms: Terms<'a>, category: &CategoryId, now: Timestamp) -> Result<Self, Error> {
        let category = render::category(&app.categories, category)?;
        let card = card(app, terms.card, now)?;
        Ok(Self {
            formats: formats(category, terms.formats, card.is_some())?,
            card,
            algorithm: terms.algorithm,
            envelope: terms.envelope,
        })
    }

    /// How each copy is made with the issuer's keys, which must be settled.
    pub(super) async fn plans(
        &self,
        app: &App,
        issuer: &Issuer,
        keys: &IssuerKeys,
        now: Timestamp,
    ) -> Result<Vec<Plan>, Error> {
        let eip1098 = is_eip1098(self.envelope)?;
        let wanted = self.algorithm.map(algorithm).transpose()?;
        let card = self.card.as_ref();
        let plan = |format: &Format| {
            let possible = render::algorithms(*format);
            let algorithm = wanted.filter(|wanted| possible.contains(wanted)).unwrap_or(possible[0]);
            let key = keys.for_algorithm(algorithm)?;
            Ok::<_, Error>(Plan {
                format: *format,
                algorithm,
                key,
                delegate: app.delegates().number(key),
                holder: card.map(|card| card.did.clone()),
                sealing_key: card.map(|card| encoding::hex(&card.sealing_key)),
                eip1098,
                issued_at: now,
                wallet: None,
            })
        };
        let plans = self.formats.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
        keys.require_settled(app, &issuer.row, &plans).await?;
        Ok(plans)
    }
}

fn card(app: &App, text: Option<&str>, now: Timestamp) -> Result<Option<HolderCard>, Error> {
    let Some(text) = text else { return Ok(None) };
    let card = HolderCard::verify(text, app.provider(), now)
        .map_err(bad_card)?
        .into_inner();
    participants::account_of(app, &card.did)?;
    Ok(Some(card))
}

/// The renderings to make: those asked for, else all that the category has. Without keys of the holder only paper can be made.
fn formats(category: &Category, wanted: &[String], bound: bool) -> Result<Vec<Format>, Error> {
    // An SD-JWT VC is bound to a key that a wallet makes for it alone: it is claimed by the wallet, not made beforehand.
    let possible =
        |format: Format| category.permits(format) && format != Format::SdJwtVc && (bound || format == Format::Hcert);
    if wanted.is_empty() {
        return Ok(category
            .formats()
            .iter()
            .copied()
            .filter(|format| possible(*format))
            .collect());
    }
    let mut formats = Vec::new();
    for (place, name) in wanted.iter().enumerate() {
        let format = Format::from_name(name)
            .filter(|format| possible(*format))
            .ok_or_else(|| {
                let known: Vec<_> = category
                    .formats()
                    .iter()
                    .filter(|f| possible(**f))
                    .map(|f| f.name())
                    .collect();
                let known = if known.is_empty() {
                    "none without a holder card".to_owned()
                } else {
                    known.join(", ")
                };
                Error::invalid(
                    "format",
                    format!("/formats/{place}: not a rendering that can be made here; possible: {known}"),
                    "name a possible one; all but paper need the holder's card",
                )
            })?;
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    Ok(formats)
}

fn is_eip1098(envelope: Option<&str>) -> Result<bool, Error> {
    match envelope {
        None | Some("hpke") => Ok(false),
        Some("eip1098") => Ok(true),
        Some(_) => Err(Error::invalid(
            "envelope",
            "/envelope: `hpke` or `eip1098`",
            "name one of these, or none",
        )),
    }
}

fn algorithm(name: &str) -> Result<Algorithm, Error> {
    Algorithm::from_name(name)
        .filter(|algorithm| render::algorithms(Format::VcJwt11).contains(algorithm))
        .ok_or_else(|| {
            Error::invalid(
                "algorithm",
                "/algorithm: `ES256K`, `ES256K-R` or `ES256`",
                "name one of these, or none",
            )
        })
}
