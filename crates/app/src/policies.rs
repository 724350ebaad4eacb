//! The privacy notice of a house that others reach: who answers for it, `pinhole privacy publish`, and
//! whether this build may open.

use domain::language::Language;
use std::fmt::Write;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use domain::clock::{Clock, Moment};
use domain::controller::{Controller, Field, Incomplete};
use domain::recipient::Register;
use studio::Studio;
use studio::privacy::backup::in_words;
use studio::privacy::notice;
use studio::privacy::policies::{
    self, Declaration, Draft, Line, Plan, PolicyError, Translation, Wishes,
};

use crate::place::{HouseArgs, Place, Said};

/// Who answers for the house. Needed where others reach it.
#[derive(Args, Clone, Default)]
pub(crate) struct ControllerArgs {
    /// Name of who answers for this house (the controller, Art. 4(7) GDPR)
    #[arg(
        long = "controller",
        global = true,
        env = "PINHOLE_CONTROLLER",
        value_name = "NAME"
    )]
    name: Option<String>,

    /// Their postal address
    #[arg(
        long = "controller-address",
        global = true,
        env = "PINHOLE_CONTROLLER_ADDRESS",
        value_name = "ADDRESS"
    )]
    address: Option<String>,

    /// E-mail address for questions of privacy
    #[arg(
        long = "privacy-email",
        global = true,
        env = "PINHOLE_PRIVACY_EMAIL",
        value_name = "ADDRESS"
    )]
    email: Option<String>,

    /// The data protection officer and how to reach them, or "none, because" with the reason
    #[arg(
        long = "privacy-officer",
        global = true,
        env = "PINHOLE_PRIVACY_OFFICER",
        value_name = "TEXT"
    )]
    officer: Option<String>,

    /// The representative in the European Union (Art. 27 GDPR), or "none, because" with the reason
    #[arg(
        long = "eu-representative",
        global = true,
        env = "PINHOLE_EU_REPRESENTATIVE",
        value_name = "TEXT"
    )]
    representative: Option<String>,
}

impl ControllerArgs {
    pub(crate) fn read(&self) -> Result<Controller, Incomplete> {
        Controller::read(|field| {
            let said = match field {
                Field::NAME => &self.name,
                Field::ADDRESS => &self.address,
                Field::EMAIL => &self.email,
                Field::OFFICER => &self.officer,
                _ => &self.representative,
            };
            said.clone()
        })
    }
}

/// What is published with this build and these settings.
struct Drafted {
    declaration: Declaration,
    text: String,
    page: String,
    translations: Vec<Translation>,
}

impl Drafted {
    fn of(register: &Register, controller: &Controller) -> Self {
        Self {
            declaration: Declaration::of_this_build(register, Some(controller)),
            text: notice::text(Language::English, register),
            page: web::notice_part(Language::English, register, Some(controller)),
            translations: vec![Translation {
                language: Language::German,
                text: notice::text(Language::German, register),
                page: web::notice_part(Language::German, register, Some(controller)),
            }],
        }
    }

    fn draft(&self) -> Draft<'_> {
        Draft {
            declaration: &self.declaration,
            text: &self.text,
            page: &self.page,
            translations: &self.translations,
        }
    }
}

/// Refuses to go on where this build is not what the version in force says, before the database is touched.
pub(crate) async fn rule(
    place: &Place,
    register: &Register,
    controller: &Controller,
) -> Result<()> {
    if let Some(db) = place.database_as_it_is().await? {
        if policies::has_versions(&db).await? {
            let mine = Declaration::of_this_build(register, Some(controller));
            policies::rule(&db, Clock::system().now(), &mine).await?;
        }
        db.close().await;
    }
    Ok(())
}

/// The same for a shell, and for a process that draws: more than was told may not be done.
pub(crate) async fn rule_for_a_shell(place: &Place) -> Result<()> {
    if let Some(db) = place.database_as_it_is().await? {
        if policies::has_versions(&db).await? {
            let mine = Declaration::of_this_build(&place.recipients(&Said::default())?, None);
            policies::rule_for_a_shell(&db, Clock::system().now(), &mine).await?;
        }
        db.close().await;
    }
    Ok(())
}

/// A house that others reach for the first time publishes what this build does: there is nobody yet to
/// whom anything else was told.
pub(crate) async fn publish_first(studio: &Studio, controller: &Controller) -> Result<()> {
    if !policies::is_first(studio).await? {
        return Ok(());
    }
    let drafted = Drafted::of(&studio.recipients, controller);
    match policies::publish(studio, drafted.draft(), Wishes::default()).await {
        Ok(_) => {
            tracing::info!("published the first version of the privacy notice: /privacy/versions");
            Ok(())
        }
        // Another process was quicker.
        Err(PolicyError::Same(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[derive(Args)]
pub(crate) struct PublishArgs {
    /// Show what would be published, what is other than before and from when it would hold; write nothing
    #[arg(long)]
    preview: bool,

    /// Tell everybody 30 days before, also where the program sees nothing that asks for it
    #[arg(long)]
    material: bool,

    /// The day from which it holds, in UTC; by default as early as it may
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::start_of_day)]
    effective: Option<Moment>,
}

/// `pinhole privacy publish`, in the house as another build may have left it.
pub(crate) async fn publish(args: &PublishArgs, place: &Place) -> Result<String> {
    let controller = place.controller()?;
    let mut studio = place.study(&HouseArgs::from_env()).await?;
    studio.recipients = Arc::new(place.recipients(&Said::default())?);
    let drafted = Drafted::of(&studio.recipients, &controller);
    let wishes = Wishes {
        is_material: args.material,
        effective: args.effective,
    };
    let before = policies::now_in_force(&studio).await?;
    let plan = match args.preview {
        true => policies::plan(&studio, drafted.draft(), wishes).await?,
        false => policies::publish(&studio, drafted.draft(), wishes).await?,
    };
    let mut told = summary(&plan, args.preview)?;
    if args.preview
        && let Some(before) = before
    {
        told += "\nThe words, line by line:\n\n";
        let body = plan.body(drafted.draft());
        for line in policies::compare(&before.body, &body) {
            match line {
                Line::Same(text) => writeln!(told, "  {text}")?,
                Line::Gone(text) => writeln!(told, "- {text}")?,
                Line::New(text) => writeln!(told, "+ {text}")?,
                Line::Left(_) => told += "  …\n",
            }
        }
    }
    studio.db.close().await;
    studio.keys.close().await;
    Ok(told)
}

fn summary(plan: &Plan, is_preview: bool) -> Result<String> {
    let mut told = String::new();
    let verb = if is_preview { "would be" } else { "is" };
    writeln!(
        told,
        "Version {} {verb} published. It {verb} in force from {}.",
        plan.number,
        in_words(plan.effective)
    )?;
    if plan.in_force.is_some() {
        told += match plan.is_material {
            true => {
                "It matters to people: each of them is told by a letter, on the site and in the app.\n"
            }
            false => "Nothing in it has to wait.\n",
        };
    }
    for number in &plan.overtakes {
        writeln!(
            told,
            "Version {number}, which waits for its day, is overtaken by it and never comes into force."
        )?;
    }
    for change in &plan.changes {
        writeln!(told, "  {}: {}", change.sort.words(), change.says)?;
    }
    Ok(told)
}
