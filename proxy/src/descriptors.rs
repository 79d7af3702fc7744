//! Whether the process may open as many files as the configuration can need, and write them as long as they become.

use std::os::fd::{AsFd, AsRawFd};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{Config, Target};

/// Files of a SQLite cluster or meta store: the connections of its writer and its readers with the log, and its locks.
const SQLITE_FILES: u64 = 32;
/// Everything else: listeners, the log, time zones, certificates.
const OTHERS: u64 = 32;
/// Where the kernel tells the limits of this process.
const LIMITS: &str = "/proc/self/limits";

/// Raises the soft limit on open files to the hard one, which whoever started the process allowed it. The soft one is 1024 for the
/// sake of programs that use `select`; this is none of them.
pub fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // With fewer the warning says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Open files that clients do not get: those of health checks and scrapers, and of stores.
const RESERVED: u64 = 24;
/// Those of them that are not even used for telling clients so.
const UNTOUCHED: u64 = 12;

/// What may become of a client whose connection has this descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It may stay.
    Free,
    /// It is told that there are too many.
    Scarce,
    /// It is closed at once.
    None,
}

/// Whether there is room for a client beside what must stay free. The kernel gives the lowest free number, so that a high
/// one says how few are left.
pub fn room(descriptor: &impl AsFd) -> Room {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return Room::Free };
    let number = u64::try_from(descriptor.as_fd().as_raw_fd()).unwrap_or(0);
    match limit.saturating_sub(number) {
        left if left > RESERVED => Room::Free,
        left if left > UNTOUCHED => Room::Scarce,
        _ => Room::None,
    }
}

/// What to warn of: this process may open too few files, or not write long ones.
pub fn warnings(config: &Config, meta_connections: u64) -> Vec<String> {
    // Where the kernel does not tell, there is nothing to compare.
    let limit = std::fs::read_to_string(LIMITS).ok().and_then(|limits| soft_limit(&limits));
    let few = limit.and_then(|limit| too_few(limit, &Needed::by(config, meta_connections)));
    let short = getrlimit(Resource::Fsize).current.and_then(|limit| too_short(limit, config));
    few.into_iter().chain(short).collect()
}

fn too_short(limit: u64, config: &Config) -> Option<String> {
    let stores = config.clusters.iter().map(|cluster| &cluster.primary).chain([&config.topology.meta]);
    stores.into_iter().any(Target::is_file).then(|| {
        format!(
            "files of this process may have {limit} bytes: where a SQLite file reaches that, the kernel ends the process. \
             Take the limit away (ulimit -f unlimited, LimitFSIZE=infinity)"
        )
    })
}

/// How many files may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Needed {
    clients: u64,
    stores: u64,
    http: u64,
}

impl Needed {
    fn by(config: &Config, meta_connections: u64) -> Self {
        let of = |target: &Target, pool| match target {
            Target::Sqlite { .. } => SQLITE_FILES,
            Target::Server(_) => pool,
        };
        let clusters = config.clusters.iter().map(|cluster| of(&cluster.primary, cluster.pool_size.into()));
        Self {
            clients: config.limits.max_connections.into(),
            stores: clusters.sum::<u64>() + of(&config.topology.meta, meta_connections),
            http: config.http.max_connections.into(),
        }
    }
}

fn too_few(limit: u64, needed: &Needed) -> Option<String> {
    let Needed { clients, stores, http } = *needed;
    let sum = clients + stores + http + OTHERS;
    (limit < sum).then(|| {
        format!(
            "this process may open {limit} files, and the configuration can need {sum}: {clients} clients \
             (limits.max_connections), {stores} for stores, {http} for HTTP, {OTHERS} others. Without a free one no client \
             gets in and no store is reached again: raise the limit (LimitNOFILE, ulimit -Hn), or lower \
             limits.max_connections"
        )
    })
}

/// The soft limit on open files; `None` if there is none.
fn soft_limit(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    #[test]
    fn too_low_a_limit_is_told_with_its_parts() {
        let text = "[limits]\nmax_connections = 100\n[http]\nmax_connections = 8\n[[cluster]]\nname = \"a\"\n\
                    primary = \"mysql://u@h/d\"\npool_size = 10\n[[cluster]]\nname = \"b\"\nprimary = \"sqlite:b\"\n";
        let config = Config::parse(text, None, &|_| None, &Overrides::default()).unwrap();
        let needed = Needed::by(&config, 4);
        assert_eq!(needed, Needed { clients: 100, stores: 10 + 2 * SQLITE_FILES, http: 8 });
        let sum = 100 + 10 + 2 * SQLITE_FILES + 8 + OTHERS;
        assert_eq!(too_few(sum, &needed), None);
        let told = too_few(sum - 1, &needed).unwrap();
        assert!(told.contains(&format!("may open {} files, and the configuration can need {sum}", sum - 1)), "{told}");
    }

    #[test]
    fn a_limit_on_the_length_of_files_is_told_where_there_are_any() {
        let servers = "[topology]\nmeta = \"mysql://u@h/m\"\n[[cluster]]\nname = \"a\"\nprimary = \"mysql://u@h/d\"\n";
        let files = "[[cluster]]\nname = \"b\"\nprimary = \"sqlite:b\"\n";
        let told =
            |text: &str| too_short(1 << 30, &Config::parse(text, None, &|_| None, &Overrides::default()).unwrap());
        assert_eq!(told(servers), None);
        let told = told(&format!("{servers}{files}")).unwrap();
        assert!(told.contains("may have 1073741824 bytes") && told.contains("LimitFSIZE"), "{told}");
    }

    #[test]
    fn the_limit_is_read_as_the_kernel_writes_it() {
        let line = |soft| {
            format!("Limit   Soft Limit  Hard Limit  Units\nMax open files            {soft}   524288   files\n")
        };
        assert_eq!(soft_limit(&line("1024")), Some(1024));
        assert_eq!(soft_limit(&line("unlimited")), None);
        assert!(std::fs::read_to_string(LIMITS).ok().and_then(|text| soft_limit(&text)).is_some_and(|limit| limit > 0));
    }
}
