//! Volumes: binds, named volumes and tmpfs, in the short form (`data:/data:ro`) and the long one.

use std::collections::BTreeMap;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountTmpfsOptions, MountType, MountVolumeOptions, VolumeCreateRequest,
};
use docker_compose_types::AdvancedVolumes;
use serde_json::Value;

use super::fields::{self, Fields, scalar};
use super::process;
use crate::container_spec::Needed;
use crate::container_spec::labels::COMPOSE_PROJECT;

/// What `docker compose` finds a project's volume by.
const COMPOSE_VOLUME: &str = "com.docker.compose.volume";

/// The volumes that a file declares, by their names in the file.
pub(super) struct Volumes {
    declared: BTreeMap<String, (String, Needed<VolumeCreateRequest>)>,
    used: BTreeMap<String, Needed<VolumeCreateRequest>>,
}

impl Volumes {
    pub(super) fn read(file: &mut Fields<'_>, project: &str) -> Self {
        let mut declared = BTreeMap::new();
        for (name, value) in file.named("volumes") {
            let mut fields = Fields::of(&format!("volumes.{name}"), value, file.mistakes);
            let (external, given) = external(&mut fields);
            let real = given.or_else(|| fields.text("name"));
            let needed = if external {
                Needed::External
            } else {
                let mut labels = process::pairs(&mut fields, "labels");
                labels.insert(COMPOSE_PROJECT.to_owned(), project.to_owned());
                labels.insert(COMPOSE_VOLUME.to_owned(), name.clone());
                let options = process::pairs(&mut fields, "driver_opts");
                Needed::Made(VolumeCreateRequest {
                    driver: fields.text("driver"),
                    driver_opts: (!options.is_empty()).then(|| options.into_iter().collect()),
                    labels: Some(labels.into_iter().collect()),
                    ..VolumeCreateRequest::default()
                })
            };
            fields.end();
            let real = real.unwrap_or_else(|| if external { name.clone() } else { format!("{project}_{name}") });
            let needed = match needed {
                Needed::Made(request) => Needed::Made(VolumeCreateRequest { name: Some(real.clone()), ..request }),
                Needed::External => Needed::External,
            };
            declared.insert(name, (real, needed));
        }
        Self { declared, used: BTreeMap::new() }
    }

    /// Those that services mount, by their names in the engine.
    pub(super) fn used(self) -> BTreeMap<String, Needed<VolumeCreateRequest>> {
        self.used
    }

    /// Reads a service's mounts; answers the names in the engine of the volumes among them.
    pub(super) fn of_service(
        &mut self,
        fields: &mut Fields<'_>,
        folder: &Path,
        container: &mut ContainerCreateBody,
        host: &mut HostConfig,
    ) -> Vec<String> {
        let mut mounts = Mounts::none(folder);
        for (n, item) in fields.list("volumes").into_iter().enumerate() {
            let name = format!("volumes[{n}]");
            let read = match scalar(&item) {
                Some(text) => self.short(&text, &mut mounts),
                None => self.long(&fields.path(&name), &item, &mut mounts, fields),
            };
            if let Err(why) = read {
                fields.note(&name, why);
            }
        }
        for one in fields.text_or_texts("tmpfs").unwrap_or_default() {
            let (target, options) = one.split_once(':').unwrap_or((&one, ""));
            mounts.tmpfs.insert(target.to_owned(), options.to_owned());
        }
        container.volumes = (!mounts.anonymous.is_empty()).then_some(mounts.anonymous);
        host.binds = (!mounts.binds.is_empty()).then_some(mounts.binds);
        host.mounts = (!mounts.engine.is_empty()).then_some(mounts.engine);
        host.tmpfs = (!mounts.tmpfs.is_empty()).then(|| mounts.tmpfs.into_iter().collect());
        mounts.named.sort_unstable();
        mounts.named.dedup();
        mounts.named
    }

