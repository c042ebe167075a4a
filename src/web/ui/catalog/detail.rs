//! One entry with its past.

use maud::{Markup, html};

use super::changes;
use crate::catalog::plan::differences;
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Deployment, Entry, Version};
use crate::store::StoredEntry;
use crate::store::audit::AuditRecord;
use crate::store::log_incidents::IncidentSummary;
use crate::web::ui::incidents;
use crate::web::ui::parts::query::{Address, segment};
use crate::web::ui::parts::{badge, chart, code, head, link, markdown, moment, notice, table};
use crate::web::ui::viewer::Viewer;

/// What the page shows.
pub struct Shown {
    /// The entry.
    pub stored: StoredEntry,
    /// Newest first.
    pub versions: Vec<Version>,
    /// Newest first.
    pub deployments: Vec<Deployment>,
    /// Its incidents, newest first.
    pub incidents: Vec<IncidentSummary>,
    /// Who changed it, newest first.
    pub audit: Vec<AuditRecord>,
}

/// The page.
pub fn detail(viewer: &Viewer, shown: &Shown) -> Markup {
    let entry = &shown.stored.entry;
    html! {
        @if let Some(done) = super::edit::done(&Address::of(&viewer.here)) { (notice::done(&done)) }
        (head(viewer, shown))
        div.grid {
            div.wide.stack {
                @if !entry.description.is_empty() { (table::card("Description", html! { p { (entry.description) } })) }
                div #entry-incidents data-live { (recent(viewer, shown)) }
                (history(viewer, shown))
                @if !entry.runbook.is_empty() {
                    section.card { header { h2 { "Runbook" } } div.body.prose { (markdown::render(&entry.runbook)) } }
                }
                (table::card("Change history", audit(viewer, &shown.audit)))
            }
            div.third.stack {
                (table::card("Details", facts(viewer, shown)))
                (table::card("Alert matching", recognised(entry)))
            }
        }
    }
}

fn head(viewer: &Viewer, shown: &Shown) -> Markup {
    let entry = &shown.stored.entry;
    let path = format!("/catalog/{}", segment(&entry.slug));
    head::head(
        ("/catalog", "Catalog"),
        entry.title(),
        html! {
            (badge::plain(&entry.kind.as_str().replace('_', " ")))
            @if let Some(tier) = entry.tier { (badge::plain(&format!("tier {tier}"))) }
            code { (entry.slug) }
        },
        html! {
            @if viewer.may_write() {
                div.actions {
                    a.button href=(format!("{path}/edit")) { "Edit" }
                    form method="post" action=(format!("{path}/delete")) {
                        input type="hidden" name="revision" value=(shown.stored.revision);
                        button.danger type="submit" data-confirm="Delete this entry with its versions and deployments?" { "Delete" }
                    }
                }
            }
        },
    )
}

fn recent(viewer: &Viewer, shown: &Shown) -> Markup {
    let rows: Vec<Markup> = shown.incidents.iter().map(|item| incidents::row(viewer, item)).collect();
    html! {
        section.card {
            header {
                h2 { "Incidents" }
                a href=(Address::to("/incidents").with("entry", &shown.stored.entry.slug).href()) { "All incidents" }
            }
            @if rows.is_empty() { (table::nothing("None.")) }
            @else { (table::table("entry-incidents-table", "Incidents, newest first", false, &incidents::COLUMNS, &rows)) }
        }
    }
}

fn history(viewer: &Viewer, shown: &Shown) -> Markup {
    let deployed = shown.deployments.iter().map(|d| (d.at, d.version.clone()));
    let lived = shown.versions.iter().map(|v| (v.valid_from, v.version.clone()));
    let mut points: Vec<(Timestamp, String)> = deployed.chain(lived).collect();
    points.sort();
    points.dedup();
    let said = format!("Timeline of {} versions and deployments", points.len());
    html! {
        section.card {
            header { h2 { "Versions and deployments" } }
            @if points.is_empty() { (table::nothing("None recorded. A pipeline can record one with POST to the entry's deployments.")) }
            @else {
                div.body { (chart::points(viewer, &said, &points)) }
                (deployments(viewer, &shown.deployments))
                (versions(viewer, &shown.versions))
            }
        }
    }
}

