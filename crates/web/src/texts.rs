//! Every text that the pages show, read from the files of a language: `texts/en.toml`, and beside it a file for each
//! part of the house.

mod german;

use std::borrow::Borrow;
use std::fmt::Display;
use std::sync::LazyLock;

use domain::clock::Moment;
use domain::credits::Credits as Amount;
use domain::language::Language;
use domain::prompt::Prompt;
use serde::Deserialize;
use studio::privacy::wording;

const CATALOGUE: &str = concat!(
    include_str!("../texts/en.toml"),
    include_str!("../texts/en-people.toml"),
    include_str!("../texts/en-forgetting.toml"),
    include_str!("../texts/en-rights.toml"),
    include_str!("../texts/en-choices.toml"),
    include_str!("../texts/en-visits.toml"),
    include_str!("../texts/en-desk.toml"),
    include_str!("../texts/en-policies.toml"),
    include_str!("../texts/en-support.toml"),
    include_str!("../texts/en-authorities.toml"),
    include_str!("../texts/en-organisations.toml"),
);

static ENGLISH: LazyLock<Texts> =
    LazyLock::new(|| toml::from_str(CATALOGUE).expect("a test reads the same files"));

/// A text with `{}` where something goes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn fill(&self, with: &(impl Display + ?Sized)) -> String {
        self.0.replacen("{}", &with.to_string(), 1)
    }

    pub(crate) fn fill_two(
        &self,
        first: &(impl Display + ?Sized),
        second: &(impl Display + ?Sized),
    ) -> String {
        self.fill_all(&[&first.to_string(), &second.to_string()])
    }

    /// What is filled in may itself hold `{}`.
    pub(crate) fn fill_all(&self, with: &[&str]) -> String {
        let mut pieces = self.0.split("{}");
        let mut filled = pieces.next().unwrap_or("").to_owned();
        for (piece, with) in pieces.zip(with) {
            filled.push_str(with);
            filled.push_str(piece);
        }
        filled
    }
}

/// A text about a number of things.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plural {
    one: Pattern,
    other: Pattern,
}

impl Plural {
    /// The text for many, with `{}` where their number goes.
    pub(crate) fn many(&self) -> &str {
        &self.other.0
    }

    pub(crate) fn of(&self, n: u32) -> String {
        if n == 1 {
            self.one.fill(&n)
        } else {
            self.other.fill(&n)
        }
    }
}

type List = Vec<String>;

macro_rules! texts {
    ($($group:ident { $($kind:ident: $($name:ident)+;)+ })+) => {$(
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $group { $($(pub(crate) $name: $kind,)+)+ }
    )+};
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    /// Its code, for `lang`.
    pub(crate) language: String,
    months: Vec<String>,
    /// Between each three digits of a large number.
    thousands: String,
    /// After the day of a month.
    ordinal: String,
    pub(crate) frame: Frame,
    pub(crate) landing: Landing,
    time: Time,
    pub(crate) studio: Studio,
    pub(crate) job: Job,
    pub(crate) picture: Picture,
    pub(crate) pictures: Pictures,
    pub(crate) credits: Credits,
    pub(crate) grants: Grants,
    pub(crate) about: About,
    pub(crate) door: Door,
    pub(crate) account: Account,
    pub(crate) letters: Letters,
    pub(crate) letter: Letter,
    pub(crate) privacy: Privacy,
    pub(crate) trust: Trust,
    pub(crate) visits: Visits,
    pub(crate) forget: Forget,
    pub(crate) restriction: Restriction,
    pub(crate) rights: Rights,
    pub(crate) requests: Requests,
    pub(crate) objections: Objections,
    pub(crate) authorities: Authorities,
    pub(crate) choices: Choices,
    pub(crate) consents: Consents,
    pub(crate) examples: Examples,
    pub(crate) news: News,
    pub(crate) blocked: Blocked,
    pub(crate) support: Support,
    pub(crate) desk_support: DeskSupport,
    pub(crate) children: Children,
    pub(crate) desk_children: DeskChildren,
    pub(crate) disclosures: Disclosures,
    pub(crate) breaches: Breaches,
    pub(crate) desk: Desk,
    pub(crate) policies: Policies,
    pub(crate) desk_policies: DeskPolicies,
    pub(crate) notices: Notices,
    pub(crate) terms: Terms,
    pub(crate) organisations: Organisations,
    pub(crate) glossary: Glossary,
    pub(crate) api: Api,
    pub(crate) problem: Problem,
}

