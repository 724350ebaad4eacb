//! Pages as a browser without script gets them, and the parts that the islands ask for.

use crate::stage::{Answer, Stage};

const MAX_PAGE_BYTES: usize = 100_000;

fn html(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    answer.text()
}

async fn page(stage: &Stage, path: &str) -> String {
    let answer = stage.get(path).await;
    assert_eq!(answer.status, 200, "{path}");
    html(&answer)
}

async fn picture_of(stage: &Stage, prompt: &str) -> String {
    stage.drawn(prompt).await["data"][0]["picture_id"]
        .as_str()
        .expect("text")
        .to_owned()
}

#[tokio::test]
async fn the_first_minute_offers_something_to_draw() {
    let stage = Stage::free().await;
    let studio = page(&stage, "/").await;
    assert!(studio.contains("<form class=\"order\" method=\"post\" action=\"/draw\""));
    assert!(studio.contains("name=\"prompt\""));
    assert!(studio.contains("Drawn on this server"));
    assert!(studio.contains("a red apple"));
    assert!(
        page(&stage, "/?model=scripted&example=0")
            .await
            .contains(">a red apple</textarea>")
    );
    assert!(page(&stage, "/pictures").await.contains("No pictures yet."));
    let about = page(&stage, "/about").await;
    assert!(about.contains("The scripted model") && about.contains("Plain colours."));
    assert!(about.contains("http://localhost:8080/v1"));
}

#[tokio::test]
async fn draw_find_download_delete_without_script() {
    let stage = Stage::free().await;
    let drawn = stage
        .submit(
            "/draw",
            &[
                ("prompt", "a red apple"),
                ("count", "1"),
                ("quality", "low"),
                ("seed", ""),
                ("steps", ""),
            ],
        )
        .await;
    assert_eq!(drawn.status, 303);
    let job = drawn
        .header("location")
        .strip_prefix("/#")
        .expect("the studio")
        .to_owned();
    assert_eq!(stage.over(&job).await, "done");
    let studio = page(&stage, "/").await;
    assert!(studio.contains(&format!("id=\"{job}\"")));
    let picture = stage.jobs().await[0]["pictures"][0]["id"]
        .as_str()
        .expect("text")
        .to_owned();
    assert!(studio.contains(&format!("href=\"/pictures/{picture}\"")));
    assert!(
        page(&stage, "/pictures")
            .await
            .contains(&format!("/pictures/{picture}/thumbnail"))
    );
    assert_eq!(
        stage
            .get(&format!("/pictures/{picture}/thumbnail"))
            .await
            .header("content-type"),
        "image/jpeg"
    );
    let shown = page(&stage, &format!("/pictures/{picture}")).await;
    assert!(
        shown.contains(&format!(
            "/v1/pictures/{picture}/content?format=webp&#38;download=1"
        )) || shown.contains(&format!(
            "/v1/pictures/{picture}/content?format=webp&amp;download=1"
        ))
    );
    let deleted = stage
        .submit(&format!("/pictures/{picture}/delete"), &[])
        .await;
    assert_eq!(
        (deleted.status.as_u16(), deleted.header("location")),
        (303, "/pictures")
    );
    assert!(!page(&stage, "/pictures").await.contains(&picture));
    assert!(!page(&stage, "/").await.contains(&picture));
}

#[tokio::test]
async fn a_job_on_its_way_has_a_place_a_way_to_look_again_and_a_cancel() {
    let stage = Stage::halted().await;
    for prompt in ["a cat", "a dog", "an owl"] {
        stage.studio.clock.advance_millis(1);
        // Other step counts, so that they are not drawn together.
        let steps = prompt.len().to_string();
        assert_eq!(
            stage
                .submit("/draw", &[("prompt", prompt), ("steps", &steps)])
                .await
                .status,
            303
        );
    }
    while stage
        .jobs()
        .await
        .iter()
        .filter(|job| job["status"] == "queued")
        .count()
        > 2
    {
        tokio::task::yield_now().await;
    }
    let studio = page(&stage, "/").await;
    assert!(studio.contains("<noscript><p class=\"reload\">"));
    let jobs = stage.jobs().await;
    let waiting = jobs
        .iter()
        .filter(|job| job["status"] == "queued")
        .collect::<Vec<_>>();
    assert!(studio.contains(waiting[0]["message"].as_str().expect("text")));
    let id = waiting[0]["id"].as_str().expect("text").to_owned();
    assert!(studio.contains(&format!("action=\"/jobs/{id}/cancel\"")));
    let cancelled = stage.submit(&format!("/jobs/{id}/cancel"), &[]).await;
    assert_eq!(
        (
            cancelled.status.as_u16(),
            cancelled.header("location").to_owned()
        ),
        (303, format!("/#{id}"))
    );
    assert!(
        page(&stage, "/")
            .await
            .contains("Cancelled. Nothing was charged.")
    );
    assert_eq!(
        stage.submit("/jobs/job_nonsense/cancel", &[]).await.status,
        404
    );
}

