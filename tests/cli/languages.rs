//! Tests in other languages that use the binary, as README says: each file in tests/languages runs.
//! They find the command `openkitchen` in PATH.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::support::process::{self, free_address};

/// Runs a program in tests/languages, or in a folder below it, with `openkitchen` in its PATH.
#[track_caller]
fn run(folder: &str, program: &str, arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages").join(folder);
    let binary = Path::new(env!("CARGO_BIN_EXE_openkitchen")).parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), env::var("PATH").unwrap_or_default());
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
    let mut command = Command::new("timeout");
    command.arg("120").arg(program).args(arguments).current_dir(root).env("PATH", path);
    command.env("no_proxy", "*").env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("GOCACHE", cache).env("GOFLAGS", "-count=1").env("GOTOOLCHAIN", "local");
    let output = command.env("TLS_PORT", free_address().port().to_string()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn python_tests_its_client() {
    if process::need("python3", "python3 --version") {
        run("", "python3", &["-m", "unittest", "test_client.py"]);
    }
}

#[test]
fn a_shell_tests_its_client() {
    if process::need("curl", "curl --version") {
        run("", "sh", &["test_client.sh"]);
    }
}

#[test]
fn go_tests_its_client() {
    if process::need("go", "go version") {
        // Go builds its net/http first: without optimization and without vet, in less than two thirds of
        // the time.
        run("go", "go", &["test", "-vet=off", "-gcflags=all=-N -l", "./..."]);
    }
}

#[test]
fn a_mock_is_reached_with_https_through_nginx() {
    let tools = "curl --version && openssl version && PATH=$PATH:/usr/sbin nginx -v";
    if process::need("curl, openssl and nginx", tools) {
        run("", "sh", &["tls.sh"]);
    }
}

#[test]
fn the_python_test_in_readme_is_a_part_of_the_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = fs::read_to_string(root.join("tests/languages/test_client.py")).unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let parts: Vec<&str> = readme.split("```python\n").skip(1).collect();
    assert!(!parts.is_empty());
    for part in parts {
        let code = part.split("```").next().unwrap_or_default();
        for block in code.split("\n\n\n") {
            assert!(file.contains(block.trim_end()), "not in the file: {block}");
        }
    }
}
