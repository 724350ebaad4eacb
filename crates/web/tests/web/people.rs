//! What people change about their accounts: names, the address, one-time codes.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use studio::letters::Letter;

use crate::browser::{Browser, PASSWORD, everything_kept, letters_to};
use crate::stage::Stage;

const ANNA: &str = "anna@example.org";

#[tokio::test]
async fn promise_acc_06_names_are_optional_and_changeable() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome("op@example.org").await;
    let bo = Browser::new(&stage);
    bo.sign_up("bo@example.org").await;
    let set = |username, name| [("username", username), ("display_name", name)];
    assert_eq!(
        anna.submit("/account", &set("Anna_1", "Anna <b>"))
            .await
            .status,
        303
    );
    let page = anna.get("/account").await.text();
    assert!(page.contains("value=\"Anna_1\"") && page.contains("Anna &#60;b&#62;"));
    let taken = bo.submit("/account", &set("ANNA_1", "")).await;
    assert_eq!(taken.status, 400);
    assert!(taken.text().contains("Somebody else has that username"));
    let long = "x".repeat(61);
    for (username, name) in [("a", ""), ("1abc", ""), ("", long.as_str())] {
        let answer = bo.submit("/account", &set(username, name)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("aria-invalid"));
    }
    assert_eq!(anna.submit("/account", &set("", "")).await.status, 303);
    assert_eq!(
        bo.submit("/account", &set("anna_1", "Bo")).await.status,
        303
    );
}

#[tokio::test]
async fn promise_acc_06_an_address_changes_once_both_mailboxes_agree() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let new = "anna@new.example.org";
    let asked = anna.submit("/account/address", &[("address", new)]).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let Some(Letter::AddressFrom { token: from }) =
        letters_to(&stage, ANNA).await.into_iter().next()
    else {
        panic!("no letter to the former address");
    };
    let Some(Letter::AddressTo { token: to }) = letters_to(&stage, new).await.into_iter().next()
    else {
        panic!("no letter to the new address");
    };
    let (from, to) = (format!("/address/{from}"), format!("/address/{to}"));
    assert_eq!(anna.get(&to).await.status, 200);
    for _ in 0..2 {
        // Agreeing twice is no second agreement.
        assert_eq!(anna.submit(&to, &[]).await.status, 200);
    }
    let page = |text: String| text.contains(&format!("<dd>{new}</dd>"));
    assert!(!page(anna.get("/account").await.text()));
    assert_eq!(anna.submit(&from, &[]).await.status, 200);
    assert!(page(anna.get("/account").await.text()));
    assert_eq!(anna.submit(&from, &[]).await.status, 410);
    let elsewhere = Browser::with_cookies_of(&anna);
    assert_eq!(elsewhere.sign_in(ANNA, PASSWORD).await.status, 401);
    assert_eq!(elsewhere.sign_in(new, PASSWORD).await.status, 303);
    for address in [ANNA, new] {
        let last = letters_to(&stage, address).await.remove(0);
        assert_eq!(last.kind(), "address_changed", "{address}");
    }
}

#[tokio::test]
async fn an_address_that_somebody_has_can_t_be_taken_nor_found_out() {
    let stage = Stage::free().await;
    Browser::new(&stage).welcome("op@example.org").await;
    let anna = Browser::new(&stage);
    anna.sign_up(ANNA).await;
    let mut told = Vec::new();
    for address in ["op@example.org", "nobody@example.org"] {
        let answer = anna
            .submit("/account/address", &[("address", address)])
            .await;
        assert_eq!(answer.status, 200);
        told.push(answer.text());
    }
    assert_eq!(told[0], told[1]);
    let to_operator = letters_to(&stage, "op@example.org").await;
    assert_eq!(to_operator[0].kind(), "has_account");
}

#[tokio::test]
async fn what_matters_asks_again_who_somebody_is() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    stage.studio.clock.advance_millis(15 * 60 * 1_000);
    for path in ["/account/keys", "/account/address", "/account/codes/off"] {
        let answer = anna.submit(path, &[("name", "x"), ("scope", "draw")]).await;
        assert!(
            answer
                .header("location")
                .starts_with("/account/confirm?next="),
            "{path}"
        );
    }
    let sent = anna.get("/account/codes").await;
    let confirm = sent.header("location").to_owned();
    assert_eq!(anna.get(&confirm).await.status, 200);
    let fields = |password| [("password", password), ("next", "/account/codes")];
    let wrong = anna
        .submit("/account/confirm", &fields("three red apples"))
        .await;
    assert_eq!(wrong.status, 401);
    let former = Browser::with_cookies_of(&anna);
    let right = anna.submit("/account/confirm", &fields(PASSWORD)).await;
    assert_eq!(right.header("location"), "/account/codes");
    assert_eq!(anna.get("/account/codes").await.status, 200);
    assert!(!former.is_in().await, "the session has a new token");
}

/// An authenticator, as RFC 6238 says, written apart from the program's own.
struct Authenticator {
    secret: Vec<u8>,
}

