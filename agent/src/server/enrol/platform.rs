//! What the machine is, in the words of container images.

/// Such as `linux/arm64/v8`, where the machine is one that images are made for.
pub fn platform() -> Option<String> {
    of_machine(rustix::system::uname().machine().to_str().ok()?).map(str::to_owned)
}

pub fn machine_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    Some(name).filter(|name| !name.is_empty() && name.len() <= 64 && name != "localhost")
}

/// Kernels name machines in their own way.
fn of_machine(machine: &str) -> Option<&'static str> {
    Some(match machine {
        "x86_64" => "linux/amd64",
        "aarch64" | "armv8l" => "linux/arm64/v8",
        "armv7l" => "linux/arm/v7",
        "armv6l" => "linux/arm/v6",
        "i686" | "i586" | "i386" => "linux/386",
        "riscv64" => "linux/riscv64",
        "ppc64le" => "linux/ppc64le",
        "s390x" => "linux/s390x",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_have_their_platforms() {
        for (machine, expected) in
            [("x86_64", Some("linux/amd64")), ("aarch64", Some("linux/arm64/v8")), ("vax", None), ("", None)]
        {
            assert_eq!(of_machine(machine), expected, "{machine:?}");
        }
    }
}
