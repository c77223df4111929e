use super::*;
use crate::routes_in_memory::host;

const A: &str = "  - { name: a, image_pattern: 'docker.io/x/a:*', update_strategy: auto }\n";
const A_STAGED: &str = "  - { name: a, image_pattern: 'docker.io/x/a:*', update_strategy: staged }\n";
const B: &str = "  - { name: b, image_pattern: 'docker.io/x/b:*' }\n";
const BY_HAND: &str = "/api/v1/image-policies";

fn file(policies: &str) -> File {
    let document = PolicyDocument::read(&format!("version: 1\npolicies:\n{policies}")).expect("YAML");
    File { path: PathBuf::from("p.yaml"), document }
}

fn options(prune: bool) -> Options {
    Options { prune, yes: true, ..Options::default() }
}

async fn applied(api: &Api, policies: &str, options: Options) -> String {
    apply(Ok(api.clone()), &file(policies), options).await.expect("it is applied").to_string()
}

async fn refused(api: &Api, policies: &str, options: Options) -> String {
    format!("{:#}", apply(Ok(api.clone()), &file(policies), options).await.expect_err("it is not applied"))
}

#[tokio::test]
async fn new_ones_are_created_changed_ones_replaced_and_the_rest_left_alone() {
    let api = host().await;
    let by_hand = json!({ "name": "by-hand", "image_pattern": "docker.io/x/c:*" });
    api.post(BY_HAND, &by_hand).await.expect("it is stored");
    let left = "left alone by-hand, which the file does not name\n";
    let both = format!("{A}{B}");
    for (label, policies, prune, expected) in [
        ("first", both.clone(), false, format!("created    a, b\n{left}")),
        ("again", both, false, format!("unchanged  a, b\n{left}")),
        ("changed", format!("{A_STAGED}{B}"), false, format!("changed    a\nunchanged  b\n{left}")),
        (
            "one is gone",
            A_STAGED.to_owned(),
            false,
            format!(
                "unchanged  a\nleft alone b, which the file does not name; it came from a file: --prune removes it\n{left}"
            ),
        ),
        ("pruned", A_STAGED.to_owned(), true, format!("unchanged  a\nremoved    b\n{left}")),
    ] {
        assert_eq!(applied(&api, &policies, options(prune)).await, expected, "{label}");
    }
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_a_removal_is_asked_for() {
    let api = host().await;
    let dry = Options { dry_run: true, ..options(false) };
    let would = "nothing was done; this would be:\ncreated    a\n";
    assert_eq!(applied(&api, A, dry).await, would);
    assert_eq!(applied(&api, A, dry).await, would);
    applied(&api, &format!("{A}{B}"), options(false)).await;
    // Nobody can be asked in a test.
    let asks = Options { prune: true, ..Options::default() };
    let error = refused(&api, A, asks).await;
    assert!(error.starts_with("Remove the policy b?") && error.contains("--yes"), "{error}");
    assert_eq!(applied(&api, A, options(true)).await, "unchanged  a\nremoved    b\n");
}

#[tokio::test]
async fn mistakes_are_told_where_they_stand_whoever_finds_them_and_nothing_is_applied() {
    let api = host().await;
    let policies = format!("{A}  - {{ name: b, image_pattern: 'quay.io/x/a:*' }}\n{B}");
    let error = refused(
        &api,
        &policies.replace("name: b, image_pattern: 'docker", "name: c, image_pattern: 'docker"),
        options(false),
    )
    .await;
    assert!(error.contains("\n  p.yaml:4:16: policies[1].image_pattern: ") || error.contains("p.yaml:4:"), "{error}");
    let stored: Vec<crate::api::Policy> = api.list(BY_HAND, &[], None).await.expect("listed");
    assert!(stored.is_empty(), "the first one, which is in order, neither");
    // The server's and this program's own, together.
    let both = "  - { name: a, image_pattern: 'quay.io/x/a:*', update_strategy: al, rack: 1, max_failure_rate: 7 }\n";
    let error = refused(&api, both, options(false)).await;
    for field in ["image_pattern", "update_strategy", "rack", "max_failure_rate"] {
        assert_eq!(error.matches(&format!("policies[0].{field}: ")).count(), 1, "{field} in {error}");
    }
    let nobody = apply(Err(anyhow::anyhow!("no stack")), &file(both), options(false)).await.expect_err("mistakes");
    assert!(nobody.to_string().contains("policies[0].rack: "), "{nobody}");
}

#[tokio::test]
async fn a_mistake_that_both_find_is_told_once() {
    let api = host().await;
    let quay = "  - { name: c, image_pattern: 'quay.io/x/a:*' }\n";
    let error = refused(&api, &format!("{A}{B}{A_STAGED}  - nonsense\n{quay}"), options(false)).await;
    let told: Vec<&str> = error.lines().skip(1).map(str::trim).collect();
    assert_eq!(told.len(), 3, "{error}");
    assert!(told[0].starts_with("p.yaml:5:") && told[0].contains("taken by the policy in line 3"), "{error}");
    assert!(told[1].starts_with("p.yaml:6:5: policies[3]: expected a policy"), "{error}");
    assert!(told[2].contains("policies[4].image_pattern: "), "what only the server finds: {error}");
}

#[tokio::test]
async fn more_than_one_transaction_holds_is_only_done_in_parts() {
    let api = host().await;
    let one = |n| format!("  - {{ name: p{n:02}, image_pattern: 'docker.io/x/p{n}:*' }}\n");
    let many = (0..60).map(one).collect::<Vec<_>>().concat();
    let error = refused(&api, &many, options(false)).await;
    assert!(error.contains("--in-parts makes it 2 transactions"), "{error}");
    let parts = Options { in_parts: true, ..options(false) };
    assert!(applied(&api, &many, parts).await.starts_with("created    p00, p01"));
    assert!(applied(&api, &many, options(false)).await.starts_with("unchanged  p00, p01"));
}

#[test]
fn what_is_no_yaml_is_told_where_it_stands() {
    let path = std::env::temp_dir().join(format!("tidegate-policies-{}.yaml", std::process::id()));
    std::fs::write(&path, "version: 1\npolicies:\n  - name: \"a\n").expect("written");
    let text = format!("{:#}", read(&path).expect_err("a quote is left open"));
    std::fs::remove_file(&path).expect("removed");
    assert!(text.contains(&format!("{}:3:", path.display())), "{text}");
}
