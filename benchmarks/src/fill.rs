//! Loading the data set: as statements through a server that speaks MySQL's protocol, or as a file for the loaders that
//! databases have of their own.

use std::io::{self, BufWriter, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::cells::{self, Name};
use crate::protocol::{Outcome, Step, mysql};
use crate::session::Target;

/// Cells of one INSERT: about 80 kB of text.
const BATCH: usize = 200;
/// Longest silence of a server that is being loaded or warmed up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Creates the table of cells with `create` unless that is empty, and inserts every cell.
///
/// # Errors
/// What the server or the network says.
pub fn insert(target: &Target, create: &str, total: u64, connections: usize) -> io::Result<()> {
    if !create.is_empty() {
        let (mut stream, login) = connect(target)?;
        mysql::query(&mut stream, login, create.as_bytes())?;
    }
    let names: Vec<Name> = cells::all(total).collect();
    let share = names.len().div_ceil(connections.max(1)).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = names.chunks(share).map(|part| scope.spawn(move || insert_part(target, part))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread that loads cells panicked")))
        })
    })
}

fn insert_part(target: &Target, names: &[Name]) -> io::Result<()> {
    let (mut stream, login) = connect(target)?;
    let mut statement = Vec::new();
    for batch in names.chunks(BATCH) {
        statement.clear();
        write!(statement, "INSERT INTO {} (row_key, column_key, ref_key, body) VALUES ", cells::TABLE)?;
        for (place, name) in batch.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(statement, "{comma}('{}','{}',{},'", text(*name), cells::COLUMN, name.version)?;
            name.write_body(&mut statement);
            statement.extend_from_slice(b"')");
        }
        mysql::query(&mut stream, login, &statement)?;
    }
    Ok(())
}

/// Reads every cell once, by name: what keeps cells in memory has them all afterwards.
///
/// # Errors
/// What the server or the network says.
pub fn read_all(target: &Target, total: u64) -> io::Result<()> {
    let (mut stream, login) = connect(target)?;
    let names: Vec<Name> = cells::all(total).collect();
    let mut out = Vec::new();
    let mut answer = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    for batch in names.chunks(BATCH) {
        // One statement per cell, as a client would read it, but many under way.
        out.clear();
        for name in batch {
            let statement = format!(
                "SELECT row_key, column_key, ref_key, body, added_id, created_at FROM {} \
                 WHERE row_key = '{}' AND column_key = '{}' AND ref_key = {}",
                cells::TABLE,
                text(*name),
                cells::COLUMN,
                name.version
            );
            mysql::write_query(&mut out, statement.as_bytes());
        }
        stream.write_all(&out)?;
        answer.clear();
        let mut left = batch.len();
        while left > 0 {
            while let Step::Whole { length, outcome } = mysql::reply(&answer, login)? {
                answer.drain(..length);
                left -= 1;
                if outcome != (Outcome::Rows { rows: 1 }) {
                    return Err(io::Error::other(format!("a cell of the data set was answered with {outcome:?}")));
                }
            }
            if left > 0 {
                let read = stream.read(&mut chunk)?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                answer.extend_from_slice(&chunk[..read]);
            }
        }
    }
    Ok(())
}

/// Connects and logs in. On this connection nothing waits for the server for longer than a minute at a time.
///
/// # Errors
/// What the server or the network says, and `TimedOut` or `WouldBlock` if it says nothing.
pub fn connect(target: &Target) -> io::Result<(TcpStream, mysql::Login)> {
    connect_within(target, PATIENCE)
}

fn connect_within(target: &Target, patience: Duration) -> io::Result<(TcpStream, mysql::Login)> {
    let mut stream = TcpStream::connect_timeout(&target.address, patience)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let login = mysql::login(&mut stream, &target.user, &target.database)?;
    Ok((stream, login))
}

/// Writes the data set as lines of `row_key, column_key, ref_key, body`, with tabs between: for LOAD DATA and COPY.
///
/// # Errors
/// What the file system says.
pub fn write_lines(out: impl Write, total: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let mut body = Vec::new();
    for name in cells::all(total) {
        body.clear();
        name.write_body(&mut body);
        write!(out, "{}\t{}\t{}\t", text(name), cells::COLUMN, name.version)?;
        out.write_all(&body)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn text(name: Name) -> String {
    String::from_utf8_lossy(&name.row_key()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::session::Protocol;

    #[test]
    fn a_server_that_says_nothing_is_given_up() {
        // Connections are accepted by the kernel, and nobody ever reads or answers.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target {
            protocol: Protocol::Mysql,
            address: listener.local_addr().unwrap(),
            user: "root".to_owned(),
            database: "test".to_owned(),
            echo: (0, 0),
        };
        let error = connect_within(&target, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
    }

    #[test]
    fn each_cell_is_one_line_of_four_fields() {
        let mut out = Vec::new();
        write_lines(&mut out, 10).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 10);
        assert!(text.lines().all(|line| line.split('\t').count() == 4 && !line.contains('\\')));
    }
}
