use std::path::PathBuf;

/// What goes wrong with keys and what they protect. Nothing secret or personal is ever part of an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's bytes are not a key of the kind that was asked for.
    #[error("the bytes are not a {0} key")]
    Key(&'static str),
    /// The peer's or the store's bytes do not have the form of what they should be.
    #[error("not a well-formed {0}")]
    Malformed(&'static str),
    /// Sealed or wrapped bytes of a version that this program does not know.
    #[error("{what} of version {version}, which this program does not know: it was made by a newer one")]
    Version {
        /// What was being read.
        what: &'static str,
        /// The version it states.
        version: u8,
    },
    /// Does not open: another key, another purpose or place, or changed bytes. Which of these cannot be told.
    #[error("does not open: it was sealed for another key or another place, or it was changed")]
    Open,
    /// The key that opens this is not at hand: the wrapped record names it.
    #[error("wrapped under key-encryption key {id} version {version}, which was not given")]
    WrappingKey {
        /// Id in the record.
        id: String,
        /// Version in the record.
        version: u32,
    },
    /// The operator has to act: there is no root key where one is expected.
    #[error("there is no root key at {}: restore it from its backup, or make a new deployment with `vidimus init`", .0.display())]
    RootKeyMissing(PathBuf),
    /// The operator has to act: a root key is never overwritten.
    #[error("{} exists already and is not overwritten: a root key that is lost makes everything it protects unreadable", .0.display())]
    RootKeyExists(PathBuf),
    /// The operator has to act: others may read the root key.
    #[error("the root key {} may be read or written by others (mode {mode:04o}): run `chmod 600 {}`, and consider whether it was read", path.display(), path.display())]
    RootKeyPermissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The operator has to act: the file was changed since it was written.
    #[error("the root key file {} is damaged ({reason}): restore it from its backup", path.display())]
    RootKeyDamaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: &'static str,
    },
    /// The operator has to act: this root key is whole, but belongs to another deployment.
    #[error("this root key belongs to another deployment: give the one that this data was made with")]
    RootKeyWrong,
    /// The person has to act: the password does not open the file, whose parts that can be checked without it are whole.
    #[error("the password is wrong")]
    Password,
    /// The password file is not whole.
    #[error("the file is damaged ({0}): restore it from its backup")]
    PasswordFileDamaged(&'static str),
    /// The password file asks for more memory or time than any file that we write: it is hostile or damaged.
    #[error("the file asks for more work than is allowed to open it")]
    PasswordFileCost,
    /// A certificate could not be made of what the caller gave.
    #[error("no certificate can be made of this: {0}")]
    Certificate(String),
    /// A signature was not made.
    #[error("signing failed")]
    Sign(#[from] vidimus_core::SignError),
    /// The file system did not do as asked.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}
