//! The real service: the `modelpager` program as a process of its own, with a
//! configuration written by the test, and its API as a test asks it.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{self, Reply};
use super::program::{self, Program};

/// How long anything may take that is bound to happen. Generous: the machine may be busy.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none within [`LIMIT`]; `what` says what was waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let end = tokio::time::Instant::now() + LIMIT;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < end, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The API of a running service.
#[derive(Clone, Debug)]
pub struct Api {
    url: String,
    /// Sent with every request, when there is one.
    token: Option<String>,
}

impl Api {
    /// Of whatever listens there; requests carry no token.
    pub fn at(address: std::net::SocketAddr) -> Self {
        Self { url: format!("http://{address}"), token: None }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where Alertmanager is to send.
    pub fn webhook_url(&self) -> String {
        format!("{}/webhooks/alertmanager", self.url)
    }

    /// Sends a request; a body goes as JSON.
    pub async fn call(&self, method: &str, path: &str, body: &str) -> std::io::Result<Reply> {
        let header = match &self.token {
            Some(token) => format!("Authorization: Bearer {token}\r\nContent-Type: application/json"),
            None => "Content-Type: application/json".to_owned(),
        };
        http::request_with(method, &format!("{}{path}", self.url), &header, body).await
    }

    /// What is there.
    ///
    /// # Panics
    /// When it is not.
    pub async fn get(&self, path: &str) -> Value {
        let reply = self.call("GET", path, "").await.unwrap();
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.json()
    }

    /// Creates something.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn create(&self, path: &str, body: &Value) -> Value {
        let reply = self.call("POST", path, &body.to_string()).await.unwrap();
        assert_eq!(reply.status, 201, "{path}: {}", reply.body);
        reply.json()
    }

    /// Posts what Alertmanager would; answers the receipt.
    ///
    /// # Panics
    /// When it is not accepted.
    pub async fn deliver(&self, body: &Value) -> Value {
        let reply = self.call("POST", "/webhooks/alertmanager", &body.to_string()).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }

    /// A whole list, oldest first.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{sign}limit=500{cursor}")).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        items.reverse();
        items
    }

    /// The notifications of one channel, oldest first.
    pub async fn notifications(&self, channel: &str) -> Vec<Value> {
        self.list(&format!("/api/v1/notifications?channel={channel}")).await
    }

    /// Waits until a channel is owed nothing and has been told `count` messages; answers
    /// them, oldest first.
    pub async fn wait_for_delivered(&self, channel: &str, count: usize) -> Vec<Value> {
        let delivered = || async {
            let found = self.notifications(channel).await;
            let done = found.iter().filter(|one| one["state"] == "delivered").count();
            (done >= count && done == found.len()).then_some(found)
        };
        eventually(&format!("{count} messages delivered on {channel}"), delivered).await
    }

    /// A notification with its attempts.
    pub async fn notification(&self, id: &Value) -> Value {
        self.get(&format!("/api/v1/notifications/{}", id.as_str().unwrap())).await
    }

    /// Waits until triage is done with `count` events; answers them, oldest first.
    pub async fn wait_for_processed(&self, count: usize) -> Vec<Value> {
        let processed = || async {
            let found = self.list("/api/v1/events?state=processed").await;
            (found.len() >= count).then_some(found)
        };
        eventually(&format!("{count} events processed"), processed).await
    }

    /// The only incident there is, with everything about it.
    ///
    /// # Panics
    /// When there is none or more than one.
    pub async fn only_incident(&self) -> Value {
        let found = self.list("/api/v1/incidents").await;
        assert_eq!(found.len(), 1, "{found:?}");
        self.get(&format!("/api/v1/incidents/{}", found[0]["id"].as_str().unwrap())).await
    }
}

/// In what surroundings the program is started.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Run by the shell that then becomes the program: `ulimit`, `trap`.
    pub shell: Option<&'static str>,
    /// Variables of the environment.
    pub variables: Vec<(&'static str, String)>,
}

/// The program under way. It is killed when this is dropped.
pub struct Service {
    program: Program,
    surroundings: Surroundings,
    api: Api,
    folder: tempfile::TempDir,
    starts: u32,
}

