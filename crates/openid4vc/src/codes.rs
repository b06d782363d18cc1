//! Error codes: names in Rust for the words of a specification.

/// An enum of codes, with the word of each.
macro_rules! codes {
    ($(#[$about:meta])* $codes:ident: $($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $codes {
            $($(#[$doc])* $name,)*
        }
        impl $codes {
            /// As it is written.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
            /// The inverse of [`Self::name`].
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)* _ => None }
            }
        }
        impl std::fmt::Display for $codes {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use codes;
