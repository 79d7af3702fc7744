//! What the configuration promises.

use std::path::PathBuf;
use std::time::Duration;

use cellgate_store::engine::dsn::Password;

use super::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "PW" => Some("s3cret".to_owned()),
        "ODD" => Some("p@ss/w:rd?#%".to_owned()),
        "HOST" => Some("db1:3310".to_owned()),
        "URL" => Some("mysql://u:inline@h/d".to_owned()),
        "EMPTY" => Some(String::new()),
        "NAME" => Some("a".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, None, &environment, &Overrides::default())
}

#[track_caller]
fn valid(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn problems(text: &str) -> Vec<Problem> {
    match parse(text) {
        Err(ConfigError::Invalid { problems, .. }) => problems,
        other => panic!("{other:?}"),
    }
}

/// The one problem of `text`: its line, and its key and message together.
#[track_caller]
fn problem(text: &str) -> (Option<usize>, String) {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    (problems[0].line, format!("{}: {}", problems[0].key, problems[0].message))
}

#[track_caller]
fn refused(text: &str, line: usize, needle: &str) {
    let (at, message) = problem(text);
    assert!(message.contains(needle), "{message}");
    assert_eq!(at, Some(line), "{message}");
}

fn cluster(primary: &str) -> String {
    format!("[[cluster]]\nname = \"a\"\nprimary = \"{primary}\"\n")
}

fn password_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("writable");
    file
}

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

#[test]
fn a_whole_file_reads_as_it_is_written() {
    let file = password_file("from file\n");
    let text = format!(
        r#"
        [listen]
        address = "0.0.0.0:3307"
        [topology]
        virtual_shards = 64
        meta = "mysql://cell:${{PW}}@db0:3306/cellgate_meta"
        [[cluster]]
        name = "a"
        primary = "mysql://cell:${{ODD}}@${{HOST}}/cellgate?sslmode=require"
        [[cluster]]
        name = "b"
        primary = "postgres://cell@[::1]/cellgate"
        password_file = "{file}"
        weight = 2
        pool_size = 3
        number = 7
        [[user]]
        name = "app"
        password_file = "{file}"
        erase = true
        grants = ["SELECT, INSERT ON shop.*", "ALL ON `my_app`.*"]
        require_tls = true
        max_connections = 5
        [limits]
        max_connections = 0x10
        max_allowed_packet = 16777216
        collect_bytes = "1GiB"
        [timeouts]
        statement = "250ms"
        [log]
        slow_query = "off"
        literals = "shown"
        "#,
        file = file.path().display()
    );
    let config = valid(&text);
    assert_eq!(config.topology.virtual_shards, 64);
    assert_eq!(config.topology.meta.to_string(), "mysql://cell:***@db0:3306/cellgate_meta");
    for (cluster, url, password) in [
        (&config.clusters[0], "mysql://cell:***@db1:3310/cellgate?sslmode=require", "p@ss/w:rd?#%"),
        (&config.clusters[1], "postgres://cell:***@[::1]:5432/cellgate", "from file"),
    ] {
        let Target::Server(dsn) = &cluster.primary else { panic!("{cluster:?}") };
        assert_eq!((dsn.to_string().as_str(), dsn.password.as_ref()), (url, Some(&Password::new(password))));
    }
    assert_eq!((config.clusters[1].weight, config.clusters[1].pool_size), (2.0, 3));
    assert_eq!(config.clusters[1].number.map(|number| number.get()), Some(7));
    assert_eq!(config.users.len(), 1);
    assert!(config.users[0].erase);
    let grants: Vec<String> = config.users[0].grants.iter().map(ToString::to_string).collect();
    assert_eq!(grants, ["SELECT, INSERT ON `shop`.*", "ALL ON `my_app`.*"]);
    assert_eq!((config.users[0].require_tls, config.users[0].max_connections), (true, 5));
    assert_eq!(config.users[0].password.as_ref().map(Secret::expose), Some("from file"));
    assert_eq!(config.limits.max_connections, 16);
    assert_eq!(config.limits.max_allowed_packet.bytes(), 16 << 20);
    assert_eq!(config.limits.collect_bytes.bytes(), 1 << 30);
    assert_eq!(config.timeouts.statement, Duration::from_millis(250));
    assert_eq!(config.log.slow_query, None);
    assert_eq!(config.log.literals, Literals::Shown);
}