fn deployments(viewer: &Viewer, all: &[Deployment]) -> Markup {
    if all.is_empty() {
        return html! {};
    }
    let rows: Vec<Markup> = all
        .iter()
        .map(|one| {
            html! {
                tr {
                    td.main {
                        strong { (one.version) }
                        @if !one.previous_version.is_empty() { " after " (one.previous_version) }
                        @if !one.rollback_command.is_empty() { (code::snippet(&one.rollback_command)) }
                    }
                    td data-label="By" { (one.actor) }
                    td data-label="Commit" { code { (one.commit) } }
                    td data-label="More" { @if link::is_web(&one.url) { (link::outside(&one.url, "details")) } }
                    td.tight data-label="When" { (moment::clock(viewer, one.at)) }
                }
            }
        })
        .collect();
    table::table(
        "deployments",
        "Deployments, newest first",
        false,
        &["Deployment", "By", "Commit", "More", "When"],
        &rows,
    )
}

fn versions(viewer: &Viewer, all: &[Version]) -> Markup {
    if all.is_empty() {
        return html! {};
    }
    let rows: Vec<Markup> = all
        .iter()
        .map(|one| {
            html! {
                tr {
                    td.main { strong { (one.version) } @if !one.note.is_empty() { br; (one.note) } }
                    td data-label="More" { @if link::is_web(&one.url) { (link::outside(&one.url, "registry")) } }
                    td.tight data-label="Live from" { (moment::clock(viewer, one.valid_from)) }
                }
            }
        })
        .collect();
    table::table("versions", "Versions, newest first", false, &["Version", "More", "Live from"], &rows)
}

fn facts(viewer: &Viewer, shown: &Shown) -> Markup {
    let entry = &shown.stored.entry;
    let texts = [
        ("Owner", &entry.owner),
        ("Team", &entry.team),
        ("Environment", &entry.environment),
        ("Impact", &entry.business_impact),
        ("Live version", &entry.current_version),
    ];
    let given = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let mut rows: Vec<(&str, Markup)> = given.map(|(term, text)| (term, html! { (text) })).collect();
    let addresses = [("Endpoint", &entry.endpoint_url), ("Runbook", &entry.runbook_url)];
    let given = addresses.into_iter().filter(|(_, url)| !url.is_empty());
    rows.extend(given.map(|(term, url)| (term, address(url))));
    rows.extend(entry.links.iter().map(|(name, url)| (name.as_str(), address(url))));
    let contacts = entry.contacts.iter().map(|contact| {
        ("Contact", html! { (contact.name) " " span.quiet { (contact.kind) } " " (contact.value) })
    });
    rows.extend(contacts);
    if !entry.tags.is_empty() {
        let tags = serde_json::to_value(&entry.tags).unwrap_or_default();
        rows.push(("Tags", code::labels(&tags)));
    }
    rows.push(("Created", moment::clock(viewer, shown.stored.created_at)));
    rows.push(("Updated", moment::clock(viewer, shown.stored.updated_at)));
    table::facts(&rows)
}

/// A link; a template of one is shown as it is written.
fn address(url: &str) -> Markup {
    if url.contains("{{") {
        html! { code { (url) } }
    } else {
        link::outside(url, url)
    }
}

fn recognised(entry: &Entry) -> Markup {
    html! {
        p { "A model label with the value " code { (entry.slug) } @if !entry.aliases.is_empty() { " or one of these aliases:" } }
        @if !entry.aliases.is_empty() { ul.labels { @for alias in &entry.aliases { li { (alias) } } } }
        @for matcher in &entry.matchers {
            p { "Matchers, priority " (matcher.priority) ":" }
            ul.labels { @for one in &matcher.matchers { li { (one) } } }
        }
    }
}

fn audit(viewer: &Viewer, records: &[AuditRecord]) -> Markup {
    html! {
        @if records.is_empty() { p.quiet { "None." } }
        ol.timeline {
            @for record in records {
                li {
                    strong { (record.action.replace('_', " ")) } " by " (record.actor)
                    span.when { (moment::clock(viewer, record.at)) }
                    (changed(record))
                }
            }
        }
    }
}

fn changed(record: &AuditRecord) -> Markup {
    let entry =
        |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str::<Entry>(text).ok());
    let (before, after) = (entry(&record.before), entry(&record.after));
    if before.is_none() && after.is_none() {
        return html! {};
    }
    let fields = differences(before.as_ref(), after.as_ref());
    html! {
        details #(format!("audit-{}", record.id)) {
            summary { (fields.len()) " fields" }
            (changes::table(&format!("changes-{}", record.id), ["Before", "After"], &fields))
        }
    }
}
