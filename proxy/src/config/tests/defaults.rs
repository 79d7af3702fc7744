//! What is so without a file, and what the command line changes.

use super::*;

#[test]
fn no_file_is_four_embedded_clusters_for_this_machine_only() {
    let config = Config::load(None, &environment, &Overrides::default()).expect("defaults are right");
    assert_eq!(config, valid(""));
    assert_eq!(config.listen.address.to_string(), "127.0.0.1:3307");
    assert_eq!(config.http.address.to_string(), "127.0.0.1:9307");
    assert!(config.listen.address.is_loopback());
    assert_eq!(config.topology.virtual_shards, 4096);
    assert_eq!(config.topology.meta, Target::Sqlite { path: PathBuf::from("./cellgate-data/meta.db") });
    let clusters: Vec<_> = config.clusters.iter().map(|c| (c.name.as_str(), c.primary.to_string())).collect();
    assert_eq!(clusters, ["c1", "c2", "c3", "c4"].map(|name| (name, format!("sqlite:./cellgate-data/{name}.db"))));
    assert_eq!(config.users.len(), 1);
    let root = &config.users[0];
    assert_eq!((root.name.as_str(), &root.password, root.erase), ("root", &None, true));
    assert_eq!(root.grants.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ALL ON *.*"]);
    assert!(config.warnings.is_empty());
}

#[test]
fn embedded_clusters_have_the_defaults_of_configured_ones() {
    let configured = &valid(&cluster("sqlite:x.db")).clusters[0];
    for embedded in valid("").clusters {
        assert_eq!((embedded.weight, embedded.pool_size), (configured.weight, configured.pool_size));
        assert_eq!(embedded.number, configured.number);
    }
}

#[test]
fn store_timeouts_are_the_stores_own_defaults() {
    let timeouts = valid("").timeouts;
    let seconds = |duration: Duration| duration.as_secs();
    let found = [timeouts.connect, timeouts.statement, timeouts.lock, timeouts.queue].map(seconds);
    assert_eq!(found, [5, 30, 5, 5]);
}

#[test]
fn the_command_line_wins_over_the_file() {
    let overrides = Overrides {
        data_dir: Some(PathBuf::from("/d")),
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        http: Some("[::1]:0".parse().expect("an address")),
        log_format: Some(LogFormat::Json),
    };
    let text = "[listen]\naddress = \"0.0.0.0:1\"\n[log]\nformat = \"text\"\nlevel = \"debug\"";
    let config = Config::parse(text, None, &environment, &overrides).expect("the address of the file does not count");
    assert_eq!(config.listen.address.to_string(), "127.0.0.1:0");
    assert_eq!(config.http.address.to_string(), "[::1]:0");
    assert_eq!(config.data.dir, "/d");
    assert_eq!(config.clusters[3].primary, Target::Sqlite { path: PathBuf::from("/d/c4.db") });
    assert_eq!(config.topology.meta, Target::Sqlite { path: PathBuf::from("/d/meta.db") });
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Debug));
}