#[test]
fn secrets_are_printed_by_nothing() {
    let file = password_file("hidden1");
    let text = format!(
        "[listen]\naddress=\"0.0.0.0:1\"\n[[cluster]]\nname = \"a\"\nprimary = \"mysql://u:hidden2@h/d\"\n\
         [[cluster]]\nname = \"b\"\nprimary = \"postgres://u@h/d\"\npassword_file = \"{0}\"\n\
         [[user]]\nname = \"x\"\npassword = \"hidden3\"\n[[user]]\nname = \"y\"\npassword_file = \"{0}\"",
        file.path().display()
    );
    let config = valid(&text);
    let shown = format!("{config:?}{config:#?}{}{:?}", config.render(), Config::diff(&config, &valid("")));
    assert!(!shown.contains("hidden"), "{shown}");
    assert_eq!(config.render().matches("***").count(), 4, "{}", config.render());
}

#[test]
fn errors_show_no_value_that_may_be_a_secret() {
    let text = "[limits]\ncollect_bytes = \"${PW}\"\n[[cluster]]\nname = \"${PW}!\"\nprimary = \"${PW}\"\n[[user]]\n\
                name = \"u\"\npassword_file = \"/nonexistent\"\npassword = \"${PW}\"\n\
                [[cluster]]\nname = \"b\"\nprimary = \"mysql://u:${PW}@h:port/d\"";
    let problems = problems(text);
    assert_eq!(problems.len(), 5, "{problems:?}");
    assert!(!format!("{problems:?}").contains("s3cret"), "{problems:?}");
}

