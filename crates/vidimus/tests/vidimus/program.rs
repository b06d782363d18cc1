//! The program itself, run as a process, and waiting for what it does.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Between two looks at a condition that nothing announces.
const PAUSE: Duration = Duration::from_millis(50);

/// The program in a directory, without an input and without what the environment of the test run would configure.
pub fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vidimus"));
    command.current_dir(directory).args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VIDIMUS_")) {
        command.env_remove(name);
    }
    command
}

/// Looks until it is there, at most for this long.
#[track_caller]
pub fn until(what: &str, within: Duration, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// The same where other tasks go on meanwhile.
pub async fn until_async(what: &str, within: Duration, mut there: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !there().await {
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
