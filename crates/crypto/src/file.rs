//! Files that only their owner may read, durable when a function returns.

use crate::Error;
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const OWNER_ONLY: u32 = 0o600;

/// Creates a file that must not exist yet. When writing fails, nothing is left behind.
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(path)
        .map_err(at("create", path))?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(at("write", path));
    if written.is_err() {
        // The file is ours and not whole: better none than half a key. The error that matters is the one returned.
        let _ = std::fs::remove_file(path);
    }
    written?;
    sync_directory(path)
}

/// Replaces a file as a whole: whoever reads it, also after a crash, finds the old or the new content, never a mixture.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = beside(path);
    // Left by a crash between create and rename; it was never the file.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at("remove", &temporary)(error)),
        _ => {}
    }
    create_private(&temporary, bytes)?;
    std::fs::rename(&temporary, path).map_err(at("replace", path))?;
    sync_directory(path)
}

/// A file's content, at most `limit` bytes, and its permission bits as they are at the moment of reading.
pub(crate) fn read_private(path: &Path, limit: u64) -> Result<(Zeroizing<Vec<u8>>, u32), Error> {
    let file = File::open(path).map_err(at("open", path))?;
    let mode = file.metadata().map_err(at("read", path))?.permissions().mode() & 0o7777;
    // Room for all from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(limit).unwrap_or(usize::MAX).min(1 << 20),
    ));
    file.take(limit).read_to_end(&mut bytes).map_err(at("read", path))?;
    Ok((bytes, mode))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(at("sync", directory))
}

fn at<'a>(doing: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> Error + 'a {
    move |source| Error::Io {
        doing,
        path: path.into(),
        source,
    }
}
