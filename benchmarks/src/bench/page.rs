//! The tables of docs/PERFORMANCE.md, and the same for a terminal.

use std::fmt::Write;
use std::io;
use std::path::Path;

use super::plot;
use super::results::{Judged, RELAY, Results, Series, Verdict};
use super::rows::Bound;

const PAGE: &str = "docs/PERFORMANCE.md";
const BEGIN: &str = "<!-- written by `cargo xtask bench`: begin -->";
const END: &str = "<!-- written by `cargo xtask bench`: end -->";

/// One row for a terminal.
pub fn line(judged: &Judged) -> String {
    let Judged { id, what, against, remark, .. } = judged;
    let against = if against.is_empty() { String::new() } else { format!(" / {against}") };
    let remark = if remark.is_empty() { String::new() } else { format!("  ({remark})") };
    let (floor, goal) = limits(judged);
    format!(
        "{id:<8} {:<18} floor {floor} goal {goal} {:<6} {what}{against}{remark}",
        figure(judged),
        judged.verdict().word()
    )
}

/// All rows, as a table of the page.
pub fn table(judged: &[Judged]) -> String {
    let mut text = String::from(
        "| # | what | against | floor | goal | measured (least to most) | |\n|---|---|---|---|---|---|---|\n",
    );
    for row in judged {
        let (floor, goal) = limits(row);
        let verdict = match row.verdict() {
            Verdict::Goal => "**goal**",
            Verdict::Floor => "floor holds",
            Verdict::Missed => "**floor missed**",
            Verdict::Unknown => "failed",
        };
        let remark = if row.remark.is_empty() { String::new() } else { format!("; {}", cell(&row.remark)) };
        let (id, what, against) = (&row.id, cell(&row.what), cell(&row.against));
        let _ =
            writeln!(text, "| {id} | {what} | {against} | {floor} | {goal} | {} | {verdict}{remark} |", figure(row));
    }
    text
}

/// Every load, as a table of the page: medians over the rounds.
pub fn figures(series: &[Series]) -> String {
    let mut text = String::from(
        "| load | of | ops/s | p50 us | p99 us | server | proxy | relay | loader |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for one in series.iter().filter(|one| one.is_compared()) {
        let number = |figure: Option<f64>| figure.map_or("-".to_owned(), grouped);
        let cpu = |name: &str| {
            let figure = one.median(|report| report.cpu_us(name)).filter(|cpu| *cpu > 0.0);
            figure.map_or("-".to_owned(), |figure| format!("{figure:.1}"))
        };
        // An echo is nothing but a hop.
        let hop = if cpu("echo") == "-" { cpu("proxy") } else { cpu("echo") };
        let loader = one.median(|report| report.loader_cpu_us).map_or("-".to_owned(), |cpu| format!("{cpu:.1}"));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {hop} | {} | {loader} |",
            one.measure.label(),
            one.measure.subject.label(),
            number(one.median(|report| report.per_second)),
            number(one.median(|report| report.latency_us.p50)),
            number(one.median(|report| report.latency_us.p99)),
            cpu("server"),
            cpu(RELAY),
        );
    }
    text
}

/// Where a proxy's time went, as a table of the page; what is less than one percent is summed up.
pub fn shares(shares: &[(String, f64)]) -> String {
    let mut text = String::from("| work | share of the proxy's time |\n|---|---|\n");
    let (large, small): (Vec<_>, Vec<_>) = shares.iter().partition(|(_, share)| *share >= 0.01);
    for (kind, share) in large {
        let _ = writeln!(text, "| {} | {:.0} % |", cell(kind), share * 100.0);
    }
    let rest: f64 = small.iter().map(|(_, share)| share).sum();
    let _ = writeln!(text, "| everything else | {:.0} % |", rest * 100.0);
    text
}

