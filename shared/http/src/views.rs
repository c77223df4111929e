//! What is answered: the contract's objects, under its names.

mod applied;
mod device;
mod event;
mod health_check;
mod kept_out;
mod page;
mod policy;
mod removal;
mod rollout;
mod row;
mod target;
mod trigger;
mod webhook;

pub(crate) use applied::AppliedView;
pub(crate) use device::{Credential, DeviceView};
pub(crate) use event::EventAnswer;
pub(crate) use kept_out::KeptOutView;
pub(crate) use page::{DevicePage, DeviceRolloutPage, EventPage, Page, PolicyPage, RolloutPage, position};
pub(crate) use policy::{PolicyAnswer, PolicyBody};
pub(crate) use removal::RemovalView;
pub(crate) use rollout::{RolloutBrief, RolloutView};
pub(crate) use row::RowView;
pub(crate) use target::TargetStateSchema;
pub(crate) use trigger::{DryRunView, TriggerAnswer};
pub(crate) use webhook::WebhookAnswer;