impl Authenticator {
    fn scan(page: &str) -> Self {
        let at = page.find("class=\"secret\">").expect("a secret") + "class=\"secret\">".len();
        let letters = page[at..]
            .split('<')
            .next()
            .expect("an end")
            .replace(' ', "");
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bits: String = letters
            .chars()
            .map(|letter| format!("{:05b}", alphabet.find(letter).expect("base32")))
            .collect();
        let bytes = bits.as_bytes().chunks_exact(8);
        let byte = |bits: &[u8]| {
            let text = std::str::from_utf8(bits).expect("digits");
            u8::from_str_radix(text, 2).expect("a byte")
        };
        Self {
            secret: bytes.map(byte).collect(),
        }
    }

    fn code(&self, stage: &Stage) -> String {
        let step = stage.studio.clock.now().as_seconds() / 30;
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.secret).expect("a key");
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let at = (digest[19] & 15) as usize;
        let word: [u8; 4] = digest[at..at + 4].try_into().expect("four");
        format!(
            "{:06}",
            (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000
        )
    }
}

fn hidden_token(page: &str) -> String {
    let at =
        page.find("name=\"token\" value=\"").expect("a token") + "name=\"token\" value=\"".len();
    page[at..at + 43].to_owned()
}

#[tokio::test]
async fn promise_acc_05_one_time_codes_and_recovery_codes_are_taken_once() {
    let stage = Stage::free().await;
    let anna = Browser::new(&stage);
    anna.welcome(ANNA).await;
    let page = anna.get("/account/codes").await.text();
    assert!(page.contains("<svg class=\"qr\""));
    let phone = Authenticator::scan(&page);
    let wrong = anna.submit("/account/codes", &[("code", "000000")]).await;
    assert_eq!(wrong.status, 400);
    assert_eq!(Authenticator::scan(&wrong.text()).secret, phone.secret);
    let former = Browser::with_cookies_of(&anna);
    let on = anna
        .submit("/account/codes", &[("code", &phone.code(&stage))])
        .await;
    assert_eq!(on.status, 200, "{}", on.text());
    assert!(!former.is_in().await, "the session has a new token");
    assert!(anna.is_in().await);
    let text = on.text();
    let at = text.find("<pre tabindex=\"0\">").expect("codes") + "<pre tabindex=\"0\">".len();
    let codes: Vec<String> = text[at..]
        .split('<')
        .next()
        .expect("an end")
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(codes.len(), 10);
    let kept = everything_kept(&stage).await;
    assert!(!kept.contains(&codes[0]) && !kept.contains(&codes[0].replace('-', "")));
    assert_eq!(
        anna.get("/account/codes").await.status,
        303,
        "the secret is not shown again"
    );

    // Signing in takes the password and then a code.
    let other = Browser::new(&stage);
    stage.studio.clock.advance_millis(60_000);
    let asks = other.sign_in(ANNA, PASSWORD).await;
    assert_eq!(asks.status, 200);
    assert!(other.cookies.borrow().is_empty(), "not in yet");
    let token = hidden_token(&asks.text());
    let send = |code: String| {
        [
            ("token".to_owned(), token.clone()),
            ("code".to_owned(), code),
        ]
    };
    let submit = async |fields: [(String, String); 2]| {
        let fields = fields
            .each_ref()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        other.submit("/sign-in/code", &fields).await
    };
    assert_eq!(submit(send("123456".to_owned())).await.status, 401);
    let code = phone.code(&stage);
    assert_eq!(submit(send(code.clone())).await.status, 303);
    assert!(other.is_in().await);
    assert_eq!(
        submit(send(code.clone())).await.status,
        410,
        "the step is used up"
    );

    // The same code again is refused, a recovery code is taken once.
    let third = Browser::new(&stage);
    let asks = third.sign_in(ANNA, PASSWORD).await;
    let token = hidden_token(&asks.text());
    let again = third
        .submit("/sign-in/code", &[("token", &token), ("code", &code)])
        .await;
    assert_eq!(again.status, 401);
    let recovered = third
        .submit(
            "/sign-in/code",
            &[("token", &token), ("code", &codes[3].to_uppercase())],
        )
        .await;
    assert_eq!(recovered.status, 303);
    let asks = Browser::new(&stage).sign_in(ANNA, PASSWORD).await;
    let token = hidden_token(&asks.text());
    let twice = third
        .submit("/sign-in/code", &[("token", &token), ("code", &codes[3])])
        .await;
    assert_eq!(twice.status, 401);
    // Guessing ends after five tries.
    for number in 0..4 {
        third
            .submit(
                "/sign-in/code",
                &[("token", &token), ("code", &format!("00000{number}"))],
            )
            .await;
    }
    let good = phone.code(&stage);
    let late = third
        .submit("/sign-in/code", &[("token", &token), ("code", &good)])
        .await;
    assert_eq!(late.status, 410);

    assert!(
        third
            .get("/account/password")
            .await
            .text()
            .contains("9 recovery codes are left")
    );
    assert_eq!(third.submit("/account/codes/off", &[]).await.status, 303);
    assert_eq!(
        Browser::new(&stage).sign_in(ANNA, PASSWORD).await.status,
        303
    );
    assert!(
        letters_to(&stage, ANNA)
            .await
            .iter()
            .any(|letter| letter.kind() == "security_changed")
    );
}
