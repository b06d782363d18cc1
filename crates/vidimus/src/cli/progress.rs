//! What a person sees while something takes long: on standard error, and only where that is a terminal and nobody asked for JSON.

use super::Output;
use indicatif::{ProgressBar, ProgressStyle};
use std::{io::IsTerminal as _, time::Duration};

/// Is wiped away when it is dropped, so that what is told next stands on a clean line.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Output {
    /// For work whose end nobody knows.
    pub fn waiting(self, what: &'static str) -> Progress {
        self.progress("{spinner} {msg} ({elapsed})", what, None)
    }

    /// For work of so many pieces.
    pub fn counting(self, what: &'static str, pieces: u64) -> Progress {
        self.progress("{spinner} {msg} {wide_bar} {pos}/{len}", what, Some(pieces))
    }

    /// For what comes over a network.
    pub fn receiving(self, what: &'static str) -> Progress {
        self.progress("{spinner} {msg} {bytes} ({bytes_per_sec})", what, None)
    }

    fn progress(self, template: &str, what: &'static str, pieces: Option<u64>) -> Progress {
        if self.json || !std::io::stderr().is_terminal() {
            return Progress::hidden();
        }
        let style = ProgressStyle::with_template(template).expect("compiled in, and a test reads each");
        let bar = ProgressBar::no_length().with_style(style).with_message(what);
        if let Some(pieces) = pieces {
            bar.set_length(pieces);
        }
        bar.tick();
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress(bar)
    }
}

impl Progress {
    /// None is shown.
    pub fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Whether anybody looks on.
    pub fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }

    /// So much is done.
    pub fn at(&self, done: u64) {
        self.0.set_position(done);
    }

    /// So much more is done.
    pub fn more(&self, done: u64) {
        self.0.inc(done);
    }

    /// There turn out to be so many pieces.
    pub fn of(&self, pieces: u64) {
        self.0.set_length(pieces);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
