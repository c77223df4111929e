//! Pulls from a real registry: by tag, by digest, by another way.

use std::sync::Mutex;

use bollard::query_parameters::{PushImageOptionsBuilder, RemoveImageOptionsBuilder};
use futures::StreamExt;
use tidegate_agent::fault::Reason;
use tidegate_agent::image::{Image, Pulled};
use tidegate_agent::runtime::{Containers as _, Images as _, Place, Services as _};
use tidegate_domain::image::Digest;

use super::bench::{Bench, needed, with_engine};

impl Bench {
    /// Brings an image into the registry, and off the device.
    async fn push(&self, image: &Image) {
        let (name, tag) = image.image.rsplit_once(':').expect("it has a tag");
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let lines: Vec<_> = self.docker.push_image(name, Some(options), None).collect().await;
        for line in lines {
            assert_eq!(line.expect("the registry takes it").error_detail, None);
        }
        self.forget(&image.image).await;
    }

    async fn forget(&self, name: &str) {
        let options = RemoveImageOptionsBuilder::default().build();
        self.docker.remove_image(name, Some(options), None).await.expect("nothing uses it");
    }
}

#[tokio::test]
async fn by_tag_by_digest_and_by_another_way() {
    let Some(port) = needed("TIDEGATE_TEST_REGISTRY") else { return };
    with_engine("pull", |bench| async move {
        let repository = format!("127.0.0.1:{port}/{}", bench.name);
        let image = bench.image_as(&repository, "1", &[]).await;
        bench.push(&image).await;
        let runtime =
            bench.declaring(&format!("services: {{web: {{image: '{}', command: /bin/sleep 600}}}}", image.image));
        assert_eq!(runtime.present(&image).await, Ok(None));

        // By tag: what it chose is told, and so is the way there.
        let told: Mutex<Vec<Pulled>> = Mutex::default();
        let digest = runtime.pull(&image, &|pulled| told.lock().expect("nobody panicked").push(pulled)).await;
        let digest = digest.expect("it is there");
        let told = told.into_inner().expect("nobody panicked");
        assert!(told.windows(2).all(|two| two[0].done <= two[1].done && two[0].total <= two[1].total), "{told:?}");
        assert!(told.last().is_some_and(|last| last.done == last.total && last.total > 100_000), "{told:?}");
        let pinned = Image { digest: Some(digest.clone()), ..image.clone() };
        for one in [&image, &pinned] {
            assert_eq!(runtime.present(one).await, Ok(Some(digest.clone())));
        }

        // By digest, also when the tag went on to other content; it is named by its tag.
        bench.forget(&image.image).await;
        let other = bench.image_as(&repository, "1", &["ENV OTHER=1"]).await;
        bench.push(&other).await;
        assert_eq!(runtime.pull(&pinned, &|_| ()).await, Ok(digest.clone()));
        assert_eq!(runtime.present(&image).await, Ok(Some(digest.clone())), "the tag here names it");
        let id = bench.create(&runtime, "web", &pinned, Place::Live, "a").await.expect("it can be made");
        let containers = runtime.containers("web").await.expect("it answers");
        assert_eq!(containers[0].image, pinned);
        assert_eq!(runtime.remove(&id).await, Ok(()));

        // By another way to the same content, such as a relay: it is known by its own name.
        bench.forget(&image.image).await;
        let relay = format!("localhost:{port}/{}@{digest}", bench.name);
        assert_eq!(runtime.pull_from(&relay, &pinned, &|_| ()).await, Ok(digest.clone()));
        assert_eq!(runtime.present(&pinned).await, Ok(Some(digest.clone())));
        let id = bench.create(&runtime, "web", &pinned, Place::Live, "b").await.expect("it can be made");
        let containers = runtime.containers("web").await.expect("it answers");
        assert_eq!(containers[0].image, pinned);
        assert_eq!(runtime.remove(&id).await, Ok(()));

        // What is not there.
        let none = Digest::parse(&format!("sha256:{}", "0".repeat(64))).expect("it is one");
        for missing in [
            Image { image: format!("{repository}:none"), digest: None },
            Image { image: image.image.clone(), digest: Some(none) },
            Image { image: format!("127.0.0.1:{port}/{}-none:1", bench.name), digest: None },
        ] {
            let fault = runtime.pull(&missing, &|_| ()).await.expect_err("it is not there");
            assert_eq!(fault.reason, Reason::ImageNotFound, "{missing:?}: {fault}");
        }
    })
    .await;
}