texts! {
    Policies {
        String: title lead none follow machine all facts proof current in_force waits overtaken past
            state_in_force state_waits state_overtaken state_past first only_words other other_do meaning
            words words_what controller banner_link banner_unread banner_read;
        Pattern: version published effective change more compare between left soon feed_item banner banner_goes
            banner_gone banner_since;
    }
    Terms {
        String: title editions editions_lead first wording no_summary accept_title accept_lead
            accept_waits accept_tick accept_do accept_refuse accept_refuse_what accept_nothing
            unticked banner banner_link banner_later sign_up_tick sign_up_unticked sign_up_other
            desk_none desk_publish;
        Pattern: version feed_item accepted counted;
    }
    Organisations {
        String: tab title lead none owner member found found_what name found_do open act acting act_what stop members
            you is_owner is_member make_owner make_member take_out invite invite_what invite_do fresh fresh_what
            take_back credits give_what give give_do rename rename_do export export_what export_do delete
            delete_what delete_type delete_wrong delete_do leave leave_what leave_do join_what join_do;
        Pattern: since banner link has join_title;
    }
    DeskPolicies {
        String: title lead running is_solo publish nobody transfer transfer_none transfer_do;
        Pattern: goes goes_untold goes_ready is_in_force is_less is_more counted returned;
    }
    Notices {
        String: tab title lead none read waits changes notice not_agreeing leave leave_what;
        Pattern: from since told was_read;
    }
    Glossary {
        String: title lead parties kinds here programs;
    }
    Frame {
        String: name skip studio pictures about pages sign_up footer privacy;
    }
    Landing {
        String: title heading lead sign_up drawn_here place here cost yours yours_what programs;
        Pattern: gift gift_for provider cost_what;
    }
    Time {
        String: now;
        Plural: seconds minutes hours days;
        Pattern: ago;
    }
    Studio {
        String: title heading placeholder keys model change_model shape count quality quick normal
            fine more seed seed_hint seed_any steps guidance negative negative_hint private transparent transparent_hint private_hint sending here
            here_what provider_what work older newest lost unreachable;
        Pattern: square wide tall steps_hint guidance_hint span provider examples example_use;
        Plural: draw;
    }
    Job {
        String: next drawing failed cancelled cancel look_again try_again again again_hint remix
            remix_hint remove remove_hint and;
        Pattern: drawing_left cancel_what remove_what unknown_one unknown_many word pictures_missing started
            ready went_wrong removed;
        Plural: ahead done steps;
    }
    Picture {
        String: title again vary vary_hint variation favourite mark unmark remix copy copied
            download noted noted_hint delete delete_sure delete_do model size seed file drawn close earlier later
            all private private_what kept kept_change kept_how kept_do;
        Pattern: download_as noted_as kilobytes left;
    }
    Credits {
        String: title heading free prices prices_what price_size price_larger by_steps
            statement none time what change balance welcome nothing_drawn download csv json
            newest older cost agree invoices invoices_what invoice amount_paid handed_on;
        Pattern: tax_due left held button grant until drawn_some up_to grant_left price_usual
            cost_each cost_of charged_of price_changed ended spent;
        Plural: amount drawn for_pictures;
    }
    Grants {
        String: title given address address_hint credits credits_hint reason reason_hint until
            until_hint give books books_what gifts issued available held revenue expired nobody
            no_account;
        Pattern: left;
    }
    Pictures {
        String: title heading none none_what to_studio older newest search search_do filter any
            kind drawings variations from until only_favourites all none_fit none_yet further
            choose_all with_chosen download mark unmark delete_what keep
            keeping keeping_what keeping_all keeping_do kept_until_deleted;
        Pattern: choose goes;
        Plural: chosen delete_sure others kept_days;
    }
    About {
        String: title heading lead licence place place_here sizes steps negative yes no
            larger larger_what download memory not_yet privacy privacy_what api api_what;
        Pattern: place_provider steps_value gigabytes;
    }
    Privacy {
        String: title heading lead nobody forms plain purpose kept recipients recipients_what everything
            by_right obliged readers readers_what;
        Pattern: from why;
    }
    Api {
        String: title heading lead machines scope required body shapes;
    }
    Problem {
        String: title not_found not_found_what method server refused home;
    }
    Trust {
        String: title heading lead audit signed never holds log log_what keep keep_what empty witnesses
            witnesses_what no_witness witness_never witness_forked witness_unknown witness_silent
            witness_note key
            key_what limits;
        Pattern: audited audited_broken audited_late restored witness_signed;
        Plural: broken;
        List: limits_what;
    }
    Door {
        String: sign_up sign_up_lead sign_up_do address password password_hint born born_hint
            have_account sign_in sign_in_do no_account forgot link_ended busy look look_what look_reset not_now
            not_now_what confirm confirm_what confirm_do reset reset_what reset_do reset_new
            reset_new_do reset_done reset_done_what code code_what code_field code_do passkey passkey_stopped
            passkey_failed passkey_needs_https passkey_needs_name vouch vouch_what
            vouch_do address_change address_change_what address_change_do address_half
            address_done look_both to_account welcome welcome_what welcome_do welcome_later;
        Pattern: passkey_elsewhere;
        Plural: welcome_adopt;
    }
    Account {
        String: holds_now log log_what log_all log_looks log_looks_what log_looks_none role_person
            role_support role_moderator role_privacy_officer role_operator log_taken_down log_none log_proof log_waits log_older log_taken log_written_down data data_what data_take data_take_what data_nothing title profile security sessions keys parts address username display_name role
            since sign_out password password_what current new change sessions_what
            this_session end end_others none_other keys_what keys_none key_name key_name_hint
            key_may key_limit key_limit_hint key_make key_fresh key_fresh_what revoke key_unused
            may_draw may_read_pictures may_write_pictures may_read_account may_write_account may_erase may_export
            may_administer profile_save username_hint display_name_hint address_new address_new_hint
            address_change confirm confirm_what confirm_do codes codes_off_what codes_on_what codes_set
            codes_turn_off codes_scan codes_type codes_code codes_turn_on recovery recovery_what
            recovery_done portrait portrait_file portrait_hint portrait_set portrait_remove passkeys passkeys_what passkey_add passkey_how passkey_without
            passkey_name passkey_name_hint passkey_make passkey_known passkey_stopped
            passkey_failed passkey_synced rename rename_do remove confirm_passkey
            session_by_password session_by_removed;
        Pattern: hold log_looked log_looked_to log_key_made log_signed_in log_brought log_handed log_invoice log_terms log_learned log_role log_credits log_priority session_when session_by_passkey passkey_used passkey_unused key_used key_limited;
        Plural: data_rows recovery_left;
    }
    Forget {
        String: title open lead take history history_what history_none account account_what
            account_none goes stays stays_account books_stay log_stays their_files type_history type_account typed_wrong
            do_history do_account proof receipt going_account going_history going_what done_account
            done_history download checked_by asked deleted kept nothing search found_none told
            told_sent told_not told_nobody step_requested step_verified step_frozen
            step_keys_shredded step_rows_gone step_blobs_gone step_recipients_told
            step_checkpointed step_scanned step_receipted held_for_now supplement;
        Pattern: told_other held credits_end receipts_stay invoices_stay files_size type_it done_what searched found_some place;
        Plural: files rows cancelled keys_shredded columns;
    }
    Rights {
        String: title see see_what take correct correct_what correct_do forget
            forget_what restrict restrict_what restrict_open restrict_set restrict_do object
            object_what object_do look look_what look_do ask ask_what ask_do complain complain_what
            complain_do house house_what personal personal_what lines choose choose_what choose_do;
        Pattern: rows objects open agreed;
    }
    Requests {
        String: title lead none new what words words_hint send how withdraw withdraw_hint
            authority others answer reasons delay complaint guest guest_lead address address_hint
            guest_send sent sent_what confirm confirm_what confirm_do confirm_words state_open
            state_answered state_refused state_withdrawn asked_access asked_correct asked_erase
            asked_restrict asked_object asked_portability asked_complaint asked_other
            by_session by_key by_local by_mailbox by_operator by_unproven signed time;
        Pattern: received due was_due ended;
    }
    Objections {
        String: title lead interest outweighs instead why why_hint do_object withdraw gpc basis at_once
            holds;
        Pattern: since weighed heading;
    }
    Authorities {
        String: title lead country choose show other time;
    }
    Restriction {
        String: title lead cancelled do_set by_you by_house by_house_then to_requests keep sure
            not_sure do_lift refused about;
        Pattern: is_set lifts;
    }
    Choices {
        String: tab title lead signal no_signal yes no never no_address training_what pictures none_given all_back by_house begin
            begin_what begin_none begin_save begin_forget cookies cookies_what history history_none
            history_what receipt said_asked said_given said_withdrawn by_session by_key by_local
            by_mailbox by_letter by_operator object;
        Pattern: asked given given_yields withdrawn outdated line;
        Plural: of_pictures;
    }
    Consents {
        String: title what private off;
        Pattern: on outdated;
    }
    Examples {
        String: title lead none how wrong;
        Pattern: one;
    }
    News {
        String: confirm confirm_what confirm_do confirmed confirmed_what leave leave_what leave_do
            left left_what to_choices;
    }
    Blocked {
        String: title what again;
    }
    Visits {
        String: title lead from until show day few none_yet visitors views pictures sign_ups people sources
            countries browsers systems devices pages models name by_day table more_what nothing
            other no_source unknown tens wrong;
        Pattern: plot sum most range;
    }
    Desk {
        String: title lead to parts overview open_requests overdue_requests waiting_duties own_duties
            audit audit_holds audit_broken audit_none letters credits none duties duties_lead begin
            ask_heading purposes purposes_hint needs_other reason reason_hint minutes own own_none
            others others_none end agree refuse waiting on over refused agreed looked_nobody requests
            requests_lead requests_none overdue to_request answer answer_what answer_do refuse_heading
            refuse_what country refuse_do extend_heading extend_what extend_do holds holds_lead
            holds_none hold_of hold_law hold_ends hold_told hold_release hold_active hold_over
            class_account class_orders class_log recipients recipients_lead promises promises_lead
            promise_kept promise_partly promise_not_yet checks;
        Pattern: until said for_minutes tests at_promises;
        Plural: looked;
    }
    Support {
        String: title lead guest_lead new about about_drawing about_credits about_account about_fault
            about_feedback about_child about_other subject words words_hint address address_hint files
            files_hint picture_alt send guest_send sent sent_what confirm confirm_what confirm_do
            state_waiting state_answered state_closed you we waits more close close_hint again rights;
        Pattern: changed opened closes goes;
    }
    Children {
        String: title lead state_heading state_lead sure not_sure state_do by_you by_house contest contest_what contest_do
            contested export erase;
        Pattern: locked erased until;
    }
    DeskChildren {
        String: title lead none lock lock_lead address reason reason_hint lock_do said by_person contest unlock unlock_do
            unknown;
        Pattern: of facts;
    }
    DeskSupport {
        String: title lead none waiting they is_closed answer_what answer_do close_do;
        Pattern: from_account from_mailbox;
    }
    Disclosures {
        String: title lead none new new_what address address_hint authority law law_hint reference scope
            scope_hint from until gag gag_hint emergency emergency_hint enter state_received
            state_approved state_refused state_disclosed path_order path_emergency of of_nobody by_law
            number fields span span_all received gagged agreed danger why_refused review review_right
            review_wrong open approve approve_what refuse refuse_what package package_what
            review_do_right review_do_wrong review_what overdue public public_lead public_entries told_free;
        Pattern: told_after told_at agreed_of from_until review_due public_times;
        Plural: people;
    }
    Breaches {
        String: title lead none new what nature nature_confidentiality nature_integrity
            nature_availability classes consequences measures risk risk_none risk_some risk_high began
            until noticed enter save open due overdue reported closed is_open people find find_what
            by_everyone by_kept by_signed_in by_taken_along by_looked_at by_address by_table find_do
            tell tell_what tell_do report report_late report_do notice close facts procedure;
        Pattern: found;
        List: procedure_what;
    }
    Letters {
        String: title heading lead none waiting sent failed gone closing;
    }
    Letter {
        LetterText: sign_up has_account reset password_changed new_device address_from address_to
            address_changed vouch security_changed passkey_added passkey_removed passkey_copied
            attack_on_house attack_on_account idle account_erased history_erased restricted
            restriction_ends request_confirm request_received request_extended request_answered
            request_refused request_arrived request_overdue duty_asked
            duty_agreed duty_unusual child_locked child_unlocked child_contested ticket_confirm ticket_opened ticket_answered ticket_closed
            disclosed disclosure_asked disclosure_unreviewed breach breach_noted breach_overdue
            ticket_arrived policy_changes terms_change news_confirm news;
    }
}

