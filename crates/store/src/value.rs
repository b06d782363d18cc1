//! Parameters and rows, the same for both databases: integers of 64 bits, text, bytes, null. Times and counters are integers.

use crate::Error;
use vidimus_core::{
    Address, Commitment, Digest, PublicKey, Timestamp,
    id::{
        ApiKeyId, AuthorizationId, BatchId, CertificateId, CheckId, ClaimId, CopyId, DeliveryId, EventId, GrantId,
        KeyId, OfferId, ParticipantId, PresentationId, RequestId, ResultId, SubscriptionId, WebhookId,
    },
    receipt::BlockHash,
};

/// A parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Param<'a> {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(&'a str),
    /// BYTEA or BLOB.
    Bytes(&'a [u8]),
}

/// A value that was read.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    Null,
    /// An integer of any width, or a boolean as 0 or 1.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BYTEA or BLOB.
    Bytes(Vec<u8>),
}

impl std::fmt::Debug for Value {
    /// Values may be personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Int(_) => "Int(…)",
            Self::Text(_) => "Text(…)",
            Self::Bytes(_) => "Bytes(…)",
        })
    }
}

/// One row of an answer; columns by their place in the statement.
#[derive(Debug)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// Takes the column at `place` (from 0) out of the row; read each column once.
    pub fn take<T: Column>(&mut self, place: usize) -> Result<T, Error> {
        let value = self
            .0
            .get_mut(place)
            .map(|value| std::mem::replace(value, Value::Null))
            .ok_or_else(|| Error::corrupt("a row has too few columns"))?;
        T::from_value(value).ok_or_else(|| Error::corrupt("a column holds what it cannot hold"))
    }
}

/// A type that a column is read as. `None` where the database holds what the type cannot be: that is damage, not input.
pub trait Column: Sized {
    /// From the value of a column.
    fn from_value(value: Value) -> Option<Self>;
}

/// A type that a parameter is made of.
pub trait ToParam {
    /// The parameter, borrowed from the value.
    fn to_param(&self) -> Param<'_>;
}

impl<T: ToParam + ?Sized> ToParam for &T {
    fn to_param(&self) -> Param<'_> {
        (**self).to_param()
    }
}

impl<T: ToParam> ToParam for Option<T> {
    fn to_param(&self) -> Param<'_> {
        self.as_ref().map_or(Param::Null, ToParam::to_param)
    }
}

impl<T: Column> Column for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl ToParam for $type {
            /// Numbers above 2^63 are held at 2^63 - 1, which no counter of ours reaches.
            fn to_param(&self) -> Param<'_> {
                Param::Int(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
        impl Column for $type {
            fn from_value(value: Value) -> Option<Self> {
                match value { Value::Int(number) => number.try_into().ok(), _ => None }
            }
        }
    )*};
}
integers!(i64, u64, u32, u16, u8, usize);

impl ToParam for bool {
    fn to_param(&self) -> Param<'_> {
        Param::Int(i64::from(*self))
    }
}

impl Column for bool {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Int(0) => Some(false),
            Value::Int(1) => Some(true),
            _ => None,
        }
    }
}

impl ToParam for Timestamp {
    fn to_param(&self) -> Param<'_> {
        Param::Int(self.0)
    }
}

impl Column for Timestamp {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(Self)
    }
}

impl ToParam for str {
    fn to_param(&self) -> Param<'_> {
        Param::Text(self)
    }
}

impl ToParam for String {
    fn to_param(&self) -> Param<'_> {
        Param::Text(self)
    }
}

impl Column for String {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl ToParam for [u8] {
    fn to_param(&self) -> Param<'_> {
        Param::Bytes(self)
    }
}

impl ToParam for Vec<u8> {
    fn to_param(&self) -> Param<'_> {
        Param::Bytes(self)
    }
}

impl Column for Vec<u8> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl<const N: usize> ToParam for [u8; N] {
    fn to_param(&self) -> Param<'_> {
        Param::Bytes(self)
    }
}

impl<const N: usize> Column for [u8; N] {
    fn from_value(value: Value) -> Option<Self> {
        Vec::from_value(value)?.try_into().ok()
    }
}

macro_rules! bytes {
    ($($type:ty: $wrap:expr, $as_bytes:expr;)*) => {$(
        impl ToParam for $type {
            fn to_param(&self) -> Param<'_> {
                let as_bytes: fn(&$type) -> &[u8] = $as_bytes;
                Param::Bytes(as_bytes(self))
            }
        }
        impl Column for $type {
            fn from_value(value: Value) -> Option<Self> {
                Column::from_value(value).map($wrap)
            }
        }
    )*};
}

bytes! {
    ParticipantId: ParticipantId::from_bytes, |id| id.as_bytes();
    ResultId: ResultId::from_bytes, |id| id.as_bytes();
    CertificateId: CertificateId::from_bytes, |id| id.as_bytes();
    CopyId: CopyId::from_bytes, |id| id.as_bytes();
    KeyId: KeyId::from_bytes, |id| id.as_bytes();
    ApiKeyId: ApiKeyId::from_bytes, |id| id.as_bytes();
    BatchId: BatchId::from_bytes, |id| id.as_bytes();
    CheckId: CheckId::from_bytes, |id| id.as_bytes();
    RequestId: RequestId::from_bytes, |id| id.as_bytes();
    OfferId: OfferId::from_bytes, |id| id.as_bytes();
    AuthorizationId: AuthorizationId::from_bytes, |id| id.as_bytes();
    GrantId: GrantId::from_bytes, |id| id.as_bytes();
    ClaimId: ClaimId::from_bytes, |id| id.as_bytes();
    PresentationId: PresentationId::from_bytes, |id| id.as_bytes();
    EventId: EventId::from_bytes, |id| id.as_bytes();
    WebhookId: WebhookId::from_bytes, |id| id.as_bytes();
    DeliveryId: DeliveryId::from_bytes, |id| id.as_bytes();
    SubscriptionId: SubscriptionId::from_bytes, |id| id.as_bytes();
    Digest: Digest, |digest| &digest.0;
    Commitment: Commitment::from_bytes, |commitment| commitment.as_bytes();
    Address: Address, |address| &address.0;
    BlockHash: BlockHash, |hash| &hash.0;
}

/// Only as a parameter: the kind stands in a column of its own.
impl ToParam for PublicKey {
    fn to_param(&self) -> Param<'_> {
        Param::Bytes(self.as_bytes())
    }
}

/// The parameters of a statement: `params![id, now, text]`.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::value::ToParam::to_param(&$value)),*] };
}
pub(crate) use params;

/// A closed set kept as text: an enum with its names, read and written as the name.
macro_rules! names {
    ($($(#[$doc:meta])* pub enum $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[$variant_doc])* $variant,)* }

        impl $type {
            /// The name as it stands in the database.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
            /// The inverse of [`Self::name`].
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
        impl $crate::value::ToParam for $type {
            fn to_param(&self) -> $crate::value::Param<'_> {
                $crate::value::Param::Text(self.name())
            }
        }
        impl $crate::value::Column for $type {
            fn from_value(value: $crate::value::Value) -> Option<Self> {
                match value { $crate::value::Value::Text(name) => Self::from_name(&name), _ => None }
            }
        }
    )*};
}
pub(crate) use names;
