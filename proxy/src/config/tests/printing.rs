//! Files as they are read and printed again, the documents, and secrets that nothing prints.

use super::*;

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
