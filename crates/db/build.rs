//! A migration that is added changes what the crate embeds, which the compiler does not see by itself.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
