//! Users, their passwords and who may be reached.

use super::*;

#[test]
fn password_files_lose_one_newline_and_are_checked() {
    for (text, password) in [("pw", "pw"), ("pw\n", "pw"), ("pw\r\n", "pw"), ("pw\n\n", "pw\n"), (" pw ", " pw ")] {
        let file = password_file(text);
        let config = valid(&format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", file.path().display()));
        assert_eq!(config.users[0].password.as_ref().map(Secret::expose), Some(password), "{text:?}");
    }
    let empty = password_file("\n");
    refused(&format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", empty.path().display()), 3, "is empty");
    let long = password_file(&"x".repeat(5000));
    refused(&format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", long.path().display()), 3, "longer than");
    // A pipe is waited for, and so may its reader be.
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    for path in [pipe.as_path(), directory.path()] {
        refused(&format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", path.display()), 3, "not a regular file");
    }
    refused("[[user]]\nname = \"u\"\npassword_file = \"/nonexistent\"", 3, "cannot read /nonexistent");
    refused("[[user]]\nname = \"u\"\npassword = \"x\"\npassword_file = \"/nonexistent\"", 4, "both");
    let both = format!("{}password_file = \"{}\"", cluster("mysql://u:p@h/d"), password_file("x").path().display());
    assert!(problem(&both).1.contains("cannot read"), "the file is gone with its guard");
    let file = password_file("x");
    refused(
        &format!("{}password_file = \"{}\"", cluster("mysql://u:p@h/d"), file.path().display()),
        3,
        "both the URL and",
    );
    refused(&format!("{}password_file = \"{}\"", cluster("sqlite:x"), file.path().display()), 3, "has no password");
    refused(&format!("[topology]\nmeta_password_file = \"{}\"", file.path().display()), 2, "no `meta` whose password");
}

#[test]
fn a_password_file_everybody_can_read_is_worth_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let file = password_file("pw");
    let text = format!("[[user]]\nname = \"u\"\npassword_file = \"{}\"", file.path().display());
    for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).expect("ours");
        let config = valid(&text);
        assert_eq!(config.warnings.len(), warnings, "{mode:o}: {:?}", config.warnings);
        assert!(config.warnings.iter().all(|warning| warning.contains("can be read by every user")));
    }
}

#[test]
fn other_machines_can_only_reach_what_has_a_password() {
    refused(
        "[listen]\naddress = \"0.0.0.0:3307\"",
        1,
        "other machines can reach 0.0.0.0:3307, and no user has a password",
    );
    refused("[listen]\naddress = \"[::]:3307\"\n[[user]]\nname = \"u\"", 1, "no user has a password");
    valid("[listen]\naddress = \"0.0.0.0:3307\"\n[[user]]\nname = \"u\"\npassword = \"x\"\n[[user]]\nname = \"local\"");
    let overrides = Overrides { listen: Some("10.0.0.1:1".parse().expect("an address")), ..Overrides::default() };
    let error = Config::load(None, &environment, &overrides).expect_err("nobody has a password").to_string();
    assert!(error.starts_with("configuration: listen.address: other machines can reach 10.0.0.1:1"), "{error}");
}

#[test]
fn users_are_told_apart_and_named_within_bounds() {
    refused("[[user]]\nname = \"u\"\n[[user]]\nname = \"u\"", 3, "users #1 and #2 have one name");
    refused("[[user]]\nname = \"${NAME}\"\n[[user]]\nname = \"a\"", 3, "user 'a': users #1 and #2 have one name");
    valid("[[user]]\nname = \"${NAME}\"\n[[user]]\nname = \"$${NAME}\"");
    refused("[[user]]\nerase = true", 1, "user #1 name: is missing");
    refused("[[user]]\nname = \"u\"\ngrants = \"ALL\"", 3, "user 'u' grants: expected an array of grants");
    refused("[[user]]\nname = \"u\"\ngrants = [\"SUPER ON *.*\"]", 3, "the privilege SUPER is not supported");
    valid("[[user]]\nname = \"u\"\ngrants = [\"GRANT OPTION ON shop.*\", \"LOCK TABLES ON shop.*\"]");
    refused("[[user]]\nname = \"u\"\ngrants = [\"ALL ON shop\"]", 3, "a grant without a database");
    refused(&format!("[[user]]\nname = \"{}\"", "x".repeat(33)), 2, "at most 32 characters");
    refused("[[user]]\nname = \"\"", 2, "at most 32 characters");
    assert!(!valid("[[user]]\nname = \"u\"").users[0].erase, "erasure is granted, not given");
}

#[test]
fn users_are_judged_by_where_the_process_listens() {
    let open = "[listen]\naddress = \"0.0.0.0:3307\"\n";
    let (password, none) = ("[[user]]\nname = \"a\"\npassword = \"x\"\n", "[[user]]\nname = \"a\"\n");
    let running = valid(&format!("{open}{password}"));
    for text in [none.to_owned(), format!("{open}{none}"), format!("[listen]\naddress = \"[::1]:3307\"\n{none}")] {
        let error = read_again(&running, &text).unwrap_err();
        assert_eq!(error.matches("other machines can reach 0.0.0.0:3307").count(), 1, "{error}");
    }
    assert!(read_again(&running, &format!("{none}{}", password.replace("\"a\"", "\"b\""))).is_ok());
    assert!(read_again(&valid(password), none).is_ok(), "nobody else reaches it");
}
