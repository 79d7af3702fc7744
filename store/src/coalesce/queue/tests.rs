//! A queue under any order of arrivals, statements that end, lanes that go on and clients that leave.

use std::collections::{HashMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::backend::Backend;
use crate::coalesce::asked::Waiting;
use crate::error::StoreError;

/// A kind of request that is never run: items are the numbers of their requests.
struct Things<const LASTING: bool>;

impl<const LASTING: bool> Kind for Things<LASTING> {
    type Item = usize;
    type Answer = ();
    type Scope = u8;
    const LASTING: bool = LASTING;
    const AGAIN_AT_ONCE: usize = 1;

    fn bytes(number: &usize) -> usize {
        bytes_of(*number)
    }

    async fn run(_: &dyn Backend, _: &u8, _: &[usize]) -> Result<Vec<()>, StoreError> {
        Err(Self::ended())
    }

    fn ended() -> StoreError {
        StoreError::Failed { detail: "for the test".to_owned() }
    }
}

/// What an item of this request takes: more or less than its share of a batch.
fn bytes_of(number: usize) -> usize {
    1 + number % 4
}

/// Something that happens to a queue. A number picks one of those there are.
#[derive(Clone, Debug)]
enum Event {
    /// A request of so many items in a scope, which may run at once or not.
    Arrives { size: usize, scope: u8, may_run: bool },
    /// A statement is over.
    Ends(usize),
    /// A lane that has nothing under way asks what is next.
    GoesOn(usize),
    /// Nobody waits for a request any more.
    Leaves(usize),
    /// So many milliseconds go by.
    Passes(u64),
    /// Those who came so many milliseconds ago or earlier are told that it took too long.
    Expires(u64),
    /// Whoever looks after those who wait does so.
    Looks,
    /// The store is near or far from here on.
    Moves { far: bool },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1..=4usize, 0..3u8, any::<bool>())
            .prop_map(|(size, scope, may_run)| Event::Arrives { size, scope, may_run }),
        4 => any::<usize>().prop_map(Event::Ends),
        6 => any::<usize>().prop_map(Event::GoesOn),
        1 => any::<usize>().prop_map(Event::Leaves),
        1 => (1..4u64).prop_map(Event::Passes),
        1 => (0..6u64).prop_map(Event::Expires),
        2 => Just(Event::Looks),
        1 => any::<bool>().prop_map(|far| Event::Moves { far }),
    ]
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (1..=8usize, 1..=4usize, 1..=4usize, 1..=24usize, 0..4u64).prop_flat_map(|(batch, lanes, far, waiting, slow)| {
        (1..=lanes, 1..=4 * waiting).prop_map(move |(busy_lanes, waiting_bytes)| Bounds {
            batch,
            bytes: 2 * batch,
            lanes,
            far_lanes: far,
            busy_lanes,
            slow: Duration::from_millis(slow),
            waiting,
            waiting_bytes,
        })
    })
}

/// A lane: what is under way in it, and whether it ends with that unless something waits.
#[derive(Clone, Copy, Debug)]
struct Lane {
    size: usize,
    began: Instant,
    /// Whether it is its request's own, which found a free lane.
    own: bool,
}

/// A request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    number: usize,
    scope: u8,
    size: usize,
    arrived: Instant,
}

/// A queue, and what must be true of it.
struct Model<const LASTING: bool> {
    queue: Queue<Things<LASTING>>,
    bounds: Bounds,
    now: Instant,
    lanes: Vec<Lane>,
    waiting: VecDeque<Request>,
    /// Requests somebody waits for.
    callers: HashMap<usize, Waiting<Vec<()>>>,
    arrived: usize,
}

impl<const LASTING: bool> Model<LASTING> {
    fn new(bounds: Bounds) -> Self {
        Self {
            queue: Queue::new(bounds),
            bounds,
            now: Instant::now(),
            lanes: Vec::new(),
            waiting: VecDeque::new(),
            callers: HashMap::new(),
            arrived: 0,
        }
    }

    fn items(&self) -> usize {
        self.waiting.iter().map(|request| request.size).sum()
    }

