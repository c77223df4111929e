//! The server, the clock and the token.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;

use super::{Check, Found};
use crate::config::Config;
use crate::server::http::{Call, Client, HttpLink, is_local};
use crate::server::identity::{Identity, IdentityFile};
use crate::server::link::{Link, LinkError};
use crate::server::report::StateReport;

/// A clock that is wrong by more than this makes reports hard to read; by a day, TLS fails.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Looks at the server.
pub(super) async fn checks(config: &Config) -> Vec<Check> {
    let client = match Client::new(&config.url) {
        Ok(client) => client,
        Err(error) => {
            let mend = "install the certificates of the authorities (apt-get install ca-certificates)";
            return vec![Found::fail(error.to_string(), mend).of("TLS")];
        }
    };
    let mut checks = Vec::new();
    let address = format!("{}/api/v1/health", config.url);
    match client.call(Call::new(Method::GET, &address)).await {
        Err(error) => {
            let mend = "check `url`, the network, the proxy variables and the clock";
            checks.push(Found::fail(format!("{}: {error}", config.url), mend).of("server"));
        }
        Ok(answer) => {
            checks.push(reached(&config.url).of("server"));
            if let Some(theirs) = answer.date() {
                checks.push(clock(Timestamp::now().duration_since(theirs)).of("clock"));
            }
        }
    }
    checks.push(token(config, client).await.of("token"));
    checks
}

fn reached(url: &str) -> Found {
    if url.starts_with("https://") || is_local(url) {
        Found::ok(url)
    } else {
        Found::warn(format!("{url} is not encrypted"), "use https: whoever is on the way can read the device's token")
    }
}

fn clock(ahead: SignedDuration) -> Found {
    let seconds = ahead.abs().as_secs();
    let seen = match ahead.as_secs() {
        0 => "as the server's".to_owned(),
        1.. => format!("{seconds} s ahead of the server's"),
        _ => format!("{seconds} s behind the server's"),
    };
    if ahead.abs() <= SKEW { Found::ok(seen) } else { Found::warn(seen, "set the clock, and let NTP keep it") }
}

/// Whether the server takes the token. A report of nothing is asked, not a poll: a poll could offer the device an
/// update that nobody is there to do.
async fn token(config: &Config, client: Client) -> Found {
    let file = IdentityFile::within(&config.state_dir);
    let enrol = "run `tidegate-agent enrol`";
    let (uuid, token) = match file.load_for(&config.url) {
        Err(error) => return Found::fail(error.to_string(), "see above"),
        Ok(Some(Identity { uuid, token: Some(token), .. })) => (uuid, token),
        // Whether it can be enrolled was looked at with its identity.
        Ok(Some(_) | None) => return Found::warn("there is none before the device is enrolled", "see above"),
    };
    let nothing = StateReport { services: BTreeMap::new(), reports: Vec::new() };
    match HttpLink::new(client, config.state_base(), uuid, token).report(&nothing).await {
        Ok(_) => Found::ok(format!("the server takes it, for {uuid}")),
        Err(LinkError::Denied(why)) => {
            let mend = format!("have an operator POST /api/v1/devices/{uuid}/allow-reenrolment, then {enrol} --again");
            Found::fail(format!("the server does not take it: {why}"), mend)
        }
        Err(LinkError::Deleted) => {
            let mend = format!("to bring it back, move {} away and {enrol}", file.path().display());
            Found::fail("the server has deleted this device", mend)
        }
        Err(LinkError::Later { why, .. } | LinkError::Refused(why)) => {
            Found::fail(why, "ask again when the server can be reached")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_a_little() {
        for (seconds, good, told) in [
            (0, true, "as the server's"),
            (59, true, "59 s ahead"),
            (-59, true, "59 s behind"),
            (-90_000, false, "behind"),
        ] {
            let found = clock(SignedDuration::from_secs(seconds));
            assert_eq!(matches!(found, Found::Ok { .. }), good, "{seconds}");
            let (Found::Ok { seen } | Found::Warn { seen, .. } | Found::Fail { seen, .. }) = found;
            assert!(seen.contains(told), "{seen}");
        }
    }

    #[test]
    fn a_token_is_sent_in_the_clear_to_this_machine_only() {
        for (url, good) in [("https://a.example", true), ("http://127.0.0.1:1", true), ("http://a.example", false)] {
            assert_eq!(matches!(reached(url), Found::Ok { .. }), good, "{url}");
        }
    }
}