#[test]
fn the_rendered_configuration_reads_back_as_itself() {
    let text = "[log]\nslow_query = \"0s\"\n[limits]\nlong_data = \"0B\"\n[[cluster]]\nname = \"a\"\nnumber = 9\n\
                primary = \"mysql://u@h/d?ca=%22\"\n[[cluster]]\nname = \"b\"\nprimary = 'sqlite:/a \"dir\"\\x.db'\nweight=0.5";
    let no_variables = "[data]\ndir = \"a$${PW}$$${PW}$\"";
    assert_eq!(valid(no_variables).data.dir, "a${PW}$${PW}$");
    for text in ["", text, no_variables] {
        let config = valid(text);
        assert_eq!(valid(&config.render()), config, "{}", config.render());
    }
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_name_and_the_line() {
    refused(
        "[limits]\nmax_connections = 5\nmax_conections = 5",
        3,
        "limits.max_conections: is not known; did you mean `max_connections`?",
    );
    refused("[limit]\nx = 1", 1, "limit: is not known; did you mean `limits`?");
    refused("\n[http]\nzzz = 1", 3, "known are address, max_connections");
    refused(
        "[[cluster]]\nname = \"a\"\nprimary = \"sqlite:x\"\nwheight = 1",
        4,
        "cluster 'a' wheight: is not known; did you mean `weight`?",
    );
    refused("[[user]]\nname = \"a\"\npasword = \"x\"", 3, "did you mean `password`?");
    refused("listen = 1", 1, "expected a table [listen], not an integer");
    refused("[cluster]\nname = \"a\"", 1, "expected tables [[cluster]], not a table");
    refused("user = [1]", 1, "expected tables [[user]], not an integer");
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let lines: Vec<_> = problems("[log]\nlevel = \"loud\"\n[limits]\nmax_connections = 0\n[timeouts]\nidle = 5\n")
        .into_iter()
        .map(|problem| problem.line)
        .collect();
    assert_eq!(lines, [Some(2), Some(4), Some(6)]);
    let error = Config::parse("[log]\nlevel = 1", Some(Path::new("f.toml")), &environment, &Overrides::default());
    let text = error.expect_err("not a level").to_string();
    assert!(text.starts_with("f.toml:2: log.level: expected \"error\","), "{text}");
    assert!(text.ends_with(", not an integer"), "{text}");
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    let error = Config::parse("[log]\nlevel = ", Some(Path::new("f.toml")), &environment, &Overrides::default());
    let text = error.expect_err("not TOML").to_string();
    assert!(text.starts_with("f.toml:2: not TOML: "), "{text}");
    assert!(parse("[log]\n[log]\n").is_err(), "a table twice");
    let missing = Config::load(Some(Path::new("/nonexistent/f.toml")), &environment, &Overrides::default());
    assert!(matches!(missing, Err(ConfigError::Unreadable { .. })), "{missing:?}");
}

#[test]
fn durations_need_a_unit_and_sizes_may_have_none() {
    for (text, millis) in [("250ms", 250), ("5s", 5_000), ("1m", 60_000), ("8h", 28_800_000), ("0s", 0), ("5 s", 5_000)]
    {
        assert_eq!(Duration::from_text(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["5", "s", "", "-5s", "1.5s", "5 minutes", "5S", "99999999999999999h", "+5s"] {
        assert_eq!(Duration::from_text(text), None, "{text}");
    }
    for (text, bytes) in [("16MiB", 16 << 20), ("64KiB", 64 << 10), ("1GiB", 1 << 30), ("12B", 12), ("12", 12)] {
        assert_eq!(Size::from_text(text).map(Size::bytes), Some(bytes), "{text}");
    }
    for text in ["16MB", "16M", "1.5MiB", "MiB", "-1", "99999999999999GiB", ""] {
        assert_eq!(Size::from_text(text), None, "{text}");
    }
    refused("[timeouts]\nidle = 5", 2, "a duration such as \"250ms\"");
}

#[test]
fn values_have_texts_that_read_back() {
    for millis in [0, 1, 999, 1000, 1500, 60_000, 61_000, 3_600_000, 86_400_000] {
        let duration = Duration::from_millis(millis);
        assert_eq!(Duration::from_text(&duration.to_text()), Some(duration));
    }
    for text in ["0B", "1B", "1023B", "1KiB", "1025B", "16MiB", "3GiB"] {
        assert_eq!(Size::from_text(text).map(|size| size.to_text()).as_deref(), Some(text));
    }
}

#[test]
fn addresses_are_a_host_and_a_port() {
    for text in ["127.0.0.1:3307", "[::1]:0", "localhost:65535", "db-1.example.com:1", "0.0.0.0:3307"] {
        assert_eq!(Address::from_text(text).map(|address| address.to_string()).as_deref(), Some(text));
    }
    for text in [
        "3307",
        ":3307",
        "localhost",
        "localhost:",
        "localhost:65536",
        "::1:80",
        "[::1]",
        "[x]:1",
        "a b:1",
        "h:+1",
        "h:-1",
    ] {
        assert_eq!(Address::from_text(text), None, "{text}");
    }
    let loopback = |text| Address::from_text(text).expect("an address").is_loopback();
    assert!(loopback("127.9.9.9:1") && loopback("[::1]:1") && loopback("localhost:1"));
    assert!(!loopback("0.0.0.0:1") && !loopback("[::]:1") && !loopback("10.0.0.1:1") && !loopback("db:1"));
}

#[test]
fn every_bound_is_kept_and_named() {
    refused("[topology]\nvirtual_shards = 0", 2, "between 1 and 65535");
    refused("[topology]\nvirtual_shards = 65536", 2, "between 1 and 65535");
    refused("[limits]\nmax_allowed_packet = \"2GiB\"", 2, "between 1MiB and 1GiB");
    refused("[meta]\npoll = \"0s\"", 2, "between 10ms and 1m");
    refused("[meta]\npoll = \"10s\"\nmax_stale = \"19s\"", 1, "meta.max_stale: must be at least twice meta.poll");
    refused("[meta]\nmax_stale = \"1s\"", 1, "meta.poll, which is 1s");
    valid("[meta]\npoll = \"10s\"\nmax_stale = \"20s\"");
    refused("[limits]\nmax_connections = -1", 2, "a whole number");
    let weighted = |weight: &str| format!("{}weight = {weight}", cluster("sqlite:x"));
    refused(&weighted("0"), 4, "cluster 'a' weight: must be between 0.001 and 1000.0");
    refused(&weighted("-1.0"), 4, "must be between");
    refused(&weighted("nan"), 4, "expected a number above 0");
    refused(&weighted("inf"), 4, "expected a number above 0");
    refused(&format!("{}number = 1024", cluster("sqlite:x")), 4, "between 1 and 1023");
    refused(&format!("{}pool_size = 0", cluster("sqlite:x")), 4, "between 1 and 1024");
    assert_eq!(valid("[topology]\nvirtual_shards = 65535").topology.virtual_shards, 65_535);
    assert_eq!(valid("[topology]\nvirtual_shards = 1").topology.virtual_shards, 1);
}

#[test]
fn variables_are_filled_in_within_strings_only_and_must_be_set() {
    refused("[data]\ndir = \"${NO_SUCH}/x\"", 2, "the environment variable NO_SUCH is not set");
    refused("[data]\ndir = \"${PW\"", 2, "without its `}`");
    refused("[data]\ndir = \"${}\"", 2, "must hold the name");
    refused("[data]\ndir = \"${A B}\"", 2, "must hold the name");
    assert_eq!(valid("[data]\ndir = \"a/${PW}/b${PW}$\"").data.dir, "a/s3cret/bs3cret$");
    assert_eq!(valid("[data]\ndir = \"a$${PW}\"").data.dir, "a${PW}");
    assert!(parse("[limits]\nmax_connections = ${PW}").is_err(), "outside of strings it is not TOML");
    refused("[[user]]\nname = \"u\"\npassword = \"${EMPTY}\"", 3, "is empty");
    refused("[[user]]\nname = \"u\"\npassword = \"***\"", 3, "is what `check` prints in place of a password");
}

#[test]
fn a_cluster_is_a_name_and_a_target() {
    refused("[[cluster]]\nprimary = \"sqlite:x\"", 1, "cluster #1 name: is missing");
    refused("[[cluster]]\nname = \"a\"", 1, "cluster 'a' primary: is missing");
    for name in ["A", "a b", "ü", "a.b"] {
        refused(&format!("[[cluster]]\nname = \"{name}\"\nprimary = \"sqlite:x\""), 2, "lower-case letters");
    }
    refused("[[cluster]]\nname = \"unlisted\"\nprimary = \"sqlite:x\"", 2, "reserved");
    let (long, longest) = ("x".repeat(65), "x".repeat(64));
    refused(&format!("[[cluster]]\nname = \"{long}\"\nprimary = \"sqlite:x\""), 2, "at most 64 bytes");
    valid(&format!("[[cluster]]\nname = \"{longest}\"\nprimary = \"sqlite:x\""));
}

#[test]
fn a_target_that_is_none_is_refused_with_the_reason() {
    for (target, needle) in [
        ("x.db", "expected \\\"sqlite:PATH\\\""),
        ("redis://h/1", "expected"),
        ("sqlite:", "needs a path"),
        ("sqlite::memory:", "is gone at the next start"),
        ("sqlite:file:/var/c.db?mode=ro", "write the path itself, \\\"sqlite:/var/c.db\\\""),
        ("sqlite:file:///var/c.db", "write the path itself, \\\"sqlite:/var/c.db\\\""),
        ("mysql:u@h/d", "expected"),
        ("mysql://h/d", "no user"),
        ("mysql://:pw@h/d", "no user"),
        ("mysql://u@h", "one database"),
        ("mysql://u@h/", "one database"),
        ("mysql://u@h/d/e", "one database"),
        ("mysql://u@/d", "no host"),
        ("mysql://u@h:0/d", "port"),
        ("mysql://u@h:70000/d", "port"),
        ("mysql://u@h:x/d", "port"),
        ("mysql://u@[::g]/d", "IPv6"),
        ("mysql://u@[::1]80/d", "port"),
        ("mysql://u:a/b@h/d", "no user"),
        ("postgres://u@h/d?sslmode=require&password=x", "not into a parameter"),
        ("mysql://u@h/d?foo=1", "unknown option foo"),
        ("mysql://u@h/d?sslmode=bogus", "option sslmode must be one of"),
        ("postgres://u@h/d?schema=", "option schema must be"),
        ("postgres://u@h/d?schema=a&schema=b", "option schema is given twice"),
        ("mysql://u%zz@h/d", "percent-encoding"),
    ] {
        let needle = needle.replace('\\', "");
        refused(&cluster(target), 3, &needle);
    }
}

#[test]
fn mysql_and_http_on_one_address_are_refused() {
    for (listen, http) in [
        ("127.0.0.1:4000", "127.0.0.1:4000"),
        ("localhost:4000", "127.0.0.1:4000"),
        ("127.0.0.1:4000", "0.0.0.0:4000"),
        ("[::]:4000", "127.0.0.1:4000"),
    ] {
        let text = format!(
            "[[user]]\nname = \"a\"\npassword = \"x\"\n[listen]\naddress = \"{listen}\"\n[http]\naddress = \"{http}\""
        );
        refused(&text, 6, "http.address: is the address of [listen]");
    }
    for (listen, http) in [("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:4000", "127.0.0.2:4000")] {
        valid(&format!("[listen]\naddress = \"{listen}\"\n[http]\naddress = \"{http}\""));
    }
}

#[test]
fn a_key_without_a_certificate_of_ones_own_is_refused() {
    refused("[listen]\ntls_key = \"/k.pem\"", 1, "listen.tls_key: belongs to a tls_certificate");
    refused("[listen]\ntls_certificate = \"self-signed\"\ntls_key = \"/k.pem\"", 1, "listen.tls_key");
    valid("[listen]\ntls_certificate = \"off\"\ntls_key = \"/k.pem\"");
}

#[test]
fn a_target_in_a_variable_is_read_like_one_in_the_file() {
    let config = valid(&cluster("${URL}"));
    assert_eq!(config.clusters[0].primary.to_string(), "mysql://u:***@h:3306/d");
    assert!(!format!("{config:?}").contains("inline"));
    assert_eq!(valid(&cluster("postgresql://u@h/d")).clusters[0].primary.to_string(), "postgres://u@h:5432/d");
    assert_eq!(valid(&cluster("mariadb://u@h/d")).clusters[0].primary.engine(), "mysql");
}

#[test]
fn clusters_are_told_apart() {
    let two = |second: &str| format!("{}[[cluster]]\n{second}", cluster("mysql://u@h/d"));
    refused(&two("name = \"a\"\nprimary = \"sqlite:x\""), 4, "clusters #1 and #2 have one name");
    refused(&two("name = \"${NAME}\"\nprimary = \"sqlite:x\""), 4, "clusters #1 and #2 have one name");
    refused(
        &two("name = \"b\"\nprimary = \"mysql://other:pw@H:3306/d\""),
        4,
        "cluster 'b': names the same database as cluster 'a'",
    );
    refused(&two("name = \"b\"\nprimary = \"mysql://u@h/%64\""), 4, "names the same database");
    valid(&two("name = \"b\"\nprimary = \"mysql://u@h:3307/d\""));
    valid(&two("name = \"b\"\nprimary = \"mysql://u@h/e\""));
    valid(&two("name = \"b\"\nprimary = \"postgres://u@h:3306/d\""));
    refused(&cluster("sqlite:./cellgate-data/../cellgate-data/meta.db"), 1, "the meta store");
    let numbered =
        format!("{}number = 3\n[[cluster]]\nname = \"b\"\nprimary = \"sqlite:y\"\nnumber = 3", cluster("sqlite:x"));
    refused(&numbered, 5, "has number 3, and so has cluster 'a'");
}

#[test]
fn password_files_lose_one_newline_and_are_checked() {
    for (text, password) in [("pw", "pw"), ("pw\n", "pw"), ("pw\r\n", "pw"), ("pw\n\n", "pw\n"), (" pw ", " pw ")] {
        let file = password_file(text);
        let config = valid(&format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", file.path().display()));
        assert_eq!(config.users[0].password.as_ref().map(Secret::expose), Some(password), "{text:?}");
    }
    let empty = password_file("\n");
    refused(&format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", empty.path().display()), 3, "is empty");
    let long = password_file(&"x".repeat(5000));
    refused(&format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", long.path().display()), 3, "longer than");
    // A pipe is waited for, and so may its reader be.
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    for path in [pipe.as_path(), directory.path()] {
        refused(&format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", path.display()), 3, "not a regular file");
    }
    refused("[[user]]\nname = \"u\"\npassword_file = \"/nonexistent\"", 3, "cannot read /nonexistent");
    refused("[[user]]\nname = \"u\"\npassword = \"x\"\npassword_file = \"/nonexistent\"", 4, "both");
    let both = format!("{}password_file = \"{}\"", cluster("mysql://u:p@h/d"), password_file("x").path().display());
    assert!(problem(&both).1.contains("cannot read"), "the file is gone with its guard");
    let file = password_file("x");
    refused(
        &format!("{}password_file = \"{}\"", cluster("mysql://u:p@h/d"), file.path().display()),
        3,
        "both the URL and",
    );
    refused(&format!("{}password_file = \"{}\"", cluster("sqlite:x"), file.path().display()), 3, "has no password");
    refused(&format!("[topology]\nmeta_password_file = \"{}\"", file.path().display()), 2, "no `meta` whose password");
}

#[test]
fn a_password_file_everybody_can_read_is_worth_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let file = password_file("pw");
    let text = format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", file.path().display());
    for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).expect("ours");
        let config = valid(&text);
        assert_eq!(config.warnings.len(), warnings, "{mode:o}: {:?}", config.warnings);
        assert!(config.warnings.iter().all(|warning| warning.contains("can be read by every user")));
    }
}

#[test]
fn other_machines_can_only_reach_what_has_a_password() {
    refused(
        "[listen]\naddress = \"0.0.0.0:3307\"",
        1,
        "other machines can reach 0.0.0.0:3307, and no user has a password",
    );
    refused("[listen]\naddress = \"[::]:3307\"\n[[user]]\nname = \"u\"", 1, "no user has a password");
    valid("[listen]\naddress = \"0.0.0.0:3307\"\n[[user]]\nname = \"u\"\npassword = \"x\"\n[[user]]\nname = \"local\"");
    let overrides = Overrides { listen: Some("10.0.0.1:1".parse().expect("an address")), ..Overrides::default() };
    let error = Config::load(None, &environment, &overrides).expect_err("nobody has a password").to_string();
    assert!(error.starts_with("configuration: listen.address: other machines can reach 10.0.0.1:1"), "{error}");
}

#[test]
fn users_are_told_apart_and_named_within_bounds() {
    refused("[[user]]\nname = \"u\"\n[[user]]\nname = \"u\"", 3, "users #1 and #2 have one name");
    refused("[[user]]\nname = \"${NAME}\"\n[[user]]\nname = \"a\"", 3, "user 'a': users #1 and #2 have one name");
    valid("[[user]]\nname = \"${NAME}\"\n[[user]]\nname = \"$${NAME}\"");
    refused("[[user]]\nerase = true", 1, "user #1 name: is missing");
    refused("[[user]]\nname = \"u\"\ngrants = \"ALL\"", 3, "user 'u' grants: expected an array of grants");
    refused("[[user]]\nname = \"u\"\ngrants = [\"SUPER ON *.*\"]", 3, "the privilege SUPER is not supported");
    valid("[[user]]\nname = \"u\"\ngrants = [\"GRANT OPTION ON shop.*\", \"LOCK TABLES ON shop.*\"]");
    refused("[[user]]\nname = \"u\"\ngrants = [\"ALL ON shop\"]", 3, "a grant without a database");
    refused(&format!("[[user]]\nname = \"{}\"", "x".repeat(33)), 2, "at most 32 characters");
    refused("[[user]]\nname = \"\"", 2, "at most 32 characters");
    assert!(!valid("[[user]]\nname = \"u\"").users[0].erase, "erasure is granted, not given");
}

#[test]
fn a_sqlite_cluster_under_a_shared_meta_store_is_worth_a_warning() {
    let shared = "[topology]\nmeta = \"mysql://u@h/m\"\n";
    let warnings = valid(&format!("{shared}{}", cluster("sqlite:x"))).warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("cluster a is a SQLite file"), "{warnings:?}");
    assert!(valid(&format!("{shared}{}", cluster("mysql://u@h/d"))).warnings.is_empty());
    assert!(valid(&cluster("sqlite:x")).warnings.is_empty());
}

#[test]
fn a_reload_takes_what_can_change_and_names_the_rest() {
    let old = valid("[[user]]\nname = \"a\"\npassword = \"1\"\n[[user]]\nname = \"same\"");
    let new = valid(
        "[listen]\naddress = \"127.0.0.1:1\"\n[limits]\ncollect_rows = 5\nmax_connections = 5\n[log]\nlevel = \"debug\"\n\
         [[user]]\nname = \"a\"\npassword = \"2\"\n[[user]]\nname = \"same\"\n[[user]]\nname = \"b\"\n\
         [[cluster]]\nname = \"c1\"\nprimary = \"sqlite:elsewhere.db\"",
    );
    let changes = Config::diff(&old, &new);
    assert_eq!(changes.reloadable, ["limits.collect_rows", "log.level", "user 'a'", "user 'b'"]);
    assert_eq!(
        changes.needs_restart,
        ["listen.address", "limits.max_connections", "cluster 'c1'", "cluster 'c2'", "cluster 'c3'", "cluster 'c4'"]
    );
    let reloaded = old.reloaded(&new);
    let left = Config::diff(&reloaded, &new);
    assert!(left.reloadable.is_empty(), "{left:?}");
    assert_eq!(left.needs_restart, changes.needs_restart);
    assert_eq!(Config::diff(&old, &reloaded).needs_restart, Vec::<String>::new());
    assert_eq!(Config::diff(&old, &old), Changes::default());
}

#[test]
fn a_changed_password_is_a_change() {
    let meta =
        |password: &str| valid(&format!("[topology]\nmeta = \"mysql://u:{password}@h/m\"\n{}", cluster("sqlite:x")));
    assert_eq!(Config::diff(&meta("1"), &meta("2")).needs_restart, ["topology.meta"]);
    let a = |password: &str| valid(&cluster(&format!("mysql://u:{password}@h/m")));
    assert_eq!(Config::diff(&a("1"), &a("2")).needs_restart, ["cluster 'a'"]);
}

#[test]
fn every_setting_is_bounded_where_it_says() {
    let sections =
        [Listen::KEYS, Http::KEYS, Limits::KEYS, Cache::KEYS, Coalesce::KEYS, Timeouts::KEYS, Log::KEYS, Meta::KEYS];
    let mut bounded = 0;
    for key in sections.into_iter().flatten() {
        let Some((min, max)) = key.bounds else { continue };
        let quoted = min.parse::<f64>().is_err() || max.parse::<f64>().is_err();
        for bound in [min, max] {
            let value = if quoted { format!("{bound:?}") } else { bound.to_owned() };
            // These two are bounded by each other, too.
            let other = match key.name {
                "max_stale" => "poll = \"10ms\"\n",
                "poll" => "max_stale = \"24h\"\n",
                _ => "",
            };
            valid(&format!("[{}]\n{} = {value}\n{other}", key.section, key.name));
        }
        bounded += 1;
    }
    assert!(bounded > 20, "{bounded}");
    let (_, message) = problem("[coalesce]\nslow = \"99us\"\n");
    assert!(message.contains("must be between 100us and 1m"), "{message}");
    assert_eq!(valid("[coalesce]\nslow = \"1500us\"\n").coalesce.slow, Duration::from_micros(1500));
    assert_eq!(Duration::from_micros(1500).to_text(), "1500us");
}

#[test]
fn docs_configuration_md_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CONFIGURATION.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == document(), "docs/CONFIGURATION.md is not what the code says; write it with `cargo xtask docs`");
}

#[test]
fn every_key_is_documented_with_its_default() {
    let text = document();
    let rendered = valid(&cluster("sqlite:x")).render();
    for line in rendered.lines().filter(|line| line.contains(" = ")) {
        let (name, value) = line.split_once(" = ").expect("checked");
        let row =
            text.lines().find(|row| row.starts_with(&format!("| `{name}` |"))).unwrap_or_else(|| panic!("{name}"));
        let described = matches!(name, "name" | "primary" | "meta" | "address" | "max_connections" | "erase");
        assert!(described || row.contains(&format!("`{}`", value.trim_matches('"'))), "{line}: {row}");
    }
}

/// Every configuration file in docker/ and docs/, and every TOML block of the documents, is one Cellgate takes.
#[test]
fn configuration_files_and_examples_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut checked = 0;
    let take = |text: &str, name: &str| {
        // Password files are at their places in a container; what is checked is everything else.
        let here = password_file("x");
        let text = text
            .lines()
            .map(|line| match line.split_once("password_file = ") {
                Some((before, _)) => format!("{before}password_file = \"{}\"", here.path().display()),
                None => line.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("\n");
        let any = |_: &str| Some("x".to_owned());
        Config::parse(&text, Some(Path::new(name)), &any, &Overrides::default())
            .unwrap_or_else(|error| panic!("{error}"));
    };
    for folder in ["docker", "docs"] {
        for entry in
            std::fs::read_dir(root.join(folder)).expect("a folder of ours").map(|entry| entry.expect("readable"))
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".toml") {
                take(&std::fs::read_to_string(entry.path()).expect("text"), &name);
                checked += 1;
            } else if name.ends_with(".md") {
                let text = std::fs::read_to_string(entry.path()).expect("text");
                for block in text.split("```toml\n").skip(1) {
                    take(block.split("```").next().unwrap_or_default(), &name);
                    checked += 1;
                }
            }
        }
    }
    assert!(checked >= 2, "docker/cellgate.toml and the example of docs/CONFIGURATION.md at least, not {checked}");
}

#[test]
fn all_mistakes_are_said_at_once() {
    let text = "[listen]\naddress = \"0.0.0.0:3307\"\nnonsense = 1\n\
         [[cluster]]\nname = \"a\"\nprimary = \"mysql://u@h/d\"\n\
         [[cluster]]\nname = \"a\"\nprimary = \"oracle://u@h/e\"\n\
         [[cluster]]\nname = \"c\"\nprimary = \"mysql://u@h/d\"\n\
         [[user]]\nname = \"u\"\n[[user]]\nname = \"u\"\nbad = 2\n\
         [limits]\nmax_connections = -1\n";
    let told: Vec<String> = problems(text).iter().map(|p| format!("{}: {}", p.key, p.message)).collect();
    let told = told.join("\n");
    for needle in [
        "clusters #1 and #2 have one name",
        "cluster 'a' primary: expected",
        "names the same database as cluster 'a'",
        "users #1 and #2 have one name",
        "nonsense",
        "bad",
        "max_connections",
    ] {
        assert!(told.contains(needle), "{needle} is not among\n{told}");
    }
}

#[test]
fn a_reload_takes_no_max_stale_that_is_too_short_for_the_poll_in_use() {
    let old = valid("[meta]\npoll = \"10s\"\nmax_stale = \"1m\"");
    let new = valid("[meta]\npoll = \"1s\"\nmax_stale = \"5s\"");
    let changes = Config::diff(&old, &new);
    assert_eq!(changes.needs_restart, ["meta.max_stale", "meta.poll"]);
    assert!(changes.reloadable.is_empty(), "{changes:?}");
    assert_eq!(old.reloaded(&new).meta, old.meta);
    let longer = valid("[meta]\npoll = \"1s\"\nmax_stale = \"40s\"");
    assert_eq!(Config::diff(&old, &longer).reloadable, ["meta.max_stale"]);
    assert_eq!(old.reloaded(&longer).meta.max_stale, Duration::from_secs(40));
}

/// What becomes of a file that is read again by a process which runs with `running`.
fn read_again(running: &Config, text: &str) -> Result<Config, String> {
    running.parse_again(text, None, &environment, &Overrides::default()).map_err(|error| error.to_string())
}

#[test]
fn a_file_that_names_no_user_any_more_is_not_taken_over() {
    let user = "[[user]]\nname = \"app\"\npassword = \"x\"\n";
    for listen in ["", "[listen]\naddress = \"0.0.0.0:3307\"\n"] {
        let running = valid(&format!("{listen}{user}"));
        for text in ["", "[log]\nlevel = \"debug\"", "user = []"] {
            let error = read_again(&running, text).unwrap_err();
            assert!(error.contains("names no user any more") && error.contains("Nothing is changed"), "{error}");
        }
        assert!(read_again(&running, user).is_ok(), "whatever is left out beside users");
    }
    let alone = valid("");
    assert_eq!(read_again(&alone, "[log]\nlevel = \"debug\"").unwrap().users, alone.users, "there was nobody else");
}

#[test]
fn users_are_judged_by_where_the_process_listens() {
    let open = "[listen]\naddress = \"0.0.0.0:3307\"\n";
    let (password, none) = ("[[user]]\nname = \"a\"\npassword = \"x\"\n", "[[user]]\nname = \"a\"\n");
    let running = valid(&format!("{open}{password}"));
    for text in [none.to_owned(), format!("{open}{none}"), format!("[listen]\naddress = \"[::1]:3307\"\n{none}")] {
        let error = read_again(&running, &text).unwrap_err();
        assert_eq!(error.matches("other machines can reach 0.0.0.0:3307").count(), 1, "{error}");
    }
    assert!(read_again(&running, &format!("{none}{}", password.replace("\"a\"", "\"b\""))).is_ok());
    assert!(read_again(&valid(password), none).is_ok(), "nobody else reaches it");
}