    fn bytes(&self) -> usize {
        self.waiting.iter().map(|request| request.size * bytes_of(request.number)).sum()
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives { size, scope, may_run } => self.arrives(size, scope, may_run),
            Event::Ends(which) => {
                let busy = |lane: &Lane| lane.size > 0;
                if let Some(lane) = pick(&self.lanes, busy, which) {
                    self.ends(lane);
                }
            }
            Event::GoesOn(which) => {
                if let Some(lane) = pick(&self.lanes, |lane| lane.size == 0, which) {
                    self.goes_on(lane);
                }
            }
            Event::Leaves(which) => {
                if let Some(at) = pick(self.waiting.make_contiguous(), |_| true, which) {
                    self.callers.remove(&self.waiting[at].number);
                }
            }
            Event::Passes(millis) => self.now += Duration::from_millis(millis),
            Event::Expires(millis) => {
                let Some(limit) = self.now.checked_sub(Duration::from_millis(millis)) else { return };
                let expired: Vec<usize> = self.queue.expire(limit).into_iter().map(|entry| number(&entry)).collect();
                let late = self.waiting.iter().take_while(|request| request.arrived <= limit).count();
                let expected: Vec<usize> = self.waiting.drain(..late).map(|request| request.number).collect();
                assert_eq!(expired, expected);
            }
            Event::Looks => self.looks(),
            Event::Moves { far } => self.queue.set_far(far),
        }
    }

    fn arrives(&mut self, size: usize, scope: u8, may_run: bool) {
        let (waiting, lanes) = (self.items(), self.lanes.len());
        let bytes = size * bytes_of(self.arrived + 1);
        let is_full = waiting + size > self.bounds.waiting || self.bytes() + bytes > self.bounds.waiting_bytes;
        let lane = Lane { size: 0, began: self.now, own: false };
        match self.queue.arrive(size, bytes, may_run, self.now) {
            Arrival::Runs => {
                assert!(may_run && waiting == 0, "nobody is overtaken");
                self.lanes.push(Lane { size, own: true, ..lane });
                return;
            }
            Arrival::Full => {
                assert!(waiting > 0 && is_full, "{waiting} wait");
                return;
            }
            Arrival::Waits => {
                assert!(lanes > 0, "nobody would ever take it");
                self.queue.wants_watch();
            }
            Arrival::WaitsForNewLane => self.lanes.push(lane),
        }
        assert!(waiting == 0 || !is_full, "{waiting} wait");
        self.arrived += 1;
        let request = Request { number: self.arrived, scope, size, arrived: self.now };
        let (asked, caller) = Asked::several(vec![request.number; size]);
        self.queue.push(Entry { scope, asked, arrived: self.now });
        self.waiting.push_back(request);
        self.callers.insert(request.number, caller);
    }

    /// As a lane does: an own one goes on only for those who wait.
    fn ends(&mut self, which: usize) {
        let lane = &mut self.lanes[which];
        self.queue.over(std::mem::take(&mut lane.size), self.now - lane.began);
        if std::mem::take(&mut lane.own) && self.waiting.is_empty() {
            self.queue.give_up();
            self.lanes.remove(which);
        }
    }

    fn goes_on(&mut self, which: usize) {
        let batch = self.queue.next(self.now);
        while let Some(first) =
            self.waiting.front().filter(|first| !LASTING && !self.callers.contains_key(&first.number))
        {
            let gone = first.number;
            self.waiting.retain(|request| request.number != gone);
        }
        if self.queue.waiting() > 0 {
            self.queue.wants_watch();
        }
        let Some(batch) = batch else {
            self.lanes.remove(which);
            assert!(self.waiting.is_empty() || !self.lanes.is_empty(), "nobody is left to take them");
            return;
        };
        // Those of the first one's scope, in their order, up to the first of all that would not fit.
        let scope = self.waiting[0].scope;
        let (mut size, mut bytes) = (0, 0);
        let mut expected: Vec<Request> = Vec::new();
        for request in &self.waiting {
            let own = request.size * bytes_of(request.number);
            if size > 0 && (size + request.size > self.bounds.batch || bytes + own > self.bounds.bytes) {
                break;
            }
            if request.scope == scope {
                (size, bytes) = (size + request.size, bytes + own);
                expected.push(*request);
            }
        }
        assert_eq!((batch.scope, batch.size), (scope, size));
        let taken: Vec<usize> = batch.entries.iter().map(number).collect();
        assert_eq!(taken, expected.iter().map(|request| request.number).collect::<Vec<_>>());
        self.waiting.retain(|request| !expected.contains(request));
        self.lanes[which] = Lane { size, began: self.now, own: false };
    }

    fn looks(&mut self) {
        if !self.queue.watched {
            return;
        }
        let lanes = if self.queue.far { self.bounds.far_lanes } else { self.bounds.lanes };
        let oldest = self.waiting.front().map(|request| request.arrived);
        let late = oldest.is_some_and(|arrived| self.now - arrived >= self.bounds.slow);
        let look = self.queue.look(self.now);
        match look {
            Look::Nobody => assert!(self.waiting.is_empty()),
            Look::Again(again) => assert!(again > self.now && !(late && self.lanes.len() < lanes)),
            Look::NewLane(again) => {
                assert!(again > self.now && late && self.lanes.len() < lanes);
                self.lanes.push(Lane { size: 0, began: self.now, own: false });
            }
        }
    }

    fn check(&self) {
        assert_eq!((self.queue.waiting(), self.queue.waiting_bytes()), (self.items(), self.bytes()));
        assert_eq!(self.queue.lanes(), self.lanes.len());
        assert_eq!(self.queue.under_way, self.lanes.iter().map(|lane| lane.size).sum::<usize>());
        assert_eq!(self.queue.oldest(), self.waiting.front().map(|request| request.arrived));
        assert_eq!(self.queue.is_idle(), self.lanes.is_empty() && self.waiting.is_empty());
        assert!(self.lanes.len() <= self.bounds.lanes.max(self.bounds.far_lanes), "{:?}", self.lanes);
        assert!(self.waiting.is_empty() || !self.lanes.is_empty(), "whoever waits is taken by a lane");
        let goes_on = self.lanes.iter().any(|lane| lane.size == 0);
        assert!(
            self.waiting.is_empty() || goes_on || self.queue.watched || self.bounds.lanes == 1,
            "whoever waits for what hangs is looked after"
        );
        assert!(self.queue.recent >= self.queue.waiting + self.queue.under_way);
    }

    /// Nobody comes and no statement ends: all that wait get lanes, as long as there are any.
    fn hangs(&mut self) {
        self.queue.set_far(false);
        for _ in 0..=self.bounds.lanes {
            for lane in (0..self.lanes.len()).rev().filter(|lane| self.lanes[*lane].size == 0).collect::<Vec<_>>() {
                self.goes_on(lane);
                self.check();
            }
            self.now += self.bounds.slow;
            self.looks();
            self.check();
        }
        assert!(self.waiting.is_empty() || self.lanes.len() >= self.bounds.lanes, "{:?}", self.lanes);
    }

    /// Nothing comes any more: all that wait are taken, in as many rounds as there are of them at the most.
    fn empties(&mut self) {
        for _ in 0..=self.waiting.len() {
            while let Some(lane) = pick(&self.lanes, |lane| lane.size > 0, 0) {
                self.ends(lane);
                self.check();
            }
            for lane in (0..self.lanes.len()).rev() {
                self.goes_on(lane);
                self.check();
            }
        }
        assert!(self.queue.is_idle(), "{:?} in {:?}", self.waiting, self.lanes);
        // What it remembers of busy times fades.
        for _ in 0..64 {
            self.arrives(1, 0, false);
            self.goes_on(0);
            self.ends(0);
            self.goes_on(0);
            self.check();
        }
        assert_eq!(self.queue.recent, 0);
    }
}

/// The place of one of those that are so.
fn pick<T>(all: &[T], so: impl Fn(&T) -> bool, which: usize) -> Option<usize> {
    let places: Vec<usize> = (0..all.len()).filter(|at| so(&all[*at])).collect();
    let at = which.checked_rem(places.len())?;
    Some(places[at])
}

fn number<const LASTING: bool>(entry: &Entry<Things<LASTING>>) -> usize {
    match &entry.asked {
        Asked::One(number, _) => *number,
        Asked::Several(numbers, _) => numbers[0],
    }
}

fn runs<const LASTING: bool>(bounds: Bounds, events: Vec<Event>) {
    let mut model = Model::<LASTING>::new(bounds);
    for event in events {
        model.happens(event);
        model.check();
    }
    model.hangs();
    model.empties();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whoever_waits_is_taken_in_turn_and_no_lane_is_lost(
        bounds in bounds(), events in prop::collection::vec(event(), 0..200), lasting: bool
    ) {
        if lasting { runs::<true>(bounds, events) } else { runs::<false>(bounds, events) }
    }
}
