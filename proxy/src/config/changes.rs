//! What SIGHUP can change.

use super::section::Applies;
use super::{Cluster, Config};

/// The differences of two configurations, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Take effect at once, e.g. `log.level`, `user 'app'`.
    pub reloadable: Vec<String>,
    /// Take effect with the next start, e.g. `listen.address`, `cluster 'a'`.
    pub needs_restart: Vec<String>,
}

impl Config {
    /// What differs between the configuration in use and a new one.
    pub fn diff(old: &Self, new: &Self) -> Changes {
        let mut changes = Changes::default();
        let new_meta_follows = new.meta.follows_at(old.meta.poll);
        for ((_, old), (_, new)) in old.tables().into_iter().zip(new.tables()) {
            for ((key, old), (_, new)) in old.into_iter().zip(new) {
                // Targets are compared below: their texts hide a changed password.
                if old != new && key.name != "meta" {
                    let name = format!("{}.{}", key.section, key.name);
                    match key.applies {
                        // Only together with the new `poll`, which needs a restart.
                        Applies::Reload if name == "meta.max_stale" && !new_meta_follows => {
                            changes.needs_restart.push(name);
                        }
                        Applies::Reload => changes.reloadable.push(name),
                        Applies::Restart => changes.needs_restart.push(name),
                    }
                }
            }
        }
        if old.topology.meta != new.topology.meta {
            changes.needs_restart.push("topology.meta".to_owned());
        }
        let named = |cluster: &Cluster| format!("cluster '{}'", cluster.name);
        changes.needs_restart.extend(differing(&old.clusters, &new.clusters, named));
        changes.reloadable.extend(differing(&old.users, &new.users, |user| format!("user '{}'", user.name)));
        changes
    }

    /// This configuration with what can change at once taken from `new`.
    pub fn reloaded(&self, new: &Self) -> Self {
        let mut config = self.clone();
        config.listen.adopt(&new.listen);
        config.http.adopt(&new.http);
        config.data.adopt(&new.data);
        config.limits.adopt(&new.limits);
        config.cache.adopt(&new.cache);
        config.coalesce.adopt(&new.coalesce);
        config.timeouts.adopt(&new.timeouts);
        config.log.adopt(&new.log);
        if new.meta.follows_at(self.meta.poll) {
            config.meta.adopt(&new.meta);
        }
        config.users.clone_from(&new.users);
        config.warnings.clone_from(&new.warnings);
        config
    }
}

/// The names of what is in only one of two lists.
fn differing<T: PartialEq>(old: &[T], new: &[T], name: impl Fn(&T) -> String) -> Vec<String> {
    let mut names: Vec<String> = old.iter().filter(|item| !new.contains(item)).map(&name).collect();
    for added in new.iter().filter(|item| !old.contains(item)).map(&name) {
        if !names.contains(&added) {
            names.push(added);
        }
    }
    names
}
