//! docs/CONFIGURATION.md, written from the keys themselves.

use std::fmt::Write;

use super::section::{Applies, Key};
use super::{Cache, Coalesce, Data, Http, Limits, Listen, Log, Meta, Timeouts, cluster, user};

const HEAD: &str = r#"# Configuration

Written by `cargo xtask docs` from the code (`proxy/src/config`); do not edit.

Cellgate needs no configuration: without one it keeps its data in SQLite files under `./cellgate-data` and serves this
machine only. With `--config FILE` it reads one TOML file. `cellgate check --config FILE` says what is wrong with a
file, all at once, or prints the effective configuration; `--connect` also tries every store.

- The command line wins over the file: `--listen`, `--http`, `--data-dir`, `--log-format`.
- Durations are written `"100us"`, `"250ms"`, `"5s"`, `"1m"`, `"8h"`; sizes `"64KiB"`, `"16MiB"`, `"1GiB"`.
- `${NAME}` within a string is the environment variable of that name; one that is not set is an error. `$${` stands for
  the characters `${`.
- A password comes from a variable or from a file; wherever it could show, `***` is printed.
- An unknown key is an error that names the nearest known one.
- SIGHUP reads the file again. What is marked *reload* takes effect at once; for the rest the log says that a restart is
  needed. Connections that are open keep their `timeouts.handshake`, `idle`, `read` and `write` and their `limits.cursors`,
  `long_data` and, of the protocol's own, `prepared_statements`: those count for new ones. A file with an error changes
  nothing, and so does one without any `[[user]]` if there were some before. Users are judged by the address in use.

An example over three servers:

```toml
[topology]
virtual_shards = 4096
meta = "mysql://cell:${CELL_PW}@db0:3306/cellgate_meta"

[[cluster]]
name = "a"
primary = "mysql://cell:${CELL_PW}@db1:3306/cellgate"

[[cluster]]
name = "b"
primary = "postgres://cell:${CELL_PW}@db2:5432/cellgate"
weight = 2.0

[[user]]
name = "app"
password = "${APP_PW}"
grants = ["SELECT, INSERT ON shop.*"]

[[user]]
name = "admin"
password = "${ADMIN_PW}"
```
"#;

/// The text of docs/CONFIGURATION.md.
pub fn document() -> String {
    let mut text = String::from(HEAD);
    let sections: [(&str, &str, &[Key]); 12] = [
        ("[listen]", Listen::DOC, Listen::KEYS),
        ("[http]", Http::DOC, Http::KEYS),
        ("[data]", Data::DOC, Data::KEYS),
        ("[topology]", cluster::TOPOLOGY_DOC, cluster::TOPOLOGY_KEYS),
        ("[[cluster]]", cluster::CLUSTER_DOC, cluster::CLUSTER_KEYS),
        ("[[user]]", user::USER_DOC, user::USER_KEYS),
        ("[limits]", Limits::DOC, Limits::KEYS),
        ("[cache]", Cache::DOC, Cache::KEYS),
        ("[coalesce]", Coalesce::DOC, Coalesce::KEYS),
        ("[timeouts]", Timeouts::DOC, Timeouts::KEYS),
        ("[log]", Log::DOC, Log::KEYS),
        ("[meta]", Meta::DOC, Meta::KEYS),
    ];
    for (header, doc, keys) in sections {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n## `{header}`\n\n{}\n", one_line(doc));
        text.push_str("| key | value | default | change | meaning |\n|---|---|---|---|---|\n");
        for key in keys {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} |",
                key.name,
                value(key),
                key.default.map_or_else(String::new, |default| format!("`{default}`")),
                match key.applies {
                    Applies::Reload => "reload",
                    Applies::Restart => "restart",
                },
                one_line(key.doc).replace('|', "\\|"),
            );
        }
    }
    text
}

fn value(key: &Key) -> String {
    match key.bounds {
        Some((min, max)) => format!("{}, {min} to {max}", key.expected),
        None => key.expected.to_owned(),
    }
}

/// A doc comment as one line.
fn one_line(doc: &str) -> String {
    doc.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
