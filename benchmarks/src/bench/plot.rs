//! Plots as SVG: bars, stacks and lines, nothing else.

use std::fmt::Write;

use super::results::{Judged, RELAY, Series, Verdict};
use super::rows::Bound;
use super::subject::Subject;
use crate::report::Report;
use crate::workload::{Mode, Operation};

const WIDTH: f64 = 960.0;
/// Where bars begin; to the left of it stand their names, of at most so many letters.
const LEFT: f64 = 430.0;
const NAME: usize = 80;
const RIGHT: f64 = 90.0;
const BAR: f64 = 14.0;
const STEP: f64 = 20.0;
const TOP: f64 = 46.0;

const GOOD: &str = "#2b7a4b";
const FAIR: &str = "#c08a1e";
const BAD: &str = "#b23b3b";
const COLOURS: &[&str] = &["#31688e", "#c08a1e", "#2b7a4b", "#8e4585", "#b23b3b", "#555555"];

/// A drawing under way.
struct Drawing {
    body: String,
    height: f64,
}

impl Drawing {
    fn new(title: &str, height: f64) -> Self {
        let mut drawing = Self { body: String::new(), height };
        drawing.text(12.0, 20.0, "start", 14, title);
        drawing
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, size: u32, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{text}</text>"
        );
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, colour: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>",
            width.max(1.0)
        );
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), style: &str) {
        let _ = writeln!(
            self.body,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" {style}/>",
            from.0, from.1, to.0, to.1
        );
    }

    fn finish(self) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {:.0}\" font-family=\"sans-serif\" \
             fill=\"#222\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}</svg>\n",
            self.height, self.body
        )
    }
}

