//! What is an organisation's, and what is its members' own.

use super::Mutant;
use super::list::mutant;

const ENTRY: &str = "crates/web/src/guard/entry.rs";
const ERASURE: &str = "crates/studio/src/privacy/erasure/mod.rs";
const GIVING: &str = "crates/studio/src/credits/giving.rs";
const MEMBERS: &str = "crates/studio/src/organisations/members.rs";
const ORGANISATIONS: &str = "crates/studio/src/organisations/mod.rs";
const TENDING: &str = "crates/studio/src/organisations/tending.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "who-left-an-organisation-is-in-it-still",
        "GOV-04",
        (
            MEMBERS,
            "\"DELETE FROM organisation_member WHERE organisation_id = $1 AND person_id = $2\"",
            "\"UPDATE organisation_member SET role = role WHERE organisation_id = $1 AND person_id = $2\"",
        ),
        "promise_gov_04_who_leaves_an_organisation_keeps_their_own_and_loses_the_organisations",
    ),
    mutant(
        "a-persons-own-is-shown-as-an-organisations",
        "GOV-04",
        (ENTRY, "access::is_of_organisations(route)", "true"),
        "promise_gov_04_who_leaves_an_organisation_keeps_their_own_and_loses_the_organisations",
    ),
    mutant(
        "any-member-lets-others-in-and-out",
        "GOV-04",
        (
            ORGANISATIONS,
            "lock(tx, organisation, owner).await?",
            "Role::Owner",
        ),
        "promise_gov_04_nobody_but_its_members_sees_an_organisation_and_only_owners_change_it",
    ),
    mutant(
        "an-organisation-cannot-be-deleted",
        "GOV-04",
        (ERASURE, "organisations::is_one(tx, person).await?", "false"),
        "promise_gov_04_an_organisation_is_taken_along_and_deleted_apart_from_its_members",
    ),
    mutant(
        "an-organisation-is-left-without-an-owner",
        "GOV-04",
        (
            TENDING,
            "write_role(&mut tx, id, heir, Role::Owner).await?",
            "()",
        ),
        "promise_gov_04_an_organisation_outlives_its_owner_and_not_its_last_member",
    ),
    mutant(
        "credits-that-are-given-stay-with-their-giver",
        "GOV-04",
        (GIVING, "-part", "Credits::ZERO"),
        "promise_gov_04_credits_that_a_member_gives_add_up_and_keep_their_end",
    ),
];
