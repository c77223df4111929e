use super::*;
use crate::routes_in_memory::host;
use serde_json::json;

fn file(policies: &str) -> PolicyFile {
    parse_file(&format!("version: 1\npolicies:\n{policies}"), &PolicyDefaults::default()).expect("no mistakes")
}

const A: &str = "  - { name: a, image_pattern: 'docker.io/x/a:*', update_strategy: auto }\n";
const A_STAGED: &str = "  - { name: a, image_pattern: 'docker.io/x/a:*', update_strategy: staged }\n";
const B: &str = "  - { name: b, image_pattern: 'docker.io/x/b:*' }\n";

async fn applied(api: &Api, policies: &str, prune: bool) -> String {
    apply(api, &file(policies), prune).await.expect("it is applied").to_string()
}

#[tokio::test]
async fn new_ones_are_created_changed_ones_replaced_and_the_rest_left_alone() {
    let api = host().await;
    let by_hand = json!({ "name": "by-hand", "image_pattern": "docker.io/x/c:*" });
    api.post(ROUTE, &by_hand).await.expect("it is stored");
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
        assert_eq!(applied(&api, &policies, prune).await, expected, "{label}");
    }
}

#[tokio::test]
async fn a_mistake_that_only_the_server_knows_is_told_with_its_field() {
    let api = host().await;
    let elsewhere = "  - { name: a, image_pattern: 'quay.io/x/a:*' }\n";
    let error = apply(&api, &file(elsewhere), false).await.expect_err("not allowed");
    let text = format!("{error:#}");
    assert!(text.starts_with("the policy \"a\" was not applied: ") && text.contains("/image_pattern: "), "{text}");
}

#[test]
fn mistakes_of_the_file_are_told_where_they_stand() {
    let path = std::env::temp_dir().join(format!("tidegate-policies-{}.yaml", std::process::id()));
    std::fs::write(&path, "version: 1\npolicies:\n  - name: a\n    image_patern: x/y:*\n").expect("written");
    let text = format!("{:#}", read(&path).expect_err("two mistakes"));
    std::fs::remove_file(&path).expect("removed");
    assert!(text.contains(&format!("{}:4:5: policies[0].image_patern: ", path.display())), "{text}");
}
