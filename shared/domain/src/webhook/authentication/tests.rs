use super::*;
use crate::webhook::Headers;

const OLD: &str = "old secret";
const NEW: &str = "new secret";
const BODY: &[u8] = b"{\"a\":1}";

fn secrets() -> Secrets {
    Secrets::new([OLD, NEW]).unwrap()
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn judge(path_token: Option<&str>, fields: &[(&str, &str)]) -> Option<Proof> {
    let headers: Headers = fields.iter().copied().collect();
    authenticate(&Request { headers: &headers, path_token, body: BODY }, &secrets()).ok()
}

/// Label, path segment, header fields, what they prove.
type Case<'a> = (&'a str, Option<&'a str>, Vec<(&'a str, &'a str)>, Option<Proof>);

#[test]
fn proofs() {
    let hub = format!("sha256={}", signature(OLD, BODY));
    let upper = format!("sha256={}", signature(OLD, BODY).to_uppercase());
    let bare = signature(NEW, BODY);
    let other_body = format!("sha256={}", signature(NEW, b"{\"a\":2}"));
    let other_key = format!("sha256={}", signature("guess", BODY));
    let bearer = format!("Bearer {NEW}");
    let lower_bearer = format!("bearer  {OLD} ");
    let basic = format!("Basic {OLD}");
    let token = Some(OLD);
    let signed = Some(Proof::Signature);
    let header = Some(Proof::Authorization);
    let path = Some(Proof::PathToken);
    let github = ("X-GitHub-Event", "package");
    let gitea = ("X-Gitea-Event", "package");
    let cases: Vec<Case<'_>> = vec![
        ("nothing", None, vec![], None),
        ("old secret in the path", Some(OLD), vec![], path),
        ("new secret in the path", Some(NEW), vec![], path),
        ("wrong secret in the path", Some("guess"), vec![], None),
        ("a prefix of the secret", Some("old secre"), vec![], None),
        ("secret with a tail", Some("old secret "), vec![], None),
        ("empty path segment", Some(""), vec![], None),
        ("bearer token", None, vec![("Authorization", &bearer)], header),
        ("scheme in lower case", None, vec![("authorization", &lower_bearer)], header),
        ("whole value", None, vec![("Authorization", NEW)], header),
        ("another scheme before the secret", None, vec![("Authorization", &basic)], None),
        ("empty bearer", None, vec![("Authorization", "Bearer ")], None),
        ("empty Authorization beside a right token", token, vec![("Authorization", "")], None),
        ("two headers, both right", None, vec![("Authorization", &bearer), ("Authorization", OLD)], header),
        ("two headers, one wrong", None, vec![("Authorization", &bearer), ("Authorization", "Bearer guess")], None),
        ("signature", None, vec![github, ("X-Hub-Signature-256", &hub)], signed),
        ("signature without event header", None, vec![("X-Hub-Signature-256", &hub)], signed),
        ("signature in capitals", None, vec![github, ("X-Hub-Signature-256", &upper)], signed),
        ("signature without prefix", None, vec![github, ("X-Hub-Signature-256", &bare)], None),
        ("signature of another body", None, vec![github, ("X-Hub-Signature-256", &other_body)], None),
        ("signature by another key", None, vec![github, ("X-Hub-Signature-256", &other_key)], None),
        ("empty signature", None, vec![github, ("X-Hub-Signature-256", "")], None),
        ("prefix alone", None, vec![github, ("X-Hub-Signature-256", "sha256=")], None),
        ("cut signature", None, vec![github, ("X-Hub-Signature-256", &hub[..60])], None),
        (
            "signature twice, one wrong",
            None,
            vec![("X-Hub-Signature-256", &hub), ("X-Hub-Signature-256", &other_key)],
            None,
        ),
        ("SHA-1 alone", None, vec![github, ("X-Hub-Signature", "sha1=75726c4ec6ca73eaf11f87bdf6be5e0f046eb093")], None),
        ("wrong SHA-1 is not read", None, vec![("X-Hub-Signature", "sha1=00"), ("X-Hub-Signature-256", &hub)], signed),
        ("right token, wrong signature", token, vec![github, ("X-Hub-Signature-256", &other_key)], None),
        ("right token, empty signature", token, vec![github, ("X-Hub-Signature-256", "")], None),
        ("right token, right signature", token, vec![github, ("X-Hub-Signature-256", &hub)], signed),
        ("wrong token, right signature", Some("guess"), vec![github, ("X-Hub-Signature-256", &hub)], None),
        ("right token, wrong bearer", token, vec![("Authorization", "Bearer guess")], None),
        (
            "right signature, somebody's basic",
            None,
            vec![("X-Hub-Signature-256", &hub), ("Authorization", "Basic eDp5")],
            None,
        ),
        ("gitea's own header", None, vec![gitea, ("X-Gitea-Signature", &bare)], signed),
        ("gitea by GitHub's header alone", None, vec![gitea, ("X-Hub-Signature-256", &hub)], None),
        (
            "gitea without a secret",
            token,
            vec![gitea, ("X-Gitea-Signature", ""), ("X-Hub-Signature-256", "sha256=")],
            None,
        ),
    ];
    for (label, path_token, fields, expected) in cases {
        assert_eq!(judge(path_token, &fields), expected, "{label}");
    }
}

#[test]
fn values_that_are_not_text_prove_nothing() {
    let headers: Headers = [("Authorization", &b"Bearer \xFF\xFE"[..])].into_iter().collect();
    let request = Request { headers: &headers, path_token: None, body: BODY };
    assert_eq!(authenticate(&request, &secrets()), Err(Unauthorized));
}

#[test]
fn secrets_are_one_or_two_and_never_empty() {
    assert_eq!(Secrets::new(Vec::<String>::new()).unwrap_err(), SecretsError::Missing);
    assert_eq!(Secrets::new([""]).unwrap_err(), SecretsError::Empty);
    assert_eq!(Secrets::new(["a", "  "]).unwrap_err(), SecretsError::Empty);
    assert_eq!(Secrets::new(["a", "b", "c"]).unwrap_err(), SecretsError::TooMany(3));
    assert_eq!(Secrets::parse("").unwrap_err(), SecretsError::Missing);
    assert_eq!(Secrets::parse("a,").unwrap_err(), SecretsError::Empty);
    assert!(Secrets::parse("a, b").is_ok_and(|s| s.contain([&b"b"[..]]) && !s.contain([&b" b"[..]])));
}

#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?}", secrets());
    assert!(!printed.contains(OLD) && !printed.contains(NEW), "{printed}");
}
