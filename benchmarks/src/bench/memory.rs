//! What connections and prepared statements take: resident memory of a proxy before and after.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use super::results::{Judged, Spread};
use super::rows::Bound;
use super::servers::{Cellgate, loopback};
use super::stage::Stage;
use crate::processes;
use crate::protocol::mysql;

/// Idle connections, each logged in.
const CONNECTIONS: usize = 5_000;
/// Connections that prepare, and statements of each: 100,000 in all.
const PREPARING: usize = 100;
const STATEMENTS: usize = 1_000;
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
    let proxy = stage.empty_cellgate("prepared");
    let prepared = prepared(&proxy).map_err(|error| error.to_string());
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
    };
    let split = |of: fn(&Prepared) -> f64| prepared.as_ref().map(of).map_err(Clone::clone);
    let total = PREPARING * STATEMENTS;
    vec![
        row("16a", format!("memory of an idle connection, of {CONNECTIONS}"), "kB", 20.0, 8.0, idle),
        row("16b", format!("{total} prepared statements of one text: each"), "kB", 2.0, 1.0, split(|p| p.same_kb)),
        row(
            "16c",
            format!("{total} prepared statements of different texts: each"),
            "kB",
            8.0,
            4.0,
            split(|p| p.different_kb),
        ),
        row("16d", format!("the same again after those were closed: growth"), "x", BOUNDED, 0.1, split(|p| p.growth)),
    ]
}

fn connect(port: u16) -> io::Result<(TcpStream, mysql::Login)> {
    let mut stream = TcpStream::connect(loopback(port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let login = mysql::login(&mut stream, "root", "test")?;
    Ok((stream, login))
}

/// Resident memory once it is at rest.
fn resident(proxy: &Cellgate) -> io::Result<f64> {
    std::thread::sleep(REST);
    processes::resident(proxy.id()).map(|bytes| bytes as f64).ok_or_else(|| io::Error::other("the proxy is gone"))
}

fn idle(proxy: &Cellgate) -> io::Result<f64> {
    // What is allocated once, whoever connects, is not counted.
    let first: io::Result<Vec<_>> = (0..100).map(|_| connect(proxy.port())).collect();
    let _first = first?;
    let before = resident(proxy)?;
    let many: io::Result<Vec<_>> = (0..CONNECTIONS).map(|_| connect(proxy.port())).collect();
    let many = many?;
    let after = resident(proxy)?;
    Ok((after - before) / 1024.0 / many.len() as f64)
}

/// Memory of prepared statements.
struct Prepared {
    same_kb: f64,
    different_kb: f64,
    growth: f64,
}

fn prepared(proxy: &Cellgate) -> io::Result<Prepared> {
    {
        let (mut stream, login) = connect(proxy.port())?;
        mysql::query(&mut stream, login, b"CREATE TABLE cells ENGINE=CELLS")?;
    }
    let each = |bytes: f64| bytes / 1024.0 / (PREPARING * STATEMENTS) as f64;
    let connections = || (0..PREPARING).map(|_| connect(proxy.port())).collect::<io::Result<Vec<_>>>();
    let mut same = connections()?;
    let start = resident(proxy)?;
    prepare(&mut same, &|_| {
        "SELECT body FROM cells WHERE row_key = ? AND column_key = 'BASE' AND ref_key = 1".to_owned()
    })?;
    let with_same = resident(proxy)?;
    drop(same);
    let mut first = connections()?;
    let base = resident(proxy)?;
    let text = |seed: usize| {
        move |n: usize| {
            format!("SELECT body AS b{seed}_{n} FROM cells WHERE row_key = ? AND column_key = 'C{n}' AND ref_key = 1")
        }
    };
    prepare(&mut first, &text(1))?;
    let with_first = resident(proxy)?;
    drop(first);
    let mut second = connections()?;
    prepare(&mut second, &text(2))?;
    let with_second = resident(proxy)?;
    let grown = (with_first - base).max(1.0);
    Ok(Prepared {
        same_kb: each(with_same - start),
        different_kb: each(grown),
        growth: (with_second - with_first).max(0.0) / grown,
    })
}

fn prepare(connections: &mut [(TcpStream, mysql::Login)], text: &dyn Fn(usize) -> String) -> io::Result<()> {
    for (place, (stream, login)) in connections.iter_mut().enumerate() {
        for statement in 0..STATEMENTS {
            mysql::prepare(stream, *login, &text(place * STATEMENTS + statement))?;
        }
    }
    Ok(())
}
