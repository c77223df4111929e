//! Platforms of devices and images: operating system, architecture and variant, as the OCI image index writes them.
//!
//! Known values: <https://github.com/opencontainers/image-spec/blob/main/image-index.md> and Go's `GOOS` and `GOARCH`,
//! which it refers to.

/// Operating systems that container engines run.
const SYSTEMS: [&str; 4] = ["linux", "windows", "freebsd", "darwin"];

/// Architectures, with the variants that images are published for.
const ARCHITECTURES: [(&str, &[&str]); 13] = [
    ("amd64", &["v1", "v2", "v3", "v4"]),
    ("386", &[]),
    ("arm", &["v5", "v6", "v7", "v8"]),
    ("arm64", &["v8", "v9"]),
    ("loong64", &[]),
    ("mips", &[]),
    ("mipsle", &[]),
    ("mips64", &[]),
    ("mips64le", &[]),
    ("ppc64le", &["power8", "power9", "power10"]),
    ("riscv64", &["rva20u64", "rva22u64", "rva23u64"]),
    ("s390x", &[]),
    ("wasm", &[]),
];

/// What `uname -m` and Debian call some of them.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("x86_64", "amd64"),
    ("i386", "386"),
    ("i686", "386"),
    ("aarch64", "arm64"),
    ("armhf", "arm/v7"),
    ("armv7l", "arm/v7"),
    ("armv7", "arm/v7"),
    ("armv6l", "arm/v6"),
    ("armel", "arm/v5"),
];

/// Why a platform is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a platform; {}", hint(.similar.as_deref()))]
pub struct PlatformError {
    given: String,
    similar: Option<String>,
}

fn hint(similar: Option<&str>) -> String {
    match similar {
        Some(platform) => format!("did you mean {platform}?"),
        None => "write it as an image index does, such as linux/amd64 or linux/arm64/v8".to_owned(),
    }
}

/// Checks a platform such as `linux/arm64/v8`.
pub fn check(text: &str) -> Result<(), PlatformError> {
    let mut parts = text.splitn(3, '/');
    let (system, architecture, variant) = (parts.next(), parts.next(), parts.next());
    let known = architecture.and_then(|name| ARCHITECTURES.iter().find(|(known, _)| *known == name));
    let is_system = system.is_some_and(|name| SYSTEMS.contains(&name));
    let is_variant = known.is_some_and(|(_, variants)| variant.is_none_or(|variant| variants.contains(&variant)));
    if is_system && is_variant {
        return Ok(());
    }
    Err(PlatformError { given: text.to_owned(), similar: similar(text) })
}

/// The platform that was probably meant.
fn similar(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase().replace(' ', "/");
    let bare = lower.strip_prefix("linux/").unwrap_or(&lower);
    let name = OTHER_NAMES.iter().find(|(other, _)| *other == bare).map_or(bare, |(_, name)| name);
    let guess = format!("linux/{name}");
    (guess != text && check(&guess).is_ok()).then_some(guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_indexes_name_is_a_platform() {
        for text in ["linux/amd64", "linux/arm64", "linux/arm64/v8", "linux/arm/v7", "windows/amd64", "linux/riscv64"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_hint() {
        for (text, said) in [
            ("arm64", "did you mean linux/arm64?"),
            ("aarch64", "did you mean linux/arm64?"),
            ("linux/x86_64", "did you mean linux/amd64?"),
            ("Linux/ARM64", "did you mean linux/arm64?"),
            ("armv7l", "did you mean linux/arm/v7?"),
            ("linux", "such as linux/amd64"),
            ("linux/arm/v9", "such as linux/amd64"),
            ("linux/amd64/v1/x", "such as linux/amd64"),
            ("plan9/amd64", "such as linux/amd64"),
            ("", "such as linux/amd64"),
            ("linux/amd64\u{1b}[2J", "such as linux/amd64"),
        ] {
            let error = check(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text:?}: {error}");
            assert!(!error.contains('\u{1b}'), "what was given is shown harmless");
        }
    }
}
