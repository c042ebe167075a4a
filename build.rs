//! Packs the files of the API's page, and rebuilds when a migration is added: both are embedded
//! at compile time.

use std::borrow::Cow;
use std::error::Error;
use std::fs::File;
use std::io::{self, Cursor};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipArchive;

/// What the page needs of Swagger UI.
const FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=migrations");
    let out = std::env::var("OUT_DIR")?;
    let mut archive = ZipArchive::new(Cursor::new(utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED))?;
    let names: Vec<String> = archive.file_names().flatten().map(Cow::into_owned).collect();
    for file in FILES {
        let is_it = |name: &&String| name.ends_with(&format!("/dist/{file}"));
        let name = names.iter().find(is_it).ok_or_else(|| format!("swagger ui has no {file}"))?;
        let packed = File::create(Path::new(&out).join(format!("{file}.gz")))?;
        let mut packing = GzEncoder::new(packed, Compression::best());
        io::copy(&mut archive.by_name(name)?, &mut packing)?;
        packing.finish()?;
    }
    Ok(())
}
