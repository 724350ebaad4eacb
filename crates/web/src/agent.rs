//! What a browser says of itself, cut to its family, its system and the kind of device. Nothing else of it is
//! kept.

use axum::http::{HeaderMap, header};

/// The family that a browser belongs to, with many others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// `Browser` where it is not known.
    pub(crate) browser: &'static str,
    /// Empty where it is not known.
    pub(crate) system: &'static str,
    /// phone, tablet, computer; empty where it is not known.
    pub(crate) device: &'static str,
}

const BROWSERS: &[(&str, &str)] = &[
    ("Firefox/", "Firefox"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Chrom", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];
/// In small letters: what programs say of themselves that nobody sits before.
const BOTS: &[&str] = &[
    "bot",
    "crawl",
    "spider",
    "slurp",
    "headless",
    "preview",
    "monitor",
    "lighthouse",
    "scan",
    "fetch",
    "python",
    "curl",
    "wget",
    "http",
];

pub(crate) fn agent(headers: &HeaderMap) -> &str {
    let value = headers.get(header::USER_AGENT);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}

impl Family {
    pub(crate) fn of(agent: &str) -> Self {
        let first = |known: &[(&str, &'static str)], other| {
            let found = known.iter().find(|(mark, _)| agent.contains(mark));
            found.map_or(other, |(_, name)| *name)
        };
        let system = first(SYSTEMS, "");
        let is_mobile = agent.contains("Mobi");
        let device = match system {
            "iPhone" => "phone",
            "iPad" => "tablet",
            "Android" if is_mobile => "phone",
            "Android" => "tablet",
            "" => "",
            _ => "computer",
        };
        Self {
            browser: first(BROWSERS, "Browser"),
            system,
            device,
        }
    }

    /// In two words, so that its person knows it again in a list.
    pub(crate) fn in_words(self) -> String {
        match self.system {
            "" => self.browser.to_owned(),
            system => format!("{} on {system}", self.browser),
        }
    }
}

/// Whether it is a program that nobody sits before, as far as it says so: every browser calls itself Mozilla.
pub(crate) fn is_bot(agent: &str) -> bool {
    let small = agent.to_ascii_lowercase();
    !agent.starts_with("Mozilla/") || BOTS.iter().any(|mark| small.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36";
    const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15";

    #[test]
    fn promise_use_02_of_what_a_browser_says_the_family_is_left() {
        for (agent, browser, system, device) in [
            (PHONE, "Chrome", "Android", "phone"),
            (MAC, "Safari", "Mac", "computer"),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari",
                "iPad",
                "tablet",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox",
                "Linux",
                "computer",
            ),
            (
                "Mozilla/5.0 (unheard of; my name is Anna)",
                "Browser",
                "",
                "",
            ),
        ] {
            let family = Family {
                browser,
                system,
                device,
            };
            assert_eq!(Family::of(agent), family, "{agent}");
            assert!(!is_bot(agent), "{agent}");
        }
        assert_eq!(Family::of(MAC).in_words(), "Safari on Mac");
        assert_eq!(Family::of("").in_words(), "Browser");
    }

    #[test]
    fn programs_that_nobody_sits_before_are_known() {
        for agent in [
            "",
            "curl/8.5.0",
            "python-httpx/0.28",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
        ] {
            assert!(is_bot(agent), "{agent}");
        }
    }
}
