//! Old images go; what is used, kept, or somebody else's stays.

use tidegate_agent::runtime::{Containers as _, Images as _, Place};

use super::bench::with_engine;

#[tokio::test]
async fn only_old_images_of_the_services_go() {
    with_engine("prune", |bench| async move {
        let images = [bench.image("1", &[]).await, bench.image("2", &[]).await, bench.image("3", &[]).await];
        let other = bench.image_as(&format!("{}-other", bench.name), "1", &[]).await;
        let runtime =
            bench.declaring(&format!("services: {{web: {{image: '{}', command: /bin/sleep 600}}}}", images[2].image));
        let id = bench.create(&runtime, "web", &images[2], Place::Live, "a").await.expect("it can be made");
        for _ in 0..2 {
            assert_eq!(runtime.prune(std::slice::from_ref(&images[1])).await, Ok(()));
            let mut here = Vec::new();
            for image in images.iter().chain([&other]) {
                here.push(runtime.present(image).await.expect("it answers").is_some());
            }
            assert_eq!(here, [false, true, true, true], "the oldest only");
        }
        assert_eq!(runtime.remove(&id).await, Ok(()));
        assert_eq!(runtime.prune(&[]).await, Ok(()));
        assert_eq!(runtime.present(&images[2]).await, Ok(None));
        assert!(runtime.present(&other).await.is_ok_and(|here| here.is_some()), "another repository's stays");
    })
    .await;
}
