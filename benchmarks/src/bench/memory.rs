//! What connections and prepared statements take: resident memory of a proxy before and after.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use cellgate_integration_tests::process;

use super::results::{Judged, Spread};
use super::rows::Bound;
use super::servers::Cellgate;
use super::stage::{self, Stage};
use crate::fill;
use crate::protocol::mysql;

/// Idle connections, each logged in.
const CONNECTIONS: usize = 5_000;
/// Connections that prepare, and statements of each: 100,000 in all.
const PREPARING: usize = 100;
const STATEMENTS: usize = 1_000;
const TOTAL: f64 = (PREPARING * STATEMENTS) as f64;
/// How long memory may take to come to rest.
const REST: Duration = Duration::from_millis(500);
/// A plan cache is bounded if as many new texts again take no more than this share of what the first took.
const BOUNDED: f64 = 0.25;

/// Measures it.
///
/// # Panics
/// If the proxy does not start.
pub fn judge(stage: &Stage) -> Vec<Judged> {
    let proxy = stage.empty_cellgate("memory");
    let idle = idle(&proxy).map_err(|error| error.to_string());
    let same = same(&stage.empty_cellgate("same")).map_err(|error| error.to_string());
    let different = different(&stage.empty_cellgate("different")).map_err(|error| error.to_string());
    let row = |id: &str, what: String, unit: &str, floor, goal, figure: Result<f64, String>| Judged {
        id: id.to_owned(),
        group: "memory".to_owned(),
        what,
        against: String::new(),
        unit: unit.to_owned(),
        bound: Bound::AtMost,
        floor,
        goal,
        remark: figure.clone().err().unwrap_or_default(),
        figure: figure.ok().and_then(|figure| Spread::of(vec![figure])),
        wrong: false,
    };
    let split = |of: fn(&Different) -> f64| different.as_ref().map(of).map_err(Clone::clone);
    let total = PREPARING * STATEMENTS;
    vec![
        row("16a", format!("memory of an idle connection that has read, of {CONNECTIONS}"), "kB", 20.0, 8.0, idle),
        row("16b", format!("{total} prepared statements of one text: each"), "kB", 2.0, 1.0, same),
        row(
            "16c",
            format!("{total} prepared statements of different texts: each"),
            "kB",
            8.0,
            4.0,
            split(|d| d.each_kb),
        ),
        row("16d", "the same again after those were closed: growth".to_owned(), "x", BOUNDED, 0.1, split(|d| d.growth)),
    ]
}

fn connect(port: u16) -> io::Result<(TcpStream, mysql::Login)> {
    fill::connect(&stage::mysql(port, "test", &[]).target)
}

/// Resident memory once it is at rest.
fn resident(proxy: &Cellgate) -> io::Result<f64> {
    std::thread::sleep(REST);
    process::resident_bytes(proxy.id()).map(|bytes| bytes as f64).ok_or_else(|| io::Error::other("the proxy is gone"))
}

/// Memory of a connection that waits for its next statement, in kB.
fn idle(proxy: &Cellgate) -> io::Result<f64> {
    let (mut stream, login) = connect(proxy.port())?;
    mysql::query(&mut stream, login, b"CREATE TABLE cells ENGINE=CELLS")?;
    let used = || {
        let (mut stream, login) = connect(proxy.port())?;
        let get = b"SELECT body FROM cells WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1";
        mysql::query(&mut stream, login, get)?;
        Ok(stream)
    };
    // What is allocated once, whoever connects, is not counted.
    let first: io::Result<Vec<_>> = (0..100).map(|_| used()).collect();
    let _first = first?;
    let before = resident(proxy)?;
    let many: io::Result<Vec<_>> = (0..CONNECTIONS).map(|_| used()).collect();
    let many = many?;
    let after = resident(proxy)?;
    Ok((after - before) / 1024.0 / many.len() as f64)
}

/// Memory of one of many prepared statements of the same text, in kB.
fn same(proxy: &Cellgate) -> io::Result<f64> {
    let mut connections = preparing(proxy)?;
    let before = resident(proxy)?;
    let text = "SELECT body FROM cells WHERE row_key = ? AND column_key = 'BASE' AND ref_key = 1";
    prepare(&mut connections, &|_| text.to_owned())?;
    Ok((resident(proxy)? - before) / 1024.0 / TOTAL)
}

/// Memory of prepared statements of different texts.
struct Different {
    each_kb: f64,
    growth: f64,
}

fn different(proxy: &Cellgate) -> io::Result<Different> {
    let text = |seed: usize| {
        move |n: usize| {
            format!("SELECT body AS b{seed}_{n} FROM cells WHERE row_key = ? AND column_key = 'C{n}' AND ref_key = 1")
        }
    };
    let mut connections = preparing(proxy)?;
    let before = resident(proxy)?;
    prepare(&mut connections, &text(1))?;
    let with_first = resident(proxy)?;
    drop(connections);
    let mut connections = connect_all(proxy)?;
    prepare(&mut connections, &text(2))?;
    let grown = (with_first - before).max(1.0);
    Ok(Different { each_kb: grown / 1024.0 / TOTAL, growth: (resident(proxy)? - with_first).max(0.0) / grown })
}

/// Connections to a proxy that has the table.
fn preparing(proxy: &Cellgate) -> io::Result<Vec<(TcpStream, mysql::Login)>> {
    let (mut stream, login) = connect(proxy.port())?;
    mysql::query(&mut stream, login, b"CREATE TABLE cells ENGINE=CELLS")?;
    connect_all(proxy)
}

fn connect_all(proxy: &Cellgate) -> io::Result<Vec<(TcpStream, mysql::Login)>> {
    (0..PREPARING).map(|_| connect(proxy.port())).collect()
}

fn prepare(connections: &mut [(TcpStream, mysql::Login)], text: &dyn Fn(usize) -> String) -> io::Result<()> {
    for (place, (stream, login)) in connections.iter_mut().enumerate() {
        for statement in 0..STATEMENTS {
            mysql::prepare(stream, *login, &text(place * STATEMENTS + statement))?;
        }
    }
    Ok(())
}
