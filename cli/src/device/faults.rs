//! What happens to a device with an image: decided by a seed alone, so that a run can be repeated.

use sha2::{Digest as _, Sha256};
use tidegate_agent::image::Image;
use tidegate_agent::simulated::FaultProfile;
use tidegate_domain::image::ImageRef;
use tidegate_domain::policy::ImagePattern;

/// The rule that fates follow.
#[derive(Debug, Clone)]
pub(crate) struct FaultProfiles {
    /// Another seed, another lot.
    pub(crate) seed: u64,
    /// The share of devices that fail with a good image, from 0 to 1.
    pub(crate) fail_rate: f64,
    /// What failing means; one of them for each device that fails.
    pub(crate) failures: Vec<FaultProfile>,
    /// Images that are unhealthy wherever they run.
    pub(crate) bad: Vec<ImagePattern>,
}

impl FaultProfiles {
    /// What happens to the device of this number with this image. The same number, image and seed: the same fate.
    pub(crate) fn of(&self, device: usize, image: &Image) -> FaultProfile {
        let bad = ImageRef::parse(&image.image).is_ok_and(|image| self.bad.iter().any(|bad| bad.matches(&image)));
        if bad {
            return FaultProfile::Unhealthy;
        }
        let lot = Lot::draw(self.seed, device, &image.image);
        if lot.share() >= self.fail_rate || self.failures.is_empty() {
            return FaultProfile::Healthy;
        }
        self.failures[lot.pick(self.failures.len())]
    }
}

/// A number drawn for a purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lot([u8; 16]);

impl Lot {
    /// Draws for a device and a purpose.
    pub(crate) fn draw(seed: u64, device: usize, purpose: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(seed.to_be_bytes())
            .chain_update((device as u64).to_be_bytes())
            .chain_update(purpose)
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }

    /// A number from 0 up to, and without, 1.
    pub(crate) fn share(self) -> f64 {
        let [a, b, c, d, ..] = self.0;
        f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
    }

    /// One of `count`, independent of [`Self::share`].
    pub(crate) fn pick(self, count: usize) -> usize {
        let [.., a, b, c, d] = self.0;
        u32::from_be_bytes([a, b, c, d]) as usize % count.max(1)
    }

    /// A seed for a generator of the device's own.
    pub(crate) fn seed(self) -> u64 {
        u128::from_be_bytes(self.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(fail_rate: f64) -> FaultProfiles {
        FaultProfiles {
            seed: 7,
            fail_rate,
            failures: vec![FaultProfile::Unhealthy, FaultProfile::PullFails],
            bad: vec![ImagePattern::parse("docker.io/a/b:*-bad").expect("a pattern")],
        }
    }

    fn image(tag: &str) -> Image {
        Image { image: format!("docker.io/a/b:{tag}"), digest: None }
    }

    #[test]
    fn a_seed_decides_and_a_share_fails() {
        let profiles = profiles(0.05);
        let lot: Vec<FaultProfile> = (0..10_000).map(|device| profiles.of(device, &image("v2"))).collect();
        assert_eq!(lot, (0..10_000).map(|device| profiles.of(device, &image("v2"))).collect::<Vec<_>>());
        let failing = lot.iter().filter(|profile| **profile != FaultProfile::Healthy).count();
        assert!((400..600).contains(&failing), "{failing} of 10000 fail");
        for kind in [FaultProfile::Unhealthy, FaultProfile::PullFails] {
            assert!(
                lot.iter().filter(|profile| **profile == kind).count() > failing / 3,
                "{kind:?} is drawn too seldom"
            );
        }
    }

    #[test]
    fn a_bad_image_is_bad_everywhere_and_no_rate_is_none() {
        let profiles = profiles(0.0);
        assert!((0..1000).all(|device| profiles.of(device, &image("v3-bad")) == FaultProfile::Unhealthy));
        assert!((0..1000).all(|device| profiles.of(device, &image("v3")) == FaultProfile::Healthy));
    }
}
