//! Pulls through the relay, over ways that break.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::try_join;
use reqwest::{Client, Method};
use serde_json::json;
use tidegate_agent::fault::Reason;
use tidegate_agent::image::{Image, Pulled};
use tidegate_agent::registry::{RegistryClient, Relay, Relays, ResolvedImage};
use tidegate_domain::registry::DIGEST_HEADER;

use crate::made_up::{Answer, Asked, MadeUp, Then};
use crate::proxy::Proxy;
use crate::pull::{address, ask, blob};
use crate::push;
use crate::real::{Login, RealRegistry};
use crate::setup::{Folder, anonymous, pinned, platform, relays, tagged, with_logins};

const LAYER: usize = 4 * 1024 * 1024;
/// Heads and small answers of a pull, at most.
const TALK: u64 = 16 * 1024;

/// What a registry makes of a good layer.
type Bad = fn(&'static [u8]) -> Answer;

async fn look(client: &RegistryClient, image: &Image) -> ResolvedImage {
    client.look(image, &platform("linux/amd64")).await.expect("it is there")
}

async fn start(relays: &Relays, image: &Image) -> Relay {
    relays.start(image, &look(relays.client(), image).await).await.expect("a relay")
}

fn silent(_: Pulled) {}

#[tokio::test]
async fn a_pull_goes_on_where_the_last_one_broke_off() {
    let Some(registry) = RealRegistry::start(None) else { return };
    let pushed = push::image(&registry, "team/app", "v1", "linux/amd64", LAYER).await;
    let proxy = Proxy::start(registry.host()).await;
    let (spool, image) = (Folder::new(), pinned(proxy.host(), "team/app:v1", &pushed.digest));

    let first = relays(anonymous(), &spool, None);
    let relay = start(&first, &image).await;
    proxy.break_after(LAYER as u64 / 2);
    let fault = relay.follow(blob(&relay, &pushed.layer), &silent).await.expect_err("the registry is gone");
    assert_eq!(fault.reason, Reason::RegistryUnavailable, "{fault}");
    let spooled = relay.pulled().done;
    assert!(spooled > LAYER as u64 / 2 - TALK, "{spooled} bytes are kept");
    // As a kill does: nothing is put in order, and another process begins.
    drop((relay, first));
    proxy.mend();

    let (second, before) = (relays(anonymous(), &spool, None), proxy.back());
    let relay = start(&second, &image).await;
    let total = look(&anonymous(), &image).await.total_bytes;
    assert_eq!(relay.pulled(), Pulled { done: spooled, total });
    let seen = Mutex::new(Vec::new());
    let pull =
        relay.follow(blob(&relay, &pushed.layer), &|pulled| seen.lock().expect("its own").push(pulled.done)).await;
    assert_eq!(pull.expect("it goes on"), pushed.layer_bytes);
    let fetched = proxy.back() - before;
    assert!(fetched < LAYER as u64 - spooled + TALK, "{fetched} bytes came, {spooled} were here");
    let seen = seen.into_inner().expect("its own");
    assert!(seen.is_sorted() && seen[0] == spooled && seen.last() == Some(&total), "{seen:?}");
    relay.finish().expect("it is cleared away");
    assert_eq!(spool.files(), []);
}

#[tokio::test]
async fn a_short_break_is_not_noticed_by_the_engine() {
    let Some(registry) = RealRegistry::start(None) else { return };
    let pushed = push::image(&registry, "app", "v1", "linux/amd64", LAYER).await;
    let proxy = Proxy::start(registry.host()).await;
    let (spool, image) = (Folder::new(), tagged(proxy.host(), "app:v1"));
    let relays = relays(anonymous(), &spool, None);
    let relay = start(&relays, &image).await;
    let before = proxy.back();
    proxy.break_once_after(LAYER as u64 / 2);
    let pull = relay.follow(blob(&relay, &pushed.layer), &silent).await;
    assert_eq!(pull.expect("it goes on by itself"), pushed.layer_bytes);
    let fetched = proxy.back() - before;
    assert!(fetched < LAYER as u64 + TALK + 64 * 1024, "{fetched} bytes came");
}

#[tokio::test]
async fn a_spool_that_a_power_cut_damaged_is_dropped() {
    let Some(registry) = RealRegistry::start(None) else { return };
    let pushed = push::image(&registry, "app", "v1", "linux/amd64", LAYER).await;
    let (spool, image) = (Folder::new(), tagged(registry.host(), "app:v1"));
    let file = format!("{}-{LAYER}.part", pushed.layer.as_str().replace(':', "-"));
    for (label, bytes) in [("a part", LAYER / 2), ("all of it", LAYER), ("more", LAYER + 1)] {
        let mut damaged = pushed.layer_bytes.clone();
        damaged.push(0);
        damaged.truncate(bytes);
        damaged[bytes / 4..bytes / 2].fill(0);
        std::fs::write(spool.path().join(&file), damaged).expect("a file");
        let relays = relays(anonymous(), &spool, None);
        let relay = start(&relays, &image).await;
        // An engine that got damaged bytes asks again, as engines do; the relay never completes them.
        let first = ask(&relay, &pushed.layer, 0).await.expect("an answer").bytes().await;
        let got = match first {
            Ok(bytes) if bytes == pushed.layer_bytes => bytes,
            _ => ask(&relay, &pushed.layer, 0).await.expect("an answer").bytes().await.expect("all of it"),
        };
        assert!(got == pushed.layer_bytes, "{label}");
        relay.finish().expect("it is cleared away");
    }
}

#[tokio::test]
async fn a_wrong_layer_is_never_passed_on_whole() {
    let layer = push::noise(200_000);
    let manifest = push::manifest(&push::config("linux/amd64"), &layer).to_string();
    let good: &'static [u8] = layer.clone().leak();
    let manifest: &'static str = manifest.leak();
    let serve = |bad: Bad| {
        move |asked: &Asked, _: &str, _: usize| match asked.line.split('/').nth(3) {
            Some("manifests") => Answer::new(200, manifest),
            _ if asked.line.ends_with(push::digest_of(&push::config("linux/amd64")).as_str()) => {
                Answer::new(200, push::config("linux/amd64"))
            }
            _ => bad(good),
        }
    };
    let cases: [(&str, Bad, Reason); 8] = [
        ("other bytes", |good| Answer::new(200, vec![7; good.len()]), Reason::CorruptImage),
        ("a flood", |good| Answer::new(200, good).then(Then::Flood), Reason::CorruptImage),
        ("too little", |good| Answer::new(200, &good[..9]), Reason::RegistryUnavailable),
        ("a cut", |good| Answer::new(200, &good[..9]).promising(good.len()), Reason::RegistryUnavailable),
        ("a drip", |good| Answer::new(200, &good[..9]).then(Then::Drip), Reason::RegistryUnavailable),
        ("silence", |good| Answer::new(200, &good[..9]).then(Then::Silence), Reason::RegistryUnavailable),
        ("gone", |_| Answer::new(404, ""), Reason::ImageNotFound),
        ("out of TLS", |_| Answer::new(302, "").header("location", "ftp://x/"), Reason::RegistryUnavailable),
    ];
    for (label, bad, reason) in cases {
        let registry = MadeUp::start(serve(bad)).await;
        let (spool, image) = (Folder::new(), tagged(registry.host(), "app:v1"));
        let relays = relays(anonymous(), &spool, None);
        let relay = start(&relays, &image).await;
        let began = Instant::now();
        let fault = relay.follow(blob(&relay, &push::digest_of(&layer)), &silent).await.expect_err(label);
        assert_eq!(fault.reason, reason, "{label}: {fault}");
        assert!(began.elapsed() < Duration::from_secs(20), "{label} took {:?}", began.elapsed());
        let largest = spool.files().into_iter().map(|(_, bytes)| bytes).max().unwrap_or_default();
        assert!(largest <= layer.len() as u64, "{label}: the spool holds {largest} bytes");
    }
}

#[tokio::test]
async fn a_registry_without_ranges_begins_anew_and_its_store_gets_no_login() {
    let layer: &'static [u8] = push::noise(300_000).leak();
    let config = || push::config("linux/amd64");
    let store = MadeUp::start(move |asked, _, before| {
        assert!(asked.authorization.is_none(), "a login left the registry");
        match before {
            0 => Answer::new(200, &layer[..100_000]).promising(layer.len()),
            _ => Answer::new(200, layer),
        }
    })
    .await;
    let to = format!("http://{}/store?signature=hidden", store.host());
    let registry = MadeUp::start(move |asked, _, _| match asked.line.split('/').nth(3) {
        _ if asked.authorization.is_none() => Answer::new(401, "").header("www-authenticate", "Basic realm=\"x\""),
        Some("manifests") => Answer::new(200, push::manifest(&config(), layer).to_string()),
        _ if asked.line.ends_with(push::digest_of(&config()).as_str()) => Answer::new(200, config()),
        _ => Answer::new(307, "").header("location", &to),
    })
    .await;
    let (spool, logins, image) = (Folder::new(), Folder::new(), tagged(registry.host(), "app:v1"));
    let login = json!({"auths": {registry.host(): {"username": "u", "password": "p"}}});
    let relays = relays(with_logins(&logins, &login), &spool, None);
    let relay = start(&relays, &image).await;
    let got = relay.follow(blob(&relay, &push::digest_of(layer)), &silent).await.expect("it begins anew");
    assert!(got == layer);
    let asked: Vec<_> = store.asked().into_iter().map(|asked| (asked.authorization, asked.range)).collect();
    assert_eq!(asked, [(None, None), (None, Some("bytes=100000-".to_owned()))]);
}

#[tokio::test]
async fn it_gives_nothing_else_away() {
    let login = Login::tester();
    let Some(registry) = RealRegistry::start(Some(&login)) else { return };
    let pushed = push::image(&registry, "app", "v1", "linux/amd64", 1000).await;
    let other = push::image(&registry, "app", "v2", "linux/amd64", 1000).await;
    let (spool, logins, image) = (Folder::new(), Folder::new(), tagged(registry.host(), "app:v1"));
    let auths = json!({registry.host(): {"username": login.username, "password": login.password}});
    let relays = relays(with_logins(&logins, &json!({"auths": auths})), &spool, None);
    let relay = start(&relays, &image).await;
    assert_eq!(relay.reference(), format!("{}@{}", relay.name(), pushed.digest));
    let (digest, layer) = (pushed.digest.as_str(), pushed.layer.as_str());
    let here = |kind, reference| address(&relay, kind, reference);
    let guessed = here("manifests", digest).replace(&relay.name()[16..48], &"0".repeat(32));
    let root = format!("http://{}/v2/", relay.name().split('/').next().expect("a host"));
    let get = Method::GET;
    for (label, method, url, status) in [
        ("the API", &get, root, 200),
        ("the manifest", &get, here("manifests", digest), 200),
        ("its head", &Method::HEAD, here("manifests", digest), 200),
        ("the config", &get, here("blobs", pushed.config.as_str()), 200),
        ("the layer", &get, here("blobs", layer), 200),
        ("its head", &Method::HEAD, here("blobs", layer), 200),
        ("the image by tag", &get, here("manifests", "v1"), 404),
        ("another image", &get, here("manifests", other.digest.as_str()), 404),
        ("its layer", &get, here("blobs", other.layer.as_str()), 404),
        ("a guessed name", &get, guessed, 404),
        ("the tags", &get, here("tags", "list"), 404),
        ("an upload", &Method::POST, here("blobs", "uploads/"), 405),
        ("a removal", &Method::DELETE, here("manifests", digest), 405),
    ] {
        let response = Client::new().request(method.clone(), url).send().await.expect(label);
        assert_eq!(response.status(), status, "{label}");
        if method == Method::HEAD {
            assert!(response.headers().contains_key(DIGEST_HEADER), "{label}");
            assert_ne!(response.headers()["content-length"], "0", "{label}");
        }
    }
    let part = ask(&relay, &pushed.layer, 990).await.expect("a part");
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (206, &"bytes 990-999/1000".parse().unwrap())
    );
    assert_eq!(part.bytes().await.expect("its bytes"), pushed.layer_bytes[990..]);
    assert_eq!(ask(&relay, &pushed.layer, 1000).await.expect("a refusal").status(), 416);

    let url = here("manifests", digest);
    drop(relay);
    assert!(Client::new().get(url).send().await.is_err(), "nobody listens when it has ended");
}

#[tokio::test]
async fn all_downloads_together_keep_the_bandwidth() {
    let Some(registry) = RealRegistry::start(None) else { return };
    let (one, two) = (
        push::image(&registry, "one", "v1", "linux/amd64", 200_000).await,
        push::image(&registry, "two", "v1", "linux/amd64", 200_000).await,
    );
    let spool = Folder::new();
    let relays = relays(anonymous(), &spool, Some(200_000));
    let first = start(&relays, &tagged(registry.host(), "one:v1")).await;
    let second = start(&relays, &tagged(registry.host(), "two:v1")).await;
    let began = Instant::now();
    let pulls =
        try_join(first.follow(blob(&first, &one.layer), &silent), second.follow(blob(&second, &two.layer), &silent));
    let (got_one, got_two) = pulls.await.expect("both come");
    assert!(got_one == one.layer_bytes && got_two == two.layer_bytes);
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1800), "400 kB at 200 kB/s took {took:?}");
    first.finish().expect("the first is cleared away");
    assert_eq!(spool.files().len(), 1, "what the other relay holds stays");
}
