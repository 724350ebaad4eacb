use std::net::Ipv4Addr;

use super::*;

/// 2027-01-15T08:00:00Z
const MORNING: Moment = Moment::from_millis(1_800_000_000_000);
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x6440_0000 + number)
}

fn see(visits: &Visits, now: Moment, number: u32, page: &str, source: Option<&str>) {
    let view = View {
        page,
        from: IpAddr::V4(address(number)),
        agent: AGENT.as_bytes(),
        browser: "Firefox",
        system: "Linux",
        device: "computer",
        source,
        country: None,
    };
    visits.count_view(now, &view);
}

fn fresh() -> Visits {
    Visits::new(&Randomness::seeded(3), MORNING)
}

fn told(visits: &Visits, now: Moment, kind: Kind) -> Vec<(String, Cell)> {
    let over = visits.take_over(now, true);
    let cells = over.into_iter().flat_map(|one| one.cells);
    let mut cells: Vec<_> = cells
        .filter(|(known, ..)| *known == kind)
        .map(|(_, name, cell)| (name, cell))
        .collect();
    cells.sort_by(|(one, _), (other, _)| one.cmp(other));
    cells
}

const fn cell(times: u64, people: u64) -> Cell {
    Cell { times, people }
}

#[test]
fn somebody_who_comes_again_on_a_day_is_one_visitor_and_on_the_next_day_another() {
    let visits = fresh();
    for number in 0..12 {
        see(&visits, MORNING, number, "/", None);
        see(&visits, MORNING, number, "/about", None);
    }
    let evening = MORNING.plus_millis(15 * 60 * 60 * 1_000);
    see(&visits, evening, 3, "/", None);
    let next = MORNING.plus_millis(DAY_MS);
    for number in 0..10 {
        see(&visits, next, number, "/", None);
    }
    let over = visits.take_over(next, false);
    assert_eq!(over.len(), 1, "today is told when it is over");
    let mut first = over[0].cells.iter();
    let total = first.find(|(kind, ..)| *kind == Kind::Visits);
    assert_eq!(total.expect("is told").2, cell(25, 12));
    let second = told(&visits, next, Kind::Visits);
    assert_eq!(second, [(NONE.to_owned(), cell(10, 10))]);
}

#[test]
fn where_fewer_than_ten_came_nothing_is_told_of_them() {
    let visits = fresh();
    for number in 0..9 {
        see(&visits, MORNING, number, "/", Some("news.example.org"));
        see(&visits, MORNING, number, "/about", Some("news.example.org"));
    }
    assert!(visits.take_over(MORNING, true).is_empty());
    for number in 0..30 {
        let source = (number < 9).then_some("news.example.org");
        see(&visits, MORNING, number, "/", source);
    }
    // The nine join the others.
    let sources = told(&visits, MORNING, Kind::Source);
    assert_eq!(sources, [(OTHER.to_owned(), cell(30, 30))]);
}

#[test]
fn made_up_hosts_fill_no_memory() {
    let visits = fresh();
    let many = u32::try_from(MAX_NAMES).expect("few") + 1_000;
    for number in 0..many {
        let host = format!("host{number}.example.org");
        see(&visits, MORNING, number, "/", Some(&host));
    }
    let held = visits.on(MORNING).today.cells[&Kind::Source].len();
    assert_eq!(held, MAX_NAMES + 1);
    let sources = told(&visits, MORNING, Kind::Source);
    let all = u64::from(many);
    assert_eq!(sources, [(OTHER.to_owned(), cell(all, all))]);
}

#[test]
fn pictures_are_counted_by_model_and_sign_ups_by_number() {
    let visits = fresh();
    let randomness = Randomness::seeded(5);
    for number in 0..12 {
        let person = PersonId::new(MORNING, &randomness);
        visits.count_order(MORNING, person, "small", 2);
        visits.count_order(MORNING, person, "small", 1);
        if number < 3 {
            visits.count_order(MORNING, person, "large", 4);
        }
        visits.count_sign_up(MORNING);
    }
    let over = visits.take_over(MORNING, true);
    let cells = &over[0].cells;
    // The few of the large one are with the many: 36 and 12 pictures.
    assert!(cells.contains(&(Kind::Model, OTHER.to_owned(), cell(48, 10))));
    assert!(cells.contains(&(Kind::SignUp, NONE.to_owned(), cell(12, 12))));
}

#[test]
fn what_could_not_be_written_is_kept_for_some_days_and_no_longer() {
    let visits = fresh();
    let mut now = MORNING;
    for _ in 0..MAX_DAYS + 3 {
        (0..10).for_each(|number| see(&visits, now, number, "/", None));
        now = now.plus_millis(DAY_MS);
        let over = visits.take_over(now, false);
        visits.put_back(now, over);
    }
    let over = visits.take_over(now, false);
    assert_eq!(over.len(), MAX_DAYS);
    assert_eq!(over[MAX_DAYS - 1].day, day_of(now.plus_millis(-DAY_MS)));
}

/// What an attacker reckons who knows how hashes are made.
fn reckon(salt: &[u8], number: u32) -> u64 {
    let mut hash = Sha256::new();
    hash.update(salt);
    let from = address(number).to_ipv6_mapped().to_bits().to_le_bytes();
    for part in [&b"visitor"[..], &from, AGENT.as_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let bytes = hash.finalize();
    u64::from_le_bytes(bytes[..8].try_into().expect("eight"))
}

/// The memory of a process is taken, with whatever is written of the day, and 1,000 addresses are tried.
#[test]
fn promise_use_03_after_the_number_of_the_day_turned_nobody_is_found_again() {
    let visits = Visits::new(&Randomness::system(), MORNING);
    (0..1_000).for_each(|number| see(&visits, MORNING, number, "/", None));
    let (salt, seen) = {
        let counting = visits.on(MORNING);
        (counting.today.salt.clone(), counting.today.seen.clone())
    };
    let found = |salt: &[u8], seen: &HashSet<u64>| {
        let guesses = 0..1_000;
        let hits = guesses.filter(|number| seen.contains(&reckon(salt, *number)));
        hits.count()
    };
    // Whoever had the number of the day would find everybody: the attack is a good one.
    assert_eq!(found(&*salt, &seen), 1_000);
    let day = MORNING.as_seconds().to_le_bytes();
    for without in [&[0; 32][..], &[], &day, b"2027-01-15", &[1; 32]] {
        assert_eq!(found(without, &seen), 0);
    }
    let next = MORNING.plus_millis(DAY_MS);
    let counting = visits.on(next);
    assert_ne!(*counting.today.salt, *salt);
    assert_eq!(found(&*salt, &counting.today.seen), 0);
    assert_eq!(found(&*counting.today.salt, &seen), 0);
    // And what is left of the day has no hash, even for whoever kept the number.
    let left = format!("{:?}", counting.over);
    assert!(left.contains("Firefox") && left.contains("1000"), "{left}");
    for number in 0..1_000 {
        let hash = reckon(&*salt, number);
        for form in [
            hash.to_string(),
            format!("{hash:x}"),
            address(number).to_string(),
        ] {
            assert!(!left.contains(&form), "{form}");
        }
    }
    assert!(!left.contains("Gecko"));
}