/// A letter: its subject, its paragraphs with empty lines between, and the words of its link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LetterText {
    pub(crate) subject: String,
    pub(crate) body: Pattern,
    #[serde(default)]
    pub(crate) link: String,
}

impl Texts {
    /// Those of the page that is answered; English ones elsewhere.
    pub(crate) fn get() -> &'static Self {
        Self::of(crate::language::here())
    }

    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::German => &german::GERMAN,
        }
    }

    pub(crate) fn tongue(&self) -> Language {
        Language::of_code(&self.language).unwrap_or_default()
    }

    /// A message in the language of these texts, where it has words for it.
    pub(crate) fn known(&self, message: &impl Display) -> Option<String> {
        wording::known(self.tongue(), &message.to_string()).map(str::to_owned)
    }

    /// What is wrong, as it is said on the form where it is put right.
    pub(crate) fn mistake(&self, error: &impl Display) -> String {
        self.known(error).unwrap_or_else(|| error.to_string())
    }

    /// What the program says of people's data, in the language of these texts.
    pub(crate) fn say<'a>(&self, words: &'a str) -> &'a str {
        wording::say(self.tongue(), words)
    }

    /// `1,200 credits`
    pub(crate) fn credits(&self, credits: impl Borrow<Amount>) -> String {
        let credits = *credits.borrow();
        let amount = &self.credits.amount;
        if credits.get() == 1 {
            return amount.one.fill(&1);
        }
        amount.other.fill(&self.number(credits))
    }

    /// `1,200`
    pub(crate) fn number(&self, credits: impl Borrow<Amount>) -> String {
        let credits = *credits.borrow();
        let digits = credits.get().unsigned_abs().to_string();
        let mut grouped = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push_str(&self.thousands);
            }
            grouped.push(digit);
        }
        // The minus sign, not the hyphen.
        let sign = if credits < Amount::ZERO {
            "\u{2212}"
        } else {
            ""
        };
        format!("{sign}{grouped}")
    }

    /// `+1,200`
    pub(crate) fn change(&self, credits: impl Borrow<Amount>) -> String {
        let credits = *credits.borrow();
        let sign = if credits > Amount::ZERO { "+" } else { "" };
        format!("{sign}{}", self.number(credits))
    }

    /// The last day before something ends.
    pub(crate) fn last_day(&self, end: Moment) -> String {
        crate::when::day(end.plus_millis(-1), &self.months, &self.ordinal)
    }

    /// A length of time, rounded as people do.
    pub(crate) fn span(&self, millis: u64) -> String {
        let seconds = u32::try_from(millis.div_ceil(1000)).unwrap_or(u32::MAX);
        match seconds {
            0..=90 => self.time.seconds.of(seconds.max(1)),
            91..=5_400 => self.time.minutes.of(seconds.div_ceil(60)),
            _ => self.time.hours.of(seconds.div_ceil(3_600)),
        }
    }

    /// How long ago something was, or the date where that says more.
    pub(crate) fn ago(&self, then: Moment, now: Moment) -> String {
        let minutes = (now.as_millis() - then.as_millis()) / 60_000;
        match u32::try_from(minutes) {
            Ok(0) | Err(_) => self.time.now.clone(),
            Ok(minutes @ 1..60) => self.time.ago.fill(&self.time.minutes.of(minutes)),
            Ok(minutes @ 60..1_440) => self.time.ago.fill(&self.time.hours.of(minutes / 60)),
            Ok(_) => self.exact(then),
        }
    }

    /// How long there is still, as `11 days`.
    pub(crate) fn left(&self, millis: u64) -> String {
        let minutes = millis.div_ceil(60_000);
        let (unit, n) = match minutes {
            0..120 => (&self.time.minutes, minutes),
            120..2_880 => (&self.time.hours, minutes / 60),
            _ => (&self.time.days, minutes / 1_440),
        };
        unit.of(u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// The words of an order, or what it is called that has none any more.
    pub(crate) fn words<'a>(&'a self, prompt: Option<&'a Prompt>) -> &'a str {
        prompt.map_or(&self.picture.private, |words| words.expose())
    }

    /// The date and the time of day.
    pub(crate) fn exact(&self, moment: Moment) -> String {
        crate::when::exact(moment, &self.months, &self.ordinal)
    }

    /// Says kindly which words were left out; `None` where none were.
    pub(crate) fn unknown_words(&self, words: &[String]) -> Option<String> {
        let quoted: Vec<String> = words.iter().map(|word| self.job.word.fill(word)).collect();
        let (last, before) = quoted.split_last()?;
        if before.is_empty() {
            return Some(self.job.unknown_one.fill(last));
        }
        let list = format!("{}{}{last}", before.join(", "), self.job.and);
        Some(self.job.unknown_many.fill(&list))
    }
}

#[cfg(test)]
mod tests;
