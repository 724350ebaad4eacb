//! Consent where several processes share a database: what is taken back in one ends in all.

use studio::privacy::consent::{self, Means, Optional, Signal, Verdict};
use studio::privacy::restriction;

use crate::stage::Stage;

#[tokio::test]
async fn promise_cns_04_what_is_taken_back_in_one_process_ends_at_once_in_the_other() {
    let stage = Stage::new().await;
    let neighbour = stage.neighbour();
    let optional = Optional::Personalisation;
    let version = optional.edition().version;
    let (here, there, person) = (&stage.studio, &neighbour.studio, stage.person);
    let allowed = async |studio| {
        consent::is_allowed(studio, person, optional, Signal::Absent)
            .await
            .expect("reads")
    };
    for (one, other) in [(here, there), (there, here)] {
        consent::give(one, person, optional, version, Means::Local, Signal::Absent)
            .await
            .expect("is given");
        assert!(allowed(one).await && allowed(other).await);
        consent::withdraw(one, person, optional, Means::Local, Signal::Absent)
            .await
            .expect("is taken back");
        assert!(!allowed(one).await && !allowed(other).await);
    }
    consent::give(
        here,
        person,
        optional,
        version,
        Means::Local,
        Signal::Absent,
    )
    .await
    .expect("is given");
    restriction::restrict(there, person)
        .await
        .expect("is restricted");
    assert!(!allowed(here).await);
}

/// Which decision is the newest must not hang on clocks, which differ between machines.
#[tokio::test]
async fn promise_cns_04_a_no_from_a_machine_whose_clock_is_behind_is_the_newest_all_the_same() {
    let stage = Stage::new().await;
    let mut behind = stage.neighbour();
    behind.studio.clock = domain::clock::Clock::manual(domain::clock::Moment::from_millis(
        stage.studio.clock.now().as_millis() - 60_000,
    ));
    let optional = Optional::Personalisation;
    let version = optional.edition().version;
    let person = stage.person;
    let means = Means::Local;
    consent::give(
        &stage.studio,
        person,
        optional,
        version,
        means,
        Signal::Absent,
    )
    .await
    .expect("is given");
    consent::withdraw(&behind.studio, person, optional, means, Signal::Absent)
        .await
        .expect("is taken back");
    for studio in [&stage.studio, &behind.studio] {
        let allowed = consent::is_allowed(studio, person, optional, Signal::Absent);
        assert!(!allowed.await.expect("reads"));
        let standings = consent::of_person(studio, person).await.expect("reads");
        let standing = standings.iter().find(|one| one.optional == optional);
        let verdict = standing.and_then(consent::Standing::verdict);
        assert_eq!(verdict, Some(Verdict::Withdrawn));
    }
}

/// Many say yes and no at once, in two processes: each decision has its number, and the last one holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_cns_04_decisions_at_the_same_moment_stand_one_after_the_other() {
    const EACH: usize = 12;
    let stage = Stage::new().await;
    let neighbour = stage.neighbour();
    let optional = Optional::Personalisation;
    let version = optional.edition().version;
    let person = stage.person;
    let decide = |studio: studio::Studio, yes: bool| {
        tokio::spawn(async move {
            for _ in 0..EACH {
                match yes {
                    true => {
                        consent::give(
                            &studio,
                            person,
                            optional,
                            version,
                            Means::Local,
                            Signal::Absent,
                        )
                        .await
                        .expect("is given");
                    }
                    false => {
                        consent::withdraw(&studio, person, optional, Means::Local, Signal::Absent)
                            .await
                            .expect("is taken back");
                    }
                }
            }
        })
    };
    let all = [
        decide(stage.studio.clone(), true),
        decide(neighbour.studio.clone(), false),
        decide(neighbour.studio.clone(), true),
        decide(stage.studio.clone(), false),
    ];
    for one in all {
        one.await.expect("ends");
    }
    let studio = &stage.studio;
    let history = consent::history(studio, person).await.expect("reads");
    // Each is another than the one before: a repeated answer is no decision.
    let said: Vec<Verdict> = history.iter().map(|one| one.verdict).collect();
    assert!(!said.is_empty());
    assert!(said.windows(2).all(|pair| pair[0] != pair[1]), "{said:?}");
    consent::withdraw(studio, person, optional, Means::Local, Signal::Absent)
        .await
        .expect("is taken back");
    let allowed = consent::is_allowed(studio, person, optional, Signal::Absent);
    assert!(!allowed.await.expect("reads"));
}
