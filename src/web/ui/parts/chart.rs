//! Charts as SVG, drawn by a library; the style sheet gives its colours their theme.
//!
//! The library knows no classes: each role has a colour of its own that nothing else has, and
//! `app.css` replaces it.

use std::ops::Range;

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::domain::clock::Timestamp;
use crate::web::ui::viewer::Viewer;

/// Texts and axes.
const INK: RGBColor = RGBColor(1, 1, 1);
/// Lines of the grid.
const GRID: RGBColor = RGBColor(2, 2, 2);
/// What went well.
const GOOD: RGBColor = RGBColor(3, 3, 3);
/// What did not.
const BAD: RGBColor = RGBColor(4, 4, 4);
/// Points of interest.
const ACCENT: RGBColor = RGBColor(5, 5, 5);
const FONT_SIZE: u32 = 12;

/// A part of the time that a chart of columns shows.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its beginning.
    pub from: Timestamp,
    /// How many went well; `None` when not counted.
    pub good: Option<i64>,
    /// How many did not.
    pub bad: i64,
}

/// Columns over time, what went wrong on top of what went well.
pub fn columns(viewer: &Viewer, label: &str, columns: &[Column]) -> Markup {
    let mut svg = String::new();
    let is_drawn = draw_columns(viewer, columns, &mut svg).is_ok();
    figure(label, if is_drawn { svg } else { String::new() })
}

/// Points on a line of time, each with its name.
pub fn points(viewer: &Viewer, label: &str, points: &[(Timestamp, String)]) -> Markup {
    let mut svg = String::new();
    let is_drawn = draw_points(viewer, points, &mut svg).is_ok();
    figure(label, if is_drawn { svg } else { String::new() })
}

fn figure(label: &str, svg: String) -> Markup {
    // A scalable picture: the library writes the size alone.
    let svg = svg.replacen("<svg ", "<svg aria-hidden=\"true\" focusable=\"false\" ", 1);
    html! { div.chart role="img" aria-label=(label) tabindex="0" { (PreEscaped(svg)) } }
}

type Drawing<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw_columns(viewer: &Viewer, columns: &[Column], svg: &mut String) -> Drawn {
    let Some(first) = columns.first() else { return Ok(()) };
    let all = |column: &Column| column.good.unwrap_or_default() + column.bad;
    let highest = columns.iter().map(all).max().unwrap_or_default().max(4);
    let root: Drawing<'_> = SVGBackend::with_string(svg, (720, 200)).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(6)
        .x_label_area_size(24)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..columns_width(columns), 0.0..highest as f64 * 1.1)?;
    let hour_of = |place: &f64| {
        let nth = (place.max(0.0) as usize).min(columns.len().saturating_sub(1));
        let at = columns.get(nth).unwrap_or(first).from;
        crate::web::ui::parts::moment::written(viewer, at, "%H:%M")
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(8)
        .y_labels(4)
        .x_label_formatter(&hour_of)
        .y_label_formatter(&|count: &f64| short(*count))
        .label_style(("sans-serif", FONT_SIZE).into_font().color(&INK))
        .draw()?;
    let bar = |place: usize, heights: Range<f64>, colour: RGBColor| {
        let left = place as f64 + 0.12;
        Rectangle::new([(left, heights.start), (left + 0.76, heights.end)], colour.filled())
    };
    for (place, column) in columns.iter().enumerate() {
        let good = column.good.unwrap_or_default() as f64;
        let bad = column.bad as f64;
        if good > 0.0 {
            chart.draw_series([bar(place, 0.0..good, GOOD)])?;
        }
        if bad > 0.0 {
            chart.draw_series([bar(place, good..good + bad, BAD)])?;
        }
    }
    root.present()?;
    Ok(())
}

fn columns_width(columns: &[Column]) -> f64 {
    columns.len() as f64
}

fn short(count: f64) -> String {
    match count {
        1_000_000.0.. => format!("{:.1}M", count / 1e6),
        10_000.0.. => format!("{:.0}k", count / 1e3),
        1_000.0.. => format!("{:.1}k", count / 1e3),
        _ => format!("{count:.0}"),
    }
}

fn draw_points(viewer: &Viewer, points: &[(Timestamp, String)], svg: &mut String) -> Drawn {
    let times = points.iter().map(|(at, _)| at.as_millis() as f64);
    let Some(from) = times.clone().reduce(f64::min) else { return Ok(()) };
    let until = viewer.now.as_millis() as f64;
    let margin = ((until - from) * 0.04).max(3_600_000.0);
    let root: Drawing<'_> = SVGBackend::with_string(svg, (720, 110)).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(6)
        .x_label_area_size(24)
        .build_cartesian_2d(from - margin..until + margin, 0.0..10.0)?;
    let day_of = |millis: &f64| {
        crate::web::ui::parts::moment::written(viewer, Timestamp::from_millis(*millis as i64), "%Y-%m-%d")
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(6)
        .x_label_formatter(&day_of)
        .label_style(("sans-serif", FONT_SIZE).into_font().color(&INK))
        .draw()?;
    chart.draw_series([PathElement::new(vec![(from - margin, 3.0), (until + margin, 3.0)], GRID)])?;
    for (nth, (at, name)) in points.iter().enumerate() {
        let place = at.as_millis() as f64;
        // Names of neighbours do not stand on one line.
        let height = if nth % 2 == 0 { 8.6 } else { 6.0 };
        let style = ("sans-serif", FONT_SIZE).into_font().color(&INK);
        chart.draw_series([Circle::new((place, 3.0), 5, ACCENT.filled())])?;
        let name: String = name.chars().take(16).collect();
        chart.draw_series([Text::new(name, (place, height), style)])?;
    }
    root.present()?;
    Ok(())
}
