//! Which clients are run: by the arguments of the ordinary test runner, because `cargo test` gives the same to all programs. What
//! they say of output and threads means nothing here.

use super::{CLIENTS, StockClient};

/// Options with a value behind them that mean nothing here.
const WITH_VALUES: &[&str] = &["--test-threads", "--format", "--color", "--logfile", "--shuffle-seed", "-Z"];

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    names: Vec<String>,
    left_out: Vec<String>,
    is_exact: bool,
    is_list: bool,
    only_ignored: bool,
}

impl Selection {
    /// Reads arguments.
    pub fn of(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut selection = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--exact" => selection.is_exact = true,
                "--list" => selection.is_list = true,
                "--ignored" => selection.only_ignored = true,
                "--skip" => selection.left_out.extend(arguments.next()),
                option if WITH_VALUES.contains(&option) => drop(arguments.next()),
                option if option.starts_with('-') => selection.left_out.extend(skipped(option)),
                name => selection.names.push(name.to_owned()),
            }
        }
        selection
    }

    /// Whether their names are asked for instead.
    pub fn is_list(&self) -> bool {
        self.is_list
    }

    /// The clients; none of them is one that is ignored unless asked for.
    pub fn clients(&self) -> Vec<&'static StockClient> {
        let wanted = |client: &&StockClient| {
            let is_named = self.names.is_empty() || self.names.iter().any(|name| self.means(client, name));
            is_named && !self.only_ignored && !self.left_out.iter().any(|name| self.means(client, name))
        };
        CLIENTS.iter().filter(wanted).collect()
    }

    fn means(&self, client: &StockClient, name: &str) -> bool {
        client.name == name || (!self.is_exact && (client.name.contains(name) || client.group == name))
    }
}

fn skipped(option: &str) -> Option<String> {
    option.strip_prefix("--skip=").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(arguments: &[&str]) -> Vec<&'static str> {
        let selection = Selection::of(arguments.iter().map(|argument| (*argument).to_owned()));
        selection.clients().iter().map(|client| client.name).collect()
    }

    #[test]
    fn an_option_and_its_value_are_no_names_of_clients() {
        let all: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
        assert_eq!(selected(&["--test-threads", "1", "--nocapture", "--format=pretty", "-Z", "x"]), all);
        assert_eq!(selected(&["--skip", "Python"]), selected(&["--skip=Python"]));
        assert!(selected(&["--skip", "Python"]).len() < all.len());
    }

    #[test]
    fn a_name_selects_by_a_part_of_it_and_exactly_if_that_is_asked_for() {
        let connectors = selected(&["connector"]);
        assert!(connectors.len() > 2 && connectors.iter().all(|name| name.contains("connector")), "{connectors:?}");
        assert_eq!(selected(&["--exact", "PyMySQL", "connector"]), ["PyMySQL"]);
        assert!(selected(&["nobody is called so"]).is_empty() && selected(&["--list", "--ignored"]).is_empty());
    }
}
