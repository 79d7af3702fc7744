//! Random bytes, mutated packets and mutated statements: nothing panics, hangs, or grows without bound. Statements and some
//! packets go to a running proxy over TCP, most packets to the wire's code in this process. The seed is printed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use cellgate_integration_tests::client::TRIPS;
use cellgate_integration_tests::golden::Script;
use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::raw::{Raw, Reply, frame, login_packet};
use cellgate_integration_tests::{Deployment, Proxy, settings};

/// Cases of one round at the proxy, and as many again in this process; `cargo xtask prove fuzz` does a hundred rounds: a
/// million cases of each kind.
const CASES: u64 = 10_000;
/// A peer that neither answers nor closes for so long hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// What the proxy may grow by while it is fed nonsense, in bytes: caches fill, tables are made; a leak of 1 KiB a case
/// would be 1 GiB in a million.
const GROWTH: u64 = 256 * 1024 * 1024;
/// Connections at a time.
const THREADS: u64 = 4;
/// Cases sent through one connection before it is closed and drained.
const BATCH: u64 = 50;

/// Statements to start from: those of the golden scripts. Without the table most would only prove that it is missing, so
/// nothing drops it; and nothing kills, for it could be another fuzzer's connection, or its statement.
fn corpus() -> Vec<Vec<u8>> {
    let scripts = Script::all();
    let statements = scripts.iter().flat_map(|script| script.statements());
    let kept = statements.filter(|statement| !statement.starts_with("DROP") && !statement.contains("KILL"));
    kept.map(|statement| statement.trim_end_matches(';').as_bytes().to_vec()).collect()
}

/// Swaps, repeats, removes or takes over whole words: what is made is mostly a statement, or nearly one.
fn mutate_words(random: &mut Random, input: &[u8], other: &[u8]) -> Vec<u8> {
    let words = |text| -> Vec<&[u8]> { <[u8]>::split_inclusive(text, |byte| b" (),=\n".contains(byte)).collect() };
    let (mut words, others) = (words(input), words(other));
    for _ in 0..1 + random.below(2) {
        let (at, to) = (random.index(words.len()), random.index(words.len()));
        match random.below(4) {
            0 if !words.is_empty() => words.swap(at, to),
            1 if !words.is_empty() => words.insert(to, words[at]),
            2 if !words.is_empty() => drop(words.remove(at)),
            _ if !others.is_empty() => {
                let word = *random.pick(&others);
                match words.get_mut(at) {
                    Some(place) => *place = word,
                    None => words.push(word),
                }
            }
            _ => {}
        }
    }
    words.concat()
}

/// Changes some bytes of `input`: flips, removals, repetitions, parts of another, bytes that mean something.
fn mutate(random: &mut Random, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = random.index(bytes.len() + 1);
        let end = at + random.index((bytes.len() - at).min(40) + 1);
        match random.below(7) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part.repeat(1 + random.index(20)));
            }
            3 => {
                let start = random.index(other.len() + 1);
                let stop = start + random.index((other.len() - start).min(60) + 1);
                bytes.splice(at..end, other[start..stop].iter().copied());
            }
            4 => {
                let meaningful: &[&[u8]] = &[
                    b"(",
                    b")",
                    b"'",
                    b"\"",
                    b"`",
                    b"\\",
                    b";",
                    b"/*",
                    b"*/",
                    b"-- ",
                    b"/*!",
                    b"0x",
                    b"?",
                    b"\0",
                    b"\xff",
                    b"\xf0\x9f\x9a\x95",
                    b"NULL",
                    b"-9223372036854775808",
                    b"1e400",
                    b" AND ",
                    b" OR ",
                    b"((((((((",
                    b"NOT ",
                    b"\xfb",
                    b"\xfc\xff\xff",
                    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff",
                ];
                bytes.splice(at..at, random.pick(meaningful).iter().copied());
            }
            5 => {
                let len = random.index(12);
                bytes.splice(at..end, random.bytes(len));
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// How the statements were answered. All kinds must occur, else the mutations are too wild to get anywhere, or too tame.
#[derive(Clone, Debug, Default)]
struct Tally {
    ok: u64,
    rows: u64,
    /// By number.
    errors: BTreeMap<u16, u64>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.ok += other.ok;
        self.rows += other.rows;
        for (code, count) in other.errors {
            *self.errors.entry(code).or_default() += count;
        }
    }
}

/// One client that talks nonsense.
struct Fuzzer {
    address: SocketAddr,
    random: Random,
    corpus: Vec<Vec<u8>>,
    tally: Tally,
}

impl Fuzzer {
    fn run(mut self, cases: u64) -> Tally {
        let mut done = 0;
        while done < cases {
            match self.random.below(10) {
                0 => self.strangers(),
                1 | 2 => self.commands(),
                _ => self.statements(),
            }
            done += BATCH;
        }
        self.tally
    }

    fn statement(&mut self) -> Vec<u8> {
        let one = self.random.index(self.corpus.len());
        let two = self.random.index(self.corpus.len());
        let mutate = if self.random.one_in(3) { mutate } else { mutate_words };
        mutate(&mut self.random, &self.corpus[one], &self.corpus[two])
    }

