//! Mail goes out by SMTP, with TLS from rustls.

use domain::personal::Address;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

/// A server that takes letters, and who they come from.
#[derive(Clone)]
pub struct Post {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Post(…)")
    }
}

/// A letter as it is sent: the same words twice, plain and in HTML.
#[derive(Clone, Copy)]
#[expect(
    missing_debug_implementations,
    reason = "a letter may hold a link that lets in"
)]
pub struct Sheet<'a> {
    pub subject: &'a str,
    pub text: &'a str,
    pub html: &'a str,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadPost {
    #[error(
        "the mail server is written as smtps://user:password@mail.example.org, or with smtp:// and ?tls=required"
    )]
    Server,
    #[error(
        "the sender is an e-mail address, with a name if you like: Pinhole <pictures@example.org>"
    )]
    From,
}

/// Why a letter did not go. It holds no address and no word of the server's answer.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum MailError {
    #[error("the mail server does not take this letter")]
    Refused,
    #[error("the mail server says to try again later")]
    Later,
    #[error("the mail server does not answer in time")]
    Slow,
    #[error("the mail server's certificate, or its encryption, is not right")]
    Tls,
    #[error("the mail server can't be reached")]
    Unreachable,
    #[error("the letter can't be written as mail")]
    Unwritable,
}

impl MailError {
    /// Trying again can't help.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Refused | Self::Unwritable)
    }
}

impl Post {
    /// `server` as in `smtps://user:password@mail.example.org`, `from` as in
    /// `Pinhole <pictures@example.org>`.
    pub fn open(server: &str, from: &str) -> Result<Self, BadPost> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(server);
        Ok(Self {
            server: transport.map_err(|_| BadPost::Server)?.build(),
            from: from.parse().map_err(|_| BadPost::From)?,
        })
    }

    pub async fn send(&self, to: &Address, sheet: Sheet<'_>) -> Result<(), MailError> {
        let to = to.expose().parse().map_err(|_| MailError::Unwritable)?;
        let part = |kind, words: &str| SinglePart::builder().header(kind).body(words.to_owned());
        let both = MultiPart::alternative()
            .singlepart(part(ContentType::TEXT_PLAIN, sheet.text))
            .singlepart(part(ContentType::TEXT_HTML, sheet.html));
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(sheet.subject)
            .multipart(both)
            .map_err(|_| MailError::Unwritable)?;
        match self.server.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(MailError::Refused),
            Err(error) if error.is_transient() => Err(MailError::Later),
            Err(error) if error.is_timeout() => Err(MailError::Slow),
            Err(error) if error.is_tls() => Err(MailError::Tls),
            Err(_) => Err(MailError::Unreachable),
        }
    }
}
