//! The one integration binary: whole behaviour, through real projects and the real engine.

mod suite {
    pub mod architecture;
    pub mod cli;
    #[cfg(feature = "lake")]
    pub mod dialect;
    pub mod docs;
    pub mod errors;
    pub mod faults;
    pub mod jinja;
    #[cfg(feature = "lake")]
    pub mod lake;
    pub mod openlineage;
    pub mod projects;
    pub mod support;
}
