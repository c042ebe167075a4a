//! What the description of the API is worth to those who do not write requests by hand: a client
//! made from it by a generator of others compiles, and works with the running server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::program;
use crate::support::service::Service;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/api-client");

/// The folder with the generator and the compiler, as scripts/test-setup.sh installs them.
fn tools_or_skip(test: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("test-tools/api-client");
    let lock = |folder: &Path| fs::read(folder.join("package-lock.json")).ok();
    let is_there = lock(&tools).is_some() && lock(&tools) == lock(Path::new(SOURCE));
    if !is_there {
        program::skip(test, "the generator of API clients");
    }
    program::find_or_skip(test, &["node"]).filter(|_| is_there).map(|_| tools)
}

/// Runs a program of the tools in `folder`.
fn run(folder: &Path, script: &str, arguments: &[&str]) {
    let output = Command::new("node").current_dir(folder).arg(script).args(arguments).output().unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{script} {arguments:?}: {}\n{}",
        told(&output.stdout),
        told(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_client_compiles_and_works_with_the_running_server() {
    let Some(tools) = tools_or_skip("a_generated_client_compiles_and_works_with_the_running_server") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for file in ["package.json", "tsconfig.json", "openapi-ts.config.mjs", "main.ts"] {
        fs::copy(Path::new(SOURCE).join(file), here.join(file)).unwrap();
    }
    std::os::unix::fs::symlink(tools.join("node_modules"), here.join("node_modules")).unwrap();
    let service = Service::start(&json!({})).await;
    let description = service.get("/api/v1/openapi.json").await;
    fs::write(here.join("openapi.json"), description.to_string()).unwrap();

    run(here, "node_modules/@hey-api/openapi-ts/bin/run.js", &[]);
    run(here, "node_modules/typescript/bin/tsc", &["--project", "."]);
    run(here, "out/main.js", &[service.url()]);
}
