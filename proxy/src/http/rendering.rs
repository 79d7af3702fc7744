//! The text of the metrics, rendered beside the threads that serve clients.
//!
//! One is rendered at a time, and everybody who asked before it was begun gets it: none is older than its question. However
//! many ask, rendering takes a bounded share of a processor.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::sync::Mutex;

/// How many times as long as a text took to render nothing is rendered behind it: a quarter of a processor's time is the most.
const REST: u32 = 3;
/// Longest rest, whatever a text took.
const LONGEST_REST: Duration = Duration::from_millis(250);

/// Renders when it is asked.
pub(super) struct Rendering {
    render: Arc<dyn Fn() -> String + Send + Sync>,
    last: Arc<Mutex<Option<Rendered>>>,
}

/// What was rendered last.
#[derive(Debug)]
struct Rendered {
    text: Bytes,
    began: Instant,
    /// When the next one may be begun.
    next: Instant,
}

impl fmt::Debug for Rendering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendering").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Rendering {
    /// One by this function, which may take its time.
    pub(super) fn of(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { render: Arc::new(render), last: Arc::default() }
    }

    /// The text as it is now or will be soon; `None` if rendering panicked.
    pub(super) async fn text(&self) -> Option<Bytes> {
        let asked = Instant::now();
        let mut last = Arc::clone(&self.last).lock_owned().await;
        match &*last {
            Some(rendered) if rendered.began >= asked => return Some(rendered.text.clone()),
            Some(rendered) => tokio::time::sleep_until(rendered.next.into()).await,
            None => {}
        }
        let (render, began) = (Arc::clone(&self.render), Instant::now());
        // Whoever asked may go away meanwhile: the next one is begun behind it all the same.
        let rendering = move || {
            let text = Bytes::from(render());
            let rest = began.elapsed().saturating_mul(REST).min(LONGEST_REST);
            *last = Some(Rendered { text: text.clone(), began, next: Instant::now() + rest });
            text
        };
        tokio::task::spawn_blocking(rendering).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn who_asks_while_one_is_rendered_gets_the_next_one_together_with_all_others() {
        let (go_on, gate) = channel::<()>();
        let (gate, rendered) = (StdMutex::new(gate), AtomicUsize::new(0));
        let rendering = Rendering::of(move || {
            gate.lock().expect("not poisoned").recv().expect("told");
            format!("{}", rendered.fetch_add(1, Ordering::SeqCst) + 1)
        });
        let mut first = std::pin::pin!(rendering.text());
        tokio::select! {
            biased;
            text = &mut first => panic!("{text:?}"),
            () = std::future::ready(()) => {}
        }
        // Asked while the first one is being rendered: what happened since must be in theirs.
        let mut others = std::pin::pin!(join_all((0..60).map(|_| rendering.text())));
        tokio::select! {
            biased;
            texts = &mut others => panic!("{texts:?}"),
            () = std::future::ready(()) => {}
        }
        go_on.send(()).expect("awaited");
        assert_eq!(first.await.expect("rendered"), "1");
        go_on.send(()).expect("awaited");
        let texts = others.await;
        assert!(texts.iter().all(|text| text.as_ref().is_some_and(|text| text == "2")), "{texts:?}");
    }

    #[tokio::test]
    async fn one_is_rendered_at_a_time_though_who_asked_goes_away() {
        let (go_on, gate) = channel::<()>();
        let (gate, at_once) = (StdMutex::new(gate), Arc::new(AtomicUsize::new(0)));
        let rendering = Rendering::of({
            let at_once = Arc::clone(&at_once);
            move || {
                assert_eq!(at_once.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                gate.lock().expect("not poisoned").recv().expect("told");
                at_once.fetch_sub(1, Ordering::SeqCst);
                String::new()
            }
        });
        for _ in 0..2 {
            let gone = tokio::time::timeout(Duration::ZERO, rendering.text()).await;
            assert!(gone.is_err(), "it is being rendered");
        }
        for _ in 0..2 {
            go_on.send(()).expect("awaited");
        }
        assert!(rendering.text().await.is_some());
    }

    #[tokio::test]
    async fn rendering_again_and_again_leaves_the_processor_to_others() {
        let took = Arc::new(StdMutex::new(Vec::new()));
        let rendering = Rendering::of({
            let took = Arc::clone(&took);
            move || {
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(2) {
                    std::hint::spin_loop();
                }
                took.lock().expect("not poisoned").push(began.elapsed());
                String::new()
            }
        });
        let began = Instant::now();
        for _ in 0..10 {
            rendering.text().await.expect("rendered");
        }
        let took = took.lock().expect("not poisoned");
        let rests = took.iter().map(|took| (*took * REST).min(LONGEST_REST));
        // The last one's is not waited for.
        assert!(began.elapsed() >= rests.take(9).sum(), "{took:?} within {:?}", began.elapsed());
    }
}
