//! Reads `infra/template.yaml` and holds it to its rules: what AWS would only tell after a deployment, or never.

mod alarms;
mod document;
mod functions;
mod names;
mod permissions;
mod queues;
mod routes;
mod secrets;
mod tables;
