//! Texts.

use handlebars::JsonValue;

use super::Args;
use crate::domain::severity::Severity;
use crate::render::escape::{clean_line, escape_markdown, escape_mrkdwn};
use crate::render::fit::{ELLIPSIS, Unit, fit};
use crate::render::look;
use crate::render::urls::encode;

/// `{{upper text}}`
pub(super) fn upper(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(args.text(0)?.to_uppercase().into())
}

/// `{{lower text}}`
pub(super) fn lower(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(args.text(0)?.to_lowercase().into())
}

/// `{{truncate text 80}}` or `{{truncate text 80 " [cut]"}}`: no longer than so many
/// characters, the ellipsis included.
pub(super) fn truncate(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let ellipsis = args.text_or(2, ELLIPSIS)?;
    Ok(fit(&args.text(0)?, args.count_of(1)?, Unit::Chars, &ellipsis).into())
}

/// `{{md_escape text}}`: no Markdown in it any more.
pub(super) fn md_escape(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(escape_markdown(&args.text(0)?).into())
}

/// `{{mrkdwn_escape text}}`: no Slack markup in it any more.
pub(super) fn mrkdwn_escape(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(escape_mrkdwn(&args.text(0)?).into())
}

/// `{{code text}}`: between backticks, which the text itself cannot end.
pub(super) fn code(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let text = clean_line(&args.text(0)?).replace('`', "'");
    Ok(if text.is_empty() { text } else { format!("`{text}`") }.into())
}

/// `{{quote text}}`: each line behind `> `, so that none can pass for a field of the message.
/// One line that has no colon needs no quoting.
pub(super) fn quote(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    /// What reads as a colon, whatever the script.
    const COLONS: [char; 9] = [':', '：', '︓', '﹕', '∶', '꞉', 'ː', '˸', '։'];
    let text = args.text(0)?;
    if !text.contains('\n') && !text.contains(COLONS) {
        return Ok(text.into());
    }
    let lines: Vec<String> = text.lines().map(|line| format!("> {line}").trim_end().to_owned()).collect();
    Ok(lines.join("\n").into())
}

/// `{{url_encode text}}`: every byte but letters, digits and `-._~` as `%XX`.
pub(super) fn url_encode(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(encode(&args.text(0)?).into())
}

/// `{{severity_emoji severity}}`
pub(super) fn severity_emoji(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(look::emoji(severity(args)?).into())
}

/// `{{severity_color severity}}`: `#RRGGBB`.
pub(super) fn severity_color(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(look::color(severity(args)?).into())
}

fn severity(args: &Args<'_, '_>) -> Result<Severity, String> {
    args.text(0)?.parse::<Severity>().map_err(|error| format!("argument 1: {error}"))
}
