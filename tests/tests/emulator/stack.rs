//! The stack that all cases share: the one that `TIDEGATE_URL` and its companions name, else one of their own, brought up
//! by `tidegate up` on a free port and taken down when this process ends, however it ends.

use std::collections::BTreeMap;
use std::env::var;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// A `tidegate down` of the run before may still be at work; it takes some seconds.
const DOWN_TRIES: u32 = 20;
/// Between two of these tries.
const DOWN_WAIT: Duration = Duration::from_secs(2);

/// A deployed stack and all that the cases need to know of it.
pub(crate) struct Stack {
    /// Where the API is, stage included.
    pub(crate) url: String,
    /// An operator's token.
    pub(crate) operator: String,
    /// A provisioning key for any fleet.
    pub(crate) provisioning: String,
    /// The webhook secret.
    pub(crate) webhook: String,
    /// The key of device tokens, where it is known.
    pub(crate) signing: Option<String>,
    /// The program `tidegate`.
    pub(crate) program: PathBuf,
    /// The emulator's process, where it is ours.
    pub(crate) emulator: Option<u32>,
    /// The port at which a registry is allowed, and may be asked.
    pub(crate) registry: Option<u16>,
    values: BTreeMap<String, String>,
    /// Takes the stack down when its standard input ends, which this process holds open.
    _keeper: Option<Child>,
}

/// The stack; nothing where these tests are not asked for.
pub(crate) fn stack() -> Option<&'static Stack> {
    static STACK: OnceLock<Option<Result<Stack, String>>> = OnceLock::new();
    let made = STACK.get_or_init(|| match (var("TIDEGATE_URL"), var("TIDEGATE_E2E").as_deref()) {
        (Ok(url), _) if !url.is_empty() => Some(Stack::given()),
        (_, Ok("1")) => Some(Stack::own()),
        _ => {
            say("SKIPPED: end-to-end tests; TIDEGATE_E2E=1 runs them on a stack of their own (tests/run does)");
            None
        }
    });
    made.as_ref().map(|made| made.as_ref().unwrap_or_else(|why| panic!("there is no stack: {why}")))
}

/// Says something at once, whatever the test harness captures.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A loopback port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

impl Stack {
    /// A value of `local.env`: an output of the template, such as `StepQueueUrl`.
    pub(crate) fn output(&self, name: &str) -> Option<&str> {
        self.values.get(&format!("TIDEGATE_OUTPUT_{name}")).map(String::as_str)
    }

    /// Where the interfaces of AWS are.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.values.get("TIDEGATE_AWS_ENDPOINT_URL").map(String::as_str)
    }

    /// A command of the program that speaks to this stack.
    pub(crate) fn command(&self) -> Command {
        let mut command = clean(&self.program);
        command
            .env("TIDEGATE_STATE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("fleets"))
            .env("TIDEGATE_URL", &self.url)
            .env("TIDEGATE_OPERATOR_TOKEN", &self.operator)
            .env("TIDEGATE_PROVISIONING_KEY", &self.provisioning)
            .env("TIDEGATE_WEBHOOK_SECRET", &self.webhook);
        command
    }

    fn given() -> Result<Self, String> {
        let values = std::env::vars().filter(|(name, _)| name.starts_with("TIDEGATE_")).collect();
        say(
            "The end-to-end tests use the stack at TIDEGATE_URL. It is not theirs: no function is killed, and the case \
             with a real registry is left out.",
        );
        Self::of(values, program()?)
    }

    fn own() -> Result<Self, String> {
        let program = program()?;
        let state = target().join("test-tools/stack");
        down(&program, &state)?;
        let (port, registry) = (free_port(), free_port());
        say(&format!("The end-to-end tests bring up a stack on port {port} …"));
        let up = clean(&program)
            .args(["up", "--port", &port.to_string()])
            .args(["--parameter", &format!("ExtraRegistries=localhost:5000,127.0.0.1:{registry}")])
            .args(["--parameter", &format!(r#"RegistryCredentials={{"127.0.0.1:{registry}":{{"plain_http":true}}}}"#)])
            .env("TIDEGATE_STATE", &state)
            .output();
        succeeded("up", up)?;
        let text = fs::read_to_string(state.join("local.env")).map_err(|error| format!("local.env: {error}"))?;
        let values = text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
        let record = fs::read_to_string(state.join("emulator.json")).map_err(|error| format!("its record: {error}"))?;
        let record: serde_json::Value =
            serde_json::from_str(&record).map_err(|error| format!("its record: {error}"))?;
        let keeper = keeper(&program, &state)?;
        let mut stack = Self::of(values.collect(), program)?;
        stack.emulator = record["pid"].as_u64().map(|pid| pid as u32);
        stack.registry = Some(registry);
        Ok(Self { _keeper: keeper, ..stack })
    }

    fn of(values: BTreeMap<String, String>, program: PathBuf) -> Result<Self, String> {
        let value = |name: &str| values.get(name).cloned().ok_or_else(|| format!("{name} is not set"));
        Ok(Self {
            url: value("TIDEGATE_URL")?,
            operator: value("TIDEGATE_OPERATOR_TOKEN")?,
            provisioning: value("TIDEGATE_PROVISIONING_KEY")?,
            webhook: value("TIDEGATE_WEBHOOK_SECRET")?,
            signing: value("TIDEGATE_SIGNING_KEY").ok(),
            program,
            emulator: None,
            registry: None,
            values,
            _keeper: None,
        })
    }
}

/// Cargo's target folder: this test is in its `<profile>/deps`.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    test.ancestors().nth(3).expect("it is in target/<profile>/deps").to_path_buf()
}

/// The program that was built beside this test.
fn program() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = test.ancestors().nth(2).unwrap_or(&test).join("tidegate");
    if program.is_file() {
        Ok(program)
    } else {
        Err("`cargo build -p tidegate-cli` makes the program first".to_owned())
    }
}

/// The program in the checkout, without what cargo tells a test: some build scripts run anew when they see it.
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let of_this_test = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_PRIMARY_", "TIDEGATE_", "AWS_"];
        if of_this_test.iter().any(|prefix| name.starts_with(prefix)) && name != "TIDEGATE_PYTHON" {
            command.env_remove(name);
        }
    }
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).stdin(Stdio::null());
    command
}

fn succeeded(what: &str, output: std::io::Result<Output>) -> Result<(), String> {
    let output = output.map_err(|error| format!("tidegate {what} does not run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("tidegate {what} failed:\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Removes what an earlier run left, but for the Python environment and the packages.
fn down(program: &Path, state: &Path) -> Result<(), String> {
    let mut tried = 0;
    loop {
        let done = clean(program).args(["down", "--keep-tools"]).env("TIDEGATE_STATE", state).output();
        match succeeded("down", done) {
            Err(_) if tried < DOWN_TRIES => tried += 1,
            done => return done,
        }
        std::thread::sleep(DOWN_WAIT);
    }
}

/// Waits for this process to end, then takes the stack down. `TIDEGATE_E2E_KEEP=1` leaves it, to be looked at.
fn keeper(program: &Path, state: &Path) -> Result<Option<Child>, String> {
    if var("TIDEGATE_E2E_KEEP").is_ok_and(|keep| keep == "1") {
        return Ok(None);
    }
    let mut command = clean(Path::new("sh"));
    command
        .args(["-c", r#"cat >/dev/null; exec "$0" down --keep-tools"#])
        .arg(program)
        .env("TIDEGATE_STATE", state)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // An interrupt of this process's group must not end it.
        .process_group(0);
    command.spawn().map(Some).map_err(|error| format!("sh does not run: {error}"))
}
