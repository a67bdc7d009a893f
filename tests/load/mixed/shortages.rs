//! The shortages of the mixed soak: for some seconds the site has no room on the disk, or no descriptors,
//! or receives signals.

use std::fs;
use std::process::Command;

use super::Soak;
use super::clients::Task;
use crate::support::process::{need, signal};
use crate::support::resources::Resources;

pub const TASKS: [(Task, usize); 3] = [(full_disk, 1), (no_descriptors, 1), (signals, 1)];

/// Sets a soft limit of the running site. A soft limit can be raised again.
fn set_limit(soak: &Soak<'_>, limit: &str) {
    let id = soak.site.id().to_string();
    let status = Command::new("prlimit").args([limit, "--pid", &id]).status();
    assert!(status.unwrap().success(), "{limit}");
}

/// The likes file may grow by half a line.
fn full_disk(soak: &Soak<'_>, _: usize) {
    if !need("prlimit", "prlimit --version") {
        return;
    }
    while soak.pause(20_000) {
        let size = fs::metadata(soak.likes).unwrap().len() + 10;
        set_limit(soak, &format!("--fsize={size}:"));
        soak.pause(3_000);
        set_limit(soak, "--fsize=unlimited:");
        soak.stats.add("times with a full disk");
    }
}

/// Ten more descriptors than are in use.
fn no_descriptors(soak: &Soak<'_>, _: usize) {
    if !need("prlimit", "prlimit --version") {
        return;
    }
    while soak.pause(20_000) {
        let count = Resources::of(soak.site.id()).descriptors + 10;
        set_limit(soak, &format!("--nofile={count}:"));
        soak.pause(3_000);
        set_limit(soak, "--nofile=4096:");
        soak.stats.add("times without descriptors");
    }
}

fn signals(soak: &Soak<'_>, _: usize) {
    let id = soak.site.id().to_string();
    while soak.pause(5_000) {
        for name in ["STOP", "CONT", "WINCH", "STOP", "CONT"] {
            signal(name, &id);
        }
        soak.stats.add("times with signals");
    }
}