    /// Mutated statements, each of which must be answered.
    fn statements(&mut self) {
        let mut raw = Raw::login(self.address, LIMIT).expect("the proxy lets a client in");
        for _ in 0..BATCH {
            let statement = self.statement();
            let reply = raw.query(&statement);
            let reply = reply.unwrap_or_else(|error| {
                panic!("no reply ({error}) to a statement: {}", String::from_utf8_lossy(&statement).escape_debug())
            });
            match reply {
                Reply::Ok => self.tally.ok += 1,
                Reply::Rows(_) => self.tally.rows += 1,
                Reply::Error(code) => *self.tally.errors.entry(code).or_default() += 1,
            }
        }
    }

    /// Mutated commands of a client that has logged in. The server may close whenever it likes; it must not hang.
    fn commands(&mut self) {
        let mut raw = Raw::login(self.address, LIMIT).expect("the proxy lets a client in");
        for _ in 0..BATCH {
            let command = self.command();
            let mut sequence = if self.random.one_in(8) { self.random.bits() as u8 } else { 0 };
            let mut bytes = frame(&command, &mut sequence);
            if self.random.one_in(8) {
                let other = self.statement();
                bytes = mutate(&mut self.random, &bytes, &other);
            }
            if raw.write_bytes(&bytes).is_err() {
                break;
            }
        }
        drain(raw, "commands");
    }

    /// A command's payload: its byte, and an argument that has something of the right shape.
    fn command(&mut self) -> Vec<u8> {
        let code = match self.random.below(8) {
            0..=5 => {
                *self.random.pick(&[0x02, 0x03, 0x04, 0x09, 0x0e, 0x11, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1f])
            }
            _ => self.random.bits() as u8,
        };
        let mut payload = vec![code];
        match code {
            0x16 => payload.extend(self.statement()),
            // Execute: statement id, flags, iterations, NULL bitmap, types, values.
            0x17..=0x1c => {
                payload.extend((1 + self.random.below(4) as u32).to_le_bytes());
                payload.extend([0, 1, 0, 0, 0, 0, 1, 0xfd, 0, 0xfd, 0, 8, 0, 0xfd, 0]);
                payload.extend(b"\x01a\x04BASE\x01\0\0\0\0\0\0\0\x021");
            }
            _ => payload.extend(self.statement()),
        }
        if self.random.one_in(2) {
            let other = self.statement();
            payload = mutate(&mut self.random, &payload, &other);
        }
        payload
    }

    /// Strangers: mutated logins, or any bytes at all.
    fn strangers(&mut self) {
        for _ in 0..BATCH {
            let mut raw = Raw::connect(self.address, LIMIT).expect("the proxy accepts a connection");
            let bytes = if self.random.one_in(3) {
                let len = self.random.index(300);
                self.random.bytes(len)
            } else {
                let login = frame(&login_packet(), &mut 1);
                mutate(&mut self.random, &login, b"caching_sha2_password\0root\0test\0\xfe\x01")
            };
            let _ = raw.write_bytes(&bytes);
            drain(raw, "a login");
        }
    }
}

fn drain(raw: Raw, what: &str) {
    raw.drain().unwrap_or_else(|error| panic!("the proxy neither answers nor closes after {what}: {error}"));
}

fn fuzz(proxy: &mut Proxy) {
    let mut random = Random::new(settings::seed());
    let corpus = corpus();
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    raw.query(TRIPS.as_bytes()).unwrap();
    let before = proxy.resident_bytes();
    for round in 0..settings::rounds(1) {
        let tally = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (corpus, tally) = (corpus.clone(), Tally::default());
                    let fuzzer = Fuzzer { address: proxy.mysql(), random: random.fork(), corpus, tally };
                    scope.spawn(move || fuzzer.run(CASES / THREADS))
                })
                .collect();
            threads.into_iter().fold(Tally::default(), |mut sum, thread| {
                sum.add(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                sum
            })
        });
        proxy.assert_no_panic();
        assert!(proxy.is_running(), "the proxy is gone:\n{}", proxy.log());
        let grown = proxy.resident_bytes().saturating_sub(before);
        println!("round {round}: {} cases, statements {tally:?}, grown by {} MiB", (round + 1) * CASES, grown >> 20);
        assert!(tally.ok > 0 && tally.rows > 0 && tally.errors.len() > 3, "one-sided: {tally:?}");
        assert!(grown < GROWTH, "the proxy grew by {grown} bytes");
    }
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    assert_eq!(raw.query(b"SELECT 1").unwrap(), Reply::Rows(1));
}

#[test]
fn nonsense_neither_panics_nor_hangs_nor_fills_the_memory() {
    fuzz(&mut Deployment::embedded().start());
}

/// The most memory this process has used, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells a process about itself");
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    peak.expect("the most memory used is among it") * 1024
}

#[test]
fn mutated_packets_and_random_bytes_neither_panic_nor_hang_nor_fill_the_memory() {
    let mut random = Random::new(settings::seed());
    let before = peak_bytes();
    for round in 0..settings::rounds(1) {
        cellgate_proxy::wire::fuzz::run(random.bits(), CASES)
            .unwrap_or_else(|failure| panic!("round {round}: {failure}"));
        let grown = peak_bytes().saturating_sub(before);
        println!("round {round}: {} cases of packets, grown by {} KiB", (round + 1) * CASES, grown >> 10);
        assert!(grown < GROWTH, "this process grew by {grown} bytes");
    }
}
