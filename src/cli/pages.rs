//! Asks the system for small pages of memory while a project is read, and for large ones while an engine works.

/// Reading makes millions of small things: large pages cost it a quarter more memory, and the time to empty them.
pub fn small() {
    set_large(false);
}

/// Columns of numbers fill large pages.
pub fn large() {
    set_large(true);
}

/// That the system will not have it harms nothing.
#[cfg(target_os = "linux")]
fn set_large(large: bool) {
    let _ = nix::sys::prctl::set_thp_disable(!large);
}

#[cfg(not(target_os = "linux"))]
fn set_large(_: bool) {}
