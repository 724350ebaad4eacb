//! How much memory there is to take.

use std::fs;

/// Bytes that can be taken without pushing other programs out; absent where the system does not
/// say (only Linux does).
#[must_use]
pub fn available_bytes() -> Option<u64> {
    let system = available_kib(&fs::read_to_string("/proc/meminfo").ok()?)?.checked_mul(1024)?;
    Some(control_group_bytes().map_or(system, |group| group.min(system)))
}

fn available_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// What a container's own limit leaves (control groups, version 2).
fn control_group_bytes() -> Option<u64> {
    let text = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok();
    left_bytes(
        &text("memory.max")?,
        &text("memory.current")?,
        &text("memory.stat")?,
    )
}

/// Cached files count as used there, but they make room when it is needed.
fn left_bytes(max: &str, current: &str, stat: &str) -> Option<u64> {
    let cached = |kind: &str| -> Option<u64> {
        stat.lines()
            .find_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')?.parse().ok())
    };
    let files = cached("active_file").unwrap_or(0) + cached("inactive_file").unwrap_or(0);
    let used = current.trim().parse::<u64>().ok()?.saturating_sub(files);
    Some(max.trim().parse::<u64>().ok()?.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_read() {
        let text = "MemTotal:       24030068 kB\nMemAvailable:   23011224 kB\nBuffers: 1 kB\n";
        assert_eq!(available_kib(text), Some(23_011_224));
        assert_eq!(available_kib("MemFree: 1 kB"), None);
        let stat = "anon 5\nactive_file 30\ninactive_file 200\nactive_anon 7\n";
        assert_eq!(left_bytes("1000\n", "900\n", stat), Some(330));
        assert_eq!(left_bytes("max\n", "900\n", stat), None);
        #[cfg(target_os = "linux")]
        assert!(available_bytes().is_some_and(|bytes| bytes > 0));
    }
}
