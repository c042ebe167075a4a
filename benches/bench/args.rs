//! The benchmark's arguments.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::figures;

/// What to measure and where to write it.
#[derive(Debug)]
pub struct Args {
    /// Names of figures; all without any.
    pub figures: Vec<String>,
    /// How long each run counts.
    pub seconds: Duration,
    /// What to multiply great counts with.
    pub scale: f64,
    /// Print Markdown instead of a table.
    pub markdown: bool,
    /// Where the data of the runs goes.
    pub dir: Option<PathBuf>,
    /// Where the JSON goes.
    pub json: PathBuf,
    /// Another program to measure than the one just built.
    pub binary: Option<PathBuf>,
}

const USAGE: &str = "\
usage: make bench ARGS=\"[FIGURE …] [--seconds N] [--scale X] [--markdown] [--dir FOLDER] [--json FILE] [--binary FILE]\"

  --seconds N    how long each run counts (10)
  --scale X      multiply great counts with this: below 1 to try whether all works (1)
  --markdown     print the table as Markdown
  --dir FOLDER   where the databases go: the disk that is measured (below target/)
  --json FILE    where the figures go (target/bench.json)
  --binary FILE  measure this program instead of the one just built

figures, all of them without a name:";

/// Reads them; what is wrong, or the help that was asked for, comes as text.
///
/// # Errors
/// Then the text is to be shown.
pub fn parse(words: impl Iterator<Item = String>) -> Result<Args, String> {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target");
    let mut args = Args {
        figures: Vec::new(),
        seconds: Duration::from_secs(10),
        scale: 1.0,
        markdown: false,
        dir: None,
        json: target.join("bench.json"),
        binary: None,
    };
    let mut words = words;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--markdown" => args.markdown = true,
            "--seconds" => {
                let seconds = above_zero(&value()?).ok_or("--seconds wants a number above 0")?;
                args.seconds = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
            }
            "--scale" => args.scale = above_zero(&value()?).ok_or("--scale wants a number above 0")?,
            "--dir" => args.dir = Some(value()?.into()),
            "--json" => args.json = value()?.into(),
            // The program is started in another folder.
            "--binary" => {
                let file = PathBuf::from(value()?);
                let absolute =
                    file.canonicalize().map_err(|error| format!("--binary {}: {error}", file.display()))?;
                args.binary = Some(absolute);
            }
            name if figures::ALL.iter().any(|entry| entry.name == name) => args.figures.push(word),
            "--help" | "-h" => return Err(usage()),
            _ => return Err(format!("{word:?} is no figure and no option\n\n{}", usage())),
        }
    }
    Ok(args)
}

fn above_zero(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)
}

fn usage() -> String {
    let names = figures::ALL.iter().map(|entry| format!("\n  {:<14} {}", entry.name, entry.what));
    USAGE.to_owned() + &names.collect::<String>()
}
