//! For tests of this and other crates: databases to run on, each test its own.
//!
//! PostgreSQL comes from Debian's packages and runs as a private server on a Unix socket in a temporary directory, one for each test process,
//! one database for each test. Where it is not installed, tests on it are skipped, loudly; with `CI=true` that is a failure.

pub mod rows;

use crate::{
    Config, Error, Missing, Tx,
    value::{Param, Row},
};
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};
use tempfile::TempDir;

/// Runs any statement, for tests that damage a database or look into it.
pub fn execute(tx: &mut Tx<'_>, statement: &'static str, params: &[Param<'_>]) -> Result<u64, Error> {
    tx.execute(statement, params)
}

/// Runs any query.
pub fn query(tx: &mut Tx<'_>, statement: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
    tx.query(statement, params)
}

/// Says that a test cannot run here, and why; with `CI=true` that is a failure.
pub fn skip(why: &str) {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!ci, "{why} (with CI=true nothing is skipped)");
    tell(&format!("SKIPPED: {why}"));
}

/// A line of its own for whoever reads the run: the harness drops what a passed test prints, but not what is written to standard error
/// itself.
pub fn tell(line: &str) {
    let line = format!("\n{line}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error takes a line");
}

/// A small disk of its own, unmounted when dropped. Only root may mount one.
#[derive(Debug)]
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this user may not mount.
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let directory = TempDir::new().expect("a temporary directory");
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(directory));
        }
        skip("a small disk cannot be mounted here (that takes root)");
        None
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// An empty database of its own.
#[derive(Debug)]
pub struct Place {
    /// How to open it.
    pub config: Config,
    /// A temporary directory, removed with this value.
    pub directory: TempDir,
}

/// An empty SQLite database.
pub fn sqlite() -> Place {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("vidimus.db");
    Place {
        config: Config::Sqlite {
            path,
            missing: Missing::Create,
        },
        directory,
    }
}

/// An empty PostgreSQL database on the server of this process; none where PostgreSQL is not installed.
pub fn postgres() -> Option<Place> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(Server::start).as_ref()?;
    Some(server.place())
}

/// Both, or SQLite alone where PostgreSQL is not installed.
pub fn both() -> Vec<Place> {
    [Some(sqlite()), postgres()].into_iter().flatten().collect()
}

/// A private PostgreSQL server. It stops, and its directory goes, when the process ends in whatever way.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    directory: PathBuf,
    talk: Mutex<Talk>,
}

#[derive(Debug)]
struct Talk {
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    child: Child,
}

/// Watches over the server: its standard input ends when the test process does. It takes `restart MODE`, and answers `ready`. Under `/tmp`,
/// wherever temporary files go otherwise: the path of its socket may have 107 bytes.
const KEEPER: &str = r#"
trap '' INT HUP TERM
bin=$1
dir=$(mktemp -d /tmp/vidimus-postgres.XXXXXX) || exit 1
options="-c unix_socket_directories=$dir -c fsync=off -c full_page_writes=off -c max_connections=400 \
  -c shared_buffers=64MB -c max_prepared_transactions=0 -c log_min_messages=fatal"
start() { "$bin/pg_ctl" -D "$dir/data" -o "$options" -l "$dir/log" -w start >/dev/null </dev/null; }
"$bin/initdb" -D "$dir/data" -U vidimus -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb" 2>&1 &&
  echo "listen_addresses = ''" >>"$dir/data/postgresql.conf" && start || {
  cat "$dir/initdb" "$dir/log" >&2; rm -rf "$dir"; exit 1; }
echo "ready $dir"
while read -r word mode; do
  "$bin/pg_ctl" -D "$dir/data" -m "$mode" -w stop >/dev/null </dev/null
  start
  echo ready
done
"$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null </dev/null
rm -rf "$dir"
"#;

impl Server {
    /// Starts a server; none where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skip("PostgreSQL is not installed; apt-get install postgresql");
            return None;
        };
        let mut command = if is_root() {
            // The server refuses to run as root.
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command.args(["-c", KEEPER, "keeper"]).arg(&programs).current_dir("/");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let to = child.stdin.take();
        let mut from = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut line = String::new();
        from.read_line(&mut line).expect("the server's keeper answers");
        let directory = line
            .trim()
            .strip_prefix("ready ")
            .expect("PostgreSQL starts; see above for its log");
        Some(Self {
            programs,
            directory: directory.into(),
            talk: Mutex::new(Talk { to, from, child }),
        })
    }

    /// A new database on it.
    pub fn place(&self) -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let made = Command::new(self.programs.join("createdb"))
            .args(["-h", &self.directory.to_string_lossy(), "-U", "vidimus", &name])
            .status()
            .expect("createdb starts");
        assert!(made.success(), "createdb {name}");
        let url = format!("host={} user=vidimus dbname={name}", self.directory.display());
        Place {
            config: Config::Postgres { url, connections: 16 },
            directory: TempDir::new().expect("a temporary directory"),
        }
    }

    /// Stops the server as `mode` says (`fast`, or `immediate`: a crash) and starts it again.
    pub fn restart(&self, mode: &str) {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let to = talk.to.as_mut().expect("it is open until the end");
        writeln!(to, "restart {mode}")
            .and_then(|()| to.flush())
            .expect("the server's keeper listens");
        let mut line = String::new();
        talk.from.read_line(&mut line).expect("the server's keeper answers");
        assert_eq!(line.trim(), "ready", "PostgreSQL starts again");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let talk = self.talk.get_mut().unwrap_or_else(PoisonError::into_inner);
        talk.to = None;
        let _ = talk.child.wait();
    }
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout == b"0\n")
}

/// The newest installed version.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|version| {
            let version = version.ok()?;
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            let programs = version.path().join("bin");
            programs.join("initdb").exists().then_some((number, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}
