//! The name by which others reach this site.

use std::fmt;
use std::str::FromStr;

/// `https://pictures.example.org`: a scheme, a host, perhaps a port, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    is_https: bool,
    host: String,
}

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("write it as https://pictures.example.org, with nothing after the name or the port")]
pub struct BadPublicUrl;

impl PublicUrl {
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// As browsers send it: in lower case, with the port where it is not the usual one.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for PublicUrl {
    type Err = BadPublicUrl;

    fn from_str(text: &str) -> Result<Self, BadPublicUrl> {
        let text = text.trim().to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://").ok_or(BadPublicUrl)?;
        let (is_https, usual_port) = match scheme {
            "https" => (true, ":443"),
            "http" => (false, ":80"),
            _ => return Err(BadPublicUrl),
        };
        let host = rest.strip_suffix('/').unwrap_or(rest);
        let host = host.strip_suffix(usual_port).unwrap_or(host);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
        let good = !host.is_empty() && !host.starts_with(':') && host.bytes().all(plain);
        good.then(|| Self {
            is_https,
            host: host.to_owned(),
        })
        .ok_or(BadPublicUrl)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_nothing_else() {
        let read = |text: &str| text.parse::<PublicUrl>().map(|url| url.to_string());
        assert_eq!(
            read("https://Pictures.example.org/"),
            Ok("https://pictures.example.org".to_owned())
        );
        assert_eq!(
            read("https://a.example:443"),
            Ok("https://a.example".to_owned())
        );
        assert_eq!(
            read("http://10.0.0.5:8080"),
            Ok("http://10.0.0.5:8080".to_owned())
        );
        for bad in [
            "",
            "a.example",
            "ftp://a.example",
            "https://",
            "https://a.example/x",
            "https://:8080",
            "https://a@b",
            "https://a b",
        ] {
            assert_eq!(read(bad), Err(BadPublicUrl), "{bad}");
        }
    }
}
