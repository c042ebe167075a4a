//! The three forms of a long list: JSON pages, one JSON document a line, or CSV.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT;

use crate::catalog::faults::FieldError;
use crate::web::problem::{Kind, Problem};

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One page with a cursor.
    Json,
    /// Everything, one JSON document a line.
    Ndjson,
    /// Everything, for a spreadsheet.
    Csv,
}

impl Format {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// What is asked for: the parameter `format`, else the header `Accept`, else JSON.
    ///
    /// # Errors
    /// 422 for an unknown `format`, 406 when nothing in `Accept` can be given.
    pub fn asked_for(req: &HttpRequest, parameter: Option<&str>) -> Result<Self, Problem> {
        if let Some(word) = parameter.filter(|word| !word.is_empty()) {
            return Self::from_word(word).ok_or_else(|| {
                Problem::validation(vec![FieldError::new("format", "must be one of json, ndjson, csv")])
            });
        }
        let Some(accept) = req.headers().get(ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Json);
        };
        accept.split(',').find_map(Self::from_media_range).ok_or_else(|| {
            Problem::new(
                Kind::NotAcceptable,
                "ask for application/json, application/x-ndjson or text/csv, by Accept or by ?format=",
            )
        })
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "json" => Some(Self::Json),
            "ndjson" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    fn from_media_range(range: &str) -> Option<Self> {
        match range.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            "application/x-ndjson" | "application/jsonl" => Some(Self::Ndjson),
            "text/csv" | "text/*" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// One line of CSV (RFC 4180). A cell that a spreadsheet would take for a formula gets an
/// apostrophe in front: the texts come from strangers.
pub fn csv_line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for (n, cell) in cells.into_iter().enumerate() {
        if n > 0 {
            line.push(',');
        }
        line.push('"');
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
            line.push('\'');
        }
        line.push_str(&cell.replace('"', "\"\""));
        line.push('"');
    }
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn asked(accept: Option<&'static str>, parameter: Option<&str>) -> Result<Format, Kind> {
        let mut request = TestRequest::get();
        if let Some(accept) = accept {
            request = request.insert_header((ACCEPT, accept));
        }
        Format::asked_for(&request.to_http_request(), parameter).map_err(|problem| problem.kind())
    }

    #[test]
    fn the_parameter_goes_before_the_header() {
        assert_eq!(asked(None, None), Ok(Format::Json));
        assert_eq!(asked(Some("*/*"), None), Ok(Format::Json));
        assert_eq!(asked(Some("text/html,application/xhtml+xml,*/*;q=0.8"), None), Ok(Format::Json));
        assert_eq!(asked(Some("text/csv"), None), Ok(Format::Csv));
        assert_eq!(asked(Some("application/x-ndjson, */*"), None), Ok(Format::Ndjson));
        assert_eq!(asked(Some("text/csv"), Some("ndjson")), Ok(Format::Ndjson));
        assert_eq!(asked(Some("image/png"), None), Err(Kind::NotAcceptable));
        assert_eq!(asked(None, Some("xml")), Err(Kind::Validation));
    }

    #[test]
    fn a_spreadsheet_sees_text_never_a_formula() {
        let line = csv_line(["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "say \"hi\", ok", ""]);

        assert_eq!(
            line,
            "\"'=cmd|' /C calc'!A0\",\"'+1\",\"'-1\",\"'@SUM(A1)\",\"'\t=1\",\"say \"\"hi\"\", ok\",\"\"\r\n"
        );
    }
}
