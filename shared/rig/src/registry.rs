//! A real registry (CNCF distribution) of one's own, on the loopback address.

mod push;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;
use tidegate_domain::image::Digest;

use crate::error::RigError;
use crate::keeper::{self, Keeper, Word};
use crate::tools::Tools;

pub use push::{Kind, Pushed};

/// What stands before the keeper's script.
const SCRIPT: &str = include_str!("registry.sh");
/// The longest time until it answers; usually it is a tenth of a second.
const READY: Duration = Duration::from_secs(20);
/// What its log says once it listens.
const LISTENS: &str = "listening on ";

/// How a registry is set up.
#[derive(Clone, Copy, Default)]
pub struct Settings<'a> {
    /// Its port; 0 is any free one.
    pub port: u16,
    /// Whom it tells of its pushes.
    pub notifications: Option<Notifications<'a>>,
    /// Who may push and pull; everybody where it is left out.
    pub login: Option<Login>,
}

/// Whom a registry tells of its pushes.
#[derive(Clone, Copy)]
pub struct Notifications<'a> {
    /// Where.
    pub url: &'a str,
    /// The whole `Authorization` header.
    pub authorization: &'a str,
}

/// Who may push and pull.
#[derive(Clone, Copy)]
pub struct Login {
    /// The name.
    pub username: &'static str,
    /// The password.
    pub password: &'static str,
    htpasswd: &'static str,
}

impl Login {
    /// Made for tests; the hash is bcrypt of the password.
    pub const TESTER: Self = Self {
        username: "tester",
        password: "not-a-real-secret",
        htpasswd: "tester:$2b$05$abcdefghijklmnopqrstuungVG5rV2wnfvY7IqXMxsk5437TWq.4m\n",
    };
}

/// The registry. It ends with its owner.
pub struct Registry {
    keeper: Keeper,
    folder: PathBuf,
    host: String,
    http: Client,
    login: Option<Login>,
}

impl Registry {
    /// Starts one in a folder, which it has to itself, and waits until it answers.
    pub async fn start(tools: &Tools, folder: &Path, settings: Settings<'_>) -> Result<Self, RigError> {
        std::fs::create_dir_all(folder).map_err(RigError::machine(format!("making {}", folder.display())))?;
        let (log, config) = (folder.join("registry.log"), folder.join("registry.yml"));
        write(&config, &configuration(folder, settings)?)?;
        // An earlier one's place is not this one's.
        write(&log, "")?;
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{SCRIPT}{}", keeper::SCRIPT), "registry"]);
        command.arg(&log).arg(tools.registry()).arg("serve").arg(&config);
        let keeper = Keeper::start(command, log).await?;
        // Other crates of a program give this client its TLS, which needs to be told whose ciphers to use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().build()?;
        let mut registry =
            Self { keeper, folder: folder.to_path_buf(), host: String::new(), http, login: settings.login };
        registry.keeper.say(Word::Start).await?;
        registry.host = registry.until("says where it listens", async |this| listens_on(&this.log())).await?;
        // Where it is started again it is where it was.
        let port = registry.host.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(settings.port);
        write(&config, &configuration(folder, Settings { port, ..settings })?)?;
        Ok(registry)
    }

    /// Host and port, as they stand in references.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What it wrote.
    pub fn log(&self) -> PathBuf {
        self.folder.join("registry.log")
    }

    /// A reference to something in it, such as `team/app:v1`.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }

    /// Ends it; what was pushed stays.
    pub async fn stop(&self) -> Result<(), RigError> {
        // It waits for those that pull to be done; they are to see it gone.
        self.keeper.say(Word::Kill).await.map(drop)
    }

    /// Starts it again at the same place.
    pub async fn restart(&self) -> Result<(), RigError> {
        self.stop().await?;
        self.keeper.say(Word::Start).await?;
        let url = format!("http://{}/v2/", self.host);
        self.until("answers", async |this| this.http.get(&url).send().await.ok().map(drop)).await
    }

    /// Alters a blob that was pushed, so that it is not what its digest says.
    pub fn corrupt(&self, blob: &Digest) -> Result<(), RigError> {
        let path = self.blob(blob);
        let mut bytes = std::fs::read(&path).map_err(RigError::machine(format!("reading {}", path.display())))?;
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
        std::fs::write(&path, bytes).map_err(RigError::machine(format!("writing {}", path.display())))
    }

    /// Loses a blob that was pushed.
    pub fn lose(&self, blob: &Digest) -> Result<(), RigError> {
        let path = self.blob(blob);
        std::fs::remove_file(&path).map_err(RigError::machine(format!("removing {}", path.display())))
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        let hash = digest.as_str().trim_start_matches("sha256:");
        self.folder.join("data/docker/registry/v2/blobs/sha256").join(&hash[..2]).join(hash).join("data")
    }

    /// A request to it, with the login that it wants.
    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.login {
            Some(login) => request.basic_auth(login.username, Some(login.password)),
            None => request,
        }
    }

    async fn until<T>(&self, what: &str, look: impl AsyncFn(&Self) -> Option<T>) -> Result<T, RigError> {
        let began = Instant::now();
        loop {
            if let Some(found) = look(self).await {
                return Ok(found);
            }
            if !self.keeper.say(Word::Look).await? {
                return Err(RigError::program("the registry ended as soon as it was started", &self.log()));
            }
            if began.elapsed() > READY {
                let what = format!("the registry did not come so far within {} s that it {what}", READY.as_secs());
                return Err(RigError::program(what, &self.log()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn listens_on(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let (_, after) = text.split_once(LISTENS)?;
    // To the end of the quoted message, which must be whole.
    Some(after.split_once('"')?.0.to_owned())
}

/// For its owner only: the configuration names a secret of whom it tells.
fn write(path: &Path, text: &str) -> Result<(), RigError> {
    let opened = File::options().create(true).truncate(true).write(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(RigError::machine(format!("writing {}", path.display())))
}

fn configuration(folder: &Path, settings: Settings<'_>) -> Result<String, RigError> {
    let mut config = json!({
        "version": "0.1",
        "storage": { "filesystem": { "rootdirectory": folder.join("data") }, "delete": { "enabled": true } },
        "http": { "addr": format!("127.0.0.1:{}", settings.port) },
    });
    if let Some(login) = settings.login {
        let path = folder.join("htpasswd");
        write(&path, login.htpasswd)?;
        config["auth"] = json!({ "htpasswd": { "realm": "tidegate", "path": path } });
    }
    if let Some(notifications) = settings.notifications {
        config["notifications"] = json!({
            "events": { "includereferences": true },
            "endpoints": [{
                "name": "tidegate",
                "url": notifications.url,
                "headers": { "Authorization": [notifications.authorization] },
                "timeout": "10s",
                "threshold": 20,
                "backoff": "500ms",
                "ignore": { "mediatypes": ["application/octet-stream"], "actions": ["pull"] },
            }],
        });
    }
    Ok(config.to_string())
}
