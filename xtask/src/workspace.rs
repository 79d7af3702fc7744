//! The workspace as `cargo metadata` tells it.

use std::path::PathBuf;

use cargo_metadata::{Metadata, MetadataCommand, Package};

use crate::command::Failure;

/// The workspace.
#[derive(Debug)]
pub struct Workspace {
    metadata: Metadata,
}

impl Workspace {
    /// Asks cargo.
    pub fn read() -> Result<Self, Failure> {
        // From where the sources are, not from where the command was typed.
        let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join("Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec();
        Ok(Self { metadata: metadata.map_err(|error| Failure::new(error.to_string()))? })
    }

    /// The directory of the workspace.
    pub fn root(&self) -> PathBuf {
        self.metadata.workspace_root.clone().into()
    }

    /// Where cargo builds.
    pub fn target(&self) -> PathBuf {
        self.metadata.target_directory.clone().into()
    }

    /// Where the stock clients and their packages are.
    pub fn clients(&self) -> PathBuf {
        self.target().join("clients")
    }

    /// Where a MySQL server and its clients are.
    pub fn mysql(&self) -> PathBuf {
        self.target().join("mysql")
    }

    /// Our packages.
    pub fn packages(&self) -> &[Package] {
        &self.metadata.packages
    }

    /// The folder of a package, e.g. `sql` for `cellgate-sql`.
    pub fn folder(&self, package: &Package) -> String {
        package.manifest_path.parent().and_then(|folder| folder.file_name()).unwrap_or_default().to_owned()
    }

    /// The names of all tests that are programs of their own.
    pub fn tests(&self) -> impl Iterator<Item = String> {
        let targets = self.packages().iter().flat_map(|package| &package.targets);
        targets.filter(|target| target.is_test()).map(|target| target.name.clone())
    }

    /// The package in a folder.
    pub fn in_folder(&self, folder: &str) -> Option<&Package> {
        self.packages().iter().find(|package| self.folder(package) == folder)
    }
}