impl Deref for Service {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Service {
    /// Starts the program with this configuration. Where it listens and keeps its data is
    /// added, unless the configuration says so itself.
    pub async fn start(config: &Value) -> Self {
        Self::start_with_token(config, None).await
    }

    /// The same; every request of the test carries `token`.
    pub async fn start_with_token(config: &Value, token: Option<&str>) -> Self {
        Self::launch(config, token, Surroundings::default()).await
    }

    /// Starts the program with this configuration in these surroundings.
    pub async fn start_in(surroundings: Surroundings, config: &Value) -> Self {
        Self::launch(config, None, surroundings).await
    }

    async fn launch(config: &Value, token: Option<&str>, surroundings: Surroundings) -> Self {
        let mut service = Self::begin(config, token, surroundings);
        service.wait_until_ready().await;
        service
    }

    /// Starts the program and does not wait until it is ready.
    pub fn begin(config: &Value, token: Option<&str>, surroundings: Surroundings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", program::free_port());
        let url = format!("http://{address}");
        let file = folder.path().join("modelpager.yml");
        fs::write(file, completed(config, &address, &folder.path().join("modelpager.db"))).unwrap();
        let program = launch(&folder, 1, &surroundings);
        let api = Api { url, token: token.map(str::to_owned) };
        Self { program, surroundings, api, folder, starts: 1 }
    }

    /// Waits until it takes alerts.
    pub async fn wait_until_ready(&mut self) {
        let ready = format!("{}/-/ready", self.api.url);
        self.program
            .wait_until(|| async { http::get(&ready).await.is_ok_and(|reply| reply.status == 200) })
            .await;
    }

    /// Its API, for a task that outlives this.
    pub fn clone_api(&self) -> Api {
        self.api.clone()
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("modelpager.yml")
    }

    /// Writes the file anew; nothing happens until it is read again.
    pub fn write_config(&self, config: &Value) {
        let address = self.api.url.trim_start_matches("http://");
        let text = completed(config, address, &self.folder.path().join("modelpager.db"));
        fs::write(self.config_file(), text).unwrap();
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.program.id()
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Starts it again, at the same address and with the same data.
    pub async fn restart(&mut self) {
        self.launch_again();
        self.wait_until_ready().await;
    }

    /// Ends it at once if it still runs, starts it again and does not wait for it.
    pub fn launch_again(&mut self) {
        self.program.kill();
        self.starts += 1;
        self.program = launch(&self.folder, self.starts, &self.surroundings);
    }

    /// Sends a signal: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        self.program.signal(name);
    }

    /// Waits for it to end by itself.
    pub async fn wait_for_end(&mut self) -> ExitStatus {
        self.program.wait_for_end().await
    }

    /// What it has printed since it was last started.
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// Waits until it has printed `text`.
    pub async fn wait_for_log(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), || async { self.log().contains(text).then_some(()) })
            .await;
    }

    /// The most memory it ever had, in MiB.
    pub fn peak_memory_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

/// `modelpager serve` that is not expected to stay: its exit status and what it printed.
pub async fn serve_and_end(config: &str) -> (ExitStatus, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("modelpager.yml"), config).unwrap();
    let mut program = launch(&folder, 1, &Surroundings::default());
    let status = program.wait_for_end().await;
    (status, program.log())
}

fn launch(folder: &tempfile::TempDir, number: u32, surroundings: &Surroundings) -> Program {
    let program = env!("CARGO_BIN_EXE_modelpager");
    let mut command = match surroundings.shell {
        None => Command::new(program),
        Some(first) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("{first}; exec \"$0\" \"$@\""), program]);
            shell
        }
    };
    command.envs(surroundings.variables.iter().map(|(name, value)| (name, value)));
    command.args(["serve", "--config", "modelpager.yml"]).current_dir(folder.path());
    command.env_remove("RUST_LOG").env("NO_COLOR", "1");
    Program::start(&format!("modelpager-{number}"), command, folder.path())
}

/// JSON is YAML, too, and needs no care with quotes.
fn completed(config: &Value, address: &str, database: &std::path::Path) -> String {
    let mut config = config.clone();
    if config["server"]["listen"].is_null() {
        config["server"]["listen"] = json!(address);
    }
    if config["storage"].is_null() {
        config["storage"] = json!({"url": format!("sqlite://{}", database.display())});
    }
    config.to_string()
}