#[tokio::test]
async fn a_mistake_loses_nothing_that_was_written() {
    let stage = Stage::free().await;
    let refused = stage
        .submit(
            "/draw",
            &[
                ("prompt", "a <red> apple"),
                ("count", "3"),
                ("quality", "high"),
                ("steps", "99"),
                ("seed", "12"),
            ],
        )
        .await;
    assert_eq!(refused.status, 400);
    let studio = html(&refused);
    assert!(studio.contains("role=\"alert\">steps is 99"));
    assert!(studio.contains("a &#60;red&#62; apple</textarea>"));
    assert!(studio.contains("name=\"count\" value=\"3\" checked"));
    assert!(studio.contains("value=\"99\""));
    assert!(studio.contains("value=\"12\""));
    assert!(studio.contains("<details class=\"more\" open>"));
    for (field, value) in [
        ("seed", "x"),
        ("count", "many"),
        ("size", "big"),
        ("guidance", "1e99"),
        ("prompt", " "),
    ] {
        let fields = [("prompt", "a cat"), (field, value)];
        assert_eq!(stage.submit("/draw", &fields).await.status, 400, "{field}");
        let part = stage.submit_part("/draw", &fields).await.error(400);
        assert!(part["param"].is_string());
    }
    assert!(stage.jobs().await.is_empty());
}

#[tokio::test]
async fn a_failure_stays_as_a_card_and_can_be_tried_again() {
    let stage = Stage::free().await;
    let card = stage
        .submit_part("/draw", &[("prompt", "a storm"), ("seed", "5")])
        .await;
    assert_eq!(card.status, 201);
    let job = stage.jobs().await[0]["id"]
        .as_str()
        .expect("text")
        .to_owned();
    assert_eq!(stage.over(&job).await, "failed");
    let card = page(&stage, &format!("/jobs/{job}/card")).await;
    assert!(card.starts_with("<article"));
    assert!(card.contains("The drawing failed. Nothing was charged."));
    assert!(card.contains("Try again"));
    let again = stage.submit("/draw/again", &[("job", &job)]).await;
    assert_eq!(again.status, 303);
    let jobs = stage.jobs().await;
    assert_eq!((jobs.len(), &jobs[0]["prompt"]), (2, &jobs[1]["prompt"]));
    assert_ne!(jobs[0]["seed"], jobs[1]["seed"]);
    assert_eq!(
        stage
            .submit("/draw/again", &[("job", "job_1")])
            .await
            .status,
        404
    );
    assert!(
        page(&stage, &format!("/?remix={job}"))
            .await
            .contains(">a storm</textarea>")
    );
}

#[tokio::test]
async fn a_card_without_pictures_can_be_removed_without_script() {
    let stage = Stage::free().await;
    let card = stage
        .submit_part("/draw", &[("prompt", "a storm"), ("seed", "5")])
        .await;
    assert_eq!(card.status, 201);
    let job = stage.jobs().await[0]["id"]
        .as_str()
        .expect("text")
        .to_owned();
    assert_eq!(stage.over(&job).await, "failed");
    let drawn = picture_of(&stage, "a cat").await;
    let remove = format!("/jobs/{job}/remove");
    let studio = page(&stage, "/").await;
    assert_eq!(studio.matches("/remove\"").count(), 1);
    assert!(studio.contains(&format!("action=\"{remove}\"")));
    let removed = stage.submit(&remove, &[]).await;
    assert_eq!(
        (removed.status.as_u16(), removed.header("location")),
        (303, "/#work-heading")
    );
    let studio = page(&stage, "/").await;
    assert!(!studio.contains("a storm") && studio.contains(&drawn));
    assert!(studio.contains("id=\"work-heading\""));
    let again = stage.submit(&remove, &[]).await;
    assert_eq!(again.status, 404);
    assert!(html(&again).contains("There is nothing here"));
}

#[tokio::test]
async fn unknown_words_are_said_kindly() {
    let stage = Stage::free().await;
    stage.drawn("a zeppelin").await;
    assert!(
        page(&stage, "/")
            .await
            .contains("This model does not know the word “zeppelin”; it was left out.")
    );
}

