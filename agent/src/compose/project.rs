//! A whole Compose file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use serde_saphyr::{MessageFormatter, Options, UserMessageFormatter};

use super::fields::{Fields, scalar};
use super::mistakes::{ComposeError, Mistakes};
use super::networks::Networks;
use super::service::{self, Surroundings};
use super::volumes::Volumes;
use super::{Variables, environment, folder, interpolate, order};
use crate::container_spec::labels::ENABLE;
use crate::container_spec::{Declared, Project};

/// What takes precedence over a file's own name of the project.
const PROJECT_NAME: &str = "COMPOSE_PROJECT_NAME";

/// Reads the text of a Compose file. `file` says where relative paths start and what messages are about; files that
/// `env_file` names are read.
pub fn parse(file: &Path, text: &str, dotenv: Option<&str>, variables: &Variables) -> Result<Project, ComposeError> {
    let mut tree = yaml(file, text)?;
    let mistakes = Mistakes::default();
    let variables = with_dotenv(dotenv, variables, &mistakes);
    interpolate::interpolate("", &mut tree, &variables, &mistakes);
    let project = project(file, tree, &variables, &mistakes);
    let mistakes = mistakes.into_list();
    if mistakes.is_empty() { Ok(project) } else { Err(ComposeError::Mistakes { file: file.to_owned(), mistakes }) }
}

fn yaml(file: &Path, text: &str) -> Result<Value, ComposeError> {
    // `no`, `0755` and `1_000` are texts, as `docker compose` has them.
    let options: Options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
        let detail = UserMessageFormatter.format_message(error.without_snippet()).into_owned();
        ComposeError::NotYaml { file: file.to_owned(), line, column, detail }
    })
}

/// The given variables, and those of `.env` that are not among them.
fn with_dotenv(dotenv: Option<&str>, variables: &Variables, mistakes: &Mistakes) -> Variables {
    let mut all = variables.clone();
    match environment::parse(dotenv.unwrap_or_default(), variables) {
        Ok(pairs) => {
            let mut own = Variables::new();
            own.extend(pairs);
            for (name, value) in own {
                all.entry(name).or_insert(value);
            }
        }
        Err(errors) => errors.iter().for_each(|error| mistakes.note(".env", error)),
    }
    all
}

fn project(file: &Path, tree: Value, variables: &Variables, mistakes: &Mistakes) -> Project {
    let mut fields = Fields::of("", tree, mistakes);
    // Obsolete; the specification says to ignore it.
    fields.take("version");
    let name = name(&mut fields, file, variables);
    let mut networks = Networks::read(&mut fields, &name);
    let mut volumes = Volumes::read(&mut fields, &name);
    let declared = fields.named("services");
    if declared.is_empty() {
        fields.note("services", "expected at least one service");
    }
    fields.end();

    let (mut services, mut depends) = (BTreeMap::new(), BTreeMap::new());
    let (own, others): (Vec<_>, Vec<_>) = declared.into_iter().partition(|(_, value)| is_enabled(value));
    for (service, value) in own {
        let mut around = Surroundings {
            project: &name,
            file,
            folder: folder(file),
            variables,
            networks: &mut networks,
            volumes: &mut volumes,
        };
        if let Some((read, needs)) = service::read(&service, value, &mut around, mistakes) {
            // Somebody else starts what is left to others.
            let needs = needs.into_iter().filter(|name| !others.iter().any(|(other, _)| other == name)).collect();
            depends.insert(service.clone(), needs);
            services.insert(service, read);
        } else {
            depends.insert(service, Vec::new());
        }
    }
    same_names(&services, mistakes);
    let order = order::order(&depends, mistakes);
    Project { name, services, networks: networks.used(), volumes: volumes.used(), order, file: file.to_owned() }
}

/// Whether the agent has to do with a service at all.
fn is_enabled(service: &Value) -> bool {
    let says = match service.get("labels") {
        Some(Value::Object(labels)) => labels.get(ENABLE).and_then(scalar),
        Some(Value::Array(labels)) => labels.iter().filter_map(scalar).find_map(|label| {
            label.split_once('=').filter(|(key, _)| *key == ENABLE).map(|(_, value)| value.to_owned())
        }),
        Some(_) | None => None,
    };
    says.as_deref() != Some("false")
}

fn name(fields: &mut Fields<'_>, file: &Path, variables: &Variables) -> String {
    let own = fields.text("name");
    let (path, given) = match variables.get(PROJECT_NAME).filter(|name| !name.is_empty()) {
        Some(name) => (PROJECT_NAME, name.clone()),
        None => match own {
            Some(name) => ("name", name),
            None => return of_folder(fields, file),
        },
    };
    let first = given.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !first || !given.chars().all(is_name) {
        fields.mistakes.note(path, format_args!("expected lower case letters, digits, - and _, got {given:?}"));
    }
    given
}

fn is_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_'
}

/// The folder's name, without what a project's name cannot have.
fn of_folder(fields: &Fields<'_>, file: &Path) -> String {
    let folder = std::path::absolute(folder(file)).unwrap_or_default();
    let folder = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String = folder.chars().filter(|&c| is_name(c)).collect();
    let name = name.trim_start_matches(['-', '_']).to_owned();
    if name.is_empty() {
        fields.note("name", "expected a name, since the folder's cannot be one");
    }
    name
}

/// No two services can have one container's name.
fn same_names(services: &BTreeMap<String, Declared>, mistakes: &Mistakes) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (service, declared) in services {
        if let Some(other) = seen.insert(&declared.container_name, service) {
            let path = format!("services.{service}.container_name");
            mistakes.note(&path, format_args!("{} is {other}'s container already", declared.container_name));
        }
    }
}
