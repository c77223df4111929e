//! From a sender's words to a repository in its one spelling. No URL of a payload is ever requested: only its host is
//! read, and only where nothing better is known.

use crate::image::Repository;

/// A repository, and the host that the payload named if another one counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) repository: Repository,
    pub(super) noted_host: Option<String>,
}

/// The repository of a path at the first host that can stand in a reference: the configured one, else those of the
/// payload in their order. `None` where path or hosts break the grammar.
pub(super) fn locate(configured: Option<&str>, told: &[Option<&str>], path: &str) -> Option<Located> {
    let told_hosts = || told.iter().flatten().filter_map(|host| host_of(host));
    let repository = match configured {
        Some(configured) => at_host(host_of(configured)?, path),
        None => told_hosts().find_map(|host| at_host(host, path)),
    }?;
    let noted_host = told_hosts()
        .next()
        .filter(|host| !host.eq_ignore_ascii_case(repository.registry()))
        .map(|host| host.chars().take(300).collect());
    Some(Located { repository, noted_host })
}

/// The repository of a path at a host. A host without dot and port (`registry`) cannot stand in a reference: it would
/// be read as the first part of a path on Docker Hub.
fn at_host(host: &str, path: &str) -> Option<Repository> {
    let can_stand = host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost");
    can_stand.then(|| Repository::parse(&format!("{host}/{path}")).ok())?
}

/// The host, with its port, of a URL or of a reference with a host; `None` where there is none or where the text
/// hides one behind user information.
fn host_of(text: &str) -> Option<&str> {
    let rest = match text.split_once("://") {
        Some((_, rest)) => rest,
        None => text.strip_prefix("//").unwrap_or(text),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (!host.is_empty() && !host.contains('@')).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let cases = [
            ("http://127.0.0.1:5901/v2/acme/app/manifests/x", Some("127.0.0.1:5901")),
            ("https://ghcr.io", Some("ghcr.io")),
            ("https://ghcr.io/", Some("ghcr.io")),
            ("ghcr.io/o/i:1", Some("ghcr.io")),
            ("//r.example.com/v2/", Some("r.example.com")),
            ("/v2/acme/app/manifests/x", None),
            ("https://docker.io@evil.example/v2", None),
            ("https://r.example.com?x=/", Some("r.example.com")),
            ("http://", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(host_of(text), expected, "{text:?}");
        }
    }

    /// Label, configured host, hosts of the payload, path, repository, noted host.
    type Case<'a> = (&'a str, Option<&'a str>, &'a [Option<&'a str>], &'a str, Option<&'a str>, Option<&'a str>);

    #[test]
    fn locations() {
        let url = "http://127.0.0.1:5901/v2/acme/app/manifests/x";
        let cases: [Case<'_>; 12] = [
            ("the payload's host", None, &[Some(url)], "acme/app", Some("127.0.0.1:5901/acme/app"), None),
            (
                "configured",
                Some("https://R.example.com:5000/"),
                &[Some(url)],
                "acme/app",
                Some("r.example.com:5000/acme/app"),
                Some("127.0.0.1:5901"),
            ),
            (
                "relative URL",
                None,
                &[Some("/v2/a"), Some("r.example.com")],
                "acme/app",
                Some("r.example.com/acme/app"),
                None,
            ),
            (
                "internal name",
                None,
                &[Some("http://registry/v2/a"), Some("r.example.com")],
                "acme/app",
                Some("r.example.com/acme/app"),
                Some("registry"),
            ),
            ("internal name alone", None, &[Some("http://registry/v2/a"), None], "acme/app", None, None),
            ("no host", None, &[None, None], "acme/app", None, None),
            ("one part on Docker Hub", None, &[Some("docker.io")], "nginx", Some("docker.io/library/nginx"), None),
            (
                "a host in the path is a path",
                None,
                &[Some("docker.io")],
                "evil.example/x",
                Some("docker.io/evil.example/x"),
                None,
            ),
            ("capitals in the host", None, &[Some("LOCALHOST")], "a", Some("localhost/a"), None),
            ("capitals in the path", None, &[Some("r.example.com")], "Acme/app", None, None),
            ("a tag in the path", None, &[Some("r.example.com")], "acme/app:1", None, None),
            ("empty path", None, &[Some("r.example.com")], "", None, None),
        ];
        for (label, configured, told, path, repository, noted) in cases {
            let found = locate(configured, told, path);
            assert_eq!(found.as_ref().map(|l| l.repository.as_str()), repository, "{label}");
            assert_eq!(found.and_then(|l| l.noted_host).as_deref(), noted, "{label}: noted host");
        }
    }
}
