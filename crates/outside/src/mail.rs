//! Mail goes out by SMTP, with TLS from rustls.

use domain::personal::Address;
use domain::recipient::{Recipient, Role};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
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
    /// The number of the letter: sent once more, it is known to be the same.
    pub number: Option<&'a str>,
    pub subject: &'a str,
    pub text: &'a str,
    pub html: &'a str,
    /// Of what is sent only because whoever gets it wants it: the address that ends it.
    pub leave: Option<&'a str>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadPost {
    #[error("letters go to a mail server of the register of recipients, and to nobody else")]
    Recipient,
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
    /// The recipient's address is as in `smtps://user:password@mail.example.org`, `from` as in
    /// `Pinhole <pictures@example.org>`.
    pub fn open(recipient: &Recipient, from: &str) -> Result<Self, BadPost> {
        if recipient.role() != Role::Mail {
            return Err(BadPost::Recipient);
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(recipient.address());
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
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(sheet.subject);
        if let Some(number) = sheet.number {
            let host = self.from.email.domain();
            message = message.message_id(Some(format!("<{number}@{host}>")));
        }
        if let Some(leave) = sheet.leave {
            message = message.header(Leave(leave.to_owned()));
            // Mail programs press the button by https alone (RFC 8058, 3.1).
            if leave.starts_with("https://") {
                message = message.header(OneClick);
            }
        }
        let message = message.multipart(both).map_err(|_| MailError::Unwritable)?;
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

type BadHeader = Box<dyn std::error::Error + Send + Sync>;

/// Where a letter is left (RFC 2369).
#[derive(Clone)]
struct Leave(String);

impl Header for Leave {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, BadHeader> {
        let address = text.trim().trim_start_matches('<').trim_end_matches('>');
        Ok(Self(address.to_owned()))
    }

    /// An address has no spaces and nothing beyond ASCII, and may not be broken into lines.
    fn display(&self) -> HeaderValue {
        let address = format!("<{}>", self.0);
        HeaderValue::dangerous_new_pre_encoded(Self::name(), address.clone(), address)
    }
}

/// One press is enough (RFC 8058).
#[derive(Clone)]
struct OneClick;

impl Header for OneClick {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, BadHeader> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use domain::recipient::{Register, Stated};

    use super::*;

    /// Whoever is in the register for something else gets no letter.
    #[test]
    fn promise_shr_01_letters_go_to_the_mail_server_of_the_register_alone() {
        let opened = |role| {
            let address = "smtp://127.0.0.1:1".to_owned();
            let register = Register::new([(role, address, Stated::default())]);
            let recipient = register.find(role).expect("registered");
            Post::open(recipient, "pictures@example.org").map(drop)
        };
        assert_eq!(opened(Role::Hub), Err(BadPost::Recipient));
        assert_eq!(opened(Role::Database), Err(BadPost::Recipient));
        assert_eq!(opened(Role::Mail), Ok(()));
    }
}
