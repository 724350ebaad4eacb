//! Which routes show and make what is an organisation's, for whoever acts for one. On every other route whoever asks
//! asks for themselves: an organisation signs nobody in, agrees to nothing and has no rights of a person.

/// Orders, pictures and credits.
const OF_ORGANISATIONS: &[&str] = &[
    "/",
    "/draw",
    "/draw/again",
    "/draw/variations",
    "/jobs/{id}/card",
    "/jobs/{id}/cancel",
    "/jobs/{id}/remove",
    "/pictures",
    "/pictures/chosen",
    "/pictures/keeping",
    "/pictures/{id}",
    "/pictures/{id}/keeping",
    "/pictures/{id}/thumbnail",
    "/pictures/{id}/favourite",
    "/pictures/{id}/delete",
    "/credits",
    "/credits/statement.csv",
    "/credits/statement.json",
    "/v1/images/generations",
    "/v1/responses",
    "/v1/jobs",
    "/v1/jobs/events",
    "/v1/jobs/{id}",
    "/v1/jobs/{id}/events",
    "/v1/jobs/{id}/cancel",
    "/v1/pictures",
    "/v1/pictures/archive",
    "/v1/pictures/{id}",
    "/v1/pictures/{id}/content",
    "/v1/credits",
    "/v1/credits/entries",
];

pub(crate) fn is_of_organisations(route: &str) -> bool {
    OF_ORGANISATIONS.contains(&route)
}

#[cfg(test)]
mod tests {
    use studio::privacy::restriction::Operation;

    use super::super::routes;
    use super::*;

    /// Whatever orders, follows an order or shows and changes pictures is here; whatever is a person's own is not.
    #[test]
    fn promise_gov_04_routes_are_an_organisations_or_a_persons_as_what_they_do() {
        for (route, _, operation) in routes() {
            let of_pictures = [
                "/pictures",
                "/jobs",
                "/draw",
                "/v1/jobs",
                "/v1/pictures",
                "/credits",
                "/v1/credits",
            ]
            .iter()
            .any(|begin| route.starts_with(begin));
            let of_a_person = matches!(
                operation,
                Operation::ExerciseRight
                    | Operation::RunHouse
                    | Operation::SignIn
                    | Operation::Secure
                    | Operation::MakeKey
                    | Operation::Correct
            );
            let orders = matches!(operation, Operation::Order | Operation::FollowOrder);
            let expected = (of_pictures || orders || route == "/") && !of_a_person;
            assert_eq!(is_of_organisations(route), expected, "{route}");
        }
        for route in OF_ORGANISATIONS {
            assert!(routes().any(|(known, ..)| known == *route), "{route}");
        }
    }
}
