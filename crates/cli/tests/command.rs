//! The program itself: what it prints and what it leaves behind. None of this needs a server.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_secure-download");
    let mut command = Command::new(program);
    command.env("SECURE_DOWNLOAD_PROXY_SECRET", "0123456789abcdef0123456789abcdef");
    command.env_remove("SECURE_DOWNLOAD_DOCTOR_TOKEN").args(arguments).output().expect("it runs")
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn a_configuration_is_printed_for_each_server() {
    for (server, lines) in [
        ("nginx", &["alias \"/srv/my media/\";", "location ^~ /_p/t7/ {", "server 127.0.0.1:9000;"][..]),
        ("caddy", &["root * \"/srv/my media\"", "@hand_off_2 {", "reverse_proxy 127.0.0.1:9000 {"]),
        (
            "apache",
            &["XSendFilePath \"/srv/my media\"", "XSendFilePath \"/srv/t7\"", "http://127.0.0.1:9000/"],
        ),
        ("lighttpd", &["\"/srv/my media\", ", "\"port\" => 9000,"]),
    ] {
        let output = run(&[
            "proxy-config",
            "--server",
            server,
            "--root",
            "/_p/media=/srv/my media",
            "--root",
            "tenant-7:/_p/t7=/srv/t7",
            "--root",
            "*:/_p/tenants+reports=/srv/tenants",
            "--app",
            "127.0.0.1:9000",
        ]);
        assert!(output.status.success(), "{output:?}");
        let text = printed(&output);
        assert!(text.contains("0123456789abcdef0123456789abcdef"), "{text}");
        for line in lines {
            assert!(text.contains(line), "{server}: {line} is not in\n{text}");
        }
    }
}

#[test]
fn what_cannot_be_done_is_said_in_a_line() {
    for (arguments, said) in [
        (&["proxy-config", "--server", "nginx"][..], "--root"),
        (&["proxy-config", "--server", "nginx"], "=FOLDER>|--bucket <LOCATION=ORIGIN>"),
        (
            &["proxy-config", "--server", "iis", "--root", "/_p=/srv"],
            "expected nginx, caddy, apache or lighttpd",
        ),
        (
            &["proxy-config", "--server", "nginx", "--root", "/_p=srv"],
            "is not absolute: give its path from `/` on",
        ),
        (
            &["proxy-config", "--server", "nginx", "--root", "/_p=/srv/../a"],
            "holds a `..`: give the path without it",
        ),
        (&["proxy-config", "--server", "nginx", "--root", "/_p=/a$b"], "cannot be quoted"),
        (&["proxy-config", "--server", "nginx", "--root", "/_p=/a\";evil;\n"], "cannot be quoted"),
        (&["proxy-config", "--server", "nginx", "--root", "/_p"], "LOCATION"),
        (&["proxy-config", "--server", "nginx", "--root", "/_p=/a", "--root", "/_p/x=/b"], "overlaps"),
        (&["proxy-config", "--server", "nginx", "--root", "/_p=/a", "--secret-file", "/nowhere"], "/nowhere"),
        (
            &["proxy-config", "--server", "nginx", "--root", "/_p=/a", "--keep-header", "x'y"],
            "letters, digits",
        ),
        (
            &["proxy-config", "--server", "nginx", "--root", "/_p=/a", "--keep-header", "x#y"],
            "letters, digits",
        ),
        (
            &["proxy-config", "--server", "nginx", "--root", "/_p=/a", "--keep-header", "x$y"],
            "letters, digits",
        ),
        (
            &["proxy-config", "--server", "nginx", "--root", "/_p=/a", "--app-resolver", "dns:53"],
            "IP address",
        ),
        (&["doctor"], "--url"),
        (&["doctor", "--url", "http://127.0.0.1:1"], "no token"),
        (&["doctor", "--url", "ftp://127.0.0.1", "--token", "x"], "is no URL"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}

#[test]
fn a_secret_is_made_if_there_is_none() {
    let arguments = ["proxy-config", "--server", "caddy", "--root", "/_p=/srv"];
    let make = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secure-download"));
        let output =
            command.env_remove("SECURE_DOWNLOAD_PROXY_SECRET").args(arguments).output().expect("it runs");
        let text = printed(&output);
        let secret = text.split("X-Secure-Download-Proof \"").nth(1).and_then(|rest| rest.split('"').next());
        assert!(String::from_utf8_lossy(&output.stderr).contains("a new secret was made"));
        secret.expect("a secret").to_owned()
    };
    let (one, two) = (make(), make());
    assert_eq!((one.len(), two.len()), (64, 64));
    assert_ne!(one, two);
}

#[test]
fn options_for_the_whole_server_need_no_secret() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secure-download"));
    command.args(["proxy-config", "--server", "caddy", "--root", "/_p=/srv", "--server-wide"]);
    let output = command.env_remove("SECURE_DOWNLOAD_PROXY_SECRET").output().expect("it runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn addresses_and_names_have_the_form_that_servers_compare() {
    for (option, value, line) in [
        ("--app-resolver", "127.0.0.11", "resolver 127.0.0.11:53;"),
        ("--app-resolver", "::1", "resolver [::1]:53;"),
        ("--app-resolver", "127.0.0.11:5353", "resolver 127.0.0.11:5353;"),
        ("--server-name", "Files.example.", "server_name files.example;"),
        ("--trusted-hop", "::ffff:10.0.0.1", "    10.0.0.1/32 1;"),
    ] {
        let arguments = ["proxy-config", "--server", "nginx", "--root", "/_p=/srv", "--app", "app:80"];
        let output = run(&[&arguments[..], &[option, value]].concat());
        assert!(printed(&output).contains(line), "{option} {value}: {output:?}");
    }
}

#[test]
fn an_examination_tells_by_its_exit_code_and_in_json() {
    let arguments = ["doctor", "--url", "http://127.0.0.1:1", "--token", "x", "--json"];
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["healthy"], false);
    assert_eq!(report["rows"][0]["faults"][0]["id"], "unreachable");
    let table = printed(&run(&arguments[..5]));
    assert!(table.starts_with("FAULT     reach the application: "), "{table}");
}

#[test]
fn canaries_are_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    for _ in 0..2 {
        assert!(run(&["doctor", "--write-canaries", path]).status.success());
    }
    assert!(folder.path().join(".secure-download-canary/plain.txt").is_file());
}
