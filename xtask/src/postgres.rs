//! A Postgres server for tests alone: fresh, on this machine only, gone when they are over.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command;
use crate::provision;
use crate::workspace::Workspace;

/// As the crates' tests and the API's tests read it.
pub(crate) const VARIABLE: &str = "PINHOLE_TEST_POSTGRES";
/// Postgres refuses to run as root, so it runs as this one then, whom Debian's package makes.
const ORDINARY_USER: &str = "postgres";
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// `cargo xtask postgres`: true where the command ended well.
pub(crate) fn beside(workspace: &Workspace, command: &[String]) -> Result<bool> {
    let mut server = Server::start(workspace, Durability::Fleeting)?;
    println!("{VARIABLE}={}", server.url());
    let Some((program, arguments)) = command.split_first() else {
        println!("Ctrl-C stops it");
        server.process.wait()?;
        return Ok(true);
    };
    let mut command = Command::new(program);
    server.lend(command.args(arguments));
    let ended = command
        .status()
        .with_context(|| format!("{program} did not start"))?;
    Ok(ended.success())
}

/// What a power cut leaves of a server's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing that counts: it is for tests, and fast.
    Fleeting,
    /// Everything that was committed, as in earnest.
    Durable,
}

/// A running server; dropped, it is stopped and its files are deleted.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
}

impl Server {
    pub(crate) fn start(workspace: &Workspace, durability: Durability) -> Result<Self> {
        let programs = provision::postgres()?;
        let user = provision::is_root().then_some(ORDINARY_USER);
        let folder = folder(&workspace.target, user)?;
        let server = Self::start_in(&folder, programs, user, durability);
        if server.is_err() {
            drop(std::fs::remove_dir_all(&folder));
        }
        server
    }

    fn start_in(
        folder: &Path,
        programs: PathBuf,
        user: Option<&str>,
        durability: Durability,
    ) -> Result<Self> {
        let data = folder.join("data");
        let made = as_user(user, &programs.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args(["--locale=C", "--encoding=UTF8", "--username=postgres"])
            .args(["--auth=trust", "--no-sync"])
            .current_dir(folder)
            .output()
            .context("initdb did not start")?;
        ensure!(
            made.status.success(),
            "initdb failed:\n{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port()?;
        let log = std::fs::File::create(folder.join("log"))?;
        let mut start = as_user(user, &programs.join("postgres"));
        start.arg("-D").arg(&data).current_dir(folder);
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "max_connections=300".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "dynamic_shared_memory_type=mmap".to_owned(),
        ];
        let fleeting = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
        ];
        let fleeting = fleeting
            .iter()
            .filter(|_| durability == Durability::Fleeting)
            .map(|setting| (*setting).to_owned());
        for setting in settings.into_iter().chain(fleeting) {
            start.arg("-c").arg(setting);
        }
        let process = start
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("postgres did not start")?;
        let mut server = Self {
            process,
            folder: folder.to_owned(),
            programs,
            port,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let asked = Command::new(self.programs.join("pg_isready"))
                .args(["--quiet", "--host=127.0.0.1"])
                .arg(format!("--port={}", self.port))
                .status();
            if asked.is_ok_and(|answer| answer.success()) {
                return Ok(());
            }
            let ended = self.process.try_wait()?.is_some();
            if ended || begun.elapsed() > START {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("the Postgres server for tests does not start:\n{log}");
            }
            std::thread::sleep(POLL);
        }
    }

    /// The database that others are made from.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// An empty database of this name, which was not there before.
    pub(crate) fn database(&self, name: &str) -> Result<String> {
        let make = format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
        );
        command::must(
            Command::new(self.programs.join("psql"))
                .args(["--no-psqlrc", "--quiet", "--dbname", &self.url()])
                .args(["--command", &make]),
        )?;
        Ok(format!(
            "postgres://postgres@127.0.0.1:{}/{name}",
            self.port
        ))
    }

    /// Lets a command find the server, and its programs.
    pub(crate) fn lend(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env(VARIABLE, self.url())
            .env("PATH", format!("{}:{path}", self.programs.display()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: hang up on everybody and end in order.
        let told = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status();
        let begun = Instant::now();
        while told.as_ref().is_ok_and(|told| told.success())
            && matches!(self.process.try_wait(), Ok(None))
            && begun.elapsed() < STOP
        {
            std::thread::sleep(POLL);
        }
        if matches!(self.process.try_wait(), Ok(None)) {
            drop(self.process.kill());
            drop(self.process.wait());
        }
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A folder that `user` may write in; below `target` where that user can get there.
fn folder(target: &Path, user: Option<&str>) -> Result<PathBuf> {
    let name = format!("postgres-{}", std::process::id());
    for parent in [target.to_owned(), std::env::temp_dir()] {
        delete_left_behind(&parent);
        let folder = parent.join(&name);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("{} can't be made", folder.display()))?;
        let Some(user) = user else { return Ok(folder) };
        command::must(Command::new("chown").arg(user).arg(&folder))?;
        let reachable = as_user(Some(user), Path::new("test"))
            .arg("-w")
            .arg(&folder)
            .status();
        if reachable.is_ok_and(|answer| answer.success()) {
            return Ok(folder);
        }
        drop(std::fs::remove_dir_all(&folder));
    }
    bail!("{ORDINARY_USER} can write neither below target nor in the folder for temporary files");
}

/// What a chore left that was killed: its server ended with it, its files did not.
fn delete_left_behind(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix("postgres-")?.parse::<u32>().ok());
        let Some(owner) = owner else { continue };
        if Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{owner}")).exists() {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// The program as it is, or as another user; on Linux it ends with us, however we end.
fn as_user(user: Option<&str>, program: &Path) -> Command {
    if !cfg!(target_os = "linux") {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args([
            format!("--reuid={user}"),
            format!("--regid={user}"),
            "--clear-groups".to_owned(),
        ]);
    }
    command.arg("--pdeathsig=INT").arg(program);
    command
}

fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of this machine is free")?;
    Ok(listener.local_addr()?.port())
}
