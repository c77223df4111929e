//! A link that enrols anew when the server takes its token no more.

use std::time::Duration;

use tokio::time::Instant;

use super::{Facts, enrol, machine_name, platform, provisioning_key};
use crate::config::Config;
use crate::server::http::{Client, HttpLink};
use crate::server::identity::IdentityFile;
use crate::server::link::{Link, LinkError, Polled, Reported};
use crate::server::report::StateReport;

/// Shortest time between two tries: an operator must allow it first, and that takes people.
const BETWEEN: Duration = Duration::from_mins(15);

/// The link of a device that has its provisioning key still. Without one it is the link alone.
#[derive(Debug)]
pub struct Reenrolling {
    link: HttpLink,
    client: Client,
    config: Config,
    file: IdentityFile,
    last: Option<Instant>,
}

impl Reenrolling {
    /// This link, and what enrolling takes.
    pub fn new(link: HttpLink, client: Client, config: Config, file: IdentityFile) -> Self {
        Self { link, client, config, file, last: None }
    }

    /// Gets another token, or says why there is none.
    async fn again(&mut self, denied: String) -> Result<(), LinkError> {
        let Ok(key) = provisioning_key(&self.config) else { return Err(LinkError::Denied(denied)) };
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            return Err(LinkError::Denied(denied));
        }
        self.last = Some(Instant::now());
        // The server knows its services; what runs is told by the next report.
        let facts = Facts { platform: platform(), machine: machine_name(), ..Facts::default() };
        match enrol(&self.client, &self.config, &self.file, &key, &facts).await.map(|identity| identity.token) {
            Ok(Some(token)) => {
                tracing::info!("the device enrolled again");
                self.link.set_token(token);
                Ok(())
            }
            Ok(None) => Err(LinkError::Denied(denied)),
            Err(error) => Err(LinkError::Denied(format!("{denied}; it cannot enrol again: {error}"))),
        }
    }
}

impl Link for Reenrolling {
    async fn poll(&mut self, known: &[String]) -> Result<Polled, LinkError> {
        match self.link.poll(known).await {
            Err(LinkError::Denied(why)) => {
                self.again(why).await?;
                self.link.poll(known).await
            }
            answer => answer,
        }
    }

    async fn report(&mut self, body: &StateReport) -> Result<Reported, LinkError> {
        match self.link.report(body).await {
            Err(LinkError::Denied(why)) => {
                self.again(why).await?;
                self.link.report(body).await
            }
            answer => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::server::identity::Identity;
    use crate::server::secret::Secret;
    use crate::testing::{Folder, Server, config};

    const DENIED: (&str, &[&str], &str) = ("401 Unauthorized", &[], r#"{"detail": "no such token"}"#);
    const KNOWN: &str = r#"{"type": "urn:tidegate:problem:already_enrolled"}"#;

    fn link(folder: &Folder, server: &Server, uuid: Uuid, key: bool) -> Reenrolling {
        let path = folder.path().join("key");
        std::fs::write(&path, "pk_one").expect("written");
        let named = format!("provisioning_key_file = '{}'", path.display());
        let config = config(folder, &server.url, if key { &named } else { "" });
        let file = IdentityFile::within(&config.state_dir);
        let token = Secret::new("tgd_old");
        file.save(&Identity { token: Some(token.clone()), ..Identity::unknown(uuid, &server.url) }).expect("written");
        let client = Client::new(&server.url).expect("TLS can be set up");
        let link = HttpLink::new(client.clone(), &server.url, uuid, token);
        Reenrolling::new(link, client, config, file)
    }

    #[tokio::test]
    async fn another_token_is_asked_for_kept_and_used() {
        let (folder, uuid) = (Folder::new(), Uuid::new_v4());
        let taken = format!(r#"{{"uuid": "{uuid}", "token": "tgd_new"}}"#);
        let answers = [DENIED, ("201 Created", &[], taken.as_str()), ("200 OK", &[], r#"{"services": {}}"#)];
        let server = Server::answering(&answers).await;
        let mut link = link(&folder, &server, uuid, true);
        assert!(matches!(link.poll(&[]).await, Ok(Polled::Target { .. })));
        let asked = server.asked();
        assert!(asked[1].contains(r#""current_token":"tgd_old""#) && asked[2].contains("Bearer tgd_new"));
        let kept = link.file.load().expect("readable").and_then(|identity| identity.token);
        assert_eq!(kept, Some(Secret::new("tgd_new")));
    }

    #[tokio::test]
    async fn what_an_operator_must_allow_is_asked_for_seldom() {
        let (folder, uuid) = (Folder::new(), Uuid::new_v4());
        let server = Server::answering(&[DENIED, ("409 Conflict", &[], KNOWN), DENIED]).await;
        let mut link = link(&folder, &server, uuid, true);
        let Err(LinkError::Denied(why)) = link.poll(&[]).await else { panic!("denied") };
        assert!(why.contains("no such token") && why.contains("allow-reenrolment"), "{why}");
        assert!(matches!(link.poll(&[]).await, Err(LinkError::Denied(_))));
        let asked = server.asked();
        assert_eq!(asked.iter().filter(|request| request.starts_with("POST")).count(), 1, "{asked:?}");
    }

    #[tokio::test]
    async fn without_a_key_it_is_denied_and_no_more() {
        let (folder, uuid) = (Folder::new(), Uuid::new_v4());
        let server = Server::answering(&[DENIED]).await;
        let denied = link(&folder, &server, uuid, false).poll(&[]).await;
        assert_eq!(denied, Err(LinkError::Denied("no such token (401)".to_owned())));
    }
}
