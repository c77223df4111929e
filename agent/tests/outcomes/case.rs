//! A row of the table.

use tidegate_rig::Image;

use super::trouble::Trouble;

/// What happens, and what must come of it.
#[derive(Clone, Copy)]
pub(super) struct Case {
    /// Also the device's name.
    pub(super) label: &'static str,
    /// What the image is that runs at first.
    pub(super) old: fn(Image) -> Image,
    /// What the image is that is offered.
    pub(super) new: fn(Image) -> Image,
    /// What else happens.
    pub(super) trouble: Trouble,
    /// What the server hears, in order: events, each with its reason.
    pub(super) told: &'static [&'static str],
    /// The version that serves in the end.
    pub(super) serves: Option<&'static str>,
}

impl Case {
    /// All that is told.
    pub(super) fn story(&self) -> String {
        self.told.join(", ")
    }
}

pub(super) fn good(image: Image) -> Image {
    image
}

/// Never healthy.
pub(super) fn unhealthy(image: Image) -> Image {
    image.with("HEALTH", "bad")
}

/// Ends as soon as it is started.
pub(super) fn ends(image: Image) -> Image {
    image.with("EXIT", "3")
}

/// Has nothing that could be started.
pub(super) fn without_program(image: Image) -> Image {
    image.command(&["/not-there"])
}

/// Hears no SIGTERM.
pub(super) fn hangs(image: Image) -> Image {
    image.hangs_on_stop()
}

/// Takes a while to fetch, where bandwidth is limited.
pub(super) fn large(image: Image) -> Image {
    image.extra(LARGE)
}

/// Bytes that a large image has besides: more than lie in the buffers of a connection, which a cut does not take back.
pub(super) const LARGE: usize = 24_000_000;

/// Of a machine that nobody has here.
pub(super) fn foreign(image: Image) -> Image {
    image.on("linux/s390x")
}

/// With a layer of its own.
pub(super) fn layered(image: Image) -> Image {
    image.extra(100_000)
}

/// Its layers are not those that its configuration says.
pub(super) fn mismatched(image: Image) -> Image {
    image.mismatched()
}
