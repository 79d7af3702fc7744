//! Opening a deployment: what is created once, what is refused, and who may be there.

#[path = "../support/faulty.rs"]
mod faulty;

mod clusters;
mod creating;
mod erasing;
mod fixture;
mod meta;
mod paced;
mod places;
mod proxies;
mod refusing;
mod tables;
