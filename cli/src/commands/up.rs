//! `tidegate up`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::progress::Progress;
use crate::stack::{self, Access, Project, UpOptions};
use crate::{seed, stdout};

/// Arguments of `tidegate up`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Port of the emulator on 127.0.0.1 [default: 4566, or a free one near it].
    #[arg(long)]
    port: Option<u16>,
    /// Refuse what a function's role does not allow, as AWS does; slower.
    #[arg(long)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    enforce_permissions: Option<bool>,
    /// A parameter of infra/template.yaml, such as BatchDelayMinutes=1; may be repeated. It stays set until `down`, or
    /// until it is set anew.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = crate::arguments::pair)]
    parameters: Vec<(String, String)>,
    /// Forget the parameters that were set before.
    #[arg(long)]
    default_parameters: bool,
}

impl Arguments {
    /// Brings the stack up and prints how to call it.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let options = UpOptions {
            port: self.port,
            enforce_permissions: self.enforce_permissions,
            parameters: self.parameters.into_iter().collect(),
            default_parameters: self.default_parameters,
            ..UpOptions::default()
        };
        let project = Project::find()?;
        let seed = async |access: &Access, progress: &Progress| seed::policies(&project, access, progress).await;
        let access = stack::up(&project, &options, &Progress::new(), seed).await?;
        stdout::print(format_args!("{}\n", how_to_call(&access, &project.shown("local.env"))))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn how_to_call(access: &Access, local_env: &str) -> String {
    format!(
        r#"
The local stack is up at {url}

  set -a; . {local_env}; set +a        # TIDEGATE_URL and the tokens, for the commands below

  curl "$TIDEGATE_URL/api/v1/health"
  curl -H "Authorization: Bearer $TIDEGATE_OPERATOR_TOKEN" "$TIDEGATE_URL/api/v1/rollouts"
  curl -H "Authorization: Bearer $TIDEGATE_PROVISIONING_KEY" -H 'Content-Type: application/json' \
       -d '{{"fleet_id":"production","services":{{"web":{{"image":"docker.io/iotistic/app:v1"}}}}}}' "$TIDEGATE_URL/api/v1/devices"
  tidegate push docker.io/iotistic/app:v2.0.1       # tells of a push as its registry would; docs/api.md has it for curl

tidegate status says what runs, tidegate logs what the functions logged, tidegate down removes all of it."#,
        url = access.url
    )
}
