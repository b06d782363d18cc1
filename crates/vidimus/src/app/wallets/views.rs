//! What issuers send about offers and get back.

use crate::app::channel::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Offers a certificate to a wallet. Exactly one of `result` and `category` is given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOffer {
    /// The result whose certificate is offered.
    #[serde(default)]
    pub result: Option<String>,
    /// The category of a result that is still to come: the wallet can ask at once and gets the certificate when the result is reported with this
    /// offer's id.
    #[serde(default)]
    pub category: Option<String>,
    /// Formats: `dc+sd-jwt`, `jwt_vc_json`. Default: all that the category has.
    #[serde(default)]
    pub formats: Vec<String>,
    /// Whether the offer holds a pre-authorized code, so that who has it and the transaction code needs nothing more. Not part of HAIP.
    /// Default: it does, unless this deployment keeps to HAIP alone.
    #[serde(default)]
    pub pre_authorized: Option<bool>,
    /// Seconds until it ends, 60 to 2 592 000; default three days.
    #[serde(default)]
    pub expires_in: Option<u32>,
    /// Where the transaction code is sent; without it the answer shows the code, and the issuer hands it over in another way than the offer.
    #[serde(default)]
    pub send_code: Option<SendCode>,
    /// Whether the contact of `send_code` is recorded with `result`, in place of one before, so that who loses the wallet can claim again
    /// with a code that is sent there.
    #[serde(default)]
    pub keep_contact: bool,
}

/// Where a person is reached. Personal: kept encrypted, and no longer than it is needed.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendCode {
    /// A mail address, or a telephone number with its country (`+43…`). What is no mail address goes to the issuer's webhook for codes, and mail
    /// too where this deployment sends none.
    pub to: String,
    /// In which language the person is written to.
    #[serde(default)]
    pub language: Language,
}

impl std::fmt::Debug for SendCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SendCode(…)")
    }
}

/// An offer, as its issuer sees it. Whoever has the link can read the offer.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct OfferView {
    /// Its id; a report names it to give a pending offer its result.
    pub id: String,
    /// The credential issuer's identifier.
    pub issuer: String,
    /// The result; none while it is pending.
    pub result: Option<String>,
    /// The category.
    pub category: String,
    /// The credential configurations in it.
    pub configurations: Vec<String>,
    /// Whether it holds a pre-authorized code.
    pub pre_authorized: bool,
    /// Whether claiming it follows HAIP 1.0; the hand-over by a pre-authorized code is this platform's own, beside HAIP.
    pub haip: bool,
    /// What a link or a QR code holds: the offer by reference.
    pub link: String,
    /// `open`, `claimed`, `locked` (too many wrong codes), `withdrawn` or `expired`.
    pub state: String,
    /// The transaction code, shown this once, where it was not sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tx_code: Option<TxCodeView>,
    /// Until when it can be claimed, RFC 3339.
    pub expires: String,
}

impl std::fmt::Debug for OfferView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OfferView")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TxCodeView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TxCodeView(…)")
    }
}

/// A transaction code: give it to the person in another way than the offer.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TxCodeView {
    /// Eight digits.
    pub code: String,
}

/// A page of offers, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OfferPage {
    /// The offers.
    pub items: Vec<OfferView>,
    /// Cursor of the next page; none on the last.
    pub next: Option<String>,
}
