//! The stock clients of other languages: their packages and programs under `target/clients`.
//!
//! Sources are in `integration-tests/clients/<language>`. Each part is done again only when what it is made of has changed: a
//! stamp beside the result holds that. Scripts of PHP, Perl and Ruby run as they are, on Debian's packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Failure, cargo, quietly, succeeds};
use crate::lock;
use crate::workspace::Workspace;

/// Where Debian puts MariaDB Connector/J.
pub const MARIADB_JAR: &str = "/usr/share/java/mariadb-java-client.jar";

/// Prepares all of them; two runs do so one behind the other.
pub fn prepare(workspace: &Workspace) -> Result<(), Failure> {
    let _alone = lock::hold(&workspace.clients())?;
    for language in [Language::Python, Language::Node, Language::Go, Language::Java, Language::Rust] {
        language.prepare(workspace)?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    Node,
    Go,
    Java,
    Rust,
}

impl Language {
    fn folder(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Go => "go",
            Self::Java => "java",
            Self::Rust => "rust",
        }
    }

    /// Whether a file goes into what is built here: a script that runs from where it is does not.
    fn is_input(self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match self {
            Self::Python => name.ends_with(".txt"),
            Self::Node => name.ends_with(".json") || name == ".npmrc",
            Self::Go | Self::Java | Self::Rust => true,
        }
    }

    fn prepare(self, workspace: &Workspace) -> Result<(), Failure> {
        let source = workspace.root().join("integration-tests/clients").join(self.folder());
        let result = workspace.clients().join(self.folder());
        let stamp = result.join("stamp");
        if matches!(self, Self::Node) {
            // A module finds its packages from where it is, so the modules go to the packages.
            copy(&source, &result)?;
        }
        let sources = self.sources(&source)?;
        if fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == sources) {
            return Ok(());
        }
        fs::create_dir_all(&result).map_err(|error| Failure::of_file(&result, &error))?;
        // What is interrupted is not taken for what was there before.
        let _ = fs::remove_file(&stamp);
        match self {
            Self::Python => build_python(&source, &result)?,
            Self::Node => build_node(&result)?,
            Self::Go => build_go(&source, &result)?,
            Self::Java => build_java(&source, &result)?,
            Self::Rust => build_rust(&source, &result)?,
        }
        fs::write(&stamp, sources).map_err(|error| Failure::of_file(&stamp, &error))
    }

    /// Everything the result is made of, and by, as one text.
    fn sources(self, source: &Path) -> Result<String, Failure> {
        // Packages go by the version of what runs them.
        let mut text = match self {
            Self::Python => quietly(Command::new(python().unwrap_or("python3")).arg("--version"))?,
            Self::Node => quietly(Command::new("node").arg("--version"))?,
            Self::Go | Self::Java | Self::Rust => String::new(),
        };
        for path in list(source)?.iter().filter(|path| self.is_input(path)) {
            text.push_str(&format!("== {}\n", path.strip_prefix(source).unwrap_or(path).display()));
            text.push_str(&fs::read_to_string(path).map_err(|error| Failure::of_file(path, &error))?);
        }
        Ok(text)
    }
}

/// A Python that can make virtual environments and compile extensions: that of the path, or the system's.
pub fn python() -> Option<&'static str> {
    const PROBE: &str = "import venv, ensurepip, sysconfig, os, sys; \
         sys.exit(not os.path.exists(os.path.join(sysconfig.get_path('include'), 'Python.h')))";
    ["python3", "/usr/bin/python3"].into_iter().find(|python| succeeds(Command::new(python).args(["-c", PROBE])))
}

fn build_python(source: &Path, result: &Path) -> Result<(), Failure> {
    let python = python().ok_or_else(|| Failure::new("no Python with venv and headers; run `cargo xtask install`"))?;
    let environment = result.join("venv");
    quietly(Command::new(python).args(["-m", "venv", "--clear"]).arg(&environment))?;
    let pip = |more: &[&str], requirements: &str| {
        let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location"];
        let mut command = Command::new(environment.join("bin/python"));
        command.args(arguments).args(more).arg("--requirement").arg(source.join(requirements));
        command
    };
    quietly(&mut pip(&[], "requirements.txt"))?;
    // A second version of a package, beside the environment: the one client that wants it puts it first in its path.
    let older = result.join("older-connector");
    quietly(pip(&["--no-deps", "--upgrade"], "requirements-older-connector.txt").arg("--target").arg(older)).map(drop)
}

fn copy(source: &Path, result: &Path) -> Result<(), Failure> {
    fs::create_dir_all(result).map_err(|error| Failure::of_file(result, &error))?;
    for entry in list(source)? {
        let name = entry.file_name().unwrap_or_default().to_owned();
        fs::copy(&entry, result.join(name)).map_err(|error| Failure::of_file(&entry, &error))?;
    }
    Ok(())
}

fn build_node(result: &Path) -> Result<(), Failure> {
    quietly(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(result))
        .map(drop)
}

fn build_go(source: &Path, result: &Path) -> Result<(), Failure> {
    // Debian's packages are a GOPATH; nothing is fetched.
    quietly(
        Command::new("go")
            .args(["build", "-o"])
            .arg(result.join("client"))
            .arg(source.join("main.go"))
            .envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", ""), ("GOPROXY", "off")])
            .env("GOCACHE", result.join("cache")),
    )
    .map(drop)
}

fn build_java(source: &Path, result: &Path) -> Result<(), Failure> {
    let program = source.join("Client.java");
    quietly(Command::new("javac").args(["-cp", MARIADB_JAR, "-d"]).arg(result).arg(program)).map(drop)
}

fn build_rust(source: &Path, result: &Path) -> Result<(), Failure> {
    // A workspace of its own: its dependencies are none of the product's.
    command::run(
        cargo()
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(source.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(result.join("target")),
    )
}

/// The files below a directory, by name.
fn list(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| Failure::of_file(directory, &error))? {
        let path = entry.map_err(|error| Failure::of_file(directory, &error))?.path();
        if path.is_dir() {
            files.extend(list(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
