//! The page that shows exchanges, for a minute of many of them.

use std::time::Duration;

use crate::support::events::under_load;
use crate::support::process::ServerProcess;
use crate::support::resources::Resources;

/// KiB that a hundred small exchanges and the events take, with what the allocator keeps beside them.
const MAX_GROWTH: usize = 8 * 1024;

#[test]
#[ignore = "long: make soak"]
fn two_hundred_exchanges_a_second_for_a_minute_take_bounded_memory() {
    let server = ServerProcess::start_site("");
    let first = under_load(server.address, Duration::from_secs(5));
    let before = Resources::of(server.id());
    let told = under_load(server.address, Duration::from_secs(60));
    let after = Resources::of(server.id());
    println!("{first:?}, {before}\n{told:?}, {after}");
    assert!(told.exchanges == told.sent || told.is_lost, "{told:?}");
    assert!(after.heap <= before.heap + MAX_GROWTH, "{before}, then {after}");
}
