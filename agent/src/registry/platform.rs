//! What a device can run, and which entry of an index is for it.

use std::fmt;
use std::str::FromStr;

/// An operating system and a processor, in the spelling of image indexes: `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// The text names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a platform such as `linux/amd64` or `linux/arm/v7`, got {0:?}")]
pub struct NotAPlatform(String);

impl Platform {
    /// From its parts, in any spelling that engines and builders use; other spellings of one platform become the same
    /// (as in <https://github.com/containerd/platforms/blob/main/database.go>).
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let variant = variant.unwrap_or_default().to_ascii_lowercase();
        let (architecture, variant) = match (architecture.to_ascii_lowercase().as_str(), variant.as_str()) {
            ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64".to_owned(), String::new()),
            ("x86_64" | "x86-64" | "amd64", _) => ("amd64".to_owned(), variant),
            ("i386" | "386", _) => ("386".to_owned(), String::new()),
            ("aarch64" | "arm64", "" | "8" | "v8") => ("arm64".to_owned(), String::new()),
            ("aarch64" | "arm64", _) => ("arm64".to_owned(), variant),
            ("armhf" | "armv7l", _) | ("arm", "" | "7") => ("arm".to_owned(), "v7".to_owned()),
            ("armel" | "armv6l", _) | ("arm", "6") => ("arm".to_owned(), "v6".to_owned()),
            ("arm", "5") => ("arm".to_owned(), "v5".to_owned()),
            (other, _) => (other.to_owned(), variant),
        };
        Self { os: os.to_ascii_lowercase(), architecture, variant: Some(variant).filter(|text| !text.is_empty()) }
    }

    /// Whether an image for `other` is for this platform, and how well: exactly, or as one that names no variant.
    fn fits(&self, other: &Self) -> Option<Fit> {
        let alike = self.os == other.os && self.architecture == other.architecture;
        match (&self.variant, &other.variant) {
            (mine, theirs) if alike && mine == theirs => Some(Fit::Exact),
            (Some(_), None) if alike => Some(Fit::AnyVariant),
            _ => None,
        }
    }

    /// Whether an image for `other` runs here.
    pub(super) fn runs(&self, other: &Self) -> bool {
        self.fits(other).is_some()
    }

    /// The entry that is for this platform: the first exact one, else the first that names no variant.
    pub(super) fn choose<'e, E>(&self, entries: &'e [E], platform: impl Fn(&E) -> Option<&Self>) -> Option<&'e E> {
        let first = |wanted: Fit| {
            entries.iter().find(|entry| platform(entry).and_then(|platform| self.fits(platform)) == Some(wanted))
        };
        first(Fit::Exact).or_else(|| first(Fit::AnyVariant))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Exact,
    AnyVariant,
}

impl FromStr for Platform {
    type Err = NotAPlatform;

    fn from_str(text: &str) -> Result<Self, NotAPlatform> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            _ if parts.iter().any(|part| part.is_empty()) => Err(NotAPlatform(text.to_owned())),
            [os, architecture] => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(NotAPlatform(text.to_owned())),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_for_a_device_is_chosen() {
        for (device, entries, chosen) in [
            ("linux/amd64", vec!["linux/arm64", "linux/amd64"], Some(1)),
            ("linux/x86_64", vec!["linux/amd64"], Some(0)),
            ("linux/amd64", vec!["windows/amd64"], None),
            ("linux/arm64", vec!["linux/arm/v7", "linux/arm64/v8"], Some(1)),
            ("linux/arm64/v8", vec!["linux/arm64"], Some(0)),
            ("linux/arm64", vec!["linux/arm/v7"], None),
            ("linux/arm/v7", vec!["linux/arm/v6", "linux/arm/v7"], Some(1)),
            ("linux/arm/v7", vec!["linux/arm/v6"], None),
            ("linux/arm/v7", vec!["linux/arm"], Some(0)),
            ("linux/arm/v6", vec!["linux/arm"], None),
            ("linux/amd64/v3", vec!["linux/amd64", "linux/amd64/v3"], Some(1)),
            ("linux/amd64/v3", vec!["linux/amd64/v2", "linux/amd64"], Some(1)),
            ("linux/amd64", vec!["linux/amd64/v3"], None),
            ("linux/amd64", vec!["linux/amd64", "linux/amd64/v1"], Some(0)),
            ("linux/amd64", vec![], None),
        ] {
            let parsed: Vec<Platform> = entries.iter().map(|entry| entry.parse().unwrap()).collect();
            let device: Platform = device.parse().unwrap();
            let entry = device.choose(&parsed, |entry| Some(entry)).map(std::ptr::from_ref);
            assert_eq!(entry, chosen.map(|at: usize| std::ptr::from_ref(&parsed[at])), "{device} of {entries:?}");
        }
    }

    #[test]
    fn a_platform_has_two_or_three_parts() {
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
        assert_eq!("Linux/aarch64".parse::<Platform>().unwrap().to_string(), "linux/arm64");
        assert_eq!("linux/arm".parse::<Platform>().unwrap().to_string(), "linux/arm/v7");
    }
}