#[tokio::test]
async fn the_controls_are_those_of_the_model() {
    let stage = Stage::free().await;
    let fixed = page(&stage, "/").await;
    for control in ["size", "negative", "transparent"] {
        assert!(!fixed.contains(&format!("name=\"{control}\"")), "{control}");
    }
    let chosen = stage
        .submit(
            "/draw",
            &[("prompt", "a cat"), ("model", "flexible"), ("choose", "1")],
        )
        .await;
    let flexible = html(&chosen);
    assert!(
        flexible.contains("name=\"size\" value=\"32x32\" checked")
            && flexible.contains("name=\"negative\"")
            && flexible.contains("name=\"transparent\"")
    );
    assert!(flexible.contains(">a cat</textarea>"));
    assert!(
        stage.jobs().await.is_empty(),
        "choosing a model orders nothing"
    );
    for size in flexible
        .split("name=\"size\" value=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().expect("a size"))
    {
        let fields = [
            ("prompt", "a cat"),
            ("model", "flexible"),
            ("size", size),
            ("negative", "rain"),
            ("guidance", "2,5"),
            ("transparent", "1"),
        ];
        assert_eq!(stage.submit("/draw", &fields).await.status, 303, "{size}");
    }
    let ordered = stage.jobs().await;
    assert!(ordered.iter().all(|job| job["background"] == "transparent"));
    let job = ordered[0]["id"].as_str().expect("an id");
    let remixed = page(&stage, &format!("/?remix={job}")).await;
    assert!(remixed.contains(
        "name=\"transparent\" value=\"1\" aria-describedby=\"transparent-hint\" checked"
    ));
}

#[tokio::test]
async fn words_are_shown_and_never_run() {
    let stage = Stage::free().await;
    let attack = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{7*7}}";
    let picture = picture_of(&stage, attack).await;
    let job = stage.jobs().await[0]["id"]
        .as_str()
        .expect("text")
        .to_owned();
    for path in [
        "/".to_owned(),
        "/pictures".to_owned(),
        format!("/pictures/{picture}"),
        format!("/?remix={job}"),
        format!("/jobs/{job}/card"),
    ] {
        let shown = page(&stage, &path).await;
        assert!(
            !shown.contains("<script>alert") && !shown.contains("<img src=x"),
            "{path}"
        );
        assert!(shown.contains("&#60;script&#62;alert(1)"), "{path}");
    }
}

#[tokio::test]
async fn pages_hold_no_inline_script_or_style() {
    let stage = Stage::free().await;
    let picture = picture_of(&stage, "a cat").await;
    for path in ["/", "/pictures", "/about", &format!("/pictures/{picture}")] {
        let shown = page(&stage, path).await;
        assert!(
            !shown.contains("style=\"") && !shown.contains("<style"),
            "{path}"
        );
        assert!(
            !shown.contains(" onclick") && !shown.contains("javascript:"),
            "{path}"
        );
        assert_eq!(
            shown.matches("<script").count(),
            shown
                .matches("<script type=\"module\" src=\"/assets/")
                .count(),
            "{path}"
        );
        assert!(!shown.contains("http://") || path == "/about", "{path}");
    }
}

#[tokio::test]
async fn a_page_is_light_and_its_files_are_kept_for_good() {
    let stage = Stage::free().await;
    for n in 0..20 {
        stage.studio.clock.advance_millis(1);
        stage
            .drawn(&format!(
                "a cat number {n} that sits beside a boat on a quiet lake"
            ))
            .await;
    }
    let shown = page(&stage, "/").await;
    let mut bytes = shown.len();
    let files: Vec<&str> = shown
        .split('"')
        .filter(|text| text.starts_with("/assets/"))
        .collect();
    assert!(files.iter().any(|file| file.ends_with("style.css")));
    for file in files {
        let answer = stage.get(file).await;
        assert_eq!(answer.status, 200, "{file}");
        assert_eq!(
            answer.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        bytes += answer.body.len();
    }
    assert!(bytes < MAX_PAGE_BYTES, "{bytes} bytes");
    assert_eq!(
        stage.get("/assets/0000000000000000/style.css").await.status,
        404
    );
    assert_eq!(
        stage.get("/favicon.ico").await.header("content-type"),
        "image/svg+xml"
    );
}

#[tokio::test]
async fn older_work_is_a_page_away() {
    let stage = Stage::free().await;
    for n in 0..49 {
        stage.studio.clock.advance_millis(1);
        stage.drawn(&format!("cat {n}.")).await;
    }
    for (path, last, first_of_next) in [
        ("/", "cat 29.", "cat 28."),
        ("/pictures", "cat 1.", "cat 0."),
    ] {
        let newest = page(&stage, path).await;
        assert!(
            newest.contains(last) && !newest.contains(&format!("\"{first_of_next}\"")),
            "{path}"
        );
        let older = newest
            .split(&format!("{path}?before="))
            .nth(1)
            .expect("a link")
            .split('"')
            .next()
            .expect("an id");
        assert!(
            page(&stage, &format!("{path}?before={older}"))
                .await
                .contains(first_of_next),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_very_long_prompt_is_drawn_and_shown() {
    let stage = Stage::free().await;
    let word = "w".repeat(10_000);
    let picture = picture_of(&stage, &word).await;
    assert!(page(&stage, "/").await.contains(&word));
    assert!(
        page(&stage, &format!("/pictures/{picture}"))
            .await
            .contains(&word)
    );
}

#[tokio::test]
async fn a_wrong_address_is_a_page_that_says_what_to_do() {
    let stage = Stage::free().await;
    for path in [
        "/nowhere",
        "/pictures/pic_1",
        "/pictures/pic_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/?remix=job_1",
        "/?before=x",
    ] {
        let answer = stage.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(html(&answer).contains("There is nothing here"), "{path}");
    }
    let wrong = stage.get("/draw").await;
    assert_eq!(wrong.status, 405);
    assert!(html(&wrong).contains("To the studio"));
}

#[tokio::test]
async fn a_broken_database_is_a_page_too() {
    let stage = Stage::free().await;
    stage.studio.db.close().await;
    for path in ["/", "/pictures"] {
        let answer = stage.get(path).await;
        assert_eq!(answer.status, 500);
        assert!(html(&answer).contains("Something went wrong"));
    }
}
