//! Ways to break a promise, at least one for each that is kept and that a deliberate break can reach.

use super::Mutant;

pub(super) const fn mutant(
    name: &'static str,
    promise: &'static str,
    (file, original, broken): (&'static str, &'static str, &'static str),
    test: &'static str,
) -> Mutant {
    Mutant {
        name,
        promise,
        file,
        original,
        broken,
        test,
    }
}

const FENCE: &str = "crates/studio/src/privacy/fence.rs";
const NOTICE: &str = "crates/studio/src/privacy/notice.rs";
const KEEPING: &str = "crates/studio/src/privacy/keeping.rs";
const RETENTION: &str = "crates/studio/src/privacy/retention.rs";
const IDLE: &str = "crates/studio/src/accounts/idle.rs";
const SESSION: &str = "crates/studio/src/accounts/session.rs";
const PICTURES: &str = "crates/studio/src/pictures.rs";
const CIPHER: &str = "crates/studio/src/privacy/keys/cipher.rs";
const ERASURE: &str = "crates/studio/src/privacy/erasure/mod.rs";
const PLAN: &str = "crates/studio/src/privacy/erasure/plan.rs";
const SHRED: &str = "crates/studio/src/privacy/erasure/shred.rs";
const STEPS: &str = "crates/studio/src/privacy/erasure/steps.rs";
const SCAN: &str = "crates/studio/src/privacy/erasure/scan/mod.rs";
const LOG: &str = "crates/studio/src/privacy/log/audit.rs";
const ACCESS: &str = "crates/studio/src/privacy/access.rs";
const SHREDDING: &str = "crates/studio/src/privacy/keys/shredding.rs";
const VERIFY: &str = "crates/studio/src/privacy/export/verify.rs";
const REPLAY: &str = "crates/studio/src/privacy/backup/replay.rs";
const RESTORE: &str = "crates/studio/src/privacy/backup/restore.rs";
const ASKING: &str = "crates/studio/src/privacy/requests/asking.rs";
const LINE: &str = "crates/studio/src/jobs/line.rs";
const ENTRY: &str = "crates/web/src/guard/entry.rs";
const WATCHING: &str = "crates/studio/src/privacy/log/witness/watching.rs";
const ASKED: &str = "crates/studio/src/privacy/log/witness/asking.rs";
const RECIPIENT: &str = "crates/domain/src/recipient.rs";
const RECIPIENTS: &str = "crates/studio/src/privacy/recipients.rs";
const MAIL: &str = "crates/outside/src/mail.rs";
const LETTERS: &str = "crates/studio/src/letters/told.rs";
const EXPORT: &str = "crates/studio/src/privacy/export/mod.rs";
const PLACE: &str = "crates/studio/src/privacy/keys/place.rs";
const LOOKING: &str = "crates/studio/src/privacy/looking.rs";
const HOLDS: &str = "crates/studio/src/privacy/holds.rs";
const CONSENT: &str = "crates/studio/src/privacy/consent/mod.rs";
const DECIDING: &str = "crates/studio/src/privacy/consent/deciding.rs";
const BEGINNING: &str = "crates/studio/src/order/beginning.rs";
const CONSENTS: &str = "crates/web/src/api/consents.rs";
const COOKIES: &str = "crates/web/src/guard/cookies.rs";
const SIGN_IN: &str = "crates/web/src/pages/door/sign_in.rs";
const AUDIT: &str = "crates/studio/src/privacy/audit.rs";

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "an-undeclared-column-is-let-in",
        "GOV-05",
        (FENCE, "gaps.is_empty()", "true"),
        "promise_gov_05_a_column_that_nobody_declared_keeps_the_house_closed",
    ),
    mutant(
        "the-notice-leaves-out-what-is-not-in-tables",
        "GOV-02",
        (
            NOTICE,
            "chapters.extend(media.into_values())",
            "drop(media)",
        ),
        "promise_gov_02_the_notice_is_reached_from_every_page_and_tells_of_every_datum",
    ),
    mutant(
        "the-last-operator-may-go",
        "ACC-07",
        (ERASURE, "operators == [person.to_string()]", "false"),
        "promise_acc_07_who_alone_runs_the_house_stays",
    ),
    mutant(
        "the-key-of-private-words-is-kept",
        "GEN-02",
        (
            KEEPING,
            "super::keys::shredding::note_words(tx, id).await?",
            "()",
        ),
        "promise_gen_02_a_private_order_leaves_no_words_and_after_an_hour_the_books_alone",
    ),
    mutant(
        "the-key-of-a-deleted-picture-is-kept",
        "GEN-02",
        (
            PICTURES,
            "shredding::note_picture(&mut tx, &job, u32::try_from(ordinal).map_err(bad)?).await?",
            "drop(u32::try_from(ordinal).map_err(bad))",
        ),
        "promise_gen_02_a_deleted_picture_is_gone_from_every_copy",
    ),
    mutant(
        "the-file-of-a-deleted-picture-stays",
        "RGT-07",
        (PICTURES, "studio.shelf.delete(blob).await", "Ok(())"),
        "a_job_goes_with_its_last_picture",
    ),
    mutant(
        "what-is-sealed-is-bound-to-no-row",
        "SEC-02",
        (
            CIPHER,
            r#"format!("{}|{}|{row}|{}", place.table, place.column, self.owner)"#,
            r#"format!("{}|{}|{}", place.table, place.column, self.owner)"#,
        ),
        "promise_sec_02_what_is_sealed_opens_where_it_was_sealed_and_nowhere_else",
    ),
    mutant(
        "what-is-sealed-is-bound-to-no-person",
        "SEC-02",
        (
            CIPHER,
            r#"format!("{}|{}|{row}|{}", place.table, place.column, self.owner)"#,
            r#"format!("{}|{}|{row}", place.table, place.column)"#,
        ),
        "promise_sec_02_what_is_sealed_opens_where_it_was_sealed_and_nowhere_else",
    ),
    mutant(
        "what-is-over-is-not-swept",
        "RET-01",
        (RETENTION, "tx.commit().await?", "drop(tx)"),
        "promise_ret_01_rows_go_when_their_time_is_over_and_not_before",
    ),
    mutant(
        "pictures-outstay-their-time",
        "RET-02",
        (
            KEEPING,
            "pictures::delete_several(studio, person, &ids).await?",
            "0_u32.min(u32::from(ids.is_empty()))",
        ),
        "promise_ret_02_a_picture_goes_when_the_time_is_over_that_its_person_chose",
    ),
    mutant(
        "overdue-pictures-are-not-counted",
        "RET-02",
        (
            KEEPING,
            "pictures.unsigned_abs() + jobs.unsigned_abs()",
            "jobs.unsigned_abs()",
        ),
        "promise_ret_02_what_is_overdue_is_counted",
    ),
    mutant(
        "an-idle-account-ends-without-time-to-come-back",
        "RET-03",
        (
            IDLE,
            "now.plus_millis(-since_ms).as_millis()",
            "now.as_millis()",
        ),
        "promise_ret_03_an_account_that_nobody_uses_ends_after_two_letters",
    ),
    mutant(
        "keys-survive-an-erasure",
        "RGT-04",
        (
            SHRED,
            "studio.keys.shred_person(work.person).await",
            "Ok::<u64, crate::privacy::keys::KeyError>(0)",
        ),
        "promise_rgt_04_somebody_among_others_is_forgotten_and_the_others_are_not",
    ),
    mutant(
        "letters-survive-an-erasure",
        "RGT-04",
        (
            PLAN,
            "self.that(Fate::Deleted).any(|part| part.table == table)",
            r#"table != "letter" && self.that(Fate::Deleted).any(|part| part.table == table)"#,
        ),
        "promise_rgt_04_somebody_among_others_is_forgotten_and_the_others_are_not",
    ),
    mutant(
        "files-survive-an-erasure",
        "RGT-04",
        (
            STEPS,
            "shelf.delete(&file.text).await",
            "Ok::<(), outside::shelf::ShelfError>(())",
        ),
        "promise_rgt_04_somebody_among_others_is_forgotten_and_the_others_are_not",
    ),
    mutant(
        "the-search-sees-nothing-of-the-person",
        "RGT-04",
        (
            SCAN,
            "hit.is_anothers && may_be_anothers",
            "may_be_anothers || hit.is_anothers",
        ),
        "promise_rgt_04_what_is_left_behind_is_found_and_the_receipt_says_so",
    ),
    mutant(
        "an-archive-is-believed-by-its-lengths",
        "RGT-05",
        (
            VERIFY,
            "hex(&sha256.finalize().into()) != entry.sha256",
            "sha256.finalize().is_empty()",
        ),
        "promise_rgt_05_the_first_thing_that_differs_is_told",
    ),
    mutant(
        "a-manifest-is-believed-unsigned",
        "RGT-05",
        (
            VERIFY,
            "!keys::verify(&signed_by, canonical.as_bytes(), &signature)",
            "signature.is_empty()",
        ),
        "promise_rgt_05_the_first_thing_that_differs_is_told",
    ),
    mutant(
        "everybodys-rows-are-handed-out",
        "RGT-01",
        (
            ACCESS,
            r#"format!("{column} = $1")"#,
            r#"format!("$1 <> {column} OR {column} = $1")"#,
        ),
        "promise_rgt_01_everything_of_a_person_is_handed_out_and_nobody_elses",
    ),
    mutant(
        "an-archive-outlives-what-it-holds",
        "RGT-05",
        (SHREDDING, "end_archives(studio, &noted).await?", "()"),
        "promise_rgt_05_an_archive_ends_when_something_in_it_is_deleted",
    ),
    mutant(
        "who-was-erased-comes-back-with-a-backup",
        "X-07",
        (
            REPLAY,
            "studio.keys.gone_people(&people).await?",
            "Vec::<String>::new()",
        ),
        "promise_x_07_a_backup_of_six_days_ago_brings_back_nobody_who_was_erased",
    ),
    mutant(
        "orders-that-were-deleted-come-back-with-a-backup",
        "X-07",
        (
            REPLAY,
            "kept.get(job).is_none_or(is_gone)",
            "kept.get(job).is_some_and(is_gone)",
        ),
        "promise_x_07_a_backup_of_six_days_ago_brings_back_nobody_who_was_erased",
    ),
    mutant(
        "a-backup-of-the-keys-is-taken-for-ever",
        "X-07",
        (RESTORE, "ended <= now", "ended < Moment::from_millis(0)"),
        "promise_x_07_a_house_that_was_lost_comes_back_from_its_two_backups",
    ),
    mutant(
        "routes-are-open-to-who-is-restricted",
        "RGT-03",
        (
            ENTRY,
            "!operation.is_done_in(known.mode)",
            "!operation.is_done_in(known.mode) && request.uri().path().is_empty()",
        ),
        "promise_rgt_03_every_route_answers_a_restricted_person_as_the_table_says",
    ),
    mutant(
        "the-line-takes-orders-of-who-is-restricted",
        "RGT-03",
        (
            LINE,
            "!Operation::Order.is_done_in(restriction::mode_in(tx, person).await?)",
            "restriction::mode_in(tx, person).await?.name().is_empty()",
        ),
        "promise_rgt_03_no_order_slips_past_a_restriction_and_what_was_drawn_is_paid_back",
    ),
    mutant(
        "a-request-has-a-month-more",
        "RGT-11",
        (
            ASKING,
            "new.received.end_of_day_in_months(DUE_MONTHS)",
            "new.received.end_of_day_in_months(DUE_MONTHS + 1)",
        ),
        "promise_rgt_11_a_request_has_a_clock_and_is_overdue_once",
    ),
    mutant(
        "signing-in-is-not-logged",
        "SEC-07",
        (
            SESSION,
            "log::note(studio, tx, &event).await?",
            "domain::ids::LogId::new(now, &studio.randomness)",
        ),
        "promise_sec_07_a_person_reads_and_proves_what_was_done_to_the_account",
    ),
    mutant(
        "a-rewritten-log-is-not-seen",
        "X-08",
        (LOG, "*root != edge.root()", "false"),
        "promise_x_08_entries_that_change_places_are_found",
    ),
    mutant(
        "a-log-that-was-turned-back-is-not-seen",
        "X-08",
        (
            LOG,
            "studio.keys.anchored().await?",
            "None::<(u64, String)>",
        ),
        "promise_x_08_a_log_that_was_turned_back_is_found",
    ),
    mutant(
        "the-audit-does-not-look-for-what-lies-open",
        "SEC-05",
        (AUDIT, "legible(unsealed(studio).await)?", "Vec::new()"),
        "promise_sec_05_an_audit_names_what_is_broken_and_shows_it_to_everybody",
    ),
    mutant(
        "an-erased-account-that-is-back-is-not-seen",
        "SEC-05",
        (
            AUDIT,
            "slow.into_iter().chain(back).collect()",
            "slow.into_iter().collect()",
        ),
        "promise_sec_05_an_audit_names_what_is_broken_and_shows_it_to_everybody",
    ),
    mutant(
        "a-witness-signs-another-past",
        "X-08",
        (WATCHING, "!grew", "false"),
        "promise_x_08_a_witness_signs_no_other_past",
    ),
    mutant(
        "what-a-witness-has-against-the-log-is-not-told",
        "X-08",
        (
            ASKED,
            "!restorations.iter().any(is_told)",
            "restorations.iter().any(is_told)",
        ),
        "promise_sec_05_an_audit_names_what_is_broken_and_shows_it_to_everybody",
    ),
    mutant(
        "a-witness-that-falls-silent-takes-its-objection-back",
        "X-08",
        (ASKED, "Trouble::Forked.name()", "\"nothing\""),
        "promise_x_08_who_cannot_be_reached_any_more_has_taken_nothing_back",
    ),
    mutant(
        "privacy-shield-is-only-an-unknown-tool",
        "TRF-02",
        (
            RECIPIENT,
            r#"letters(&text).contains("privacyshield")"#,
            "text.is_empty()",
        ),
        "promise_trf_02_privacy_shield_is_no_transfer_tool_however_it_is_written",
    ),
    mutant(
        "a-recipient-answers-for-everybody",
        "SHR-01",
        (
            RECIPIENT,
            "self.stated.hosts.iter().any(|named| below(named))",
            "true",
        ),
        "promise_shr_01_a_recipient_answers_for_its_own_hosts_alone",
    ),
    mutant(
        "letters-go-to-anybody-of-the-register",
        "SHR-01",
        (MAIL, "recipient.role() != Role::Mail", "false"),
        "promise_shr_01_letters_go_to_the_mail_server_of_the_register_alone",
    ),
    mutant(
        "the-record-names-no-recipients",
        "SHR-01",
        (
            RECIPIENTS,
            "entry.declared.purposes().contains(&purpose)",
            "false",
        ),
        "promise_shr_01_notice_record_and_assessment_name_the_recipients",
    ),
    mutant(
        "an-undeclared-folder-is-let-in",
        "GOV-05",
        (
            FENCE,
            "!is_declared(Medium::Files, name)",
            "name.is_empty()",
        ),
        "promise_gov_05_a_folder_that_nobody_declared_keeps_the_house_closed",
    ),
    mutant(
        "a-letter-tells-what-nobody-declared",
        "GOV-05",
        (
            LETTERS,
            "!fence::is_declared(Medium::Letter, name)",
            "name.is_empty()",
        ),
        "promise_gov_05_a_letter_tells_nothing_that_is_not_declared",
    ),
    mutant(
        "the-notice-says-another-time-than-the-sweep-keeps",
        "GOV-02",
        (
            NOTICE,
            r#"fill("for {} after {}", &[&span(language, ms), &say(limit.after)])"#,
            r#"fill("for {} after {}", &[&span(language, ms / 2), &say(limit.after)])"#,
        ),
        "promise_gov_02_a_time_is_the_same_in_the_sweep_the_notice_and_the_record",
    ),
    mutant(
        "archives-are-made-as-often-as-somebody-likes",
        "SEC-06",
        (
            EXPORT,
            "of_today.len() >= MAX_A_DAY",
            "of_today.len() > 100 * MAX_A_DAY",
        ),
        "promise_sec_06_archives_are_made_so_often_and_fetched_by_who_may",
    ),
    mutant(
        "anything-is-read-for-any-purpose",
        "PUR-01",
        (PLACE, "place.serves(purpose)", "true"),
        "promise_pur_01_a_reading_for_a_purpose_that_is_not_listed_fails_the_build",
    ),
    mutant(
        "the-notice-does-not-say-what-of-a-table-serves-what",
        "PUR-01",
        (NOTICE, "chapter.serving(*purpose)", "None::<String>"),
        "promise_pur_01_the_purposes_in_the_notice_are_those_that_the_code_reads_for",
    ),
    mutant(
        "storage-serves-whatever-somebody-thinks-of",
        "OWN-02",
        (
            PLACE,
            "Err(KeyError::Purpose { place, purpose })",
            "Ok(Reading { place, purpose })",
        ),
        "promise_own_02_storage_is_read_to_deliver_and_else_only_by_consent",
    ),
    mutant(
        "every-role-reads-what-one-role-works-for",
        "PUR-02",
        (LOOKING, "purpose.readers().contains(&staff.role)", "true"),
        "promise_pur_02_a_role_is_refused_what_it_does_not_work_for_and_sees_nothing",
    ),
    mutant(
        "a-hold-is-laid-by-no-law",
        "PUR-03",
        (
            HOLDS,
            "new.law.contains(|c: char| c.is_ascii_digit())",
            "true",
        ),
        "promise_pur_03_a_hold_names_the_law_or_the_order_that_obliges_to_it",
    ),
    mutant(
        "staff-look-and-nobody-is-told",
        "SEC-07",
        (
            LOOKING,
            "note(studio, tx, staff, Some(person), view.data()).await?",
            "()",
        ),
        "promise_sec_04_the_log_of_each_person_is_every_look_of_staff_at_them_one_by_one",
    ),
    mutant(
        "the-studio-remembers-whoever-drew",
        "GEN-05",
        (
            BEGINNING,
            "consent::allows(Optional::Personalisation, signal, \"job.person_id\")",
            "\"1 = 1\".to_owned()",
        ),
        "promise_gen_05_the_studio_begins_alike_for_everybody_until_somebody_says_otherwise",
    ),
    mutant(
        "a-cookie-that-nobody-declared-is-set",
        "CNS-02",
        (
            COOKIES,
            "spot.name == name",
            "spot.name == name || name == \"tracker\"",
        ),
        "promise_cns_02_a_cookie_that_nobody_declared_does_not_leave_the_house",
    ),
    mutant(
        "who-keeps-no-cookie-signs-in-again-and-again",
        "CNS-03",
        (
            SIGN_IN,
            "cookies::read(&headers, &site, Cookie::Session).is_some()",
            "true",
        ),
        "promise_cns_03_who_keeps_no_cookie_is_told_why_signing_in_does_not_work",
    ),
    mutant(
        "a-no-is-taken-for-a-yes",
        "CNS-04",
        (
            DECIDING,
            "(Verdict::Withdrawn, means, signal)",
            "(Verdict::Given, means, signal)",
        ),
        "promise_cns_04_what_is_taken_back_in_one_process_ends_at_once_in_the_other",
    ),
    mutant(
        "a-yes-is-stronger-than-a-restriction",
        "CNS-04",
        (
            CONSENT,
            "optional.operation().is_refused_to(column)",
            "\"1 = 0\".to_owned()",
        ),
        "promise_cns_04_a_yes_is_taken_back_with_one_press_as_it_was_given_and_at_once",
    ),
    mutant(
        "a-yes-to-words-that-nobody-read",
        "CNS-05",
        (
            DECIDING,
            "version != optional.edition().version",
            "version < 0",
        ),
        "promise_cns_05_a_yes_to_words_that_nobody_read_is_none",
    ),
    mutant(
        "saving-settings-is-taken-for-a-yes",
        "CNS-05",
        (
            CONSENTS,
            "beginning::save(&studio, known.person, &settings).await?",
            "consent::give(&studio, known.person, Optional::Personalisation, 1, consent_means(&known), \
             Signal::Absent).await.map_err(consent_problem)?",
        ),
        "promise_cns_05_no_request_but_those_of_consent_ever_makes_one",
    ),
    mutant(
        "anybody-ends-the-news-of-anybody",
        "CNS-06",
        (
            DECIDING,
            "(hash(text) == hash(&reference(studio, person))).then_some(person)",
            "(!hash(text).is_empty()).then_some(person)",
        ),
        "promise_cns_06_one_press_ends_news_without_signing_in",
    ),
    mutant(
        "who-says-no-still-gets-what-waits",
        "RGT-09",
        (
            DECIDING,
            "letters::news::drop_waiting(&mut tx, person).await?",
            "()",
        ),
        "promise_cns_06_news_are_wanted_only_once_the_mailbox_says_so",
    ),
    mutant(
        "the-signal-of-a-browser-is-not-heard",
        "X-02",
        (CONSENT, "\" AND newest.signal = 1\"", "\"\""),
        "promise_x_02_the_signal_is_a_no_until_somebody_says_yes_in_spite_of_it",
    ),
];
