//! Named places at which a test ends the process, as a power cut would. They exist in builds
//! for development alone.

/// Ends the process where `PINHOLE_FAIL_AT` names this point: `claim-committed`, or
/// `claim-committed:3` for the third time that it is passed.
#[cfg(debug_assertions)]
pub(crate) fn here(name: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static CHOSEN: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);
    debug_assert!(POINTS.contains(&name), "{name} is not on the list");
    let chosen = CHOSEN.get_or_init(|| {
        let text = std::env::var("PINHOLE_FAIL_AT").ok()?;
        let (name, time) = text.split_once(':').unwrap_or((&text, "1"));
        assert!(POINTS.contains(&name), "no such point: {name}");
        Some((name.to_owned(), time.parse().expect("a number of times")))
    });
    if let Some((chosen, time)) = chosen
        && chosen == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *time
    {
        // No destructor runs, nothing is flushed.
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) const fn here(_name: &'static str) {}

/// Every point, in the order in which a job meets them; then those of everything else.
#[cfg(debug_assertions)]
const POINTS: [&str; 71] = [
    "enqueue-uncommitted",
    "enqueue-committed",
    "claim-uncommitted",
    "claim-committed",
    "renew-uncommitted",
    "picture-stored",
    "finish-uncommitted",
    "finish-committed",
    "give-up-uncommitted",
    "give-up-committed",
    "cancel-uncommitted",
    "cancel-committed",
    "put-back-uncommitted",
    "reclaim-uncommitted",
    "pictures-deleted",
    "sealing-noted",
    "rotation-begun",
    "rotation-some",
    "shredding-noted",
    "shredding-done",
    "import-files-stored",
    "import-order-committed",
    "log-uncommitted",
    "log-committed",
    "erasure-verified-uncommitted",
    "erasure-verified-committed",
    "erasure-frozen-uncommitted",
    "erasure-frozen-committed",
    "erasure-some-marked",
    "erasure-keys-shredded-uncommitted",
    "erasure-keys-shredded-committed",
    "erasure-some-rows-gone",
    "erasure-rows-gone-uncommitted",
    "erasure-rows-gone-committed",
    "erasure-some-files-gone",
    "erasure-blobs-gone-uncommitted",
    "erasure-blobs-gone-committed",
    "erasure-recipients-told-uncommitted",
    "erasure-recipients-told-committed",
    "erasure-checkpointed-uncommitted",
    "erasure-checkpointed-committed",
    "erasure-scanned-uncommitted",
    "erasure-scanned-committed",
    "erasure-receipted-uncommitted",
    "erasure-receipted-committed",
    "backup-rows-written",
    "backup-some-files",
    "backup-unnamed",
    "backup-named",
    "restore-begun",
    "restore-some-files",
    "restore-uncommitted",
    "restore-committed",
    "restore-anchored",
    "restore-voided",
    "restore-some-people",
    "restore-people-gone",
    "restore-objects-gone",
    "restore-ended",
    "restore-keys-uncommitted",
    "restore-keys-committed",
    "news-uncommitted",
    "news-committed",
    "news-going",
    "policy-told-uncommitted",
    "policy-told-committed",
    "terms-published-uncommitted",
    "terms-accepted-uncommitted",
    "terms-accepted-committed",
    "handed-over-uncommitted",
    "handed-over-committed",
];
