//! How long each of the operations takes: `cargo bench -p cellgate-benchmarks`.

#[path = "../examples/count/operations.rs"]
mod operations;

use divan::Bencher;

fn main() {
    divan::main();
}

#[divan::bench(args = operations::ALL.iter().map(|(name, _)| *name))]
fn parts(bencher: Bencher, name: &str) {
    let (_, prepare) = operations::ALL.iter().find(|(known, _)| *known == name).expect("a name of the list");
    bencher.with_inputs(prepare).bench_local_refs(|operation| operation());
}
