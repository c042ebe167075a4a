//! `docker-compose.yml` says what its services promise: pinned, confined, watched, and
//! every file it mounts is there.

use std::process::Command;

use serde_json::{Map, Value};

use super::local::{Addresses, Local, compose_file, repository, run, texts};

/// Services that need to write or to change user at their start, and so are less confined.
const NOT_FULLY_CONFINED: &[&str] = &["postgres"];

fn services(file: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    file["services"].as_object().unwrap().iter()
}

#[test]
fn docker_compose_accepts_the_file_where_it_is_installed() {
    let has_compose =
        Command::new("docker").args(["compose", "version"]).output().is_ok_and(|o| o.status.success());
    if !has_compose {
        eprintln!(
            "SKIPPED: docker_compose_accepts_the_file_where_it_is_installed needs docker compose; the file's structure is checked without it"
        );
        return;
    }
    run(Command::new("docker").args(["compose", "config", "--quiet"]).current_dir(repository()));
    run(Command::new("docker")
        .args(["compose", "--env-file", "deploy/compose/postgres.env", "config", "--quiet"])
        .current_dir(repository()));
}

#[test]
fn the_services_of_the_whole_way_are_there() {
    let file = compose_file();
    let names: Vec<_> = services(&file).map(|(name, _)| name.as_str()).collect();

    for wanted in ["prometheus", "alertmanager", "modelpager", "toy-exporter", "mailpit", "postgres"] {
        assert!(names.contains(&wanted), "{wanted} is missing from {names:?}");
    }
    assert_eq!(texts(&file["services"]["postgres"]["profiles"]), ["postgres"]);
}

#[test]
fn every_image_is_pinned() {
    for (name, service) in services(&compose_file()) {
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: {image} has no tag"));
        let own = image == "modelpager:dev";
        assert!(own || tag.matches('.').count() >= 1 && tag != "latest", "{name}: {image} is not pinned");
        assert_eq!(own, service["build"] == ".", "{name}: our image is built here, the others are not");
    }
}

#[test]
fn every_service_is_confined_and_watched() {
    for (name, service) in services(&compose_file()) {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        if !NOT_FULLY_CONFINED.contains(&name.as_str()) {
            assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        }
        let own_image = service["image"] == "modelpager:dev";
        assert!(own_image || service["healthcheck"]["test"].is_array(), "{name} has no health check");
        for port in texts(&service["ports"]) {
            assert!(
                port.starts_with("127.0.0.1:"),
                "{name}: {port} is open to the network with public tokens"
            );
        }
    }
}

#[test]
fn everything_named_is_there() {
    let file = compose_file();
    let secrets = file["secrets"].as_object().unwrap();
    let volumes = file["volumes"].as_object().unwrap();
    for secret in secrets.values() {
        assert!(repository().join(secret["file"].as_str().unwrap()).is_file(), "{secret}");
    }
    for (name, service) in services(&file) {
        for mount in texts(&service["volumes"]) {
            let source = mount.split(':').next().unwrap();
            let known = volumes.contains_key(source) || repository().join(source).is_dir();
            assert!(known, "{name} mounts {source}, which is not there");
        }
        for secret in texts(&service["secrets"]) {
            assert!(secrets.contains_key(secret), "{name}: {secret}");
        }
        for needed in service["depends_on"].as_object().into_iter().flat_map(Map::keys) {
            assert!(file["services"].get(needed).is_some(), "{name} waits for {needed}");
        }
    }
}

#[test]
fn modelpager_accepts_its_file() {
    let local = Local::prepare(&Addresses::default());
    // What it listens on inside its container, where the tokens are required.
    let text = std::fs::read_to_string(local.file("modelpager/modelpager.yml")).unwrap();
    std::fs::write(
        local.file("modelpager/modelpager.yml"),
        text.replace("127.0.0.1:9095\"", "0.0.0.0:9095\""),
    )
    .unwrap();

    let said = run(Command::new(env!("CARGO_BIN_EXE_modelpager"))
        .arg("check-config")
        .arg(local.file("modelpager/modelpager.yml"))
        .env_remove("MODELPAGER_STORAGE"));

    assert!(said.contains("SUCCESS") && said.contains("2 channels"), "{said}");
}
