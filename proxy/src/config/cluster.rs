//! `[topology]` and `[[cluster]]`: the stores.

use std::path::{Path, PathBuf};

use cellgate_schemaless::{ClusterNo, limits};

use super::section::{Applies, Key, Rendered, Section, quoted, toml_string};
use super::setting::Setting;
use super::source::{Source, read_password};
use super::target::{self, Target};

/// Clusters of a deployment that names none.
const EMBEDDED_CLUSTERS: u16 = 4;

/// Longest name of a cluster, in bytes: it stands in every metric series of the cluster.
const NAME_BYTES: usize = 64;

/// How cells are spread, and where that is written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// Number of virtual shards, 1 to [`limits::VIRTUAL_SHARDS_MAX`]; checked against the deployment at every start.
    pub virtual_shards: u32,
    /// The meta store.
    pub meta: Target,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Its name: `[a-z0-9_-]+`, at most 64 bytes, unlike any other cluster's.
    pub name: String,
    /// Where its cells are.
    pub primary: Target,
    /// Its share of the shards, relative to the others'; above 0.
    pub weight: f64,
    /// Most connections to it, at least 1.
    pub pool_size: u32,
    /// Its number; `None` takes what the deployment has for the name, or the next free one.
    pub number: Option<ClusterNo>,
}

const VIRTUAL_SHARDS: Key = Key {
    section: "topology",
    name: "virtual_shards",
    expected: u32::EXPECTED,
    default: Some("4096"),
    bounds: Some(("1", "65535")),
    applies: Applies::Restart,
    doc: " Number of virtual shards. Fixed when the deployment is created and checked at every start: another number\n refuses to start.\n",
};

const META: Key = Key {
    section: "topology",
    name: "meta",
    expected: target::EXPECTED,
    default: Some("sqlite:DATA_DIR/meta.db"),
    bounds: None,
    applies: Applies::Restart,
    doc: " The meta store: shard map and catalog. Several proxies of one deployment share it, on a server.\n",
};

const META_PASSWORD_FILE: Key = Key {
    section: "topology",
    name: "meta_password_file",
    expected: "the path of a file with a password",
    default: None,
    bounds: None,
    applies: Applies::Restart,
    doc: " File with the password of the meta store's user, instead of one in the URL.\n",
};

const NAME: Key = Key {
    section: "cluster",
    name: "name",
    expected: "a name of lower-case letters, digits, `-` and `_`, at most 64 bytes",
    default: None,
    bounds: None,
    applies: Applies::Restart,
    doc: " Its name: lower-case letters, digits, `-` and `_`. The deployment knows the cluster by it, metrics show it.\n",
};

const PRIMARY: Key = Key {
    section: "cluster",
    name: "primary",
    expected: target::EXPECTED,
    default: None,
    bounds: None,
    applies: Applies::Restart,
    doc: " Where its cells are. Cellgate creates its tables in the database, and the database itself if it\n is not there and the user may. A variable in front of the `@` may hold any characters; a password that stands in the file is percent-encoded.\n A deployment with a SQLite file has one proxy.\n",
};

const PASSWORD_FILE: Key = Key {
    section: "cluster",
    name: "password_file",
    expected: "the path of a file with a password",
    default: None,
    bounds: None,
    applies: Applies::Restart,
    doc: " File with the password of the URL's user, instead of one in the URL. A newline at its end does not count.\n",
};

const WEIGHT: Key = Key {
    section: "cluster",
    name: "weight",
    expected: "a number above 0",
    default: Some("1.0"),
    bounds: Some(("0.001", "1000.0")),
    applies: Applies::Restart,
    doc: " Its share of the shards relative to the other clusters', when shards are placed for the first time.\n",
};

const POOL_SIZE: Key = Key {
    section: "cluster",
    name: "pool_size",
    expected: u32::EXPECTED,
    default: Some("16"),
    bounds: Some(("1", "1024")),
    applies: Applies::Restart,
    doc: " Most connections to it, if it is on a server, beside one that looks after those that do not answer; a SQLite file has none. More clients than connections wait\n `timeouts.queue` for one.\n",
};

const NUMBER: Key = Key {
    section: "cluster",
    name: "number",
    expected: u16::EXPECTED,
    default: None,
    bounds: Some(("1", "1023")),
    applies: Applies::Restart,
    doc: " Its number in the deployment, which the ids of its cells carry. Only a new cluster takes it from here; for one that\n exists it must be the stored one, which `SHOW CLUSTERS` shows. Without it a new cluster gets the next free number.\n",
};

pub(super) const TOPOLOGY_DOC: &str = " How cells are spread, and where that is written down.\n";
pub(super) const CLUSTER_DOC: &str = " A store of cells; any number of these tables, of any mix of engines. Without any: four SQLite files `c1.db` to\n `c4.db` in the data directory.\n";
pub(super) const TOPOLOGY_KEYS: &[Key] = &[VIRTUAL_SHARDS, META, META_PASSWORD_FILE];
pub(super) const CLUSTER_KEYS: &[Key] = &[NAME, PRIMARY, PASSWORD_FILE, WEIGHT, POOL_SIZE, NUMBER];