    fn short(&mut self, text: &str, mounts: &mut Mounts<'_>) -> Result<(), String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, mode) = match parts[..] {
            [target] => {
                let target = absolute(target)?;
                mounts.anonymous.push(target);
                return Ok(());
            }
            [source, target] => (source, target, ""),
            [source, target, mode] => (source, target, mode),
            _ => return Err(format!("expected source:/target or source:/target:ro, got {text:?}")),
        };
        let target = absolute(target)?;
        if let Some(unknown) = mode.split(',').find(|one| !one.is_empty() && !MODES.contains(one)) {
            return Err(format!("expected ro, rw or another of {}, got {unknown:?}", MODES.join(", ")));
        }
        let source = if is_path(source) { mounts.path(source)? } else { self.named(source, mounts)? };
        let mode = if mode.is_empty() { String::new() } else { format!(":{mode}") };
        mounts.binds.push(format!("{source}:{target}{mode}"));
        Ok(())
    }

    fn long(&mut self, path: &str, item: &Value, mounts: &mut Mounts<'_>, fields: &Fields<'_>) -> Result<(), String> {
        let expected = "type, source and target, or source:/target";
        let Some(long) = fields::read::<AdvancedVolumes>(path, item, expected, fields.mistakes) else { return Ok(()) };
        let target = absolute(&long.target)?;
        let source = long.source.unwrap_or_default();
        let foreign =
            [("bind", long.bind.is_some()), ("volume", long.volume.is_some()), ("tmpfs", long.tmpfs.is_some())];
        if let Some((name, _)) = foreign.iter().find(|(name, given)| *given && *name != long._type) {
            return Err(format!("{name} belongs to a mount of type {name}, this one is of type {}", long._type));
        }
        match long._type.as_str() {
            "bind" => {
                let bind = long.bind.unwrap_or_default();
                let source = mounts.path(&source)?;
                if bind.create_host_path == Some(false) && bind.selinux.is_none() && bind.propagation.is_none() {
                    mounts.engine.push(mount(MountType::BIND, Some(source), target, long.read_only));
                    return Ok(());
                }
                if bind.create_host_path == Some(false) {
                    return Err("create_host_path: false goes with neither selinux nor propagation".to_owned());
                }
                let access = if long.read_only { "ro" } else { "rw" };
                let modes: Vec<String> =
                    [Some(access.to_owned()), bind.selinux, bind.propagation].into_iter().flatten().collect();
                if let Some(unknown) = modes.iter().find(|mode| !MODES.contains(&mode.as_str())) {
                    return Err(format!("expected one of {}, got {unknown:?}", MODES.join(", ")));
                }
                mounts.binds.push(format!("{source}:{target}:{}", modes.join(",")));
            }
            "volume" => {
                let name = if source.is_empty() { None } else { Some(self.named(&source, mounts)?) };
                let options = long.volume.unwrap_or_default();
                let volume_options = MountVolumeOptions {
                    no_copy: options.nocopy,
                    subpath: options.subpath,
                    ..MountVolumeOptions::default()
                };
                mounts.engine.push(Mount {
                    volume_options: Some(volume_options),
                    ..mount(MountType::VOLUME, name, target, long.read_only)
                });
            }
            "tmpfs" => {
                let size = long.tmpfs.and_then(|tmpfs| i64::try_from(tmpfs.size).ok());
                let tmpfs_options =
                    size.map(|size| MountTmpfsOptions { size_bytes: Some(size), ..MountTmpfsOptions::default() });
                mounts.engine.push(Mount { tmpfs_options, ..mount(MountType::TMPFS, None, target, long.read_only) });
            }
            other => return Err(format!("type: expected bind, volume or tmpfs, got {other:?}")),
        }
        Ok(())
    }

    fn named(&mut self, name: &str, mounts: &mut Mounts<'_>) -> Result<String, String> {
        let Some((real, needed)) = self.declared.get(name) else {
            return Err(format!("there is no volume {name}; declare it under volumes, or begin a path with ./ or /"));
        };
        self.used.insert(real.clone(), needed.clone());
        mounts.named.push(real.clone());
        Ok(real.clone())
    }
}

/// What may follow a short mount.
const MODES: &[&str] = &["ro", "rw", "z", "Z", "nocopy", "private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// A service's mounts as the engine takes them.
struct Mounts<'a> {
    folder: &'a Path,
    anonymous: Vec<String>,
    binds: Vec<String>,
    engine: Vec<Mount>,
    tmpfs: BTreeMap<String, String>,
    named: Vec<String>,
}

impl<'a> Mounts<'a> {
    fn none(folder: &'a Path) -> Self {
        Self {
            folder,
            anonymous: Vec::new(),
            binds: Vec::new(),
            engine: Vec::new(),
            tmpfs: BTreeMap::new(),
            named: Vec::new(),
        }
    }

    /// A path of the device, absolute.
    fn path(&self, source: &str) -> Result<String, String> {
        if source.is_empty() {
            return Err("expected a source".to_owned());
        }
        if source.starts_with('~') {
            return Err(format!("expected a path from / or ./, since the agent has no home folder, got {source:?}"));
        }
        let joined = std::path::absolute(self.folder.join(source)).map_err(|error| error.to_string())?;
        Ok(joined.components().collect::<std::path::PathBuf>().display().to_string())
    }
}

fn mount(typ: MountType, source: Option<String>, target: String, read_only: bool) -> Mount {
    Mount { typ: Some(typ), source, target: Some(target), read_only: Some(read_only), ..Mount::default() }
}

fn is_path(source: &str) -> bool {
    source.starts_with(['/', '.', '~'])
}

fn absolute(target: &str) -> Result<String, String> {
    if target.starts_with('/') {
        Ok(target.to_owned())
    } else {
        Err(format!("expected a target from /, got {target:?}"))
    }
}

/// Whether something is made by others, and the name that an old form gives it there.
pub(super) fn external(fields: &mut Fields<'_>) -> (bool, Option<String>) {
    match fields.take("external") {
        None | Some(Value::Bool(false)) => (false, None),
        Some(Value::Bool(true)) => (true, None),
        Some(Value::Object(map)) => (true, map.get("name").and_then(scalar)),
        Some(_) => {
            fields.note("external", "expected true or false");
            (false, None)
        }
    }
}
