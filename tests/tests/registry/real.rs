//! A registry process of this test's own, on a free loopback port, gone with the test.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Debian's name of the program: in PATH, or in the folder that its package was unpacked to.
const PROGRAM: &str = "docker-registry";
const TOOLS: &str = "TIDEGATE_TEST_TOOLS";

/// Who may push and pull.
pub(crate) struct Login {
    pub(crate) username: &'static str,
    pub(crate) password: &'static str,
    htpasswd: &'static str,
}

impl Login {
    /// Made for these tests; the hash is bcrypt of the password.
    pub(crate) fn tester() -> Self {
        Self {
            username: "tester",
            password: "not-a-real-secret",
            htpasswd: "tester:$2b$05$abcdefghijklmnopqrstuungVG5rV2wnfvY7IqXMxsk5437TWq.4m\n",
        }
    }
}

/// The process and its folder.
pub(crate) struct RealRegistry {
    process: Child,
    folder: PathBuf,
    host: String,
    login: Option<(&'static str, &'static str)>,
}

impl RealRegistry {
    /// Starts one that is ready; nothing where the program is missing and may be.
    pub(crate) fn start(login: Option<&Login>) -> Option<Self> {
        Self::start_at(0, login, None)
    }

    /// Starts one on this port (0: any free one) that tells of its pushes: where, and with which `Authorization`.
    pub(crate) fn start_at(port: u16, login: Option<&Login>, notify: Option<(&str, &str)>) -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(uuid::Uuid::new_v4().simple().to_string());
        fs::create_dir_all(&folder).expect("a folder");
        let config = folder.join("registry.yml");
        fs::write(&config, configuration(&folder, port, login, notify)).expect("a configuration");
        // As the rig unpacks it, or as one package by itself.
        let unpacked = std::env::var_os(TOOLS).into_iter().flat_map(|tools| {
            ["registry/usr/bin", "usr/bin"].map(|folder| Path::new(&tools).join(folder).join(PROGRAM))
        });
        let program = unpacked.into_iter().find(|path| path.exists()).unwrap_or_else(|| PROGRAM.into());
        let started = Command::new(program)
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) => {
                fs::remove_dir_all(&folder).expect("the folder goes");
                let is = |name: &str, wanted: &str| std::env::var(name).is_ok_and(|value| value == wanted);
                let required = is("TIDEGATE_REQUIRE_REGISTRY", "1") || is("CI", "true");
                assert!(!required, "{PROGRAM} does not start: {error}");
                eprintln!("SKIPPED: {PROGRAM} does not start ({error}); install it to run this test");
                return None;
            }
        };
        let log = BufReader::new(process.stderr.take().expect("its log"));
        let mut lines = log.lines().map_while(Result::ok);
        let host = lines.find_map(|line| Some(line.split_once("listening on ")?.1.split('"').next()?.to_owned()));
        // Its log must be read on, or it would wait for room to write.
        std::thread::spawn(move || lines.for_each(drop));
        let login = login.map(|login| (login.username, login.password));
        Some(Self { process, folder, host: host.expect("it says where it listens"), login })
    }

    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// A reference in this registry.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }

    /// A request to this registry, with the login that it wants.
    pub(crate) fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        // Refused where a test before it installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request = reqwest::Client::new().request(method, url);
        match self.login {
            Some((username, password)) => request.basic_auth(username, Some(password)),
            None => request,
        }
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        let removed = fs::remove_dir_all(&self.folder);
        if let (Err(error), _) | (_, Err(error)) = (ended.map(drop), removed) {
            eprintln!("a registry was not cleared away: {error}");
        }
    }
}

fn configuration(folder: &Path, port: u16, login: Option<&Login>, notify: Option<(&str, &str)>) -> String {
    let data = folder.join("data").display().to_string();
    let mut config = serde_json::json!({
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": data}},
        "http": {"addr": format!("127.0.0.1:{port}")},
    });
    if let Some(login) = login {
        let path = folder.join("htpasswd");
        fs::write(&path, login.htpasswd).expect("a password file");
        config["auth"] = serde_json::json!({"htpasswd": {"realm": "tests", "path": path.display().to_string()}});
    }
    if let Some((url, authorization)) = notify {
        config["notifications"] = serde_json::json!({"endpoints": [{
            "name": "tidegate",
            "url": url,
            "headers": {"Authorization": [authorization]},
            "timeout": "10s",
            "threshold": 20,
            "backoff": "500ms",
        }]});
    }
    config.to_string()
}
