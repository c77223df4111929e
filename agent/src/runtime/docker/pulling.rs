//! The progress of a pull, summed over its layers.

use std::collections::BTreeMap;

use bollard::models::CreateImageInfo;
use tidegate_domain::image::Digest;

use crate::image::Pulled;

/// What is known of a pull so far.
#[derive(Debug, Default)]
pub(super) struct Pulling {
    layers: BTreeMap<String, Pulled>,
    told: Pulled,
    /// The content that the engine says it fetched.
    pub(super) digest: Option<Digest>,
}

impl Pulling {
    /// Reads one line of the engine; answers how far the pull is where that changed. Neither number ever falls: a layer
    /// that is fetched again after a broken connection counts once.
    pub(super) fn read(&mut self, line: &CreateImageInfo) -> Option<Pulled> {
        let status = line.status.as_deref().unwrap_or_default();
        if let Some(digest) = status.strip_prefix("Digest: ") {
            self.digest = Digest::parse(digest.trim()).ok();
        }
        let layer = self.layers.entry(line.id.clone()?).or_default();
        let detail = line.progress_detail.clone().unwrap_or_default();
        let number = |given: Option<i64>| given.and_then(|given| u64::try_from(given).ok()).unwrap_or_default();
        match status {
            "Downloading" => {
                layer.total = layer.total.max(number(detail.total));
                layer.done = layer.done.max(number(detail.current)).min(layer.total.max(number(detail.current)));
            }
            // Bytes that are unpacked were all fetched.
            "Download complete" | "Extracting" | "Pull complete" => layer.done = layer.total,
            _ => {}
        }
        let sum = self.layers.values().fold(Pulled::default(), |sum, layer| Pulled {
            done: sum.done + layer.done,
            total: sum.total + layer.total.max(layer.done),
        });
        let now = Pulled { done: sum.done.max(self.told.done), total: sum.total.max(self.told.total) };
        (now != self.told).then(|| {
            self.told = now;
            now
        })
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    fn line(id: &str, status: &str, detail: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: detail
                .map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) }),
            ..CreateImageInfo::default()
        }
    }

    #[test]
    fn a_pull_that_breaks_off_and_goes_on() {
        let told = |done, total| Some(Pulled { done, total });
        let steps = [
            (line("v2", "Pulling from app", None), None),
            (line("a", "Pulling fs layer", None), None),
            (line("a", "Downloading", Some((40, 100))), told(40, 100)),
            (line("b", "Already exists", None), None),
            (line("c", "Downloading", Some((10, 50))), told(50, 150)),
            (line("a", "Retrying in 1 second", None), None),
            (line("a", "Downloading", Some((5, 100))), None),
            (line("a", "Downloading", Some((90, 100))), told(100, 150)),
            (line("a", "Download complete", None), told(110, 150)),
            (line("c", "Extracting", Some((20, 50))), told(150, 150)),
            (line("c", "Pull complete", None), None),
        ];
        let mut pulling = Pulling::default();
        for (line, expected) in steps {
            assert_eq!(pulling.read(&line), expected, "{line:?}");
        }
    }

    #[test]
    fn the_content_that_came() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let mut pulling = Pulling::default();
        let status = Some(format!("Digest: {digest}"));
        pulling.read(&CreateImageInfo { status, ..CreateImageInfo::default() });
        assert_eq!(pulling.digest.map(|digest| digest.to_string()), Some(digest));
    }
}