impl Topology {
    pub(super) fn read(
        section: &mut Section<'_, '_>,
        source: &Source<'_>,
        data_dir: &Path,
        warnings: &mut Vec<String>,
    ) -> Option<Self> {
        let virtual_shards = section.setting(&VIRTUAL_SHARDS);
        let meta = match read_target(section, &META, &META_PASSWORD_FILE, source, warnings) {
            Given::Absent => Some(Target::Sqlite { path: data_dir.join("meta.db") }),
            Given::Wrong => None,
            Given::Target(target) => Some(target),
        };
        Some(Self { virtual_shards: virtual_shards?, meta: meta? })
    }

    pub(super) fn rendered(&self) -> Vec<Rendered> {
        vec![(VIRTUAL_SHARDS, quoted(&self.virtual_shards)), (META, toml_string(&self.meta.to_string()))]
    }
}

impl Cluster {
    /// The clusters of a deployment that names none.
    pub(super) fn embedded(data_dir: &Path) -> Vec<Self> {
        (1..=EMBEDDED_CLUSTERS)
            .map(|n| Self {
                name: format!("c{n}"),
                primary: Target::Sqlite { path: data_dir.join(format!("c{n}.db")) },
                weight: 1.0,
                pool_size: 16,
                number: None,
            })
            .collect()
    }

    /// Reads `[[cluster]]` number `place` (from 1).
    pub(super) fn read(
        section: &mut Section<'_, '_>,
        place: usize,
        source: &Source<'_>,
        warnings: &mut Vec<String>,
    ) -> Option<Self> {
        section.called(format!("cluster #{place} "));
        let name: Option<String> = section.setting(&NAME);
        if let Some(name) = &name {
            section.called(format!("cluster '{name}' "));
        }
        let name = name.filter(|name| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
            // Metrics use it for clusters that are in no configuration.
            let reserved = name == "unlisted";
            let right = name.len() <= NAME_BYTES && name.bytes().all(plain) && !reserved;
            if !right {
                section.called(format!("cluster #{place} "));
                let message =
                    if reserved { "this name is reserved".to_owned() } else { format!("expected {}", NAME.expected) };
                let line = section.line_of(&NAME);
                section.problem(&NAME, line, message);
            }
            right
        });
        let primary = match read_target(section, &PRIMARY, &PASSWORD_FILE, source, warnings) {
            Given::Absent => {
                section.problem(&PRIMARY, None, format!("is missing: expected {}", PRIMARY.expected));
                None
            }
            Given::Wrong => None,
            Given::Target(target) => Some(target),
        };
        let weight = section.setting(&WEIGHT);
        let pool_size = section.setting(&POOL_SIZE);
        // The bounds of the key are those of a cluster number.
        let number = section.optional(&NUMBER).flatten().and_then(|number| ClusterNo::new(number).ok());
        Some(Self { name: name?, primary: primary?, weight: weight?, pool_size: pool_size?, number })
    }

    pub(super) fn rendered(&self) -> Vec<Rendered> {
        let mut rendered = vec![
            (NAME, quoted(&self.name)),
            (PRIMARY, toml_string(&self.primary.to_string())),
            (WEIGHT, quoted(&self.weight)),
            (POOL_SIZE, quoted(&self.pool_size)),
        ];
        rendered.extend(self.number.map(|number| (NUMBER, number.to_string())));
        rendered
    }
}

/// What was found of a target.
enum Given {
    /// No such key.
    Absent,
    /// A problem was noted.
    Wrong,
    /// This.
    Target(Target),
}

fn read_target(
    section: &mut Section<'_, '_>,
    key: &Key,
    file_key: &Key,
    source: &Source<'_>,
    warnings: &mut Vec<String>,
) -> Given {
    let file_line = section.line_of(file_key);
    let password = section.text(file_key).map(|file| (read_password(&PathBuf::from(&file.value)), file));
    let password = match password {
        Some((Ok(found), file)) => {
            if found.world_readable {
                warnings.push(format!("password file {} can be read by every user of this machine", file.value));
            }
            Some(found.password)
        }
        Some((Err(message), file)) => {
            section.problem(file_key, file.line, message);
            None
        }
        None => None,
    };
    let line = section.line_of(key);
    let Some(raw) = section.raw_text(key) else {
        if line.is_none() && file_line.is_some() {
            section.problem(file_key, file_line, format!("there is no `{}` whose password it could be", key.name));
        }
        return if line.is_some() { Given::Wrong } else { Given::Absent };
    };
    match Target::read(&raw.value, password.as_ref(), source) {
        // A wrong password file was noted above; the target without it would be another one.
        Ok(_) if file_line.is_some() && password.is_none() => Given::Wrong,
        Ok(target) => Given::Target(target),
        Err(message) => {
            section.problem(key, raw.line, message);
            Given::Wrong
        }
    }
}

const _: () = assert!(limits::VIRTUAL_SHARDS_MAX == 65_535 && limits::VIRTUAL_SHARDS_DEFAULT == 4096);
const _: () = assert!(limits::CLUSTER_NO_MAX == 1023);
