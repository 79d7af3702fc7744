//! What is refused: with its line, its key, and all of it at once.

use super::*;

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
