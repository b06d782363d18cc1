//! Blobs by content id: CIDv1, raw codec, SHA-256, base32. A name is the hash of what it names, so a blob cannot be replaced by another one
//! without being noticed, and no name leads out of the directory.
//!
//! Whoever controls the directory has ciphertext, its sizes and times, and can delete it; payloads are in their rows too, and the rows are what
//! is durable. A put does not wait for the disk: what a loss of power cuts or takes is noticed by its id, and read from the row. Waiting would
//! cost two flushes a blob, which the database's commits queue behind.

use bytes::Bytes;
use cid::Cid;
use futures::TryStreamExt;
use multihash::Multihash;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem, path::Path as ObjectPath};
use std::{path::Path, sync::Arc};
use vidimus_core::Provider;

/// The largest blob: one raw block, which every IPFS implementation takes.
pub const LARGEST: usize = 1 << 20;
/// Multicodec `raw`.
const RAW: u64 = 0x55;
/// Multihash `sha2-256`.
const SHA2_256: u64 = 0x12;

/// A failure of the blob store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The blob is larger than one raw block.
    #[error(
        "a blob of {size} bytes is larger than {LARGEST}, the largest single block; blobs of several blocks (UnixFS) are not supported yet"
    )]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// The text is not a content id of the kind this store keeps.
    #[error("not a content id of this store: expected CIDv1, raw, sha2-256, in base32")]
    Id,
    /// The bytes are not those that the id names: the disk or someone has changed them. They were set aside; make the blob again from its row.
    #[error("blob {0} was damaged and set aside")]
    Damaged(ContentId),
    /// The directory cannot be used.
    #[error("the blob directory cannot be opened: {0}")]
    Open(#[source] std::io::Error),
    /// The disk did not do what was asked; retry later.
    #[error("the blob store is not available")]
    Unavailable(#[source] object_store::Error),
}

/// The id of a blob.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId(Cid);

impl ContentId {
    /// The id of these bytes.
    pub fn of(provider: &dyn Provider, bytes: &[u8]) -> Self {
        let hash = provider.sha256(&[bytes]);
        let hash = Multihash::wrap(SHA2_256, &hash.0).expect("a SHA-256 hash fits a multihash");
        Self(Cid::new_v1(RAW, hash))
    }
}

impl std::fmt::Display for ContentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for ContentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

impl std::str::FromStr for ContentId {
    type Err = Error;
    /// Only the one spelling that [`Display`](std::fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Error> {
        let cid: Cid = text.parse().map_err(|_| Error::Id)?;
        let kind = (cid.version(), cid.codec(), cid.hash().code(), cid.hash().size());
        if kind == (cid::Version::V1, RAW, SHA2_256, 32) && cid.to_string() == text {
            Ok(Self(cid))
        } else {
            Err(Error::Id)
        }
    }
}

/// The blob store. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    objects: Arc<dyn ObjectStore>,
    provider: Arc<dyn Provider>,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blobs({})", self.objects)
    }
}

impl Blobs {
    /// Blobs in a directory, which is made if need be.
    pub fn local(directory: &Path, provider: Arc<dyn Provider>) -> Result<Self, Error> {
        std::fs::create_dir_all(directory).map_err(Error::Open)?;
        #[cfg(unix)]
        std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .map_err(Error::Open)?;
        let objects = LocalFileSystem::new_with_prefix(directory).map_err(Error::Unavailable)?;
        Ok(Self {
            objects: Arc::new(objects),
            provider,
        })
    }

    /// The id that [`Self::put`] would give.
    pub fn id(&self, bytes: &[u8]) -> ContentId {
        ContentId::of(self.provider.as_ref(), bytes)
    }

    /// Keeps a blob: whole or not at all, unless the power goes. Doing so twice is doing it once; a damaged blob is made whole by it.
    pub async fn put(&self, bytes: impl Into<Bytes>) -> Result<ContentId, Error> {
        let bytes = bytes.into();
        if bytes.len() > LARGEST {
            return Err(Error::TooLarge { size: bytes.len() });
        }
        let id = self.id(&bytes);
        self.objects
            .put(&path(id), PutPayload::from(bytes))
            .await
            .map_err(Error::Unavailable)?;
        Ok(id)
    }

    /// A blob, held against its id.
    pub async fn get(&self, id: ContentId) -> Result<Option<Bytes>, Error> {
        let found = match self.objects.get(&path(id)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(Error::Unavailable(error)),
        };
        let sound = found.meta.size <= LARGEST as u64;
        let bytes = if sound {
            found.bytes().await.map_err(Error::Unavailable)?
        } else {
            Bytes::new()
        };
        if sound && self.id(&bytes) == id {
            return Ok(Some(bytes));
        }
        self.objects
            .rename(&path(id), &set_aside(id))
            .await
            .map_err(Error::Unavailable)?;
        tracing::error!(blob = %id, "a blob was damaged and set aside");
        Err(Error::Damaged(id))
    }

    /// Removes a blob; removing what is not there is done.
    pub async fn remove(&self, id: ContentId) -> Result<(), Error> {
        match self.objects.delete(&path(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::Unavailable(error)),
        }
    }

    /// Reads every blob and gives the ids of those that were damaged, and are now set aside. For a command or a nightly job.
    pub async fn examine(&self) -> Result<Vec<ContentId>, Error> {
        let mut names = self.objects.list(Some(&ObjectPath::from(KEPT)));
        let mut damaged = Vec::new();
        while let Some(object) = names.try_next().await.map_err(Error::Unavailable)? {
            let Some(Ok(id)) = object.location.filename().map(str::parse) else {
                continue;
            };
            match self.get(id).await {
                Ok(_) => {}
                Err(Error::Damaged(id)) => damaged.push(id),
                Err(error) => return Err(error),
            }
        }
        Ok(damaged)
    }
}

const KEPT: &str = "blobs";

/// Spread over directories by the last two characters: the first ones are the same in every id.
fn path(id: ContentId) -> ObjectPath {
    let name = id.to_string();
    let shelf = &name[name.len() - 2..];
    ObjectPath::from_iter([KEPT, shelf, &name])
}

fn set_aside(id: ContentId) -> ObjectPath {
    ObjectPath::from_iter(["damaged", &id.to_string()])
}
