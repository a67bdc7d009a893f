//! How much memory this process may use, from the files of Linux. Elsewhere there are no such files.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// The memory of the machine, or less if a cgroup (the limits of a container) allows less. The files
/// are read once, because a test may start a thousand servers.
pub fn memory_size() -> Option<u64> {
    static SIZE: LazyLock<Option<u64>> = LazyLock::new(|| {
        let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
        let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let limit = cgroup_limit(&cgroups, Path::new("/sys/fs/cgroup"));
        total.into_iter().chain(limit).min()
    });
    *SIZE
}

/// Reads `MemTotal:       24684092 kB`.
fn total(meminfo: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The lowest limit of the cgroups of this process. `cgroups` is the text of `/proc/self/cgroup`, a
/// line for each: `4:memory:/path` (version 1) or `0::/path` (version 2). A limit also holds for the
/// groups inside, so every directory above the path counts. In a container the path may be the one
/// outside of it: then its directory is missing, and the container's own limit is in the root.
fn cgroup_limit(cgroups: &str, root: &Path) -> Option<u64> {
    let limit_of = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_v1 = controllers.split(',').any(|controller| controller == "memory");
        let (root, file) = match (is_v1, controllers) {
            (true, _) => (root.join("memory"), "memory.limit_in_bytes"),
            (false, "") => (root.to_path_buf(), "memory.max"),
            (false, _) => return None,
        };
        let group = root.join(path.trim_start_matches('/'));
        let directories = group.ancestors().take_while(|directory| directory.starts_with(&root));
        // Without a limit, the text is `max`, or a number beyond any memory.
        let limit = |directory: &Path| {
            fs::read_to_string(directory.join(file)).ok()?.trim().parse::<u64>().ok()
        };
        directories.filter_map(limit).min()
    };
    cgroups.lines().filter_map(limit_of).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_in_bytes() {
        assert_eq!(total("MemFree:  1 kB\nMemTotal:       24684092 kB\n"), Some(24_684_092 << 10));
        assert_eq!(total("MemTotal: many kB\n"), None);
    }

    #[test]
    fn the_lowest_limit_of_a_cgroup_and_those_above_it_counts() {
        let root = std::env::temp_dir().join(format!("openkitchen-cgroup-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("above/of-mine/memory.max", "max\n");
        write("above/memory.max", "1000\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/docker/memory.limit_in_bytes", "500\n");
        for (cgroups, limit) in [
            ("0::/above/of-mine\n", Some(1000)),
            ("0::/\n", None),
            ("0::/../..\n", None),
            ("1:cpu:/above\n0::/above\n", Some(1000)),
            ("4:cpu,memory:/docker/a\n0::/above\n", Some(500)),
            ("4:memory:/not-visible\n", Some(9_223_372_036_854_771_712)),
            ("3:cpu:/above\nno line\n", None),
        ] {
            assert_eq!(cgroup_limit(cgroups, &root), limit, "{cgroups:?}");
        }
        fs::remove_dir_all(root).unwrap();
    }
}