/// Writes everything between the markers of the page, and the plots beside it.
pub fn write(root: &Path, results: &Results) -> io::Result<()> {
    let plots = [
        ("ratios.svg", "Each figure against its floor and its goal", plot::ratios(&results.judged)),
        ("cpu.svg", "Processor time per operation, by process", plot::cpu(&results.series)),
        ("latency.svg", "Latency of gets at 64 connections, closed loop", plot::latency(&results.series)),
    ];
    let directory = root.join("docs/performance");
    std::fs::create_dir_all(&directory)?;
    let mut text = setting(results);
    let _ = writeln!(text, "\n{}", table(&results.judged));
    for (name, caption, svg) in &plots {
        std::fs::write(directory.join(name), svg)?;
        let _ = writeln!(text, "![{caption}](performance/{name})\n");
    }
    let _ = writeln!(text, "Medians over the rounds; the last four columns are processor time per operation in us.\n");
    text.push_str(&figures(&results.series));
    if !results.shares.is_empty() {
        let _ =
            writeln!(text, "\nGets of 64 connections over one MariaDB server, sampled:\n\n{}", shares(&results.shares));
        let _ = writeln!(text, "![Flame graph of the proxy](performance/flame.svg)");
    }
    let page = root.join(PAGE);
    let old = std::fs::read_to_string(&page)?;
    std::fs::write(&page, between(&old, &text)?)
}

fn setting(results: &Results) -> String {
    let setting = &results.setting;
    let mut text = format!(
        "Measured on {} from commit {}: {} cells, {} rounds of {} s per load; load average before the run {}. \
         `{}` does as much.\n\n",
        setting.date,
        setting.commit,
        grouped(setting.cells as f64),
        setting.rounds,
        setting.seconds,
        setting.load_average,
        super::command(setting)
    );
    for line in setting.machine.iter().chain(&setting.versions).filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "- {line}");
    }
    text
}

/// The page with its middle replaced.
fn between(page: &str, middle: &str) -> io::Result<String> {
    let split = page.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let (head, tail) =
        split.ok_or_else(|| io::Error::other(format!("{PAGE} has lost its markers {BEGIN} and {END}")))?;
    Ok(format!("{head}{BEGIN}\n\n{}\n{END}{tail}", middle.trim_end().to_owned() + "\n"))
}

fn figure(judged: &Judged) -> String {
    let Some(spread) = judged.figure else { return "-".to_owned() };
    let unit = unit(judged);
    if spread.low == spread.high {
        return format!("{}{unit}", short(spread.median));
    }
    format!("{}{unit} ({} to {})", short(spread.median), short(spread.low), short(spread.high))
}

fn limits(judged: &Judged) -> (String, String) {
    let sign = match judged.bound {
        Bound::AtLeast => "\u{2265}",
        Bound::AtMost => "\u{2264}",
    };
    let limit = |limit: f64| format!("{sign} {}{}", short(limit), unit(judged));
    (limit(judged.floor), limit(judged.goal))
}

fn unit(judged: &Judged) -> String {
    match judged.unit.as_str() {
        "" => "x".to_owned(),
        "x" => "x".to_owned(),
        unit => format!(" {unit}"),
    }
}

/// Three digits.
fn short(number: f64) -> String {
    match number.abs() {
        large if large >= 100.0 => format!("{number:.0}"),
        middle if middle >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

/// A whole number with spaces between thousands.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Text that may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let once = between(&page, "new\n").unwrap();
        assert!(once.starts_with("before\n") && once.ends_with("\nafter\n") && once.contains("new"));
        assert!(!once.contains("old"));
        assert_eq!(between(&once, "new\n").unwrap(), once);
        assert!(between("no markers", "new").is_err());
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([short(0.285), short(1.8), short(23.45), short(5000.0)], ["0.28", "1.8", "23.4", "5000"]);
        assert_eq!([grouped(200_000.0), grouped(999.0), grouped(1_234_567.0)], ["200 000", "999", "1 234 567"]);
    }

    #[test]
    fn the_page_of_this_tree_has_its_markers() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let page = std::fs::read_to_string(root.join(PAGE)).unwrap();
        assert!(between(&page, "x").is_ok());
    }
}