/// A bar per row, on a scale on which 1 is the floor and twice as good is one step to the right.
pub fn ratios(judged: &[Judged]) -> String {
    let rows: Vec<&Judged> = judged.iter().filter(|row| row.figure.is_some()).collect();
    let mut drawing =
        Drawing::new("How much better than the floor (log scale): the tick is the goal", height(rows.len()));
    // From a quarter of the floor to eight times it.
    let (low, high) = (-2.0, 3.0);
    let place = |times: f64| {
        let log = times.max(1e-9).log2().clamp(low, high);
        LEFT + (log - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    };
    let bottom = height(rows.len()) - 12.0;
    drawing.line((place(1.0), TOP - 8.0), (place(1.0), bottom), "stroke=\"#222\"");
    for (times, label) in [(0.25, "0.25"), (0.5, "0.5"), (1.0, "floor"), (2.0, "2"), (4.0, "4"), (8.0, "8")] {
        drawing.text(place(times), TOP - 12.0, "middle", 10, label);
    }
    for (n, row) in rows.into_iter().enumerate() {
        let y = TOP + n as f64 * STEP;
        let median = row.figure.map_or(0.0, |spread| spread.median);
        let better = |figure: f64| match row.bound {
            Bound::AtLeast => figure / row.floor,
            Bound::AtMost => row.floor / figure.max(1e-9),
        };
        let colour = match row.verdict() {
            Verdict::Goal => GOOD,
            Verdict::Floor => FAIR,
            Verdict::Missed | Verdict::Unknown => BAD,
        };
        let (from, to) = (place(1.0).min(place(better(median))), place(1.0).max(place(better(median))));
        drawing.bar(from, y, to - from, colour);
        let goal = place(better(row.goal));
        drawing.line((goal, y - 2.0), (goal, y + BAR + 2.0), "stroke=\"#222\" stroke-width=\"2\"");
        let mut name = format!("{} {}", row.id, row.what);
        if !row.against.is_empty() {
            let _ = write!(name, " / {}", row.against);
        }
        let name: String = name.chars().take(NAME).collect();
        drawing.text(LEFT - 8.0, y + 11.0, "end", 10, &name);
        drawing.text(WIDTH - RIGHT + 8.0, y + 11.0, "start", 10, &format!("{median:.2}"));
    }
    drawing.finish()
}

/// A stack per load: server, proxy, relay, loader.
pub fn cpu(series: &[Series]) -> String {
    let parts = ["server", "proxy", "echo", RELAY, "loader"];
    let cost = |series: &Series, part: &str| {
        let figure = |report: &Report| if part == "loader" { report.loader_cpu_us } else { report.cpu_us(part) };
        series.median(figure).unwrap_or(0.0)
    };
    // An IN of a hundred keys costs as much as a hundred gets; on this scale it would hide them.
    let small =
        |series: &&Series| matches!(series.measure.operation, Operation::Get | Operation::Latest | Operation::Put);
    let loads: Vec<&Series> = series
        .iter()
        .filter(|one| one.is_compared())
        .filter(small)
        .filter(|series| series.rounds.iter().any(Option::is_some))
        .collect();
    let total = |series: &Series| parts.iter().map(|part| cost(series, part)).sum::<f64>();
    // Spider needs a scale of its own: its bar is cut, and marked as such, its figure is not.
    let mut totals: Vec<f64> = loads.iter().map(|series| total(series)).collect();
    totals.sort_by(f64::total_cmp);
    let most = totals.get(totals.len() * 9 / 10).copied().unwrap_or(1.0).max(1.0);
    let mut drawing =
        Drawing::new("Processor time per operation, us (a bar with a gap at its end is cut)", height(loads.len()));
    for (n, part) in parts.iter().enumerate() {
        let x = LEFT + n as f64 * 90.0;
        drawing.bar(x, TOP - 24.0, 12.0, COLOURS[n]);
        drawing.text(x + 16.0, TOP - 13.0, "start", 11, part);
    }
    for (n, series) in loads.into_iter().enumerate() {
        let y = TOP + n as f64 * STEP;
        let name = format!("{}: {}", series.measure.subject.label(), series.measure.label());
        drawing.text(LEFT - 8.0, y + 11.0, "end", 10, &name);
        let mut x = LEFT;
        for (part, colour) in parts.iter().zip(COLOURS) {
            let width = cost(series, part) / most * (WIDTH - LEFT - RIGHT);
            let room = (WIDTH - RIGHT - x).max(0.0);
            if width > 0.0 && room > 0.0 {
                drawing.bar(x, y, width.min(room), colour);
            }
            x += width;
        }
        if x > WIDTH - RIGHT + 0.5 {
            let (end, style) = (WIDTH - RIGHT - 12.0, "stroke=\"#fff\" stroke-width=\"4\"");
            drawing.line((end - 4.0, y + BAR + 1.0), (end + 4.0, y - 1.0), style);
        }
        drawing.text(WIDTH - RIGHT + 8.0, y + 11.0, "start", 10, &format!("{:.1}", total(series)));
    }
    drawing.finish()
}

/// Latency by quantile, for the gets of the group `get`.
pub fn latency(series: &[Series]) -> String {
    let wanted = |series: &&Series| {
        series.group == "get" && series.measure.mode == Mode::Prepared && series.measure.subject != Subject::Echo
    };
    let loads: Vec<&Series> = series.iter().filter(wanted).collect();
    type Quantile = (&'static str, fn(&Report) -> f64);
    let quantiles: [Quantile; 5] = [
        ("p50", |report| report.latency_us.p50),
        ("p90", |report| report.latency_us.p90),
        ("p99", |report| report.latency_us.p99),
        ("p99.9", |report| report.latency_us.p999),
        ("most", |report| report.latency_us.most),
    ];
    let (left, bottom, top, right) = (70.0, 330.0, 50.0, 640.0);
    let mut drawing = Drawing::new("Latency of gets, 64 connections, closed loop (us, log scale)", 370.0);
    let (low, high) = (2.0, 6.0);
    let y = |micros: f64| bottom - (micros.max(1.0).log10().clamp(low, high) - low) / (high - low) * (bottom - top);
    let x = |n: usize| left + 30.0 + n as f64 * (right - left - 60.0) / 4.0;
    for power in 2..=6 {
        let at = y(10_f64.powi(power));
        drawing.line((left, at), (right, at), "stroke=\"#ccc\"");
        drawing.text(left - 8.0, at + 4.0, "end", 10, &format!("{}", 10_u64.pow(power as u32)));
    }
    for (n, (name, _)) in quantiles.iter().enumerate() {
        drawing.text(x(n), bottom + 18.0, "middle", 11, name);
    }
    for (n, series) in loads.into_iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let points: Vec<(f64, f64)> =
            quantiles.iter().enumerate().filter_map(|(n, (_, of))| Some((x(n), y(series.median(of)?)))).collect();
        for pair in points.windows(2) {
            drawing.line(pair[0], pair[1], &format!("stroke=\"{colour}\" stroke-width=\"2\""));
        }
        let legend = top + n as f64 * 20.0;
        drawing.bar(right + 12.0, legend, 12.0, colour);
        drawing.text(right + 30.0, legend + 11.0, "start", 11, series.measure.subject.label());
    }
    drawing.finish()
}

fn height(rows: usize) -> f64 {
    TOP + rows as f64 * STEP + 16.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::Spread;

    #[test]
    fn a_plot_is_well_formed_and_names_its_rows() {
        let row = Judged {
            id: "1".to_owned(),
            group: "get".to_owned(),
            what: "a < b & c".to_owned(),
            against: "somebody".to_owned(),
            unit: String::new(),
            bound: Bound::AtLeast,
            floor: 2.0,
            goal: 3.0,
            figure: Some(Spread { median: 2.5, low: 2.0, high: 3.0 }),
            remark: String::new(),
            wrong: false,
        };
        let svg = ratios(&[row]);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains(FAIR));
        assert!(svg.contains("/ somebody"), "rows of one name differ by what they are compared with");
        for plot in [ratios(&[]), cpu(&[]), latency(&[])] {
            assert_eq!(plot.matches("<svg").count(), 1);
        }
    }
}
