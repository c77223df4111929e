//! A real container engine and a real registry for tests and demos: Debian's programs, unpacked into a folder, started
//! beside whatever the machine runs, and gone without a trace afterwards.
//!
//! [`Tools`] finds or fetches the programs, [`Engine`] and [`Registry`] run them, [`App`] makes images of a small service
//! and [`Rig`] is all of that in one.

mod app;
mod engine;
mod error;
mod image;
mod keeper;
mod registry;
mod slot;
mod tools;

use std::path::Path;

pub use app::App;
pub use engine::Engine;
pub use error::RigError;
pub use image::{Check, Image};
pub use registry::{Kind, Login, Notifications, Pushed, Registry, Settings};
pub use tools::Tools;

/// An engine and a registry, with what they need.
pub struct Rig {
    /// The programs.
    pub tools: Tools,
    /// The service that images are made of.
    pub app: App,
    /// The registry.
    pub registry: Registry,
    /// The engine.
    pub engine: Engine,
}

impl Rig {
    /// Brings everything up in a folder, with tools from another one that is kept. `say` hears what happens.
    pub async fn start(
        tools: &Path,
        folder: &Path,
        settings: Settings<'_>,
        say: impl Fn(&str),
    ) -> Result<Self, RigError> {
        let tools = Tools::find_or_fetch(tools, &say).await?;
        Self::with(tools, folder, settings, say).await
    }

    /// The same with tools that are there.
    pub async fn with(
        tools: Tools,
        folder: &Path,
        settings: Settings<'_>,
        say: impl Fn(&str),
    ) -> Result<Self, RigError> {
        say("building the service that images are made of");
        let app = App::build(&tools).await?;
        say("starting the registry");
        let registry = Registry::start(&tools, &folder.join("registry"), settings).await?;
        say("starting the engine");
        let engine = Engine::start(&tools, &folder.join("engine")).await?;
        Ok(Self { tools, app, registry, engine })
    }
}
