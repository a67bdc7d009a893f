//! What the system does not have, for a while.

use std::fs;
use std::process::Command;

use super::Scene;
use super::clients::Act;
use super::process::{need, resources::Resources, signal};

pub const ACTS: [(Act, usize); 3] = [(no_room_on_the_disk, 1), (no_descriptors, 1), (signals, 1)];

/// Sets the soft limit of the running server: it can be raised again.
fn limit(scene: &Scene<'_>, limit: &str) {
    let id = scene.server.id().to_string();
    let set = Command::new("prlimit").args([limit, "--pid", &id]).status();
    assert!(set.unwrap().success(), "{limit}");
}

/// Half a line has room behind those that are there.
fn no_room_on_the_disk(scene: &Scene<'_>, _: usize) {
    if !need("prlimit", "prlimit --version") {
        return;
    }
    while scene.pause(20_000) {
        let room = fs::metadata(scene.likes).unwrap().len() + 10;
        limit(scene, &format!("--fsize={room}:"));
        scene.pause(3_000);
        limit(scene, "--fsize=unlimited:");
        scene.seen.add("times without room");
    }
}

/// As many as are in use, and ten.
fn no_descriptors(scene: &Scene<'_>, _: usize) {
    if !need("prlimit", "prlimit --version") {
        return;
    }
    while scene.pause(20_000) {
        let many = Resources::of(scene.server.id()).descriptors + 10;
        limit(scene, &format!("--nofile={many}:"));
        scene.pause(3_000);
        limit(scene, "--nofile=4096:");
        scene.seen.add("times without descriptors");
    }
}

fn signals(scene: &Scene<'_>, _: usize) {
    let id = scene.server.id().to_string();
    while scene.pause(5_000) {
        for name in ["STOP", "CONT", "WINCH", "STOP", "CONT"] {
            signal(name, &id);
        }
        scene.seen.add("times of signals");
    }
}
